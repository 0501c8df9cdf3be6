"""The desk from the first click to the end of the visit, against the real service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from sandbox_ehr.cds_client import CdsClient, OfferedLink, OfferedService
from sandbox_ehr.desk import draft_forms, stories
from sandbox_ehr.desk.worksheets import Worksheet
from sandbox_ehr.settings import RegisteredApp
from tests.practice import Pair

ADA = "pat-ada-winterbourne"
EVERY_VARIANT = [v.request for s in stories.STORIES for v in s.variants]


@pytest.fixture
def browser(pair: Pair) -> FlaskClient:
    return pair.app.test_client()


def opened(browser: FlaskClient, request_name: str) -> str:
    """The address of the story's worksheet."""
    response = browser.post(f"/stories/{request_name}")
    assert response.status_code == 303
    return response.headers["Location"]


def page(browser: FlaskClient, address: str) -> str:
    response = browser.get(address)
    assert response.status_code == 200
    return unescape(response.get_data(as_text=True))


def sheet(pair: Pair, address: str) -> Worksheet:
    found = pair.desk.worksheets.get(address.rpartition("/")[2])
    assert found is not None
    return found


def fields(html: str) -> dict[str, str]:
    """What the page's one form would send, without buttons."""
    said = dict(re.findall(r'<input[^>]* name="([^"]*)" value="([^"]*)"', html))
    for name, options in re.findall(r'<select[^>]* name="([^"]*)"[^>]*>(.*?)</select>', html, re.S):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        said[name] = chosen[1] if chosen else ""
    return said


def field(pair: Pair, address: str, element: str, place: int = 0) -> str:
    """The name of a field of the draft in that place."""
    draft = sheet(pair, address).drafts[place]
    return f"{draft['resourceType']}/{draft['id']}:{element}"


def press(browser: FlaskClient, address: str, **changes: str) -> TestResponse:
    """The form as it stands, with `changes`, sent with the button `do`."""
    typed = {
        **fields(page(browser, address)),
        **{k.replace("__", ":"): v for k, v in changes.items()},
    }
    return browser.post(f"{address}/drafts", data=typed)


# ---------------------------------------------------------------- the six stories


@pytest.mark.parametrize("request_name", EVERY_VARIANT)
def test_a_story_opens_with_everything_filled_in(
    browser: FlaskClient, pair: Pair, request_name: str
) -> None:
    address = opened(browser, request_name)
    found, html = sheet(pair, address), page(browser, address)
    story = stories.find(request_name)
    assert story is not None
    for line in (story[0].happened, story[0].click, story[0].look):
        assert line in html
    assert found.drafts and found.cards and not found.malformed
    assert [call.status for call in found.calls] == [200]
    assert found.calls[0].trace["reviews"]


def test_another_drugs_code_is_changed_with_one_click(browser: FlaskClient, pair: Pair) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    (card,) = sheet(pair, address).cards
    (suggestion,) = card.card.suggestions
    assert suggestion.label == "Change J2356 to J2357"
    browser.post(f"{address}/cards/{card.key}/take/{suggestion.uuid}")
    html = page(browser, address)
    assert 'value="J2357"' in html and "was J2356" in html
    press(browser, address, do="sign")
    signed = sheet(pair, address)
    assert signed.stage == "signed"
    kept = pair.desk.records.read("MedicationRequest", "omalizumab-coded-j2356")
    assert kept and kept["status"] == "active"
    assert kept["medicationCodeableConcept"]["coding"][1]["code"] == "J2357"


def test_a_warning_holds_the_signature_until_the_user_answers(
    browser: FlaskClient, pair: Pair
) -> None:
    address = opened(browser, "story-missing-ige-and-therapy")
    press(browser, address, do="sign")
    held = sheet(pair, address)
    assert held.stage == "draft" and "Sign all the same" in page(browser, address)
    card = next(c for c in held.cards if c.is_urgent)
    typed = {f"reason:{card.key}": "documented-elsewhere", f"comment:{card.key}": "on <b>paper</b>"}
    browser.post(f"{address}/cards/{card.key}/set-aside", data=typed)
    html = browser.get(address).get_data(as_text=True)
    assert "Documented elsewhere: on &lt;b&gt;paper&lt;/b&gt;" in html
    press(browser, address, do="sign")
    assert sheet(pair, address).stage == "signed"


