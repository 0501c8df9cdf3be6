"""A patient's year of omalizumab, judged item by item as of each date of service. All invented.

Every four weeks an order, its administration with the dispense that filled it, and the claim that
bills it: read once, then each order and each administration with its claim is judged with what was
on record on its day.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from bench import bodies
from billing_rules.assess import assess, read_orders, read_patient
from billing_rules.catalogue import Catalogue
from billing_rules.fhir.json.decoding import Part
from billing_rules.model.states import NOTHING, Present
from billing_rules.review import OrderReview

Json = dict[str, Any]

DOSES = 12
LAST = date(2026, 11, 20)
RESOURCES = 85  # of the chart, with the year's own
_NDC = "http://hl7.org/fhir/sid/ndc"
_HCPCS = "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
_DRUG = {
    "coding": [{"system": _NDC, "code": "50242-040-62"}],
    "text": "omalizumab 150 mg vial",
}
_REASON = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J45.50"}]}
_SNOMED = "http://snomed.info/sct"
_PATIENT = {"reference": "Patient/pat-ada-winterbourne"}


def days() -> list[date]:
    """The days of the doses, oldest first."""
    return [LAST - timedelta(weeks=4 * place) for place in reversed(range(DOSES))]


def orders() -> dict[date, bytes]:
    """The order of each day."""
    return {day: _bytes(_order(day, place)) for place, day in enumerate(days())}


def claims() -> dict[date, bytes]:
    """The administration of each day with the claim that bills it, as one Bundle."""
    return {
        day: _bytes(_bundle(_administration(day, place), _claim(day, place)))
        for place, day in enumerate(days())
    }


def parts() -> dict[str, Part]:
    """The chart: that of `bench.bodies`, and the year's orders, dispenses and administrations."""
    sent = json.loads(bodies.body(RESOURCES - 3 * DOSES))["prefetch"]
    found: dict[str, list[Json]] = {
        key: [entry["resource"] for entry in bundle.get("entry", [{"resource": bundle}])]
        for key, bundle in sent.items()
        if bundle
    }
    found["administrations"] = []  # those of bench.bodies are too many for a year
    found["weight"] = [_weight()]
    for place, day in enumerate(days()):
        found.setdefault("medications", []).append(_order(day, place))
        found.setdefault("dispenses", []).append(_dispense(day, place))
        found.setdefault("administrations", []).append(_administration(day, place))
    return {
        key: Present(tuple(map(_bytes, found[key]))) if key in found else NOTHING for key in sent
    }


def judged(catalogue: Catalogue, chart: Mapping[str, Part]) -> Iterator[tuple[OrderReview, ...]]:
    """The reviews of every item, each as of its day: the patient is read once."""
    patient = read_patient(chart, catalogue, bodies.TODAY, every_date=True)
    ordered, claimed = orders(), claims()
    for day in days():
        then = patient.as_of(day)
        for sent in (ordered[day], claimed[day]):
            yield assess(read_orders(sent, catalogue), then)


# ---------------------------------------------------------------- the resources


def _order(day: date, place: int) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": f"order-{place}",
        "status": "completed",
        "intent": "order",
        "subject": _PATIENT,
        "authoredOn": str(day - timedelta(days=7)),
        "medicationCodeableConcept": _DRUG,
        "reasonCode": [_REASON],
        "dosageInstruction": [
            {
                "timing": {"event": [str(day)]},
                "doseAndRate": [{"doseQuantity": _mg(300)}],
            }
        ],
        "dispenseRequest": {"quantity": {"value": 2, "unit": "vial"}},
    }


def _dispense(day: date, place: int) -> Json:
    return {
        "resourceType": "MedicationDispense",
        "id": f"dispense-{place}",
        "status": "completed",
        "subject": _PATIENT,
        "medicationCodeableConcept": _DRUG,
        "authorizingPrescription": [{"reference": f"MedicationRequest/order-{place}"}],
        "quantity": {"value": 2, "unit": "vial"},
        "whenHandedOver": str(day),
    }


def _administration(day: date, place: int) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "id": f"dose-{place}",
        "status": "completed",
        "subject": _PATIENT,
        "contained": [
            {
                "resourceType": "Medication",
                "id": "vial",
                "code": _DRUG,
                "batch": {"lotNumber": f"LOT{place}", "expirationDate": "2028-06-30"},
            },
            {**_dispense(day, place), "id": "filled"},
        ],
        "medicationReference": {"reference": "#vial"},
        "request": {"reference": f"MedicationRequest/order-{place}"},
        "supportingInformation": [{"reference": "#filled"}],
        "reasonCode": [_REASON],
        "effectiveDateTime": f"{day}T10:15:00-06:00",
        "dosage": {
            "dose": _mg(300),
            "route": {"coding": [{"system": _SNOMED, "code": "34206005"}], "text": "subcutaneous"},
            "site": {"text": "left upper arm"},
        },
        "note": [{"text": "Observed for 30 minutes, no reaction."}],
    }


def _claim(day: date, place: int) -> Json:
    lines = ((60, ("JZ",)),)
    return {
        "resourceType": "Claim",
        "id": f"claim-{place}",
        "status": "active",
        "use": "claim",
        "patient": _PATIENT,
        "created": str(day + timedelta(days=3)),
        "item": [
            {
                "sequence": number,
                "productOrService": {"coding": [{"system": _HCPCS, "code": "J2357"}]},
                "modifier": [{"coding": [{"system": _HCPCS, "code": m}]} for m in modifiers],
                "servicedDate": str(day),
                "quantity": {"value": units},
            }
            for number, (units, modifiers) in enumerate(lines, 1)
        ],
    }


def _weight() -> Json:
    return {
        "resourceType": "Observation",
        "id": "weight-before",
        "status": "final",
        "subject": _PATIENT,
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "effectiveDateTime": str(days()[0] - timedelta(days=7)),
        "valueQuantity": {
            "value": 71,
            "unit": "kg",
            "system": "http://unitsofmeasure.org",
            "code": "kg",
        },
    }


def _mg(value: int) -> Json:
    return {"value": value, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}


def _bundle(*resources: Json) -> Json:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "collection", "entry": entries}


def _bytes(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
