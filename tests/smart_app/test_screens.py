"""The reading screens as their users meet them: HTML over the test client."""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from billing_rules.catalogue import Catalogue
from ehr_access.scopes import Scopes
from sandbox_ehr.moods import Answer, Reply, Request
from smart_app.launch.window import Role, User, Window
from tests.practice_ehr import Ehr, bundle, practice_ehr
from tests.scenario import with_site
from tests.smart_app.charts import Resource, chart_of, running_with, serve, window_on
from tests.smart_app.screens_app import screens_app

BARTHOLOMEW, TWO_VIALS = "pat-bartholomew-quince", "omalizumab-225-mg-two-vials"
DOROTHEA, UNDOCUMENTED = "pat-dorothea-pennyfarthing", "omalizumab-300-mg-undocumented"
ADA, ADAS = "pat-ada-winterbourne", "ada-omalizumab-300-mg"
SCREENS = ("", "dosing", "claim", "history", "packet", "orders")


class Shown:
    """An app on a fake EHR, and its pages as text."""

    def __init__(self, ehr: Ehr, catalogue: Catalogue) -> None:
        self.ehr = ehr
        self.running = running_with(catalogue)
        self.window: Window | None = None

    def chart(self, patient: str, resources: list[Resource], **changes: Any) -> None:
        serve(self.ehr, resources)
        self.window = window_on(self.ehr, patient, **changes)

    @property
    def client(self) -> FlaskClient:
        return screens_app(self.running, lambda: self.window).test_client()  # type: ignore[arg-type,return-value]

    def page(self, screen: str = "", status: int = 200, **query: str) -> str:
        """The page, read to the end unless the test says which round it means."""
        query.setdefault("round", "2")
        response = self.client.get(f"/w/w1/{screen}", query_string=query)
        assert response.status_code == status, response.get_data(as_text=True)
        return response.get_data(as_text=True)

    def text(self, screen: str = "", status: int = 200, **query: str) -> str:
        return text_of(self.page(screen, status, **query))


