"""QuestionnaireResponses of Vialwise's own form, read back to what a person entered there.

Anybody who may write to the EHR can write one, so only what the app itself would have saved is
taken: its questionnaire and identifier, about the patient, by staff, completed, not from a day to
come, each answer with its information-origin (Da Vinci DTR). Whether an answer is one that its
question takes is judged where the form is known (billing_rules.entered).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from billing_rules.chart import FormAnswers
from billing_rules.data_needed import OUR_ENTRIES
from billing_rules.fhir.decoding import Slim, reference
from billing_rules.fhir.questionnaire import BASE, ORIGIN, UCUM
from billing_rules.fhir.references import unversioned
from billing_rules.fhir.tolerant import Node

_CANONICAL = re.compile(rf"{re.escape(BASE)}:([\w.-]{{1,200}})\|[0-9a-f]{{12}}", re.ASCII)
_SAVED = ("completed", "amended")
_STAFF = ("Practitioner", "PractitionerRole")
_BY_HAND = ("manual", "override")
_MOST_ROWS = 20  # of one group; no form has as many


class SlimResponse(Slim):
    meta: Any = None
    identifier: Any = None
    questionnaire: Any = None
    subject: Any = None
    authored: Any = None
    author: Any = None
    source: Any = None
    item: Any = None


def form_answers(nodes: Sequence[Node], patient_id: str, on: date) -> Iterator[FormAnswers]:
    """What was saved up to `on`. With "" the patient is not known here: then the subject must be
    a patient, and the reader of the chart refuses another's (ehr_access.patient_match)."""
    for node in nodes:
        named = _CANONICAL.fullmatch(node.text("questionnaire"))
        day = node.day("authored")
        if named and day and day <= on and _is_ours(node) and _is_about(node, patient_id):
            yield _read(node, named[1], day)


def _is_ours(node: Node) -> bool:
    """Saved for good, by the app, for somebody who treats the patient."""
    people = (_kind_and_id(node, "author"), _kind_and_id(node, "source"))
    return (
        node.text("resourceType") == "QuestionnaireResponse"
        and bool(node.text("id"))
        and node.text("status") in _SAVED
        and any(i.text("system") == OUR_ENTRIES for i in node.objs("identifier"))
        and all(kind in _STAFF for kind, _ in filter(None, people))
    )


def _is_about(node: Node, patient_id: str) -> bool:
    subject = _kind_and_id(node, "subject")
    return (
        subject is not None
        and subject[0] == "Patient"
        and subject[1] in ((patient_id,) if patient_id else (subject[1],))
    )


def _kind_and_id(node: Node, key: str) -> tuple[str, str] | None:
    """("Patient", "1"); None where nothing stands there."""
    if not node.has(key):
        return None
    parts = unversioned(node.obj(key).text("reference")).split("/")
    return (parts[-2], parts[-1]) if len(parts) > 1 and parts[-1] else ("", "")


def _read(node: Node, form: str, day: date) -> FormAnswers:
    typed: dict[str, str] = {}
    by_hand: set[str] = set()
    rows: Counter[str] = Counter()
    for group in node.objs("item"):
        id_ = group.text("linkId")
        row, rows[id_] = rows[id_], rows[id_] + 1
        read = _row(group, f"{id_}.{row}") if row < _MOST_ROWS else None
        if read:
            typed |= read[0]
            by_hand |= read[1]
    return FormAnswers(
        reference=reference(node, "QuestionnaireResponse"),
        form=form,
        on=day,
        saved=node.obj("meta").text("lastUpdated"),
        groups=frozenset(rows),
        typed=typed,
        by_hand=frozenset(by_hand),
    )


def _row(group: Node, row: str) -> tuple[dict[str, str], set[str]] | None:
    """The answers of one row and which were given by hand; None when any cannot be read, since
    what an answer left out could turn the others round."""
    typed: dict[str, str] = {}
    by_hand: set[str] = set()
    for asked in group.objs("item"):
        answers = asked.objs("answer")
        name = f"{row}.{asked.text('linkId').rpartition('.')[2]}"
        said = _said(answers[0]) if len(answers) == 1 else None
        if said is None or name in typed or not _asked_in(asked, group):
            return None
        typed[name] = said[0]
        if said[1]:
            typed[f"{name}.unit"] = said[1]
        if _origin(answers[0]) in _BY_HAND:
            by_hand.add(name)
    return None if group.broken("item") else (typed, by_hand)


def _asked_in(asked: Node, group: Node) -> bool:
    return asked.text("linkId").rpartition(".")[0] == group.text("linkId")


def _said(answer: Node) -> tuple[str, str] | None:
    """The value as somebody would type it, and its unit."""
    values = [key for key in answer.value if key.startswith("value")]
    if len(values) != 1:
        return None
    key = values[0]
    if key == "valueQuantity":
        return _quantity(answer.obj(key))
    if key == "valueCoding":
        text = answer.obj(key).text("code")
    elif key == "valueInteger":
        number = answer.number(key)
        text = "" if number is None else f"{number:f}"
    else:
        text = answer.text(key) if key in ("valueString", "valueDate") else ""
    return (text, "") if text else None


def _quantity(found: Node) -> tuple[str, str] | None:
    number = found.number("value")
    if number is None or found.text("system") != UCUM:
        return None
    return f"{found.text('comparator')}{number:f}", found.text("code")


def _origin(answer: Node) -> str:
    """Da Vinci DTR's information-origin: "auto", "override", "manual", or "" where it says none."""
    for origin in answer.objs("extension"):
        if origin.text("url") == ORIGIN:
            parts = origin.objs("extension")
            return next((p.text("valueCode") for p in parts if p.text("url") == "source"), "")
    return ""
