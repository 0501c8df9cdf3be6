"""vialwise-dispatch: order-dispatch in both versions (conformance A11), orders by reference."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from sandbox_ehr.moods import Reply
from tests.cds_hooks.chart_server import lent, request, searches, searchset, serve
from tests.cds_hooks.conftest import Body
from tests.cds_hooks.invariants import check
from tests.practice_ehr import Ehr, practice_ehr

SERVICE = "/cds-services/vialwise-dispatch"
ADA = "pat-ada-winterbourne"
ORDER = {**fixtures.order("seed-omalizumab-j2356"), "status": "active"}
REFERENCE = f"MedicationRequest/{ORDER['id']}"
PERFORMER = "Organization/org-hollow-creek-allergy"
TASK = {
    "resourceType": "Task",
    "status": "draft",
    "intent": "order",
    "for": {"reference": f"Patient/{ADA}"},
}
OTHER = {
    "resourceType": "MedicationRequest",
    "id": "other",
    "status": "active",
    "medicationCodeableConcept": {"text": "amoxicillin"},
    "subject": {"reference": f"Patient/{ADA}"},
}


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    with practice_ehr() as server:
        serve(server, ADA, [ORDER, OTHER])
        yield server


def dispatch(*orders: str, **context: Any) -> Body:
    given = {
        "patientId": ADA,
        "dispatchedOrders": list(orders or (REFERENCE,)),
        "performer": PERFORMER,
        **context,
    }
    return request("order-dispatch", {k: v for k, v in given.items() if v is not None})


def cards_of(client: FlaskClient, body: Body) -> list[dict[str, Any]]:
    response = client.post(SERVICE, json=body)
    assert response.status_code == 200, response.get_data(as_text=True)
    answer = json.loads(response.data)
    check(answer, {"context": {"draftOrders": {}}})
    return answer["cards"]


def refused(client: FlaskClient, body: Body, status: int = 412) -> str:
    response = client.post(SERVICE, json=body)
    assert response.status_code == status, response.get_data(as_text=True)
    return json.loads(response.data)["issue"][0].get("diagnostics", "")


def test_an_order_by_reference_is_read_with_the_token(client: FlaskClient, ehr: Ehr) -> None:
    cards = cards_of(client, lent(dispatch(), ehr))
    assert any("J2356" in card["summary"] for card in cards)
    assert searches(ehr)[0] == f"/fhir/{REFERENCE}"
    assert all("suggestions" not in card for card in cards), "a signed order is not changed"
    named = {
        c["reference"]
        for card in cards
        for c in card["extension"]["davinci-crd.associated-resource"]
    }
    assert named == {REFERENCE}


@pytest.mark.parametrize(
    "context",
    [
        {"fulfillmentTasks": [TASK]},
        {"fulfillment-tasks": [TASK]},
        {"fulfillmentTasks": None},
        {"dispatchedOrders": None, "order": REFERENCE, "task": TASK},
        {"dispatchedOrders": None, "order": REFERENCE},
        {"dispatchedOrders": [], "order": REFERENCE},
        {"userId": "Practitioner/1"},
        {"encounterId": "enc-ada-winterbourne"},
        {"patientId": f"Patient/{ADA}"},
    ],
)
def test_both_versions_and_the_misspelt_one_are_understood(
    client: FlaskClient, ehr: Ehr, context: Body
) -> None:
    expected = [card["summary"] for card in cards_of(client, lent(dispatch(), ehr))]
    found = cards_of(client, lent(dispatch(**context), ehr))
    assert [card["summary"] for card in found] == expected


@pytest.mark.parametrize(
    "context",
    [
        {"dispatchedOrders": None},
        {"dispatchedOrders": []},
        {"dispatchedOrders": REFERENCE},
        {"dispatchedOrders": [5]},
        {"dispatchedOrders": None, "order": {"reference": REFERENCE}},
        {"performer": None},
        {"patientId": None},
        {"fulfillmentTasks": "Task/1"},
    ],
)
def test_a3_3_required_context(client: FlaskClient, context: Body) -> None:
    assert "is" in refused(client, dispatch(**context), 400)


def test_a4_1_prefetch_only_finds_the_order_among_the_medications(client: FlaskClient) -> None:
    body = dispatch()
    chart = fixtures.patient_everything(ADA)
    body["prefetch"] = {"medications": searchset([*chart, ORDER], "MedicationRequest")}
    assert any("J2356" in card["summary"] for card in cards_of(client, body))


def test_a4_7_without_the_order_the_answer_is_412(client: FlaskClient, ehr: Ehr) -> None:
    assert "did not send it" in refused(client, dispatch())
    assert "no such order" in refused(client, lent(dispatch("MedicationRequest/gone"), ehr))
    scope = "patient/Patient.rs"
    assert "scope" in refused(client, lent(dispatch(), ehr, scope=scope))
    ehr.replies[f"/fhir/{REFERENCE}"] = Reply({}, status=401)
    assert "did not permit" in refused(client, lent(dispatch(), ehr))


@pytest.mark.parametrize(
    "reference",
    [
        f"https://evil.example/fhir/{REFERENCE}",
        "MedicationRequest/..",
        "MedicationRequest/a?b=c",
        "MedicationRequest/a#b",
    ],
)
def test_a5_6_an_order_elsewhere_is_not_read(client: FlaskClient, ehr: Ehr, reference: str) -> None:
    refused(client, lent(dispatch(reference), ehr))
    assert searches(ehr) == []


def test_an_absolute_reference_inside_the_base_is_read(client: FlaskClient, ehr: Ehr) -> None:
    assert cards_of(client, lent(dispatch(f"{ehr.url}/{REFERENCE}/_history/3"), ehr))


@pytest.mark.parametrize("reference", ["NutritionOrder/1", "DeviceRequest/1", "nonsense"])
def test_what_orders_no_drug_is_passed_over(client: FlaskClient, reference: str) -> None:
    assert cards_of(client, dispatch(reference)) == []


def test_an_order_that_is_not_ours_costs_one_question(client: FlaskClient, ehr: Ehr) -> None:
    assert cards_of(client, lent(dispatch("MedicationRequest/other"), ehr)) == []
    assert searches(ehr) == ["/fhir/MedicationRequest/other"]


def test_what_could_be_read_is_decided_and_the_rest_is_said(client: FlaskClient, ehr: Ehr) -> None:
    cards = cards_of(client, lent(dispatch(REFERENCE, "MedicationRequest/gone"), ehr))
    assert any("Other orders: one could not be read" in card["detail"] for card in cards)


def test_another_patient_anywhere_refuses_everything(client: FlaskClient, ehr: Ehr) -> None:
    task = {**TASK, "for": {"reference": "Patient/somebody-else"}}
    assert cards_of(client, lent(dispatch(fulfillmentTasks=[task]), ehr)) == []
    theirs = copy.deepcopy(ORDER)
    theirs["subject"] = {"reference": "Patient/somebody-else"}
    ehr.replies[f"/fhir/{REFERENCE}"] = Reply(theirs)
    assert cards_of(client, lent(dispatch(), ehr)) == []
