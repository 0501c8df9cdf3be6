"""QuestionnaireResponses of Vialwise's own form, read back to what a person entered there.

Anybody who may write to the EHR can write one, so only what the app itself would have saved is
taken: its questionnaire and identifier, about the patient, by staff, completed, not from a day to
come, each answer with its information-origin (Da Vinci DTR). Whether an answer is one that its
question takes is judged where the form is known (billing_rules.forms.answers).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from billing_rules.data_needed import OUR_ENTRIES
from billing_rules.fhir.json.decoding import of_types, reference, unversioned
from billing_rules.fhir.json.lenient import converted
from billing_rules.fhir.json.shapes import (
    Coding,
    Extension,
    QuestionnaireResponseResource,
    Reference,
    Resource,
    ResponseItem,
    WrittenQuantity,
    unreadable,
)
from billing_rules.fhir.json.values import as_day, as_number
from billing_rules.fhir.write.questionnaire import BASE, ORIGIN, UCUM
from billing_rules.model.chart import FormAnswers

_CANONICAL = re.compile(rf"{re.escape(BASE)}:([\w.-]{{1,200}})\|[0-9a-f]{{12}}", re.ASCII)
_SAVED = ("completed", "amended")
_STAFF = ("Practitioner", "PractitionerRole")
_BY_HAND = ("manual", "override")
_MOST_ROWS = 20  # of one group; no form has as many


def form_answers(found: Sequence[Resource], patient_id: str, on: date) -> Iterator[FormAnswers]:
    """What was saved up to `on`. With "" the patient is not known here: then the subject must be
    a patient, and the reader of the chart refuses another's (ehr_access.resources)."""
    for one in of_types(found, QuestionnaireResponseResource):
        named = _CANONICAL.fullmatch(one.questionnaire.strip())
        day = as_day(one.authored)
        if named and day and day <= on and _is_ours(one) and _is_about(one, patient_id):
            yield _read(one, named[1], day)


def _is_ours(one: QuestionnaireResponseResource) -> bool:
    """Saved for good, by the app, for somebody who treats the patient."""
    people = (_kind_and_id(one, "author"), _kind_and_id(one, "source"))
    return (
        bool(one.id.strip())
        and one.status.strip() in _SAVED
        and one.identifier is not None
        and one.identifier.system.strip() == OUR_ENTRIES
        and all(kind in _STAFF for kind, _ in filter(None, people))
    )


def _is_about(one: QuestionnaireResponseResource, patient_id: str) -> bool:
    subject = _kind_and_id(one, "subject")
    return (
        subject is not None
        and subject[0] == "Patient"
        and subject[1] in ((patient_id,) if patient_id else (subject[1],))
    )


def _kind_and_id(one: QuestionnaireResponseResource, key: str) -> tuple[str, str] | None:
    """("Patient", "1"); None where nothing stands there."""
    named: Reference | None = getattr(one, key)
    if named is None and not unreadable(one, key):
        return None
    parts = unversioned(named.reference if named else "").split("/")
    return (parts[-2], parts[-1]) if len(parts) > 1 and parts[-1] else ("", "")


def _read(one: QuestionnaireResponseResource, form: str, day: date) -> FormAnswers:
    typed: dict[str, str] = {}
    by_hand: set[str] = set()
    rows: Counter[str] = Counter()
    for group in one.item:
        id_ = group.linkId.strip()
        row, rows[id_] = rows[id_], rows[id_] + 1
        read = _row(group, f"{id_}.{row}") if row < _MOST_ROWS else None
        if read:
            typed |= read[0]
            by_hand |= read[1]
    return FormAnswers(
        reference=reference(one),
        form=form,
        on=day,
        saved=one.meta.lastUpdated.strip() if one.meta else "",
        groups=frozenset(rows),
        typed=typed,
        by_hand=frozenset(by_hand),
    )


def _row(group: ResponseItem, row: str) -> tuple[dict[str, str], set[str]] | None:
    """The answers of one row and which were given by hand; None when any cannot be read, since
    what an answer left out could turn the others round."""
    typed: dict[str, str] = {}
    by_hand: set[str] = set()
    for question in group.item:
        answers = [one for one in question.answer if isinstance(one, dict) and one]
        asked_in, _, last = question.linkId.strip().rpartition(".")
        name = f"{row}.{last}"
        said = _said(answers[0]) if len(answers) == 1 else None
        if said is None or name in typed or asked_in != group.linkId.strip():
            return None
        typed[name] = said[0]
        if said[1]:
            typed[f"{name}.unit"] = said[1]
        if _origin(answers[0]) in _BY_HAND:
            by_hand.add(name)
    return None if unreadable(group, "item") else (typed, by_hand)


def _said(answer: dict[str, Any]) -> tuple[str, str] | None:
    """The value as somebody would type it, and its unit."""
    values = [key for key in answer if key.startswith("value")]
    if len(values) != 1:
        return None
    key, value, text = values[0], answer[values[0]], ""
    if key == "valueQuantity":
        return _quantity(value) if isinstance(value, dict) else None
    if key == "valueCoding" and isinstance(value, dict):
        text = converted(value, Coding).code
    elif key == "valueInteger":
        number = as_number(value)
        text = "" if number is None else f"{number:f}"
    elif key in ("valueString", "valueDate") and isinstance(value, str):
        text = value
    return (text.strip(), "") if text.strip() else None


def _quantity(value: dict[str, Any]) -> tuple[str, str] | None:
    found = converted(value, WrittenQuantity)
    if found.value is None or found.system.strip() != UCUM:
        return None
    return f"{found.comparator.strip()}{found.value:f}", found.code.strip()


def _origin(answer: dict[str, Any]) -> str:
    """Da Vinci DTR's information-origin: "auto", "override", "manual", or "" where it says none."""
    extensions = converted({"extension": answer.get("extension")}, Extension).extension
    for origin in extensions:
        if origin.url.strip() == ORIGIN:
            found = (p.valueCode for p in origin.extension if p.url.strip() == "source")
            return next(found, "").strip()
    return ""
