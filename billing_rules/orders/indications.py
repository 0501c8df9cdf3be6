"""Which labelled indication an order serves: from its own reasons, then the active conditions.

Only what is coded or named as the disease counts; entered-in-error and refuted conditions are
never read, and resolved ones and family history do not count. Two candidates are a question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from billing_rules.model.chart import Chart, Problem
from billing_rules.model.entities import Code, Drug, DrugOrder, Evidence, Indication
from billing_rules.model.states import Nothing, Present


class IndicationChoice(msgspec.Struct, frozen=True):
    """The indication an order serves, or why none can be named.

    `specific` is False when only a code without the severity or kind of the label was found.
    `diagnoses` are the codes it was recognised by; `candidates` the names when there are several.
    """

    answer: Literal["chosen", "none", "several", "unknown", "not labelled"]
    because: str
    indication: Indication | None = None
    specific: bool = False
    certain: bool = True
    diagnoses: tuple[Code, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    candidates: tuple[str, ...] = ()


class _Match(msgspec.Struct, frozen=True):
    indication: Indication
    specific: bool
    certain: bool
    codes: tuple[Code, ...]
    evidence: Evidence


def indication_of(order: DrugOrder, drug: Drug, chart: Chart) -> IndicationChoice:
    """The labelled indication `order` serves. Never guesses between two."""
    if not drug.indications:
        return IndicationChoice("not labelled", f"no indication of {drug.name} is catalogued")
    from_order = list(_reason_matches(order, drug, chart))
    matches = from_order or list(_condition_matches(drug, chart))
    if matches:
        return _chosen(matches, "the order's reason" if from_order else "an active condition")
    if gap := chart.why_not("conditions"):
        return IndicationChoice("unknown", gap)
    if isinstance(chart.conditions, Nothing):
        return IndicationChoice("none", "the order gives no reason and no condition is on file")
    if drug.unread_indications:
        return IndicationChoice(
            "unknown", f"the label of {drug.name} has indications not catalogued here"
        )
    return IndicationChoice("none", f"no condition on file is an indication of {drug.name}")


def _chosen(matches: list[_Match], where: str) -> IndicationChoice:
    best = _best(matches)
    names = tuple(dict.fromkeys(m.indication.name for m in best))
    evidence = tuple(dict.fromkeys(m.evidence for m in best))
    if len(names) > 1:
        why = "more than one labelled indication is on file"
        return IndicationChoice("several", why, evidence=evidence, candidates=names)
    return IndicationChoice(
        "chosen",
        f"from {where}",
        best[0].indication,
        specific=any(m.specific for m in best),
        certain=any(m.certain for m in best),
        diagnoses=tuple(dict.fromkeys(code for m in best for code in m.codes)),
        evidence=evidence,
    )


def _best(matches: list[_Match]) -> list[_Match]:
    """Of one indication all; between indications, confirmed ones before provisional ones."""
    certain = [m for m in matches if m.certain]
    return certain or matches


def _reason_matches(order: DrugOrder, drug: Drug, chart: Chart) -> Iterator[_Match]:
    for line in order.lines:
        for code in line.reasons:
            yield from _match(drug, (code,), code.display, line.place, True)
        for problem in _referenced(line.reason_references, chart):
            yield from _problem_match(drug, problem)


def _referenced(references: Iterable[str], chart: Chart) -> Iterator[Problem]:
    conditions = chart.conditions.value if isinstance(chart.conditions, Present) else ()
    for reference in references:
        yield from (c for c in conditions if reference.endswith(c.reference) and c.active)


def _condition_matches(drug: Drug, chart: Chart) -> Iterator[_Match]:
    conditions = chart.conditions.value if isinstance(chart.conditions, Present) else ()
    for problem in conditions:
        if problem.kind == "condition" and problem.active:
            yield from _problem_match(drug, problem)


def _problem_match(drug: Drug, problem: Problem) -> Iterator[_Match]:
    yield from _match(drug, problem.codes, problem.text, problem.reference, problem.certain)


def _match(
    drug: Drug, codes: tuple[Code, ...], text: str, place: str, certain: bool
) -> Iterator[_Match]:
    shown = ", ".join(dict.fromkeys(c.code for c in codes if c.code)) or text
    for indication in drug.indications:
        specific = _with_code(codes, indication.icd10cm, indication.snomed)
        general = _with_code(codes, indication.icd10cm_unspecified, indication.snomed_unspecified)
        worded = not _is_coded(codes) and any(w in text.lower() for w in indication.words)
        if specific or general or worded:
            words = shown if text == shown else f"{shown} {text}".strip()
            seen = Evidence(place, "diagnosis", words)
            yield _Match(indication, bool(specific), certain, specific or general, seen)


def _with_code(
    codes: tuple[Code, ...], icd10cm: frozenset[str], snomed: frozenset[str]
) -> tuple[Code, ...]:
    return tuple(
        c
        for c in codes
        if (c.system == "icd10cm" and c.code in icd10cm)
        or (c.system == "snomed" and c.code in snomed)
    )


def _is_coded(codes: tuple[Code, ...]) -> bool:
    return any(c.system in ("icd10cm", "snomed") for c in codes)
