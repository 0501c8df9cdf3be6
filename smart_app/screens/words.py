"""What is shown of resources in words: orders, patients, parts of the chart. Chart text is cut to a
length that fits; the whole of it is one click away."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import Blueprint

from billing_rules.evidence.documentation import capital
from billing_rules.fhir.json.decoding import JsonObject, Part, decoded
from billing_rules.fhir.json.shapes import Identifier, PatientResource
from billing_rules.fhir.json.values import as_day, shown
from billing_rules.model.entities import CERTAINTY, Source, Stage
from billing_rules.model.states import Present, age_on
from billing_rules.orders.claim_lines import ClaimPlan, WasteAnswer
from ehr_access.query import ID
from smart_app.chart.chart_orders import FoundOrder
from smart_app.chart.patient_record import PatientRecord, gap

LONGEST = 300  # characters of one value from the chart
# The chart's parts, and the resource types that orders are found in, as staff call them.
PARTS: Mapping[str, str] = {
    "patient": "the patient's details",
    "coverage": "insurance coverage",
    "weight": "body weight",
    "encounter": "the visit",
    "conditions": "diagnoses",
    "observations": "laboratory and other results",
    "medications": "medication orders of the past",
    "statements": "medications the patient takes",
    "dispenses": "medications dispensed",
    "administrations": "medications given",
    "allergies": "allergies",
    "procedures": "procedures",
    "authorizations": "prior authorizations",
    "studies": "research studies",
    "MedicationRequest": "medication orders",
    "ServiceRequest": "service orders",
    "order": "the order itself",
}


def brief(text: object, limit: int = LONGEST) -> str:
    """Chart text on one line, printable, cut to `limit` characters."""
    return shown(str(text), limit)


def quoted(source: Source) -> str:
    """The words a value stands in, without the bold marks of the file they were copied from."""
    return source.quote.replace("**", "")


def order_words(found: FoundOrder) -> str:
    """The order in one line: "Omalizumab (Xolair) 225 mg, every 2 weeks, subcutaneous"."""
    review, order = found.review, found.review.order
    name = f"{review.drug.name.capitalize()} ({review.drug.brand})"
    words = [f"{name} {dose_words(found)}"]
    for line in order.prescriptions[:1]:
        if isinstance(line.interval, Present):
            words.append(f"every {line.interval.value}")
        if isinstance(line.route, Present):
            words.append(brief(line.route.value, 40))
    return ", ".join(words)


def dose_words(found: FoundOrder) -> str:
    """The dose as written, and in mg where that says it differently."""
    order = found.order
    written = brief(order.dose_as_written, 60)
    amount = str(order.dose.value) if isinstance(order.dose, Present) else ""
    if not written or written == amount:
        return amount or "without a dose"
    return f"{written} = {amount}" if amount else written


def waste_words(plan: ClaimPlan) -> str:
    """The answer to JW or JZ, with its reason."""
    answer = {
        WasteAnswer.INDETERMINATE: "JW or JZ is still open",
        WasteAnswer.NOT_APPLICABLE: "Neither JW nor JZ",
    }.get(plan.waste, plan.waste.value)
    return f"{answer}, because {plan.because}."


def stage_words(found: FoundOrder) -> str:
    """Where the order stands: "draft", "given on 2026-11-24"."""
    day = found.order.date_of_service
    if found.order.stage is Stage.GIVEN:
        return f"given on {day}"
    status = {"draft": "draft", "active": "signed", "on-hold": "on hold"}
    return status.get(found.status, brief(found.status, 30) or "order")


def unread_parts(record: PatientRecord) -> dict[str, str]:
    """What could not be read, by its name: why. Empty when everything could."""
    parts: dict[str, Part] = dict(record.parts)
    gaps = {name: why for name, part in parts.items() if (why := gap(part))}
    return {PARTS.get(name, name): why for name, why in {**gaps, **record.unread_orders}.items()}


# ---------------------------------------------------------------- the patient


def banner(patient: JsonObject | None, today: date) -> dict[str, str]:
    """Name, birth date with age, sex and record number, as the EHR has them; "" when it has not."""
    read = decoded(dict(patient), "Patient") if patient else None
    known = read if isinstance(read, PatientResource) else PatientResource()
    birth_date = known.birthDate.strip()
    born = as_day(birth_date)
    age = f" ({age_on(born, today)} years)" if born and born <= today else ""
    return {
        "name": brief(_name(known), 100) or "Name not known",
        "born": f"{born}{age}" if born else brief(birth_date, 20) or "not known",
        "sex": brief(known.gender.strip(), 20) or "not known",
        "number": brief(_record_number(known), 40) or "not known",
    }


def _name(patient: PatientResource) -> str:
    usual = [n for n in patient.name if n.use.strip() in ("official", "usual")] or patient.name
    for name in usual[:1]:
        return " ".join([*name.given, name.family.strip()]).strip() or name.text.strip()
    return ""


def _record_number(patient: PatientResource) -> str:
    """The identifier with code MR of HL7's table 0203, or marked as the usual one; else any."""

    def is_marked(identifier: Identifier) -> bool:
        codes = {one.code.strip() for one in identifier.type.coding} if identifier.type else ()
        return "MR" in codes or identifier.use.strip() == "usual"

    marked = [one for one in patient.identifier if is_marked(one)]
    values = (one.value.strip() for one in marked or patient.identifier)
    return next(filter(None, values), "")


# ---------------------------------------------------------------- any resource, readable


def flattened(value: Any, path: str = "", most: int = 2000) -> list[tuple[str, str]]:
    """A resource's values one by one, each with the path an analyst would write for it."""
    rows: list[tuple[str, str]] = []
    waiting: list[tuple[str, Any]] = [(path, value)]
    while waiting and len(rows) < most:
        here, found = waiting.pop()
        if isinstance(found, dict):
            inner = [(f"{here}.{key}" if here else str(key), v) for key, v in found.items()]
            waiting.extend(reversed(inner))
        elif isinstance(found, list):
            waiting.extend(reversed([(f"{here}[{i}]", v) for i, v in enumerate(found)]))
        else:
            rows.append((here, "" if found is None else str(found)))
    return rows


# ----------------------------------------------------------------------
# What templates may do with a value: cut it to fit, name its record, make an address of it.


_RECORD = re.compile(r"(?:.*/)?([A-Z][A-Za-z]{2,63})/([^/\s]+?)(?:/_history/.*)?(?: item \d+)?")


def add_filters(blueprint: Blueprint) -> None:
    """Give all templates of the app these filters."""
    for filter_ in (brief, capital, quoted, record_of, web_address):
        blueprint.add_app_template_filter(filter_)
    blueprint.add_app_template_global(lambda: CERTAINTY, "certainties")


def record_of(reference: str, patient_id: str) -> tuple[str, str] | None:
    """Type and id of the record that a finding's evidence names; None where it names none that
    can be asked for."""
    if reference == "Patient":
        return "Patient", patient_id
    match = _RECORD.fullmatch(reference)
    if match is None or not ID.fullmatch(match[2]):
        return None
    return match[1], match[2]


def web_address(url: str) -> str:
    """A link's address: http(s), or nothing. A site's own file could hold anything."""
    return url if url.startswith(("https://", "http://")) else ""
