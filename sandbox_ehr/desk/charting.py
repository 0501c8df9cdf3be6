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

from sandbox_ehr.desk import draft_forms as el
from sandbox_ehr.desk.display import marked
from sandbox_ehr.desk.draft_forms import InvalidInput, Resource

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
class DoseEntry:
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


_TYPED = ("dose", "containers", "lot", "expiry", "discarded", "site", "given_at", "observed_until")


def entries(orders: Sequence[Resource], now: datetime) -> tuple[DoseEntry, ...]:
    """One form a medication order. A dose by weight is not worked out: the nurse types it."""

    def entry(place: int, order: Resource) -> DoseEntry:
        unit = el.dose_unit(order)
        by_weight = "/kg" in unit
        return DoseEntry(
            place=place,
            order=f"MedicationRequest/{order['id']}",
            drug=_drug(order),
            unit="mg" if by_weight or not unit else unit,
            dose="" if by_weight else el.dose(order),
            containers=el.containers(order),
            word=el.container_word(order),
            given_at=now.strftime("%H:%M"),
        )

    return tuple(
        entry(place, order)
        for place, order in enumerate(orders)
        if order.get("resourceType") == "MedicationRequest"
    )


def _drug(order: Resource) -> str:
    concept = order.get("medicationCodeableConcept") or {}
    return str(concept.get("text") or "the drug")


def typed(entry: DoseEntry, form: Mapping[str, str]) -> DoseEntry:
    """The entry with what was typed."""
    texts: dict[str, Any] = {name: form.get(f"{entry.place}:{name}", "").strip() for name in _TYPED}
    return replace(entry, **texts)


def checked(entry: DoseEntry) -> DoseEntry:
    """The entry with what cannot be charted as typed, by field."""
    problems: dict[str, str] = {}
    if not entry.dose:
        problems["dose"] = "type how much was given"
    if not entry.containers:
        problems["containers"] = "type how many"
    discarded = "" if entry.discarded in ("0", "0.0") else entry.discarded
    for name, read, text in (
        ("dose", el.number, entry.dose),
        ("containers", el.number, entry.containers),
        ("discarded", el.number, discarded),
        ("expiry", el.day, entry.expiry),
    ):
        try:
            read(text)
        except InvalidInput as error:
            problems[name] = str(error)
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


def records(entry: DoseEntry, order: Resource, visit: Visit) -> list[Resource]:
    """The dispense, the dose given, and what was discarded. `entry` was checked."""
    hour, minute = map(int, entry.given_at.split(":"))
    given_at = visit.now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    dispense = {
        "resourceType": "MedicationDispense",
        "id": str(uuid.uuid4()),
        "status": "completed",
        "medicationCodeableConcept": order.get("medicationCodeableConcept"),
        "subject": dict(visit.patient),
        "authorizingPrescription": [{"reference": entry.order}],
        "quantity": el.counted(el.number(entry.containers), entry.word),
        "whenHandedOver": (given_at - timedelta(minutes=15)).isoformat(timespec="seconds"),
    }
    given = {
        **_administration(entry, order, visit, given_at),
        "status": "completed",
        "supportingInformation": [{"reference": f"MedicationDispense/{dispense['id']}"}],
        "dosage": _dosage(entry, order, entry.dose, site=True),
    }
    if entry.observed_until:
        words = f"Observed from {entry.given_at} to {entry.observed_until}."
        given["note"] = [{"text": words}]
    if not el.number(entry.discarded if entry.discarded.strip("0.") else ""):
        return [dispense, given]
    words = f"Waste: {entry.discarded} {entry.unit} discarded, single-dose {entry.word}"
    waste = {
        **_administration(entry, order, visit, given_at),
        "status": "not-done",
        "statusReason": [{"text": words}],
        "dosage": _dosage(entry, order, entry.discarded),
    }
    return [dispense, given, waste]


def _administration(entry: DoseEntry, order: Resource, visit: Visit, at: datetime) -> Resource:
    concept = order.get("medicationCodeableConcept") or {}
    # What was given is a product; the billing code stays with the order.
    codings = [c for c in concept.get("coding", []) if c.get("system") not in (el.HCPCS, el.CPT)]
    product = {**concept, "coding": codings}
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


def _dosage(entry: DoseEntry, order: Resource, amount: str, site: bool = False) -> Resource:
    quantity = {
        "value": el.number(amount),
        "unit": entry.unit,
        "system": el.UCUM,
        "code": entry.unit,
    }
    dosage: Resource = {"dose": quantity}
    route = ((order.get("dosageInstruction") or [{}])[0]).get("route")
    if route:
        dosage["route"] = route
    if site and entry.site:
        dosage["site"] = {"text": entry.site}
    return dosage


# ---------------------------------------------------------------- as it is shown afterwards


@dataclass(frozen=True, slots=True)
class ChartedRecord:
    """A record that was made: what it says, in a sentence, and the resource line by line."""

    says: str
    reference: str
    lines: tuple[str, ...]


def charted(record: Resource) -> ChartedRecord:
    """The sentence of a dispense, a dose given or an amount discarded."""
    at = str(record.get("effectiveDateTime") or record.get("whenHandedOver") or "")
    when = f"{at[:10]} at {at[11:16]}"
    dosage = record.get("dosage") or {}
    quantity = record.get("quantity") or dosage.get("dose") or {}
    amount = f"{quantity.get('value', '')} {quantity.get('unit', '')}".strip()
    display = (record.get("medicationReference") or {}).get("display")
    says = f"{display or _drug(record)}: {amount}"
    if record["resourceType"] == "MedicationDispense":
        says += f" handed over, {when}"
    elif record.get("status") == "not-done":
        says += f" discarded, {when}"
    else:
        site = (dosage.get("site") or {}).get("text", "")
        lot = (record["contained"][0].get("batch") or {}).get("lotNumber", "")
        parts = [f"{says} given, {when}", site, f"lot {lot}" if lot else ""]
        says = ", ".join(filter(None, parts))
    lines = tuple(line.text for line in marked(record, record))
    return ChartedRecord(says, f"{record['resourceType']}/{record['id']}", lines)
