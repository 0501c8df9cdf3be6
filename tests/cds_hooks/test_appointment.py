"""vialwise-appointment: appointment-book asks for authorization and documentation, softly."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from tests.cds_hooks.chart_server import lent, request, searches, serve
from tests.cds_hooks.conftest import Body
from tests.cds_hooks.invariants import check
from tests.practice_ehr import bundle, practice_ehr

SERVICE = "/cds-services/vialwise-appointment"
DOROTHEA = "pat-dorothea-pennyfarthing"


def booking(order: Body | None = None, start: str = "2026-12-07T10:00:00-06:00") -> Body:
    """The story's chart, with its order active on it."""
    story = fixtures.hook_request("story-missing-ige-and-therapy")
    active = order or {
        **copy.deepcopy(story["context"]["draftOrders"]["entry"][0]["resource"]),
        "status": "active",
    }
    appointment = {
        "resourceType": "Appointment",
        "id": "proposed",
        "status": "proposed",
        "start": start,
        "participant": [
            {"actor": {"reference": f"Patient/{DOROTHEA}"}, "status": "needs-action"},
            {"actor": {"reference": "Practitioner/prac-imogen-hartwell"}, "status": "accepted"},
        ],
    }
    context = {
        "userId": "Practitioner/prac-imogen-hartwell",
        "patientId": DOROTHEA,
        "appointments": {"resourceType": "Bundle", "entry": [{"resource": appointment}]},
    }
    prefetch = {**story["prefetch"], "medications": bundle(active)}
    return request("appointment-book", context, prefetch)


def cards_of(client: FlaskClient, body: Body) -> list[dict[str, Any]]:
    response = client.post(SERVICE, json=body)
    assert response.status_code == 200, response.get_data(as_text=True)
    answer = json.loads(response.data)
    check(answer, {"context": {"draftOrders": {}}})
    return answer["cards"]


def test_what_the_chart_lacks_is_said_as_information(client: FlaskClient) -> None:
    cards = cards_of(client, booking())
    assert cards
    for card in cards:
        assert card["indicator"] == "info"
        assert card["source"]["topic"]["code"] == "guideline"
        assert "2026-12-07" in card["detail"], "judged for the day of the appointment"


def test_billing_of_the_order_is_not_discussed(client: FlaskClient) -> None:
    wrong = {**fixtures.order("seed-omalizumab-j2356"), "status": "active"}
    wrong["subject"] = {"reference": f"Patient/{DOROTHEA}"}
    assert not any("J2356" in card["summary"] for card in cards_of(client, booking(wrong)))


@pytest.mark.parametrize(
    "change",
    [
        {"status": "completed"},
        {"status": "draft"},
        {"intent": "plan"},
        {"medicationCodeableConcept": {"text": "amoxicillin"}},
    ],
)
def test_orders_that_are_not_active_or_not_ours_are_passed_over(
    client: FlaskClient, change: Body
) -> None:
    order = booking()["prefetch"]["medications"]["entry"][0]["resource"]
    assert cards_of(client, booking({**order, **change})) == []


def test_a4_7_without_the_orders_the_answer_is_412(client: FlaskClient) -> None:
    body = booking()
    del body["prefetch"]
    response = client.post(SERVICE, json=body)
    assert response.status_code == 412
    assert json.loads(response.data)["resourceType"] == "OperationOutcome"
    body["prefetch"] = {"medications": None}
    assert cards_of(client, body) == []


def test_a4_1_token_only(client: FlaskClient) -> None:
    body = booking()
    order = body["prefetch"]["medications"]["entry"][0]["resource"]
    expected = [card["summary"] for card in cards_of(client, body)]
    del body["prefetch"]
    with practice_ehr() as ehr:
        serve(ehr, DOROTHEA, [order])
        found = cards_of(client, lent(body, ehr))
        assert [card["summary"] for card in found] == expected
        assert searches(ehr)[0].startswith("/fhir/MedicationRequest")


def test_another_patients_appointment_refuses_everything(client: FlaskClient) -> None:
    body = booking()
    appointment = body["context"]["appointments"]["entry"][0]["resource"]
    appointment["participant"][0]["actor"]["reference"] = "Patient/somebody-else"
    assert cards_of(client, body) == []


@pytest.mark.parametrize("start", ["2020-01-01", "", "soon", None])
def test_without_a_day_to_come_today_counts(client: FlaskClient, start: Any) -> None:
    for card in cards_of(client, booking(start=start)):
        assert "2026-11-23" in card["detail"]


@pytest.mark.parametrize("key", ["userId", "patientId", "appointments"])
def test_a3_3_required_context(client: FlaskClient, key: str) -> None:
    body = booking()
    del body["context"][key]
    assert client.post(SERVICE, json=body).status_code == 400


def test_an_authorization_the_payer_wants_is_asked_for(client: FlaskClient) -> None:
    body = booking()
    body["prefetch"]["coverage"] = bundle(
        {
            "resourceType": "Coverage",
            "id": "uhc",
            "status": "active",
            "beneficiary": {"reference": f"Patient/{DOROTHEA}"},
            "payor": [{"display": "UnitedHealthcare"}],
        }
    )
    body["prefetch"]["authorizations"] = None
    (card,) = cards_of(client, body)
    assert "Request prior authorization first" in card["detail"]