@pytest.mark.parametrize(
    ("request_name", "given", "summary"),
    [
        (
            "story-225-mg-two-vials",
            {"discarded": "75"},
            "Omalizumab given: bill J2357 x 45 and J2357-JW x 15",
        ),
        ("story-225-mg-two-vials", {}, "until then neither JW nor JZ can be billed"),
        ("story-225-mg-two-syringes", {}, "Omalizumab given: bill J2357-JZ x 45"),
        (
            "story-reslizumab-per-kg",
            {"dose": "213.9", "discarded": "86.1"},
            "Reslizumab given: bill J2786 x 214 and J2786-JW x 86",
        ),
        ("story-payer-denies-jw", {"discarded": "75"}, "this payer denies JW lines"),
    ],
)
def test_what_was_charted_decides_the_claim_lines(
    browser: FlaskClient, pair: Pair, request_name: str, given: dict[str, str], summary: str
) -> None:
    address = opened(browser, request_name)
    for _ in range(2):
        press(browser, address, do="sign")
    typed = fields(page(browser, address))
    places = {name.partition(":")[0] for name in typed if name.endswith(":lot")}
    for place in places:
        more = {"lot": "FX1", "expiry": "2028-04-30", "site": "left thigh", **given}
        typed.update({f"{place}:{name}": value for name, value in more.items()})
    assert browser.post(f"{address}/given", data=typed).status_code == 303
    assert sheet(pair, address).stage == "given"
    assert "lot FX1" in page(browser, address) and "left thigh" in page(browser, address)
    browser.post(f"{address}/end")
    ended = sheet(pair, address)
    assert ended.stage == "ended"
    said = [card.card.summary for card in ended.cards]
    assert any(summary in words for words in said), said
    visit = pair.desk.records.read("Encounter", ended.encounter_id)
    assert visit and visit["status"] == "finished"


# ---------------------------------------------------------------- an order of one's own


def test_a_drug_is_chosen_then_dosed_then_signed(browser: FlaskClient, pair: Pair) -> None:
    coverage = f"Coverage/cov-{ADA.removeprefix('pat-')}"
    chosen = {"product": "50242-227-01", "coverage": coverage, "line": "ChargeItem"}
    address = browser.post(f"/patients/{ADA}/orders", data=chosen).headers["Location"]
    assert [d["resourceType"] for d in sheet(pair, address).drafts] == [
        "MedicationRequest",
        "ChargeItem",
    ]
    assert sheet(pair, address).calls[0].hook == "order-select"
    dose, count = field(pair, address, "dose"), field(pair, address, "containers")
    units = field(pair, address, "units", 1)
    press(browser, address, **{dose: "300", count: "1", units: "60"}, do="sign")
    said = [card.card.summary for card in sheet(pair, address).cards]
    assert sheet(pair, address).stage == "signed", said
    charge = pair.desk.records.read("ChargeItem", sheet(pair, address).drafts[1]["id"])
    assert charge and charge["status"] == "billable" and charge["quantity"]["value"] == 60


def test_an_order_that_is_not_ours_gets_no_card(browser: FlaskClient, pair: Pair) -> None:
    patient = "pat-tabitha-gooseberry"
    address = browser.post(f"/patients/{patient}/orders", data={"product": "723"}).headers[
        "Location"
    ]
    assert "No card: nothing to do" in page(browser, address)


def test_without_a_drug_nothing_is_ordered(browser: FlaskClient) -> None:
    response = browser.post(f"/patients/{ADA}/orders", data={"product": "nothing"})
    assert response.status_code == 422 and "Choose a drug first" in response.get_data(as_text=True)