def text_of(page: str) -> str:
    """A page's words, without tags and doubled space."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())


@pytest.fixture
def shown(catalogue: Catalogue) -> Iterator[Shown]:
    with practice_ehr() as ehr:
        yield Shown(ehr, catalogue)


@pytest.fixture
def bartholomew(shown: Shown) -> Shown:
    shown.chart(BARTHOLOMEW, chart_of(BARTHOLOMEW, TWO_VIALS))
    return shown


def order(name: str) -> dict[str, str]:
    return {"order": f"MedicationRequest/{name}"}


# ---------------------------------------------------------------- worksheet and order list


def test_the_worksheet_answers_how_to_bill_and_whether_it_is_documented(
    bartholomew: Shown,
) -> None:
    text = bartholomew.text(**order(TWO_VIALS))
    assert "Bartholomew Quince" in text and "Born 1957-08-04 (69 years)" in text
    assert "Omalizumab (Xolair) 225 mg, every 2 weeks, subcutaneous" in text
    assert "J2357 x 45" in text and "J2357-JW x 15" in text
    assert "Documentation Complete" in text
    assert "240 IU/mL" in text and "2026-05-18" in text


def test_every_requirement_shows_state_evidence_source_and_remedy(shown: Shown) -> None:
    shown.chart(DOROTHEA, chart_of(DOROTHEA, UNDOCUMENTED))
    page = shown.page(**order(UNDOCUMENTED))
    text = text_of(page)
    assert "Not complete: 2 points missing or to do" in text
    assert "missing Total IgE" in text and "could not be checked Labelled dose" in text
    article = page[page.index('id="total_ige"') : page.index('id="prior_therapy"')]
    assert "add a total IgE from before the first dose" in article
    assert "<q>" in article and 'rel="noopener noreferrer"' in article
    assert "/resource/MedicationRequest/" in article and "/json" in article
    assert "**" not in text, "a quote shows its words, not the marks of the file it stood in"


def test_requirements_that_do_not_apply_are_folded_away(bartholomew: Shown) -> None:
    page = bartholomew.page(**order(TWO_VIALS))
    folded = page[page.index('class="app-folded"') :]
    assert "Prior authorization" in folded
    assert page.count("<article") + folded.count("<li><strong>") == 37


def test_the_order_of_the_card_opens_without_an_address_and_its_rules_are_marked(
    bartholomew: Shown,
) -> None:
    reference = f"MedicationRequest/{TWO_VIALS}"
    assert bartholomew.window
    bartholomew.window = replace(bartholomew.window, order=reference, rules=("waste_modifier",))
    page = bartholomew.page()
    assert page.count("on the card") == 1


def test_what_the_card_spoke_of_and_the_page_cannot_see_is_named(bartholomew: Shown) -> None:
    """The draft claim of the card is not in the chart: the page may not call it faultless."""
    reference = f"MedicationRequest/{TWO_VIALS}"
    bartholomew.window = replace(
        bartholomew.window, order=reference, rules=("waste_modifier", "billed_units")
    )
    text = bartholomew.text()
    assert "The card also spoke of billed units. That is not seen here" in text
    assert "The card also spoke" not in bartholomew.text(order="MedicationRequest/another")


def test_a_dose_whose_rest_is_not_charted_leads_to_its_close_out(shown: Shown) -> None:
    shown.chart("pat-prudence-inkwell", chart_of("pat-prudence-inkwell"))
    given = "MedicationAdministration/adm-prudence-inkwell-waste-not-charted"
    text = shown.text(order=given)
    assert "Chart the discarded amount: until then neither JW nor JZ can be billed" in text
    assert "Documentation Not complete: 1 point missing or to do" in text
    assert "Close out the dose" in text


def test_without_an_order_the_patients_orders_are_listed_newest_first(shown: Shown) -> None:
    old = {**fixtures.order(TWO_VIALS), "id": "old", "authoredOn": "2026-08-01"}
    shown.chart(BARTHOLOMEW, [*chart_of(BARTHOLOMEW, TWO_VIALS), old])
    text = shown.text()
    assert text.index("written 2026-11-23") < text.index("written 2026-08-01")
    assert "Documentation: met Complete" in text
    assert "order=MedicationRequest/old" in shown.page().replace("%2F", "/")


def test_no_orders_is_said_with_what_to_do(shown: Shown) -> None:
    shown.chart(BARTHOLOMEW, chart_of(BARTHOLOMEW))
    assert "no order of a drug that is known here" in shown.text()


def test_an_order_that_the_ehr_does_not_have_is_explained(bartholomew: Shown) -> None:
    text = bartholomew.text(order="MedicationRequest/unsaved")
    assert "A draft that is not saved yet is not there" in text
    assert "Omalizumab (Xolair) 225 mg" in text, "the orders there are are offered"


@pytest.mark.parametrize(
    "reference",
    [
        "MedicationRequest/../../admin",
        "https://evil.example/MedicationRequest/1",
        "Patient/other",
        "MedicationRequest/",
        "x" * 5000,
        "<script>",
        "MedicationRequest/a?b=c",
        "\x00",
    ],
)
def test_a_strange_order_in_the_address_is_never_asked_for(
    bartholomew: Shown, reference: str
) -> None:
    page = bartholomew.page(order=reference)
    assert "not among the orders" in page and "<script>alert" not in page
    asked = " ".join(bartholomew.ehr.asked)
    assert "admin" not in asked and "evil" not in asked and "other" not in asked


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_keeps_the_order_and_says_what_it_is(bartholomew: Shown, screen: str) -> None:
    page = bartholomew.page(screen, **order(TWO_VIALS))
    assert "not legal or clinical advice" in page
    assert page.count("<h1>") == 1
    if screen != "orders":
        assert (
            page.count(f"order=MedicationRequest/{TWO_VIALS}")
            + page.count(f"order=MedicationRequest%2F{TWO_VIALS}")
            >= 4
        )
        assert page.count('aria-current="page"') == 1


@pytest.mark.parametrize("screen", SCREENS)
def test_every_screen_without_any_order_leads_to_the_list(shown: Shown, screen: str) -> None:
    shown.chart(BARTHOLOMEW, chart_of(BARTHOLOMEW))
    assert "no order of a drug" in shown.text(screen)


def test_the_banner_is_left_out_where_the_ehr_shows_its_own(bartholomew: Shown) -> None:
    assert bartholomew.window
    bartholomew.window = replace(bartholomew.window, shows_banner=False)
    assert "Bartholomew" not in bartholomew.text(**order(TWO_VIALS))


def test_only_owners_see_the_way_to_feedback(bartholomew: Shown) -> None:
    bartholomew.running = replace(bartholomew.running, feedback="orders.show")  # for the page's
    assert ">Feedback<" not in bartholomew.page(**order(TWO_VIALS))
    assert bartholomew.window
    owner = User("Practitioner/1", "Owner", Role.OWNER)
    bartholomew.window = replace(bartholomew.window, user=owner)
    assert ">Feedback<" in bartholomew.page(**order(TWO_VIALS))


# ---------------------------------------------------------------- missing, forbidden, large


def test_each_part_that_may_not_be_read_is_named(bartholomew: Shown) -> None:
    assert bartholomew.window
    scopes = Scopes.parse("patient/Patient.r patient/MedicationRequest.rs patient/Observation.rs")
    bartholomew.window = replace(bartholomew.window, scopes=scopes)
    text = bartholomew.text(**order(TWO_VIALS))
    assert "What the app could not read" in text
    for part in ("Diagnoses", "Insurance coverage", "Medications given", "Prior authorizations"):
        assert f"{part}: the access token's scope does not allow it." in text
    assert "the coverage could not be read: the access token's scope does not allow it" in text


@pytest.mark.parametrize("screen", SCREENS)
def test_another_patients_data_refuses_the_page(shown: Shown, screen: str) -> None:
    shown.chart(BARTHOLOMEW, chart_of(BARTHOLOMEW, TWO_VIALS))
    foreign = {"resourceType": "Condition", "id": "x", "subject": {"reference": "Patient/other"}}
    shown.ehr.replies["/fhir/Condition"] = Reply(bundle(foreign))
    text = shown.text(screen, 502, **order(TWO_VIALS))
    assert "The EHR sent data of another patient" in text
    assert "Omalizumab" not in text and "Quince" not in text


def test_what_is_still_to_be_read_is_asked_for_by_the_page_itself(shown: Shown) -> None:
    shown.chart(BARTHOLOMEW, chart_of(BARTHOLOMEW, TWO_VIALS))
    calls: list[int] = []

    def slowly_at_first(request: Request, answer: Answer) -> Reply:
        calls.append(1)
        if len(calls) == 1:
            time.sleep(1.0)
        return Reply(bundle())

    shown.ehr.replies["/fhir/Procedure"] = slowly_at_first
    first = shown.page(round="0", **order(TWO_VIALS))
    assert "Still reading the chart" in first and "procedures" in first
    assert "J2357-JW x 15" in first, "what is decided is there"
    asked = re.search(r'hx-get="([^"]*)"', first)
    assert asked and "round=1" in asked[1] and TWO_VIALS in asked[1]
    rest = shown.page(round="1", **order(TWO_VIALS))
    assert "Still reading" not in rest


@pytest.mark.parametrize("round_", ["-1", "99", "x", "1e9", "\u0661", "9" * 5000])
def test_a_strange_round_is_no_fault(bartholomew: Shown, round_: str) -> None:
    assert "J2357" in bartholomew.text(round=round_, **order(TWO_VIALS))


# ---------------------------------------------------------------- dosing


def test_the_dosing_table_marks_the_patient_and_is_told_in_a_sentence(shown: Shown) -> None:
    shown.chart(ADA, chart_of(ADA, ADAS))
    page = shown.page("dosing", **order(ADAS))
    text = text_of(page)
    assert (
        "Total IgE 168 IU/mL of 2026-05-18 and weight 64 kg of 2026-10-26 lead to 300 mg every 4 "
        "weeks. Ordered is 300 mg every 4 weeks: the same." in text
    )
    marked = re.findall(r'<td class="[^"]*app-heat-here">(.*?)</td>', page)
    assert [text_of(cell) for cell in marked] == ["300 mg every 4 weeks this patient"]
    assert "counts: drawn before treatment" in text and "not verified" not in text


def test_a_table_that_was_not_seen_in_the_label_says_so(shown: Shown) -> None:
    shown.chart("pat-milo-applegarth", chart_of("pat-milo-applegarth", "milo-omalizumab-150-mg"))
    text = shown.text("dosing", **order("milo-omalizumab-150-mg"))
    assert "was not read in the US label itself" in text and "(not verified)" in text


def test_without_total_ige_the_table_says_why_nothing_is_marked(shown: Shown) -> None:
    shown.chart(DOROTHEA, chart_of(DOROTHEA, UNDOCUMENTED))
    page = shown.page("dosing", **order(UNDOCUMENTED))
    assert "cannot be told: no total IgE is on file" in text_of(page)
    assert "app-heat-here" not in page


def test_a_fixed_dose_needs_no_table(shown: Shown) -> None:
    patient = "pat-perpetua-quillfeather"
    shown.chart(patient, chart_of(patient, "perpetua-omalizumab-300-mg"))
    text = shown.text("dosing", **order("perpetua-omalizumab-300-mg"))
    assert "Labelled here: 150 mg or 300 mg, independent of total IgE." in text


# ---------------------------------------------------------------- claim


def test_the_claim_lines_stand_as_on_the_form_and_in_837p(bartholomew: Shown) -> None:
    page = bartholomew.page("claim", **order(TWO_VIALS))
    text = text_of(page)
    assert "N450242004062 UN1.5" in text and "N450242004062 UN0.5" in text
    assert "SV1*HC:J2357:JW*?*UN*15*?**1~" in text and "DTP*472*D8*20261124~" in text
    assert "2 x 150 mg vials as ordered" in text and "1 x 150 mg syringe, 1 x 75 mg syringe" in text


def test_what_if_works_without_script_and_keeps_what_was_chosen(bartholomew: Shown) -> None:
    query = {
        **order(TWO_VIALS),
        "dose": "300",
        "fill": "least",
        "payer": "medicare-part-b-palmetto",
        "on": "2026-12-01",
    }
    page = bartholomew.page("claim", **query)
    text = text_of(page)
    assert "What if: 300 mg, Medicare Part B" in text and "on 2026-12-01." in text
    assert "DTP*472*D8*20261201~" in text and "SV1*HC:J2357:JZ*?*UN*60" in text
    assert 'value="300"' in page and 'value="2026-12-01"' in page
    assert '<option value="medicare-part-b-palmetto" selected>' in page


@pytest.mark.parametrize(
    ("typed", "remedy"),
    [
        ({"dose": "lots"}, "number of milligrams, like 225"),
        ({"dose": "-1"}, "number of milligrams"),
        ({"dose": "NaN"}, "number of milligrams"),
        ({"dose": "9" * 90}, "number of milligrams"),
        ({"dose": "1e-999999"}, "number of milligrams"),
        ({"dose": "0." + "0" * 80 + "1"}, "number of milligrams"),
        ({"dose": "2_2_5"}, "number of milligrams"),
        ({"on": "24/11/2026"}, "year-month-day"),
        ({"on": "0001-01-01"}, "year-month-day"),
        ({"on": "2026-W01-1"}, "year-month-day"),
        ({"on": "20260101"}, "year-month-day"),
        ({"payer": "<script>"}, "Choose a payer of the list"),
        ({"fill": "1x2,zz"}, "Choose containers of the list"),
        ({"fill": "50242004062x000199999"}, "Choose containers of the list"),
        ({"fill": "50242004062x0001" + "9" * 60}, "Choose containers of the list"),
        ({"dose": "600", "fill": "50242004062x2"}, "These containers hold 300 mg, less than 600"),
        ({"dose": "375"}, "The containers as ordered hold 300 mg, less than 375 mg"),
    ],
)
def test_what_cannot_be_used_is_said_and_kept(
    bartholomew: Shown, typed: dict[str, str], remedy: str
) -> None:
    page = bartholomew.page("claim", **order(TWO_VIALS), **typed)
    assert remedy in text_of(page) and 'aria-invalid="true"' in page
    if typed.get("dose") == "lots":
        assert 'value="lots"' in page


def test_a_dose_that_the_containers_do_not_hold_has_no_claim_line(bartholomew: Shown) -> None:
    page = bartholomew.page("claim", **order(TWO_VIALS), dose="375")
    plan = text_of(page.partition('id="plan"')[2].partition("Containers that hold the dose")[0])
    assert "No claim line can be planned: the containers hold 300 mg" in plan
    assert "J2357" not in plan
    least = bartholomew.page("claim", **order(TWO_VIALS), dose="375", fill="least")
    assert "J2357" in text_of(least)


def test_a_price_of_the_site_is_shown_with_its_source(bartholomew: Shown) -> None:
    site = {"prices": {"J2357": "41.823"}, "setting": "office"}
    priced = with_site(bartholomew.running.catalogue, site)
    bartholomew.running = replace(bartholomew.running, catalogue=priced)
    text = bartholomew.text("claim", **order(TWO_VIALS))
    assert "$1,882.04" in text and "$627.35" in text and "$2,509.39" in text


# ---------------------------------------------------------------- history


def test_history_has_a_table_beside_every_chart(shown: Shown) -> None:
    patient = "pat-nerissa-goldspoon"
    shown.chart(patient, chart_of(patient, "nerissa-omalizumab-300-mg"))
    page = shown.page("history", **order("nerissa-omalizumab-300-mg"))
    text = text_of(page)
    assert page.count('role="img"') == 3 and page.count("<desc") == 3
    assert "3 values: 300 mg on 2026-08-31, last 300 mg on 2026-10-26" in text
    assert "FX323N" in text and "was due on 2026-11-23, 28 days after" in text
    assert "The authorization ends on 2026-11-30" in text and "covers this order" in text


def test_history_shows_what_was_discarded(shown: Shown) -> None:
    patient = "pat-ulric-fennimore"
    shown.chart(patient, chart_of(patient, "reslizumab-210-mg"))
    page = shown.page("history", **order("reslizumab-210-mg"))
    assert "app-bar-beside" in page


def test_what_was_given_may_be_forbidden(shown: Shown) -> None:
    shown.chart(ADA, chart_of(ADA, ADAS))
    shown.ehr.replies["/fhir/MedicationAdministration"] = Reply({}, 403)
    text = shown.text("history", **order(ADAS))
    assert "Could not be read, because the EHR did not permit it." in text


# ---------------------------------------------------------------- resources


def test_a_record_is_shown_as_it_was_sent(bartholomew: Shown) -> None:
    sent = b'{"resourceType":"Observation","id":"w","valueQuantity":{"value":66.50}}'
    bartholomew.ehr.replies["/fhir/Observation/w"] = Reply(sent)
    assert "valueQuantity.value 66.50" in bartholomew.text("resource/Observation/w")
    raw = bartholomew.client.get("/w/w1/resource/Observation/w/json")
    assert raw.data == sent and raw.content_type.startswith("application/fhir+json")


def test_a_record_that_is_not_there_or_not_permitted(bartholomew: Shown) -> None:
    assert "no such page" in bartholomew.text("resource/Observation/none", 404)
    assert "no such page" in bartholomew.text("resource/observation/..", 404)
    bartholomew.ehr.replies["/fhir/Observation/x"] = Reply({}, 403)
    assert "the EHR did not permit it" in bartholomew.text("resource/Observation/x", 502)


def test_another_patients_record_is_refused(bartholomew: Shown) -> None:
    foreign = {"resourceType": "Condition", "id": "x", "subject": {"reference": "Patient/other"}}
    bartholomew.ehr.replies["/fhir/Condition/x"] = Reply(foreign)
    for address in ("resource/Condition/x", "resource/Condition/x/json"):
        assert "another patient" in bartholomew.text(address, 502)


# ---------------------------------------------------------------- hostile charts


HOSTILE = '<script>alert(1)</script>\u202e" onmouseover=x ' + "A" * 10_000


def hostile(resources: list[Resource]) -> list[Resource]:
    """Every text that people type, as an attacker would type it."""

    def spoilt(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: spoilt(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [spoilt(v, key) for v in value]
        typed = key in ("text", "display", "family", "given", "lotNumber", "value")
        return HOSTILE if typed and isinstance(value, str) else value

    return [spoilt(copy.deepcopy(resource)) for resource in resources]


@pytest.mark.parametrize("screen", SCREENS)
def test_hostile_chart_text_stays_text(shown: Shown, screen: str) -> None:
    shown.chart(
        "pat-nerissa-goldspoon",
        hostile(chart_of("pat-nerissa-goldspoon", "nerissa-omalizumab-300-mg")),
    )
    page = shown.page(screen, **order("nerissa-omalizumab-300-mg"))
    assert "<script>alert" not in page and "\u202e" not in page
    assert "A" * 700 not in page, "long text is cut; the record itself has all of it"
    assert '" onmouseover=x' not in page


def test_a_whole_record_may_be_long_and_hostile(shown: Shown) -> None:
    shown.chart(BARTHOLOMEW, hostile(chart_of(BARTHOLOMEW, TWO_VIALS)))
    page = shown.page(f"resource/MedicationRequest/{TWO_VIALS}")
    assert "A" * 10_000 in page and "<script>alert" not in page


# ---------------------------------------------------------------- packet


def test_every_printed_page_of_the_packet_says_whose_it_is(bartholomew: Shown) -> None:
    page = bartholomew.page("packet", **order(TWO_VIALS))
    (head,) = re.findall('<div class="app-page-head" aria-hidden="true">(.*?)</div>', page)
    assert "Bartholomew Quince</bdi>, born " in head and "made on" in head
    assert "/static/packet.css?v=" in page
    text = bartholomew.text("packet", **order(TWO_VIALS))
    for words in ("Audit packet", "Waste modifier: to do", "JW required since 2017-01-01"):
        assert words in text


def test_the_packet_names_its_patient_even_where_the_ehr_shows_the_banner(
    bartholomew: Shown,
) -> None:
    assert bartholomew.window
    bartholomew.window = replace(bartholomew.window, shows_banner=False)
    assert "Name: Bartholomew Quince" in bartholomew.text("packet", **order(TWO_VIALS))
