"""Requests of the shape of the examples in CDS Hooks 2.0.1 and its library, for each hook.

The bodies are our own; what is theirs is which members stand where. Each is answered as it is (no
drug of ours) and with a drug of ours in its place.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from cds_hooks.record.store import Store
from tests.cds_hooks.conftest import Client, cards_of
from tests.cds_hooks.invariants import check

SERVICES = "/cds-services/vialwise-"
PATIENT = "1288992"
ABOUT = {"subject": {"reference": f"Patient/{PATIENT}"}}
DIET = {
    "resourceType": "NutritionOrder",
    "id": "pureed-diet",
    "status": "draft",
    "patient": {"reference": f"Patient/{PATIENT}"},
    "dateTime": "2026-11-23",
}
AMOXICILLIN = {
    "resourceType": "MedicationRequest",
    "id": "smart-103",
    "status": "draft",
    "intent": "order",
    **ABOUT,
    "medicationCodeableConcept": {
        "coding": [
            {
                "system": "http://www.nlm.nih.gov/research/umls/rxnorm",
                "code": "617993",
                "display": "amoxicillin",
            }
        ],
        "text": "amoxicillin",
    },
}
OURS = {**fixtures.order("seed-omalizumab-j2356"), **ABOUT}


def called(hook: str, context: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "hookInstance": "7f000000-0000-4000-8000-0000000000aa",
        "fhirServer": "https://hooks.example:9080",
        "hook": hook,
        "fhirAuthorization": {
            "access_token": "an-access-token",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "user/Patient.read user/Observation.read",
            "subject": "cds-service4",
        },
        "context": context,
        **more,
    }


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}


def answer(client: FlaskClient, service: str, body: dict[str, Any], status: int = 200) -> Any:
    response = client.post(SERVICES + service, json=body)
    assert response.status_code == status, response.get_data(as_text=True)
    said = json.loads(response.data)
    if status == 200:
        check(said, body if "draftOrders" in body["context"] else {"context": {"draftOrders": {}}})
    return said


def test_discovery_is_of_the_published_shape(client: FlaskClient) -> None:
    for service in client.get("/cds-services").json["services"]:
        assert set(service) <= {
            "hook",
            "title",
            "description",
            "id",
            "prefetch",
            "usageRequirements",
            "version",
            "hookVersion",
        }
        assert all(isinstance(text, str) for text in service["prefetch"].values())


def test_patient_view(client: FlaskClient) -> None:
    context = {"userId": "Practitioner/example", "patientId": PATIENT, "encounterId": "89284"}
    greeted = {
        "patientToGreet": {
            "resourceType": "Patient",
            "id": PATIENT,
            "gender": "male",
            "birthDate": "1925-12-23",
        }
    }
    body = called("patient-view", context, prefetch=greeted)
    said = answer(client, "given", body, 412)
    assert said["resourceType"] == "OperationOutcome", "what was given was not sent"
    body["prefetch"]["administrations"] = None
    assert answer(client, "given", body) == {"cards": []}


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_orders(client: FlaskClient, hook: str) -> None:
    context = {
        "userId": "PractitionerRole/A2340113",
        "patientId": PATIENT,
        "encounterId": "89284",
        "draftOrders": bundle(DIET, AMOXICILLIN),
    }
    if hook == "order-select":
        context["selections"] = ["NutritionOrder/pureed-diet", "MedicationRequest/smart-103"]
    body = called(hook, context)
    assert answer(client, "orders", body) == {"cards": []}
    context["draftOrders"] = bundle(DIET, AMOXICILLIN, OURS)
    if hook == "order-select":
        context["selections"].append(f"MedicationRequest/{OURS['id']}")
    cards = answer(client, "orders", body)["cards"]
    assert any("J2356" in card["summary"] for card in cards)


def test_order_dispatch(client: FlaskClient) -> None:
    task = {
        "resourceType": "Task",
        "status": "draft",
        "intent": "order",
        "focus": {"reference": "ServiceRequest/proc002"},
        "for": {"reference": f"Patient/{PATIENT}"},
    }
    context = {
        "patientId": PATIENT,
        "dispatchedOrders": ["ServiceRequest/proc002"],
        "performer": "Organization/some-performer",
        "fulfillmentTasks": [task],
    }
    body = called("order-dispatch", context)
    assert answer(client, "dispatch", body, 412)["resourceType"] == "OperationOutcome"
    context["dispatchedOrders"] = [f"MedicationRequest/{OURS['id']}"]
    body["prefetch"] = {"medications": bundle({**OURS, "status": "active"})}
    cards = answer(client, "dispatch", body)["cards"]
    assert any("J2356" in card["summary"] for card in cards)


def test_encounter_discharge(client: FlaskClient) -> None:
    context = {"userId": "PractitionerRole/A2340113", "patientId": PATIENT, "encounterId": "456"}
    body = called("encounter-discharge", context, prefetch={"administrations": bundle()})
    assert answer(client, "given", body) == {"cards": []}


def test_appointment_book(client: FlaskClient) -> None:
    proposed = [
        {
            "resourceType": "Appointment",
            "id": f"apt{n}",
            "status": "proposed",
            "start": f"2026-12-1{n}T09:00:00Z",
            "end": f"2026-12-1{n}T09:30:00Z",
            "participant": [
                {
                    "actor": {"reference": f"Patient/{PATIENT}"},
                    "required": "required",
                    "status": "tentative",
                }
            ],
        }
        for n in (1, 2)
    ]
    context = {
        "userId": "PractitionerRole/A2340113",
        "patientId": PATIENT,
        "encounterId": "89284",
        "appointments": bundle(*proposed),
    }
    body = called("appointment-book", context, prefetch={"medications": bundle(AMOXICILLIN)})
    assert answer(client, "appointment", body) == {"cards": []}
    body["prefetch"]["medications"] = bundle({**OURS, "status": "active"})
    assert answer(client, "appointment", body)["cards"] is not None


@pytest.mark.parametrize(
    "entry",
    [
        {"outcome": "accepted", "acceptedSuggestions": [{"id": "s"}]},
        {"outcome": "overridden"},
        {
            "outcome": "overridden",
            "overrideReason": {
                "reason": {"code": "d7ecf885", "system": "https://clinic.example"},
                "userComment": "patient of Dr A knows",
            },
        },
    ],
)
def test_feedback(client_with: Client, store: Store, entry: dict[str, Any]) -> None:
    service = client_with(store)
    cards = cards_of(service, fixtures.hook_request("story-j2356-on-omalizumab"))
    (card,) = [card for card in cards if "suggestions" in card][:1]
    if "acceptedSuggestions" in entry:
        entry = {**entry, "acceptedSuggestions": [{"id": card["suggestions"][0]["uuid"]}]}
    sent = {"card": card["uuid"], "outcomeTimestamp": "2026-11-23T15:04:05Z", **entry}
    response = service.post(f"{SERVICES}orders/feedback", json={"feedback": [sent]})
    assert (response.status_code, response.json) == (200, {})
