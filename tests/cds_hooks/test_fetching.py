"""What was not sent is fetched with the lent token: conformance A4.1, A4.4, A5, D7, D8."""

from __future__ import annotations

import copy
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError

import fixtures
from billing_rules.data_needed import DATA_NEEDED
from cds_hooks.calls import fhir_authorization
from cds_hooks.calls.call_log import CallNote
from cds_hooks.request.hook_request import FhirAuthorization, HookRequest, PatientContext
from cds_hooks.settings import HARD_DEADLINE, FhirTrust, Settings
from ehr_access.limits import Deadline
from sandbox_ehr.moods import Act, Answer, Reply, Request, cut, outcome, status
from tests.cds_hooks.chart_server import TOKEN, TYPES, lent, offer, searches, serve
from tests.cds_hooks.conftest import SERVICE, TODAY, Body, Client, cards_of
from tests.practice_ehr import Ehr, bundle, practice_ehr

DOROTHEA = "pat-dorothea-pennyfarthing"


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with practice_ehr() as server:
        serve(server, DOROTHEA)
        yield server


@pytest.fixture
def story() -> Body:
    """An order for a patient with neither IgE nor prior therapy, everything prefetched."""
    return fixtures.hook_request("story-missing-ige-and-therapy")


@pytest.fixture
def bare(story: Body, ehr: Ehr) -> Body:
    """The same request with a token and nothing prefetched."""
    del story["prefetch"]
    return lent(story, ehr)


def told(cards: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(card["summary"], card["indicator"]) for card in cards]


def details(cards: list[dict[str, Any]]) -> str:
    return "\n".join(card["detail"] for card in cards)


# ---------------------------------------------------------------- three profiles


def test_a4_1_prefetch_only_token_only_and_both_give_the_same_cards(
    client: FlaskClient, story: Body, ehr: Ehr
) -> None:
    prefetch_only = told(cards_of(client, story))
    assert any(indicator == "warning" for _, indicator in prefetch_only)
    half = copy.deepcopy(story)
    half["prefetch"] = {k: half["prefetch"][k] for k in ("patient", "coverage", "weight")}
    assert told(cards_of(client, lent(half, ehr))) == prefetch_only
    asked_for_half = len(searches(ehr))
    del half["prefetch"]
    assert told(cards_of(client, lent(half, ehr))) == prefetch_only
    assert asked_for_half == len(DATA_NEEDED) - 3, "what was sent is not asked again"
    assert len(searches(ehr)) - asked_for_half == len(DATA_NEEDED)


def test_what_was_sent_is_not_asked_again_nor_is_null(
    client: FlaskClient, story: Body, ehr: Ehr
) -> None:
    """A4.2: null means that the EHR looked and found nothing."""
    story["prefetch"] = {**dict.fromkeys([n.key for n in DATA_NEEDED]), **story["prefetch"]}
    story["prefetch"]["observations"] = None
    cards_of(client, lent(story, ehr))
    assert ehr.asked == []


def test_an_order_that_is_not_ours_asks_the_ehr_nothing(client: FlaskClient, ehr: Ehr) -> None:
    body = fixtures.hook_request("amoxicillin")
    body.pop("prefetch", None)
    assert cards_of(client, lent(body, ehr)) == []
    assert ehr.asked == []


# ---------------------------------------------------------------- scope


@pytest.mark.parametrize("scope", ["patient/*.rs", "user/*.read", "patient/*.cruds launch openid"])
def test_a5_4_scopes_of_both_versions_are_used(
    client: FlaskClient, bare: Body, ehr: Ehr, scope: str
) -> None:
    expected = told(cards_of(client, bare))
    assert told(cards_of(client, lent(bare, ehr, scope=scope))) == expected


def test_a5_4_outside_the_scope_nothing_is_asked(client: FlaskClient, bare: Body, ehr: Ehr) -> None:
    scope = " ".join(f"patient/{kind}.rs" for kind in TYPES if kind != "Observation")
    detail = details(cards_of(client, lent(bare, ehr, scope=scope)))
    asked = {path.split("/")[2].split("?")[0] for path in searches(ehr)}
    assert asked == {need.resource_type for need in DATA_NEEDED} - {"Observation"}
    assert "the access token's scope does not allow it" in detail


