"""vialwise-given: patient-view and encounter-discharge, what was given (conformance A11.3)."""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from sandbox_ehr.moods import Reply, outcome
from tests.cds_hooks.chart_server import TYPES, lent, offer, request, searches, searchset, serve
from tests.cds_hooks.conftest import Body, Client
from tests.cds_hooks.invariants import check
from tests.practice_ehr import Ehr, bundle, practice_ehr

SERVICE = "/cds-services/vialwise-given"
PRUDENCE = "pat-prudence-inkwell"
CHART = fixtures.patient_everything(PRUDENCE)
NOT_CHARTED = date(2026, 8, 3)  # 225 mg of two vials, no word of the rest
CHARTED = date(2026, 7, 20)
NO_LOT = date(2026, 10, 12)
TWO_SITES = date(2026, 9, 28)
PARTS = {
    "patient": ("Patient",),
    "coverage": ("Coverage", "Organization"),
    "administrations": ("MedicationAdministration", "Medication"),
    "dispenses": ("MedicationDispense",),
}


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with practice_ehr() as server:
        serve(server, PRUDENCE)
        yield server


def view(hook: str = "patient-view", prefetched: bool = True, **more: Any) -> Body:
    context = {
        "userId": "Practitioner/prac-nell-birdsong",
        "patientId": PRUDENCE,
        "encounterId": "enc-prudence-inkwell",
        **more,
    }
    if not prefetched:
        return request(hook, context)
    sent: Body = {key: searchset(CHART, *kinds) for key, kinds in PARTS.items() if key != "patient"}
    sent["patient"] = next(r for r in CHART if r["resourceType"] == "Patient")
    return request(hook, context, copy.deepcopy(sent))


def on(client_with: Client, day: date, **changes: Any) -> FlaskClient:
    return client_with(today=lambda: day, **changes)


def cards_of(client: FlaskClient, body: Body) -> list[dict[str, Any]]:
    response = client.post(SERVICE, json=body)
    assert response.status_code == 200, response.get_data(as_text=True)
    answer = json.loads(response.data)
    check(answer, {"context": {"draftOrders": {}}})
    return answer["cards"]


def summaries(client: FlaskClient, body: Body) -> list[str]:
    return [card["summary"] for card in cards_of(client, body)]


# ---------------------------------------------------------------- what is said


def test_a_dose_whose_rest_is_not_charted_is_asked_about(client_with: Client) -> None:
    (card,) = cards_of(on(client_with, NOT_CHARTED), view())
    assert "Chart the discarded amount" in card["summary"]
    assert card["indicator"] == "warning"
    assert "given 2026-08-03" in card["detail"]
    assert "75 mg of 300 mg was not given" in card["detail"]
    assert "suggestions" not in card, "what was signed is not ours to change"


def test_no_claim_lines_are_shown_as_settled_while_the_rest_is_not_charted(
    client_with: Client,
) -> None:
    client = on(client_with, NOT_CHARTED, billing_plan=True)
    (card,) = cards_of(client, view("encounter-discharge"))
    assert card["summary"].startswith("Chart the discarded amount")


def test_what_is_charted_completely_needs_no_card(client_with: Client) -> None:
    for hook in ("patient-view", "encounter-discharge"):
        assert cards_of(on(client_with, CHARTED), view(hook)) == []


def test_two_sites_of_one_dose_are_one_visit(client_with: Client) -> None:
    assert cards_of(on(client_with, TWO_SITES), view()) == []
    client = on(client_with, TWO_SITES, billing_plan=True)
    (card,) = cards_of(client, view("encounter-discharge"))
    assert card["summary"] == "Omalizumab given: bill J2357-JZ x 45"


def test_the_claim_lines_to_come_are_shown_where_the_site_wants_them(client_with: Client) -> None:
    client = on(client_with, CHARTED, billing_plan=True)
    (card,) = cards_of(client, view("encounter-discharge"))
    assert "J2357 x 45" in card["summary"] and "J2357-JW x 15" in card["summary"]
    assert cards_of(client, view()) == [], "a chart is opened many times a day"


def test_patient_view_speaks_for_warnings_only(client_with: Client) -> None:
    client = on(client_with, NO_LOT)
    assert cards_of(client, view()) == []
    (summary,) = summaries(client, view("encounter-discharge"))
    assert "lot number" in summary


@pytest.mark.parametrize("days, expected", [(0, 1), (2, 1), (3, 0), (30, 1)])
def test_a_dose_is_asked_about_for_three_days(
    client_with: Client, days: int, expected: int
) -> None:
    client = on(client_with, NOT_CHARTED + timedelta(days=days))
    # after 30 days the dose of 2026-08-31 is in the window, and it alone
    found = cards_of(client, view())
    assert len(found) == expected
    if days == 30:
        assert "given 2026-08-31" in found[0]["detail"]


def test_the_window_is_a_setting(client_with: Client) -> None:
    later = NOT_CHARTED + timedelta(days=9)
    assert len(cards_of(on(client_with, later, given_days=10), view())) == 1
    assert cards_of(on(client_with, later, given_days=9), view()) == []


