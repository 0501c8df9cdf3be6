"""Charting a dose: the records an R4 EHR keeps of what was given, opened and discarded.

R4 has no element for containers or waste. The containers stand on the dispense, and the discarded
amount on a second administration that was not done, as sites write it today.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sandbox_ehr.desk import draft_elements
from sandbox_ehr.desk.display import marked
from sandbox_ehr.desk.draft_elements import NotReadable, Resource

SITES = (
    "left upper arm",
    "right upper arm",
    "left thigh",
    "right thigh",
    "abdomen",
    "left forearm vein",
    "right forearm vein",
)
_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Entry:
    """What a nurse charts for one medication order, as text."""

    place: int
    order: str
    drug: str
    unit: str
    dose: str
    containers: str
    word: str
    lot: str = ""
    expiry: str = ""
    discarded: str = ""
    site: str = ""
    given_at: str = ""
    observed_until: str = ""
    problems: Mapping[str, str] | None = None

    def problem(self, name: str) -> str:
        return (self.problems or {}).get(name, "")


_TYPED = (
    "dose",
    "containers",
    "lot",
    "expiry",
    "discarded",
    "site",
    "given_at",
    "observed_until",
)


def entries(orders: Sequence[Resource], now: datetime) -> tuple[Entry, ...]:
    """One form a medication order. A dose by weight is not worked out: the nurse types it."""
    found = []
    for place, order in enumerate(orders):
        if order.get("resourceType") != "MedicationRequest":
            continue
        unit = draft_elements.dose_unit(order)
        by_weight = "/kg" in unit
        found.append(
            Entry(
                place=place,
                order=f"MedicationRequest/{order['id']}",
                drug=_drug(order),
                unit="mg" if by_weight or not unit else unit,
                dose="" if by_weight else draft_elements.dose(order),
                containers=draft_elements.containers(order),
                word=draft_elements.container_word(order),
                given_at=now.strftime("%H:%M"),
            )
        )
    return tuple(found)


def _drug(order: Resource) -> str:
    concept = order.get("medicationCodeableConcept") or {}
    return str(concept.get("text") or "the drug")


def typed(entry: Entry, form: Mapping[str, str]) -> Entry:
    """The entry with what was typed."""
    said: dict[str, Any] = {name: form.get(f"{entry.place}:{name}", "").strip() for name in _TYPED}
    return replace(entry, **said)


def checked(entry: Entry) -> Entry:
    """The entry with what cannot be charted as typed, by field."""
    problems: dict[str, str] = {}
    for name in ("dose", "containers"):
        if not getattr(entry, name):
            problems[name] = "type how much was given" if name == "dose" else "type how many"
    for name in ("dose", "containers", "discarded"):
        try:
            if not (name == "discarded" and entry.discarded in ("0", "0.0")):
                draft_elements.number(getattr(entry, name))
        except NotReadable as error:
            problems[name] = str(error)
    try:
        draft_elements.day(entry.expiry)
    except NotReadable as error:
        problems["expiry"] = str(error)
    if not _TIME.fullmatch(entry.given_at):
        problems["given_at"] = "type a time like 10:05"
    if entry.observed_until and not _TIME.fullmatch(entry.observed_until):
        problems["observed_until"] = "type a time like 10:35, or leave it empty"
    return replace(entry, problems=problems)


@dataclass(frozen=True, slots=True)
class Visit:
    """Whose dose it is, in which encounter, given by whom and when (with its offset)."""

    patient: Mapping[str, Any]
    encounter: str
    nurse: Mapping[str, str]
    now: datetime


def records(entry: Entry, order: Resource, visit: Visit) -> list[Resource]:
    """The dispense, the dose given, and what was discarded. `entry` was checked."""
    hour, minute = map(int, entry.given_at.split(":"))
    given_at = visit.now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    handed_over = given_at - timedelta(minutes=15)
    dispense = _dispense(entry, order, visit, handed_over)
    told = f"MedicationDispense/{dispense['id']}"
    given = {
        **_administration(entry, order, visit, given_at),
        "status": "completed",
        "supportingInformation": [{"reference": told}],
        "dosage": _dosage(entry, order, entry.dose, site=True),
    }
    if entry.observed_until:
        words = f"Observed from {entry.given_at} to {entry.observed_until}."
        given["note"] = [{"text": words}]
    found = [dispense, given]
    if draft_elements.number(entry.discarded if entry.discarded.strip("0.") else ""):
        found.append(_waste(entry, order, visit, given_at))
    return found


def _waste(entry: Entry, order: Resource, visit: Visit, at: datetime) -> Resource:
    words = f"Waste: {entry.discarded} {entry.unit} discarded, single-dose {entry.word}"
    return {
        **_administration(entry, order, visit, at),
        "status": "not-done",
        "statusReason": [{"text": words}],
        "dosage": _dosage(entry, order, entry.discarded),
    }


def _administration(entry: Entry, order: Resource, visit: Visit, at: datetime) -> Resource:
    concept = order.get("medicationCodeableConcept") or {}
    product = {**concept, "coding": [c for c in concept.get("coding", []) if _is_product(c)]}
    batch = {"lotNumber": entry.lot, "expirationDate": entry.expiry}
    batch = {name: value for name, value in batch.items() if value}
    medication = {"resourceType": "Medication", "id": "product", "code": product}
    record: Resource = {
        "resourceType": "MedicationAdministration",
        "id": str(uuid.uuid4()),
        "contained": [{**medication, "batch": batch} if batch else medication],
        "medicationReference": {"reference": "#product", "display": entry.drug},
        "subject": dict(visit.patient),
        "effectiveDateTime": at.isoformat(timespec="seconds"),
        "performer": [{"actor": dict(visit.nurse)}],
        "request": {"reference": entry.order},
    }
    if visit.encounter:
        record["context"] = {"reference": visit.encounter}
    return record


def _is_product(coding: Mapping[str, Any]) -> bool:
    """What was given is a product; the billing code stays with the order."""
    return coding.get("system") not in (draft_elements.HCPCS, draft_elements.CPT)


def _dosage(entry: Entry, order: Resource, amount: str, site: bool = False) -> Resource:
    quantity = {
        "value": draft_elements.number(amount),
        "unit": entry.unit,
        "system": draft_elements.UCUM,
        "code": entry.unit,
    }
    dosage: Resource = {"dose": quantity}
    route = ((order.get("dosageInstruction") or [{}])[0]).get("route")
    if route:
        dosage["route"] = route
    if site and entry.site:
        dosage["site"] = {"text": entry.site}
    return dosage


def _dispense(entry: Entry, order: Resource, visit: Visit, at: datetime) -> Resource:
    return {
        "resourceType": "MedicationDispense",
        "id": str(uuid.uuid4()),
        "status": "completed",
        "medicationCodeableConcept": order.get("medicationCodeableConcept"),
        "subject": dict(visit.patient),
        "authorizingPrescription": [{"reference": entry.order}],
        "quantity": draft_elements.counted(draft_elements.number(entry.containers), entry.word),
        "whenHandedOver": at.isoformat(timespec="seconds"),
    }


# ---------------------------------------------------------------- as it is shown afterwards


@dataclass(frozen=True, slots=True)
class Charted:
    """A record that was made: what it says, in a sentence, and the resource line by line."""

    says: str
    reference: str
    lines: tuple[str, ...]


def charted(record: Resource) -> Charted:
    """The sentence of a dispense, a dose given or an amount discarded."""
    lines = tuple(line.text for line in marked(record, record))
    return Charted(_says(record), f"{record['resourceType']}/{record['id']}", lines)


def _says(record: Resource) -> str:
    at = str(record.get("effectiveDateTime") or record.get("whenHandedOver") or "")
    when = f"{at[:10]} at {at[11:16]}"
    if record["resourceType"] == "MedicationDispense":
        return f"{_named(record)}: {_amount(record.get('quantity'))} handed over, {when}"
    amount = _amount((record.get("dosage") or {}).get("dose"))
    if record.get("status") == "not-done":
        return f"{_named(record)}: {amount} discarded, {when}"
    lot = (record["contained"][0].get("batch") or {}).get("lotNumber", "")
    site = ((record.get("dosage") or {}).get("site") or {}).get("text", "")
    parts = [f"{_named(record)}: {amount} given, {when}", site, f"lot {lot}" if lot else ""]
    return ", ".join(filter(None, parts))


def _amount(quantity: Mapping[str, Any] | None) -> str:
    said = quantity or {}
    return f"{said.get('value', '')} {said.get('unit', '')}".strip()


def _named(record: Resource) -> str:
    named = (record.get("medicationReference") or {}).get("display")
    return str(named or _drug(record))