def test_what_cannot_be_read_is_kept_and_marked(browser: FlaskClient, pair: Pair) -> None:
    address = opened(browser, "story-300-mg-typed-as-300-units")
    before = sheet(pair, address)
    dose, units = field(pair, address, "dose"), field(pair, address, "units", 1)
    response = press(browser, address, **{dose: "three hundred", units: "60"}, do="sign")
    assert response.status_code == 422
    for html in (response.get_data(as_text=True), page(browser, address)):  # and on a reload
        assert 'value="three hundred"' in html and 'value="60"' in html
        assert "type a number" in html
    after = sheet(pair, address)
    assert (after.drafts, after.cards, after.stage) == (before.drafts, before.cards, "draft")
    press(browser, address, **{dose: "300"}, do="check")
    assert not sheet(pair, address).typed


def test_a_suggestion_on_an_order_changed_since_is_asked_for_anew(
    browser: FlaskClient, pair: Pair
) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    (card,) = sheet(pair, address).cards
    typed = {**fields(page(browser, address)), field(pair, address, "dose"): "150"}
    where = f"{address}/cards/{card.key}/take/{card.card.suggestions[0].uuid}"
    browser.post(where, data=typed)
    assert "asked for anew" in page(browser, address)
    assert sheet(pair, address).cards[0].key != card.key
    assert 'value="150"' in page(browser, address)


def test_drafts_are_added_and_removed(browser: FlaskClient, pair: Pair) -> None:
    address = opened(browser, "story-225-mg-two-vials")
    for what in ("MedicationRequest", "ServiceRequest", "ChargeItem"):
        press(browser, address, do=f"add {what}")
    kinds = [draft["resourceType"] for draft in sheet(pair, address).drafts]
    assert kinds == ["MedicationRequest", "MedicationRequest", "ServiceRequest", "ChargeItem"]
    gone = sheet(pair, address).drafts[3]["id"]
    press(browser, address, do=f"remove ChargeItem/{gone}")
    assert pair.desk.records.read("ChargeItem", gone) is None
    for draft in sheet(pair, address).drafts:
        press(browser, address, do=f"remove {draft['resourceType']}/{draft['id']}")
    assert "No draft is left" in page(browser, address)


def test_a_line_of_a_claim_is_removed(browser: FlaskClient, pair: Pair) -> None:
    address = opened(browser, "story-payer-denies-jw")
    reference = f"Claim/{sheet(pair, address).drafts[1]['id']}"
    press(browser, address, do=f"remove {reference}#2")
    claim = sheet(pair, address).drafts[1]
    assert [item["sequence"] for item in claim["item"]] == [1, 3]
    assert not any("remove the JW line" in c.card.summary for c in sheet(pair, address).cards)


# ---------------------------------------------------------------- starting over


def test_reset_puts_every_chart_back(browser: FlaskClient, pair: Pair) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    for _ in range(2):
        press(browser, address, do="sign")
    response = browser.post("/reset")
    assert "reset" in response.headers["Location"]
    assert pair.desk.records.read("MedicationRequest", "omalizumab-coded-j2356") is None
    assert browser.get(address).status_code == 404


def test_a_story_opened_again_finds_its_patient_as_before(browser: FlaskClient, pair: Pair) -> None:
    patient = [("patient", "Patient/pat-bartholomew-quince")]
    before = pair.desk.records.search("MedicationAdministration", patient)
    address = opened(browser, "story-225-mg-two-vials")
    for _ in range(2):
        press(browser, address, do="sign")
    browser.post(f"{address}/given", data=fields(page(browser, address)))
    during = pair.desk.records.search("MedicationAdministration", patient)
    assert len(during) == len(before) + 1
    opened(browser, "story-225-mg-two-vials")
    assert pair.desk.records.search("MedicationAdministration", patient) == before