def test_a5_4_of_a_granular_scope_what_is_not_there_is_not_missing(
    client: FlaskClient, bare: Body, ehr: Ehr
) -> None:
    whole = told(cards_of(client, bare))
    scopes = [f"patient/{kind}.rs" for kind in TYPES if kind != "Observation"]
    narrow = " ".join([*scopes, "patient/Observation.rs?category=vital-signs"])
    cards = cards_of(client, lent(bare, ehr, scope=narrow))
    assert "allows a part of it only" in details(cards)
    assert told(cards) != whole


# ---------------------------------------------------------------- whose token, for whom, where


def unused(client: FlaskClient, body: Body, ehr: Ehr, caplog: Any) -> str:
    """The log of a call whose token was not used."""
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        cards_of(client, body)
    assert ehr.asked == []
    assert TOKEN not in caplog.text
    assert "security: the access token was not used" in caplog.text
    return caplog.text


@pytest.mark.parametrize(
    "changes, why",
    [
        ({"patient": "somebody-else"}, "another patient"),
        ({"patient": "Patient/somebody-else"}, "another patient"),
        ({"expires_in": 0}, "expired"),
        ({"expires_in": -5}, "expired"),
        ({"expires_in": "soon"}, "expired"),
        ({"token_type": "DPoP"}, "not a Bearer"),
    ],
)
def test_a5_2_a_token_that_does_not_fit_is_not_used(
    client: FlaskClient, bare: Body, ehr: Ehr, caplog: Any, changes: Body, why: str
) -> None:
    assert why in unused(client, lent(bare, ehr, **changes), ehr, caplog)


@pytest.mark.parametrize("patient", [DOROTHEA, f"Patient/{DOROTHEA}", "", None])
def test_a5_2_the_patient_of_the_request_is_no_other(
    client: FlaskClient, bare: Body, ehr: Ehr, patient: str | None
) -> None:
    cards_of(client, lent(bare, ehr, patient=patient))
    assert searches(ehr)


@pytest.mark.parametrize(
    "server",
    [
        "https://ehr.example/fhir",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/fhir",
        "http://127.0.0.1.evil.example/fhir",
        "file:///etc/passwd",
        "http://user@127.0.0.1/fhir",
        "nonsense",
        "http://[::1",
        "https://localhost.evil.example/fhir",
    ],
)
def test_a3_6_a_server_that_is_not_allowed_gets_no_token(
    client: FlaskClient, bare: Body, ehr: Ehr, caplog: Any, server: str
) -> None:
    assert server not in unused(client, {**bare, "fhirServer": server}, ehr, caplog)


def test_without_open_mode_this_machine_is_not_allowed_either(ehr: Ehr) -> None:
    settings = Settings(public_url="https://cds.example", today=lambda: TODAY)
    hook = _hook(ehr.url)
    servers, until = fhir_authorization.FhirServers(), Deadline.after(2)

    def usable(trust: FhirTrust) -> bool:
        return (
            fhir_authorization.ehr_of(hook, trust, settings, servers, until, CallNote().hop)
            is not None
        )

    assert not usable(FhirTrust())
    assert usable(FhirTrust(bases=frozenset({ehr.url})))
    assert not usable(FhirTrust(bases=frozenset({ehr.url + "/other"})))
    assert usable(FhirTrust(bases=frozenset({ehr.url}), subject="client-at-ehr"))
    assert not usable(FhirTrust(bases=frozenset({ehr.url}), subject="somebody-else")), "A5.3"


def _hook(server: str) -> HookRequest:
    lent_token = FhirAuthorization(TOKEN, "patient/*.rs", "client-at-ehr", "", None)
    context = PatientContext("Practitioner/1", "p", "")
    return HookRequest("order-sign", "1", context, server, lent_token, {})


