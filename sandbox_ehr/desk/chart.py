"""What the desk shows of a patient's chart, read from the records."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any

from sandbox_ehr.desk.draft_elements import Resource
from sandbox_ehr.fhir import searching
from sandbox_ehr.records import Records

_WEIGHT = "29463-7"


@dataclass(frozen=True, slots=True)
class Banner:
    """The line on top of every page of a patient."""

    id: str
    name: str
    born: str
    age: str
    sex: str
    number: str
    weight: str
    payers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the chart: what, its value, its day."""

    what: str
    value: str
    day: str


def banner(records: Records, patient_id: str, today: date) -> Banner | None:
    """None when there is no such patient."""
    patient = records.read("Patient", patient_id)
    if patient is None:
        return None
    weights = _of(records, "Observation", patient_id, code=_WEIGHT)
    newest = max(weights, key=_time, default=None)
    return Banner(
        id=patient_id,
        name=name(patient),
        born=str(patient.get("birthDate", "")),
        age=_age(str(patient.get("birthDate", "")), today),
        sex=str(patient.get("gender", "")),
        number=str((patient.get("identifier") or [{}])[0].get("value", "")),
        weight=f"{_value(newest)} ({_day(newest)})" if newest else "none on file",
        payers=tuple(label for _, label in coverages(records, patient_id)),
    )


def name(person: Mapping[str, Any]) -> str:
    named = (person.get("name") or [{}])[0]
    said = " ".join([*named.get("given", []), named.get("family", "")]).strip()
    return said or str(person.get("id", ""))


def patients(records: Records, words: str = "") -> list[Resource]:
    """All patients by family name, or those with the words in their name or number."""

    def matches(patient: Resource) -> bool:
        numbers = (str(i.get("value", "")) for i in patient.get("identifier", []))
        text = " ".join([name(patient), *numbers]).lower()
        return all(word in text for word in words.lower().split())

    found = filter(matches, records.search("Patient"))
    return sorted(found, key=lambda p: str((p.get("name") or [{}])[0].get("family", "")))


def coverages(records: Records, patient_id: str) -> tuple[tuple[str, str], ...]:
    """The coverages on file, as (reference, words)."""

    def payer(coverage: Resource) -> str:
        payor = (coverage.get("payor") or [{}])[0].get("display")
        return str(payor or (coverage.get("type") or {}).get("text") or coverage["id"])

    return tuple((f"Coverage/{c['id']}", payer(c)) for c in _of(records, "Coverage", patient_id))


def visit(records: Records, patient_id: str) -> str:
    """The id of the patient's newest encounter that has not ended; "" without one."""
    found = [e for e in _of(records, "Encounter", patient_id) if e.get("status") != "finished"]
    newest = max(found, key=lambda e: str((e.get("period") or {}).get("start", "")), default={})
    return str(newest.get("id", ""))


def glance(records: Records, patient_id: str) -> dict[str, list[Line]]:
    """The chart in four short lists."""

    def lines(
        kind: str,
        line: Callable[[Resource], Line],
        newest_first: bool = False,
        more: Sequence[tuple[str, str]] = (),
    ) -> list[Line]:
        search = searching.read(kind, [*_patient(patient_id), *more])
        found = records.each(search, lambda r: (_time(r), line(r)))
        if newest_first:
            found.sort(key=itemgetter(0), reverse=True)
        return [line for _, line in found]

    def order(record: Resource) -> Line:
        status, day = record.get("status", ""), record.get("authoredOn", "")
        return Line(_medication(record), str(status), str(day)[:10])

    return {
        "Problems": lines("Condition", lambda r: Line(_words(r.get("code")), "", _day(r))),
        "Results": lines(
            "Observation", lambda r: Line(_words(r.get("code")), _value(r), _day(r)), True
        ),
        "Medications": lines("MedicationRequest", order, more=[("status:not", "draft")]),
        "Given": lines("MedicationAdministration", _dose, True),
    }


def _dose(record: Resource) -> Line:
    dose = (record.get("dosage") or {}).get("dose") or {}
    amount = f"{dose.get('value', '')} {dose.get('unit', '')}".strip()
    outcome = "not given" if record.get("status") == "not-done" else "given"
    return Line(_medication(record), ", ".join(filter(None, [amount, outcome])), _day(record))


def _of(records: Records, kind: str, patient_id: str, **more: str) -> list[Resource]:
    return records.search(kind, [*_patient(patient_id), *more.items()])


def _patient(patient_id: str) -> list[tuple[str, str]]:
    return [("patient", f"Patient/{patient_id}")]


def _time(resource: Resource) -> str:
    return str(resource.get("effectiveDateTime", ""))


def _words(concept: Mapping[str, Any] | None) -> str:
    concept = concept or {}
    displays = [c["display"] for c in concept.get("coding", []) if c.get("display")]
    return str(concept.get("text") or next(iter(displays), "")) or "without a name"


def _medication(resource: Resource) -> str:
    named = (resource.get("medicationReference") or {}).get("display")
    return str(named or _words(resource.get("medicationCodeableConcept")))


def _value(observation: Resource | None) -> str:
    said = observation or {}
    quantity = said.get("valueQuantity")
    if quantity:
        unit = str(quantity.get("unit", "")).strip("{}")
        parts = [quantity.get("comparator", ""), quantity.get("value"), unit]
        return " ".join(str(p) for p in parts if p not in ("", None))
    coded = said.get("valueCodeableConcept")
    return str(said.get("valueString") or (_words(coded) if coded else ""))


def _day(resource: Mapping[str, Any] | None) -> str:
    said = resource or {}
    for element in ("effectiveDateTime", "onsetDateTime", "recordedDate"):
        if said.get(element):
            return str(said[element])[:10]
    return ""


def _age(born: str, today: date) -> str:
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return ""
    return str(today.year - day.year - ((today.month, today.day) < (day.month, day.day)))