def test_a_story_has_no_drafts_but_its_own_so_that_the_app_sees_what_the_card_sees(
    browser: FlaskClient, pair: Pair
) -> None:
    opened(browser, "story-300-mg-typed-as-300-units")
    patient = [("patient", "Patient/pat-ada-winterbourne"), ("status", "draft")]
    kinds = ("MedicationRequest", "ServiceRequest")
    drafts = [r["id"] for kind in kinds for r in pair.desk.records.search(kind, patient)]
    assert drafts == ["omalizumab-300-mg-for-units", "omalizumab-300-units"]


# ---------------------------------------------------------------- the app beside the order

APP = RegisteredApp("app", "The app", launch_url="https://app.example/launch")


@pytest.fixture
def with_app(pair: Pair) -> Iterator[Pair]:
    before = pair.desk
    settings = replace(before.settings, clients=(APP,))
    pair.app.extensions["sandbox-ehr-desk"] = replace(before, settings=settings)
    yield pair
    pair.app.extensions["sandbox-ehr-desk"] = before


def card_with(link: dict[str, str], pair: Pair, address: str) -> str:
    """The key of the worksheet's first card, which has this link now."""
    found = sheet(pair, address)
    first = found.cards[0]
    changed = msgspec.structs.replace(first.card, links=(OfferedLink(**link),))
    cards = (replace(first, card=changed), *found.cards[1:])
    pair.desk.worksheets.put(replace(found, cards=cards))
    return first.key


def test_a_smart_link_opens_the_app_in_a_frame_with_what_the_card_gave_it(
    browser: FlaskClient, with_app: Pair
) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    url = "https://app.example/launch?from=card&iss=https://evil.example"
    link = {"label": "See", "url": url, "type": "smart", "app_context": "sealed"}
    key = card_with(link, with_app, address)
    assert f'formaction="{address}/app/open?card={key}&link=0"' in page(browser, address)
    to = browser.post(f"{address}/app/open?card={key}&link=0").headers["Location"]
    assert to == f"{address}?card={key}&link=0#app"
    framed = page(browser, to)
    assert f'<iframe src="{address}/app?card={key}&link=0"' in framed
    to = urlsplit(browser.get(f"{address}/app?card={key}&link=0").headers["Location"])
    query = parse_qs(to.query)
    assert (to.scheme, to.netloc, to.path) == ("https", "app.example", "/launch")
    assert query["from"] == ["card"] and query["iss"] == [f"{with_app.ehr}/fhir"]
    launch = with_app.desk.launches.peek(query["launch"][0])
    assert launch and (launch.patient_id, launch.app_context, launch.client_id) == (
        ADA,
        "sealed",
        "app",
    )
    policy = browser.get(address).headers["Content-Security-Policy"]
    assert "frame-src 'self' https://app.example" in policy


def test_the_app_opens_from_the_menu_too(browser: FlaskClient, with_app: Pair) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    assert "Open The app" in page(browser, address)
    framed = browser.post(f"{address}/app/open?app=app", follow_redirects=True)
    assert f'<iframe src="{address}/app?app=app"' in framed.get_data(as_text=True)
    response = browser.get(f"{address}/app?app=app")
    assert response.headers["Location"].startswith("https://app.example/launch?iss=")


def test_where_a_card_leads_to_the_app_there_is_no_second_way(
    browser: FlaskClient, with_app: Pair
) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    assert "Open The app" in page(browser, address)
    card_with({"label": "See", "url": APP.launch_url, "type": "smart"}, with_app, address)
    assert "Open The app" not in page(browser, address)


def test_an_infusion_is_not_called_an_injection(browser: FlaskClient) -> None:
    drip = page(browser, opened(browser, "story-reslizumab-per-kg"))
    assert "Chart the infusion" in drip and "injection" not in drip
    assert "Chart the injection" in page(browser, opened(browser, "story-225-mg-two-vials"))


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example/other",
        "https://app.example.evil.example/launch",
        "http://app.example/launch",
        "https://app.example:444/launch",
    ],
)
def test_an_app_that_is_not_registered_is_not_opened(
    browser: FlaskClient, with_app: Pair, url: str
) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    key = card_with({"label": "See", "url": url, "type": "smart"}, with_app, address)
    assert "not registered here" in page(browser, address)
    for query in (f"card={key}&link=0", f"card={key}&link=1", "card=x&link=0", "app=x", ""):
        assert browser.get(f"{address}/app?{query}").status_code == 404