def test_a5_5_nothing_that_holds_the_token_shows_it(ehr: Ehr) -> None:
    hook = _hook(ehr.url)
    settings = Settings(public_url="https://cds.example", today=lambda: TODAY)
    trust = FhirTrust(loopback=True)
    servers = fhir_authorization.FhirServers()
    usable = fhir_authorization.ehr_of(
        hook, trust, settings, servers, Deadline.after(2), CallNote().hop
    )
    for one in (hook, hook.authorization, usable, usable.__dict__ if usable else None):
        assert TOKEN not in repr(one)


# ---------------------------------------------------------------- time


def slow(seconds: float, reply: Reply) -> Act:
    def act(request: Request, answer: Answer) -> Reply:
        time.sleep(seconds)
        return reply

    return act


def test_the_deadline_ends_the_waiting_and_the_rest_is_decided(
    client_with: Client, bare: Body, ehr: Ehr
) -> None:
    client = client_with(fetch_seconds=0.6)
    ehr.replies["/fhir/Observation"] = slow(3, Reply(bundle()))
    started = time.monotonic()
    cards = cards_of(client, bare)
    assert time.monotonic() - started < 2
    assert cards and "the EHR did not answer in time" in details(cards)
    assert "EHR did not send it" not in details(cards)
    assert not any("missing" in card["summary"].lower() for card in cards)


def test_no_setting_goes_beyond_the_hard_deadline() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 5"):
        Settings(fetch_seconds=60)
    assert Settings(fetch_seconds=HARD_DEADLINE).fetch_seconds == HARD_DEADLINE == 5
    assert Settings().fetch_seconds == 2


def test_a5_5_a_token_is_not_used_after_it_has_expired(
    client_with: Client, bare: Body, ehr: Ehr
) -> None:
    page = Reply(bundle(next_link=f"{ehr.url}/Observation?page=2"))
    ehr.replies["/fhir/Observation"] = slow(0.7, page)
    cards = cards_of(client_with(fetch_seconds=4), lent(bare, ehr, expires_in=0.5))
    time.sleep(0.6)
    assert "/fhir/Observation?page=2" not in ehr.asked
    assert "the EHR did not answer in time" in details(cards)


# ---------------------------------------------------------------- a server that goes wrong


LYING = Reply(b"<html>login</html>", headers={"Content-Type": "application/fhir+json"})
HALF_A_PAGE = cut(Reply(bundle({"resourceType": "Observation", "id": "1"})), 60)


@pytest.mark.parametrize(
    "reply, why",
    [
        (Reply({}, status=401), "the EHR did not permit it"),
        (Reply(outcome("error"), status=403), "the EHR did not permit it"),
        (Reply({}, status=429, headers={"Retry-After": "60"}), "the EHR is too busy"),
        (Reply({}, status=500), "HTTP status 500"),
        (Reply({}, status=302, headers={"Location": "http://127.0.0.1:9/"}), "redirected"),
        (Reply(outcome("error")), "the EHR reported an error"),
        (Reply(bundle(next_link="http://127.0.0.1:9/fhir?page=2")), "outside its FHIR server"),
        (Reply(bundle(next_link="https://evil.example/fhir?page=2")), "outside its FHIR server"),
        (LYING, "not readable FHIR"),
        (HALF_A_PAGE, "broke off"),
        (Reply(bundle({"resourceType": "Basic", "id": "1"})), "something else in its place"),
    ],
)
def test_a5_7_what_could_not_be_had_is_unknown_and_never_missing(
    client: FlaskClient, bare: Body, ehr: Ehr, reply: Any, why: str
) -> None:
    ehr.replies["/fhir/Observation"] = reply
    cards = cards_of(client, bare)
    assert why in details(cards)
    assert not any("IgE" in card["summary"] for card in cards)


def test_endless_pages_end_at_the_limit(client_with: Client, bare: Body, ehr: Ehr) -> None:
    def endless(request: Request, answer: Answer) -> Reply:
        page = len(ehr.asked)
        return Reply(bundle(next_link=f"{ehr.url}/MedicationRequest?page={page}"))

    ehr.replies["/fhir/MedicationRequest"] = endless
    cards = cards_of(client_with(fetch_pages=3), bare)
    assert len([path for path in ehr.asked if path.startswith("/fhir/MedicationRequest")]) == 3
    assert "more pages of this than may be read" in details(cards)


