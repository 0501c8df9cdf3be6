"""A new order: the drafts an EHR composes when a drug is chosen."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sandbox_ehr.desk import display, draft_forms
from sandbox_ehr.desk.draft_forms import Resource
from sandbox_ehr.fhir.records import Records

PHYSICIAN_REFERENCE = "Practitioner/prac-imogen-hartwell"
PHYSICIAN = {"reference": PHYSICIAN_REFERENCE, "display": "Dr. Imogen Hartwell"}
_CLINIC = {
    "reference": "Organization/org-hollow-creek-allergy",
    "display": "Hollow Creek Allergy and Asthma (fictional)",
}
_OUTPATIENT = {
    "system": "http://terminology.hl7.org/CodeSystem/medicationrequest-category",
    "code": "outpatient",
}
_AMBULATORY = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
    "code": "AMB",
    "display": "ambulatory",
}
LINES = {"": "none", "ServiceRequest": "with the order", "ChargeItem": "as a charge"}


class IncompleteOrder(ValueError):
    """Something has to be chosen first; the message says what."""


def choices() -> list[tuple[str, str]]:
    return [(p.code, f"{p.display} ({p.drug})") for p in draft_forms.products().values()]


def visit(records: Records, patient: Resource) -> str:
    """The id of the visit the order belongs to: the open one, or a new one for today."""
    found = display.visit(records, patient["id"])
    if found:
        return found
    encounter = {
        "resourceType": "Encounter",
        "status": "in-progress",
        "class": _AMBULATORY,
        "subject": _subject(patient),
        "participant": [{"individual": PHYSICIAN}],
        "period": {"start": _now()},
        "serviceProvider": _CLINIC,
    }
    return str(records.create(encounter)["id"])


def drafts(typed: Mapping[str, str], patient: Resource, encounter: str) -> tuple[Resource, ...]:
    """The medication order, and a billing line where one is wanted. Raises NotComposed."""
    product = draft_forms.products().get(typed.get("product", ""))
    if product is None:
        raise IncompleteOrder("Choose a drug first.")
    order = _medication_request(product, patient, encounter, typed.get("coverage", ""))
    kind = typed.get("line", "")
    if kind not in LINES or not kind:
        return (order,)
    return order, _billing_line(kind, product, order)


def changed(now: Sequence[Resource], wanted: str, patient: Resource | None) -> tuple[Resource, ...]:
    """The drafts after a button beside them: `add ChargeItem`, `remove ChargeItem/1`, and for a
    line of a claim `remove Claim/1#2`."""
    verb, _, what = wanted.partition(" ")
    if verb == "remove":
        reference, _, line = what.partition("#")
        parts = [(d, f"{d.get('resourceType')}/{d.get('id')}" == reference) for d in now]
        shorter = ((_without_line(d, line) if named else d) for d, named in parts)
        return tuple(draft for draft in shorter if draft)
    first = next((d for d in now if d["resourceType"] == "MedicationRequest"), None)
    if verb != "add" or first is None or patient is None:
        return tuple(now)
    if what == "MedicationRequest":
        return (*now, {**_copied(first), "id": str(uuid.uuid4())})
    product = draft_forms.products().get(draft_forms.product_code(first))
    if what in LINES and what and product:
        return (*now, _billing_line(what, product, first))
    return tuple(now)


def _without_line(draft: Resource, line: str) -> Resource | None:
    """The draft without that line of it; None where no line is named, or none is left."""
    items = [item for item in draft.get("item", []) if str(item.get("sequence")) != line]
    return {**draft, "item": items} if line and items else None


def _copied(order: Resource) -> Resource:
    """The same drug once more, for a second container: without dose and count."""
    kept = {k: v for k, v in order.items() if k not in ("meta", "dispenseRequest")}
    dosages = kept.get("dosageInstruction", [])
    dosage = [{k: v for k, v in d.items() if k != "doseAndRate"} for d in dosages]
    return {**kept, "dosageInstruction": dosage} if dosage else kept


def _medication_request(
    product: draft_forms.FormularyProduct, patient: Resource, encounter: str, coverage: str
) -> Resource:
    period, unit = product.every
    order: Resource = {
        "resourceType": "MedicationRequest",
        "id": str(uuid.uuid4()),
        "status": "draft",
        "intent": "order",
        "category": [{"coding": [_OUTPATIENT]}],
        "medicationCodeableConcept": product.concept(),
        "subject": _subject(patient),
        "encounter": {"reference": f"Encounter/{encounter}"},
        "authoredOn": _now(),
        "requester": PHYSICIAN,
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 1, "period": period, "periodUnit": unit}},
                "route": product.route_concept(),
            }
        ],
    }
    if coverage:
        order["insurance"] = [{"reference": coverage}]
    return order


def _billing_line(kind: str, product: draft_forms.FormularyProduct, order: Resource) -> Resource:
    """The line that bills the drug: its code, and units still to be typed."""
    concept: Resource = {"coding": []}
    draft_forms.set_billing_code(concept, product.hcpcs)
    line: Resource = {
        "resourceType": kind,
        "id": str(uuid.uuid4()),
        "code": concept if concept["coding"] else {"text": product.text},
        "subject": order["subject"],
        "occurrenceDateTime": _now(),
    }
    visit_of = order.get("encounter")
    if kind == "ChargeItem":
        about: dict[str, Any] = {"status": "planned", "productCodeableConcept": product.concept()}
        return {**line, **about, **({"context": visit_of} if visit_of else {})}
    about = {"status": "draft", "intent": "order", "requester": PHYSICIAN, "authoredOn": _now()}
    about |= {"encounter": visit_of} if visit_of else {}
    return {**line, **about, **({"insurance": order["insurance"]} if "insurance" in order else {})}


def _subject(patient: Resource) -> dict[str, str]:
    return {"reference": f"Patient/{patient['id']}", "display": display.name(patient)}


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