def test_closing_the_app_asks_for_the_cards_anew_and_keeps_what_was_typed(
    browser: FlaskClient, with_app: Pair
) -> None:
    address = opened(browser, "story-missing-ige-and-therapy")
    press(browser, address, do="sign")
    assert sheet(with_app, address).asks_before_signing
    framed = page(browser, f"{address}?app=app")
    chart = with_app.desk.records
    ige = {**chart.read("Observation", "obs-ada-winterbourne-total-ige"), "id": "new-ige"}
    ige["subject"] = {"reference": f"Patient/{sheet(with_app, address).patient_id}"}
    chart.update(ige)
    typed = {**fields(framed), field(with_app, address, "dose"): "375"}
    assert browser.post(f"{address}/app/close", data=typed).headers["Location"] == address
    back = page(browser, address)
    assert "No total IgE result is on file" not in back and "The chart was looked at again" in back
    assert 'value="375"' in back and not sheet(with_app, address).asks_before_signing
    assert "<iframe" not in back


def test_opening_and_closing_the_app_keeps_what_is_typed_at_every_step(
    browser: FlaskClient, with_app: Pair
) -> None:
    """A draft not saved, one that cannot be read, the reason of a card, and a half-charted dose."""
    address = opened(browser, "story-missing-ige-and-therapy")
    dose = field(with_app, address, "dose")

    def aside() -> dict[str, str]:
        """Asked for anew, a card has the same words and another id."""
        found = sheet(with_app, address).cards
        key = next(shown.key for shown in found if shown.card.override_reasons)
        return {f"reason:{key}": "documented-elsewhere", f"comment:{key}": "In paper"}

    for typed in ("375", "three hundred"):
        for button in ("app/open?app=app", "app/close"):
            form = {**fields(page(browser, address)), dose: typed, **aside()}
            assert browser.post(f"{address}/{button}", data=form).status_code == 303
            html = page(browser, address)
            assert f'value="{typed}"' in html and ">In paper</textarea>" in html
            assert 'value="documented-elsewhere" selected' in html
            assert ("type a number" in html) is (typed == "three hundred")
    assert draft_forms.dose(sheet(with_app, address).drafts[0]) == "375"
    press(browser, address, **{dose: "375"}, do="sign")
    if sheet(with_app, address).stage == "draft":
        press(browser, address, do="sign")
    form = {**fields(page(browser, address)), "0:lot": "FX900A", "0:given_at": "soon"}
    for button in ("app/open?app=app", "app/close", "given"):
        browser.post(f"{address}/{button}", data=form)
        html = page(browser, address)
        assert 'value="FX900A"' in html and 'value="soon"' in html
    press_given = {**form, "0:given_at": "00:05"}
    browser.post(f"{address}/given", data=press_given)
    assert sheet(with_app, address).stage == "given" and not sheet(with_app, address).typed


def test_a_draft_kept_by_opening_the_app_is_asked_about_when_it_is_saved(
    browser: FlaskClient, with_app: Pair
) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    before = sheet(with_app, address).cards[0].key
    form = {**fields(page(browser, address)), field(with_app, address, "dose"): "150"}
    browser.post(f"{address}/app/open?app=app", data=form)
    assert sheet(with_app, address).cards[0].key == before
    press(browser, address, do="check")
    assert sheet(with_app, address).cards[0].key != before


def test_a_new_order_that_lacks_its_drug_keeps_payer_and_line(browser: FlaskClient) -> None:
    typed = {"product": "", "coverage": "", "line": "ChargeItem"}
    html = browser.post(f"/patients/{ADA}/orders", data=typed).get_data(as_text=True)
    assert 'value="ChargeItem" selected' in html and '<option value="" selected>none' in html