@pytest.mark.parametrize(
    "path, reply",
    [
        (
            "/fhir/Coverage",
            bundle(
                {
                    "resourceType": "Coverage",
                    "id": "1",
                    "beneficiary": {"reference": "Patient/somebody-else"},
                }
            ),
        ),
        (
            "/fhir/Condition",
            bundle(
                {
                    "resourceType": "Condition",
                    "id": "1",
                    "subject": {"reference": "Patient/somebody-else"},
                }
            ),
        ),
        (f"/fhir/Patient/{DOROTHEA}", {"resourceType": "Patient", "id": "somebody-else"}),
    ],
)
def test_another_patients_data_refuses_everything(
    client: FlaskClient, bare: Body, ehr: Ehr, caplog: Any, path: str, reply: Any
) -> None:
    assert cards_of(client, bare)
    ehr.replies[path] = Reply(reply)
    with caplog.at_level(logging.DEBUG):
        assert cards_of(client, bare) == []
    assert "security" in caplog.text and "somebody" not in caplog.text


def test_a_server_that_is_down_leaves_the_cards_that_need_no_chart(
    client: FlaskClient, wrong_code: Body, ehr: Ehr
) -> None:
    expected = {s for s, _ in told(cards_of(client, wrong_code)) if "J2357" in s}
    del wrong_code["prefetch"]
    body = lent(wrong_code, ehr)
    body["fhirServer"] = "http://127.0.0.1:9/fhir"
    cards = cards_of(client, body)
    assert expected & {s for s, _ in told(cards)}
    assert "FHIR server could not be reached" in details(cards)


def test_d7_1_what_an_ehr_does_not_offer_is_not_assessable(
    client: FlaskClient, bare: Body, ehr: Ehr
) -> None:
    offer(ehr, *(kind for kind in TYPES if kind != "MedicationAdministration"))
    cards = cards_of(client, bare)
    assert "this EHR does not offer MedicationAdministration" in details(cards)
    assert not any("MedicationAdministration" in path for path in searches(ehr))
    cards_of(client, bare)
    assert ehr.asked.count("/fhir/metadata") == 1, "read once"


# ---------------------------------------------------------------- a prefetched first page


def test_a4_4_the_pages_after_a_prefetched_one_are_fetched(
    client: FlaskClient, story: Body, ehr: Ehr
) -> None:
    whole = told(cards_of(client, story))
    sent = story["prefetch"]["observations"]["entry"]
    rest = bundle(*(e["resource"] for e in sent))
    ehr.replies["/fhir/page2"] = Reply(rest)
    link = [{"relation": "next", "url": f"{ehr.url}/page2?token=opaque"}]
    story["prefetch"]["observations"] = {"resourceType": "Bundle", "entry": [], "link": link}
    without = cards_of(client, story)
    assert "first page only" in details(without)
    assert told(cards_of(client, lent(story, ehr))) == whole
    assert searches(ehr) == ["/fhir/page2?token=opaque"]


@pytest.mark.parametrize("link", ["https://evil.example/fhir?page=2", "http://127.0.0.1:9/fhir/x"])
def test_a5_6_a_prefetched_next_link_elsewhere_is_not_followed(
    client: FlaskClient, story: Body, ehr: Ehr, link: str
) -> None:
    story["prefetch"]["observations"]["link"] = [{"relation": "next", "url": link}]
    cards = cards_of(client, lent(story, ehr))
    assert searches(ehr) == []
    assert "next page lies outside its FHIR server" in details(cards)


# ---------------------------------------------------------------- medications elsewhere


VIAL = fixtures.load("med-xolair-vial-150")


def by_reference(body: Body, **reference: str) -> Body:
    """The story's order, its drug named by a reference only."""
    resource = body["context"]["draftOrders"]["entry"][0]["resource"]
    resource.pop("medicationCodeableConcept", None)
    resource["medicationReference"] = reference
    return body


