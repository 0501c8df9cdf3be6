"""Which payer's rules an order is reviewed under, and which labelled indication it serves.

Neither is ever guessed: what could be two is unknown, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec

from billing_rules.catalogue import UNKNOWN_PAYER, Catalogue, PayerRecognition
from billing_rules.model.chart import Chart, Coverage, Problem
from billing_rules.model.entities import Code, Drug, DrugOrder, Evidence, Indication
from billing_rules.model.states import Nothing, Present, State, Unknown

# ----------------------------------------------------------------------
# Which payer's rules an order is reviewed under, from the coverages on file.
#
# Recognised by what the Coverage says of itself, the surest first: an identifier, a name together
# with a type code, a type code, a name. Of several payers that fit, the more specific is the
# payer: by its name the one that is a part of the other (`parent` in its file), else the one
# whose name holds the other's ("aetna medicare advantage" holds "medicare advantage"). What is
# not recognised, or could still be two, is the unknown payer: the drug's own checks still run and
# the answer says that no payer's rules were applied.


class PayerChoice(msgspec.Struct, frozen=True):
    """The payer's id, why it was chosen, and the coverage it was seen on."""

    payer_id: str
    because: str
    evidence: tuple[Evidence, ...] = ()


def payer_of(
    order: DrugOrder, coverages: State[tuple[Coverage, ...]], catalogue: Catalogue
) -> PayerChoice:
    """The payer of `order`: the coverage it names, else the one active primary coverage."""
    if isinstance(coverages, Unknown):
        return PayerChoice(UNKNOWN_PAYER, f"the coverage could not be read: {coverages.because}")
    if isinstance(coverages, Nothing):
        return PayerChoice(UNKNOWN_PAYER, "no coverage is on file")
    coverage = _named(order, coverages.value) or _primary(coverages.value)
    if coverage is None:
        return PayerChoice(UNKNOWN_PAYER, "several coverages are on file, none marked as primary")
    choice = recognised_payer(coverage, catalogue)
    further = tuple(c for c in coverages.value if c.active and c is not coverage)
    return _noted(choice, further) if further else choice


def _noted(choice: PayerChoice, further: Sequence[Coverage]) -> PayerChoice:
    """The choice with the other active coverages beside it: a claim may go on to them."""
    seen = tuple(Evidence(c.reference, "further coverage", _shown(c)) for c in further)
    names = ", ".join(e.value for e in seen)
    because = f"{choice.because}; further coverage on file: {names}"
    return msgspec.structs.replace(choice, because=because, evidence=(*choice.evidence, *seen))


def recognised_payer(coverage: Coverage, catalogue: Catalogue) -> PayerChoice:
    """The catalogued payer whose marks this coverage carries, or the unknown payer."""
    seen = (Evidence(coverage.reference, "coverage", _shown(coverage)),)
    words = _words(coverage)
    for matches in (_by_identifier, _by_name_and_type, _by_type, _by_name):
        found = [r for r in catalogue.payer_recognition if matches(r, coverage, words)]
        if not found:
            continue
        payers = _most_specific(found, words)
        if len(payers) == 1:
            return PayerChoice(payers[0].payer_id, "recognised from the coverage", seen)
        return PayerChoice(UNKNOWN_PAYER, "the coverage fits several payers", seen)
    return PayerChoice(UNKNOWN_PAYER, "the coverage names no payer in the catalogue", seen)


def _most_specific(found: list[PayerRecognition], words: str) -> list[PayerRecognition]:
    """Of payers that fit alike those with a name that no other's holds. Where none is named, a
    payer of which another is a part: nothing says that it is the part."""
    named = {r.payer_id: [name for name in r.names if name in words] for r in found}
    every = [(payer_id, name) for payer_id, names in named.items() for name in names]
    if not every:
        ids = named.keys()
        return [r for r in found if ids.isdisjoint(r.part_of)]

    def held(name: str, payer_id: str) -> bool:
        return any(name in other for other_id, other in every if other_id != payer_id)

    return [r for r in found if not all(held(name, r.payer_id) for name in named[r.payer_id])]


def _named(order: DrugOrder, coverages: Sequence[Coverage]) -> Coverage | None:
    wanted = {reference for line in order.lines for reference in line.coverages}
    found = [c for c in coverages if any(_same(c.reference, w) for w in wanted)]
    return found[0] if len(found) == 1 else _primary(found) if found else None


def _same(one: str, other: str) -> bool:
    return bool(one) and (one == other or other.endswith("/" + one))


def _primary(coverages: Sequence[Coverage]) -> Coverage | None:
    active = [c for c in coverages if c.active]
    if len(active) == 1:
        return active[0]
    first = [c for c in active if c.order == 1]
    return first[0] if len(first) == 1 else None


def _shown(coverage: Coverage) -> str:
    names = coverage.payor_names or tuple(c.display or c.code for c in coverage.types)
    return ", ".join(dict.fromkeys(names)) or "no payor named"


def _by_identifier(recognition: PayerRecognition, coverage: Coverage, words: str) -> bool:
    return any(i.lower() in recognition.identifiers for i in coverage.payor_identifiers)


def _by_type(recognition: PayerRecognition, coverage: Coverage, words: str) -> bool:
    return _typed(recognition, coverage) and not _excluded(recognition, words)


def _typed(recognition: PayerRecognition, coverage: Coverage) -> bool:
    return any(c.code.lower() in recognition.type_codes for c in coverage.types)


def _by_name(recognition: PayerRecognition, coverage: Coverage, words: str) -> bool:
    return any(name in words for name in recognition.names) and not _excluded(recognition, words)


def _by_name_and_type(recognition: PayerRecognition, coverage: Coverage, words: str) -> bool:
    return _by_name(recognition, coverage, words) and _typed(recognition, coverage)


def _excluded(recognition: PayerRecognition, words: str) -> bool:
    return any(name in words for name in recognition.not_names)


def _words(coverage: Coverage) -> str:
    displays = tuple(c.display for c in coverage.types)
    return " | ".join(coverage.payor_names + coverage.class_names + displays).lower()


# ----------------------------------------------------------------------
# Which labelled indication an order serves: from its own reasons, then the active conditions.
#
# Only what is coded or named as the disease counts; entered-in-error and refuted conditions are
# never read, and resolved ones and family history do not count. Two candidates are a question.


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