def test_a_card_that_is_gone_opens_the_order_without_the_app(
    browser: FlaskClient, with_app: Pair
) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    assert "<iframe" not in page(browser, f"{address}?card=gone&link=0")


# ---------------------------------------------------------------- what goes wrong


def test_a_desk_without_its_service_works_on(browser: FlaskClient, pair: Pair) -> None:
    ours = pair.desk.services[0]
    away = CdsClient("http://127.0.0.1:9", ours.fhir_server, ours.key, ours.look_up, ours.authorize)
    pair.with_services(away)
    address = opened(browser, "story-j2356-on-omalizumab")
    assert "Ordering works without it" in page(browser, address)
    press(browser, address, do="sign")
    assert sheet(pair, address).stage == "signed"


def test_a_malformed_card_is_named_and_hostile_text_is_only_text(
    browser: FlaskClient, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = pair.desk.services[0]
    evil = "<script>alert(1)</script>"
    cards: list[Any] = [
        {"indicator": "info", "source": {"label": "x"}, "summary": ""},
        {
            "uuid": "u1",
            "summary": evil,
            "detail": evil,
            "indicator": "warning",
            "source": {"label": evil},
            "links": [{"label": evil, "url": "https://elsewhere.example/launch", "type": "smart"}],
        },
    ]
    answer = str({"cards": cards}).replace("'", '"').encode()
    other = CdsClient(
        ours.base,
        ours.fhir_server,
        ours.key,
        ours.look_up,
        ours.authorize,
        _known=[(1e12, (OfferedService("order-select", "x", "x", {}),))],
    )
    monkeypatch.setattr(CdsClient, "_exchange", lambda *args: (200, answer, 1))
    pair.with_services(other)
    html = browser.get(opened(browser, "story-j2356-on-omalizumab")).get_data(as_text=True)
    assert "breaks the CDS Hooks specification" in html
    assert "<script" not in html and "&lt;script&gt;" in html
    assert "not registered here" in html and "elsewhere.example" not in html.split("Response")[0]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_forms_of_other_sites_change_nothing(
    browser: FlaskClient, pair: Pair, headers: dict[str, str]
) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    before = sheet(pair, address)
    for path in (f"{address}/drafts", "/reset", "/stories/story-j2356-on-omalizumab"):
        assert browser.post(path, headers=headers).status_code == 403
    assert sheet(pair, address) == before


def test_pages_allow_no_script_and_no_framing(browser: FlaskClient) -> None:
    response = browser.get("/")
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    html = response.get_data(as_text=True)
    assert "<script" not in html and " style=" not in html and " onclick" not in html


@pytest.mark.parametrize(
    "path",
    ["/orders/none", "/patients/nobody", "/x", "/orders/none/app?card=x", "/stories/nothing"],
)
def test_what_is_not_there_says_where_to_go(browser: FlaskClient, path: str) -> None:
    response = browser.post(path) if path.startswith("/stories") else browser.get(path)
    assert response.status_code == 404 and "Back to the tour" in response.get_data(as_text=True)


def test_buttons_of_an_earlier_step_lead_to_the_present_one(
    browser: FlaskClient, pair: Pair
) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    for path in ("given", "end"):
        response = browser.post(f"{address}/{path}")
        assert response.status_code == 303 and response.headers["Location"] == address
    assert sheet(pair, address).stage == "draft"


def test_the_developer_panel_shows_the_call_and_no_token(browser: FlaskClient, pair: Pair) -> None:
    address = opened(browser, "story-j2356-on-omalizumab")
    html = page(browser, address)
    token = sheet(pair, address).calls[0].request["fhirAuthorization"]["access_token"]
    assert token and token not in html
    assert '"hook": "order-select"' in html and '"cards"' in html
    assert "J2356 means tezepelumab-ekko" in html and "Wrong code" in html