def test_a6_4_a_medication_named_by_display_is_looked_up(
    client_with: Client, bare: Body, ehr: Ehr
) -> None:
    client = client_with(billing_plan=True)
    body = by_reference(bare, reference="Medication/vial", display="OMALIZUMAB 150 MG SC SOLR")
    without = details(cards_of(client, body))
    assert "only its name was read" in without
    ehr.replies["/fhir/Medication/vial"] = Reply({**VIAL, "id": "vial"})
    assert "only its name was read" not in details(cards_of(client, body))


def test_a6_4_a_medication_without_a_display_is_looked_up_first(
    client: FlaskClient, bare: Body, ehr: Ehr
) -> None:
    body = by_reference(bare, reference=f"{ehr.url}/Medication/vial/_history/2")
    ehr.replies["/fhir/Medication/vial"] = Reply({**VIAL, "id": "vial"})
    assert cards_of(client, body)
    assert searches(ehr)[0] == "/fhir/Medication/vial"


def test_a_medication_that_is_not_ours_costs_one_question(
    client: FlaskClient, bare: Body, ehr: Ehr
) -> None:
    body = by_reference(bare, reference="Medication/other")
    other = {"resourceType": "Medication", "id": "other", "code": {"text": "amoxicillin 500 mg"}}
    ehr.replies["/fhir/Medication/other"] = Reply(other)
    assert cards_of(client, body) == []
    assert searches(ehr) == ["/fhir/Medication/other"]


@pytest.mark.parametrize(
    "reference",
    [
        "Medication/gone",
        "https://evil.example/fhir/Medication/1",
        "Medication/../x",
        "Medication/",
        "urn:uuid:1",
    ],
)
def test_a4_7_a_drug_that_cannot_be_told_is_412(
    client: FlaskClient, bare: Body, reference: str
) -> None:
    response = client.post(SERVICE, json=by_reference(bare, reference=reference))
    assert response.status_code == 412
    said = json.loads(response.data)
    assert said["resourceType"] == "OperationOutcome"
    assert said["issue"][0]["code"] == "incomplete"
    assert "evil" not in response.get_data(as_text=True)


def test_a4_7_optional_data_never_gives_412(client: FlaskClient, bare: Body, ehr: Ehr) -> None:
    ehr.be(status(403))
    assert cards_of(client, bare) is not None
    del bare["fhirAuthorization"]
    assert cards_of(client, bare) is not None


# ---------------------------------------------------------------- canary


def test_a5_5_the_token_and_the_patient_are_in_no_log_and_no_answer(
    client: FlaskClient,
    bare: Body,
    ehr: Ehr,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = []
    with caplog.at_level(logging.DEBUG):
        answers.append(client.post(SERVICE, json=bare))
        ehr.replies["/fhir/Coverage"] = Reply({}, status=401)
        ehr.replies["/fhir/Condition"] = HALF_A_PAGE
        answers.append(client.post(SERVICE, json=bare))
        answers.append(client.post(SERVICE, json=lent(bare, ehr, scope=[TOKEN])))
        answers.append(client.post(SERVICE, json=lent(bare, ehr, token_type=TOKEN)))
        answers.append(client.post(SERVICE, json=lent(bare, ehr, access_token=TOKEN + "\r\nX: 1")))
        monkeypatch.setattr("cds_hooks.calls.prefetch.searched", _crash)
        monkeypatch.setattr("cds_hooks.answers.order_review.judged", _crash)
        answers.append(client.post(SERVICE, json=bare))
    assert [a.status_code for a in answers] == [200, 200, 400, 200, 200, 500]
    for told_ in (caplog.text, *(a.get_data(as_text=True) for a in answers)):
        assert TOKEN not in told_
    assert DOROTHEA not in caplog.text and "Dorothea" not in caplog.text
    assert f"Bearer {TOKEN}" in ehr.tokens


def _crash(*_: object, **__: object) -> None:
    raise RuntimeError(TOKEN)