def test_on_discharge_the_encounters_own_records_count_whatever_their_day(
    client_with: Client,
) -> None:
    body = view("encounter-discharge")
    wanted = "adm-prudence-inkwell-waste-not-charted"
    for entry in body["prefetch"]["administrations"]["entry"]:
        mine = entry["resource"]["id"] == wanted
        name = "enc-prudence-inkwell" if mine else "another-encounter"
        entry["resource"]["context"] = {"reference": f"Encounter/{name}"}
    (card,) = cards_of(on(client_with, date(2026, 8, 20)), body)
    assert "given 2026-08-03" in card["detail"]


# ---------------------------------------------------------------- the three profiles, 412


def test_a4_1_token_only_gives_the_same_cards(client_with: Client, ehr: Ehr) -> None:
    client = on(client_with, NOT_CHARTED)
    body = lent(view(prefetched=False), ehr)
    assert summaries(client, body) == summaries(client, view())
    both = lent(view(), ehr)
    ehr.forget()
    assert summaries(client, both) == summaries(client, view())
    assert not any("MedicationAdministration" in path for path in searches(ehr))


def test_nothing_given_of_late_costs_one_question(client_with: Client, ehr: Ehr) -> None:
    client = on(client_with, date(2026, 6, 1))
    assert cards_of(client, lent(view(prefetched=False), ehr)) == []
    assert searches(ehr) == [f"/fhir/MedicationAdministration?patient={PRUDENCE}"]


def test_a_medication_elsewhere_is_looked_up(client_with: Client, ehr: Ehr) -> None:
    """Epic refers to a Medication of its own for every administration (A6.4)."""
    records = copy.deepcopy([r for r in CHART if r["resourceType"] == "MedicationAdministration"])
    for record in records:
        (product,) = record.pop("contained", [None]) or [None]
        if product:
            ehr.replies[f"/fhir/Medication/{record['id']}"] = Reply({**product, "id": record["id"]})
            record["medicationReference"] = {"reference": f"Medication/{record['id']}"}
    ehr.replies["/fhir/MedicationAdministration"] = Reply(bundle(*records))
    client = on(client_with, NOT_CHARTED)
    assert summaries(client, lent(view(prefetched=False), ehr)) == summaries(client, view())


def refused(client: FlaskClient, body: Body) -> str:
    response = client.post(SERVICE, json=body)
    assert response.status_code == 412, response.get_data(as_text=True)
    return json.loads(response.data)["issue"][0]["diagnostics"]


def test_a4_7_without_the_records_the_answer_is_412(client_with: Client, ehr: Ehr) -> None:
    client = on(client_with, NOT_CHARTED)
    assert "did not send it" in refused(client, view(prefetched=False))
    body = view()
    body["prefetch"]["administrations"] = outcome("error")
    assert "reported an error" in refused(client, body)
    ehr.replies["/fhir/MedicationAdministration"] = Reply({}, status=403)
    assert "did not permit it" in refused(client, lent(view(prefetched=False), ehr))
    scope = "patient/Patient.rs"
    assert "scope" in refused(client, lent(view(prefetched=False), ehr, scope=scope))


@pytest.mark.parametrize("nothing", [None, {"resourceType": "Bundle", "type": "searchset"}])
def test_a4_7_nothing_given_is_no_412(client_with: Client, nothing: Any) -> None:
    body = view()
    body["prefetch"]["administrations"] = nothing
    assert cards_of(on(client_with, NOT_CHARTED), body) == []


def test_a4_7_optional_parts_give_no_412(client_with: Client) -> None:
    body = view("encounter-discharge")
    body["prefetch"] = {"administrations": body["prefetch"]["administrations"]}
    (card,) = cards_of(on(client_with, NOT_CHARTED), body)
    assert "Payer rules were not applied" in card["detail"]
    # The dispenses were not sent, and they would say the containers: that is not "none".
    assert card["summary"].startswith("Check NDC and containers opened, they could not be read")
    assert card["indicator"] == "info" and "dispenses could not be read" in card["detail"]


def test_d7_1_an_ehr_without_administrations_is_not_assessable(
    client_with: Client, ehr: Ehr, caplog: pytest.LogCaptureFixture
) -> None:
    offer(ehr, *(kind for kind in TYPES if kind != "MedicationAdministration"))
    with caplog.at_level(logging.INFO):
        assert cards_of(on(client_with, NOT_CHARTED), lent(view(prefetched=False), ehr)) == []
    assert "not assessable" in caplog.text


# ---------------------------------------------------------------- whom, and what context


@pytest.mark.parametrize("user", ["Patient/1", "RelatedPerson/1"])
def test_patients_and_relatives_get_no_cards(client_with: Client, user: str) -> None:
    assert cards_of(on(client_with, NOT_CHARTED), view(userId=user)) == []


def test_another_patients_records_refuse_everything(client_with: Client) -> None:
    body = view()
    record = body["prefetch"]["administrations"]["entry"][0]["resource"]
    record["subject"] = {"reference": "Patient/somebody-else"}
    assert cards_of(on(client_with, NOT_CHARTED), body) == []


@pytest.mark.parametrize(
    "hook, key",
    [
        ("patient-view", "userId"),
        ("patient-view", "patientId"),
        ("encounter-discharge", "encounterId"),
    ],
)
def test_a3_3_required_context(client_with: Client, hook: str, key: str) -> None:
    body = view(hook)
    del body["context"][key]
    assert client_with().post(SERVICE, json=body).status_code == 400


def test_a3_2_other_hooks_are_refused(client_with: Client) -> None:
    assert client_with().post(SERVICE, json={**view(), "hook": "order-sign"}).status_code == 400
