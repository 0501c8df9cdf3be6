"""A test shows sensitisation to a perennial aeroallergen, where label or payer wants one.

Strength, strongest first: a specific IgE result, a skin test that names its allergen and result,
an allergy or condition entry (which names no test). What names no allergen is asked about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

import msgspec

from billing_rules.evidence.documentation import (
    form_unread,
    indication,
    indication_seen,
    items,
    measured_seen,
    need_sources,
    not_sure,
    only_coded,
    problem_seen,
)
from billing_rules.model.chart import Measured, Problem
from billing_rules.model.entities import Code, Evidence
from billing_rules.model.findings import Finding, NotChecked, Severity, Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.rule import BOOKING, ORDERS, Place, Record, Rule, Stated, wanted

NEED = "sensitisation"  # of label and payer
POSITIVE_FROM = Decimal("0.35")  # kU/L: the usual cut-off of class 1
# Percutaneous and intradermal allergy tests.
SKIN_TEST_CPT = ("95004", "95017", "95018", "95024", "95027")
_POSITIVE = re.compile(r"\b(positive|pos|reactive|sensiti[sz]ed)\b")
_NEGATIVE = re.compile(r"\b(not positive|negative|neg|(not|non)[ -]?reactive|no reaction)\b")
_CLASS = re.compile(r"\bclass\s*([0-6])\b")

Strength = Literal["positive test", "test to clarify", "stated only", "negative test"]


class _Sign(msgspec.Struct, frozen=True):
    """One thing on file and what it is worth. `ask` says what is open."""

    strength: Strength
    seen: Evidence
    ask: str = ""


def check(case: Case) -> Stated:
    signs = list(_signs(case))
    tests = [s for s in signs if s.strength == "positive test"]
    unread = _unread(case)
    if tests:
        return Silent(
            f"a positive test is on file: {tests[0].seen.what} {tests[0].seen.value}",
            basis=tuple(test.seen for test in tests),
            sources=need_sources(case.need(NEED)),
        )
    elif to_clarify := [s for s in signs if s.strength == "test to clarify"]:
        return _clarify(case, to_clarify)
    elif unread:
        return NotChecked(unread)
    elif stated := [s for s in signs if s.strength == "stated only"]:
        return _stated_only(case, stated)
    else:
        return _missing(case, signs)


def _unread(case: Case) -> str:
    gap = not_sure(case, "results", "allergies", "procedures")
    return gap.because if gap else ""


# ---------------------------------------------------------------- what is on file


def _signs(case: Case) -> Iterator[_Sign]:
    on = case.order.date_of_service
    for result in items(case.chart.results):
        past = result.final and (result.on is None or result.on <= on)
        if past and (s := _of_result(case, result)):
            yield s
    for procedure in items(case.chart.procedures):
        if s := _of_skin_test(case, procedure):
            yield s
    for problem in (*items(case.chart.allergies), *items(case.chart.conditions)):
        counts = problem.active and problem.certain and problem.kind != "family history"
        if counts and (s := _of_skin_test(case, problem) or _of_problem(case, problem)):
            yield s


def _of_result(case: Case, result: Measured) -> _Sign | None:
    if not case.terms.kinds_of(result.codes, result.text) and not _is_test_by_cpt(result.codes):
        return None
    seen = measured_seen(result)
    if _is_skin_test(case, result.text, result.codes):
        words = f"{_words(result.text, result.codes)} {result.as_written}"
        marks = result.interpretation
        return _skin_test(case, words, seen, "POS" in marks, "NEG" in marks)
    allergen = case.terms.allergen_of(result)
    if allergen is None:
        perennial = [k for k in case.terms.observations.values() if k.perennial]
        if any(case.terms.is_kind(result, k.id) == "code and words disagree" for k in perennial):
            return _Sign("test to clarify", seen, "its code and words name different allergens")
        return None
    if not allergen.perennial:
        return None
    answer = _specific_ige(result)
    if answer is None:
        return _Sign("test to clarify", seen, "its result cannot be read as positive or negative")
    return _Sign("positive test" if answer else "negative test", seen)


def _specific_ige(result: Measured) -> bool | None:
    """Positive, negative or not readable."""
    if "POS" in result.interpretation or "NEG" in result.interpretation:
        return "POS" in result.interpretation
    if result.value is not None and result.value.is_a("IgE concentration"):
        number = result.value.to("[IU]/mL").value
        if result.comparator in ("<", "<="):
            below = number < POSITIVE_FROM or (number == POSITIVE_FROM and result.comparator == "<")
            return False if below else None
        return True if number >= POSITIVE_FROM else None if result.comparator else False
    return _worded(result)


def _worded(result: Measured) -> bool | None:
    said = result.as_written.lower()
    graded = _CLASS.search(said)
    if graded is None and re.search(r"\b(rast|class)\b", _words(result.text, result.codes)):
        graded = re.fullmatch(r"\s*([0-6])\s*(?:class|\{class\})?\s*", said)
    if graded:
        return int(graded[1]) >= 1
    return _positive(said)


def _positive(words: str) -> bool | None:
    """What the words say; None when they say nothing, or both (of several allergens)."""
    negative = bool(_NEGATIVE.search(words))
    positive = bool(_POSITIVE.search(_NEGATIVE.sub(" ", words)))
    return None if positive == negative else positive


def _of_skin_test(case: Case, problem: Problem) -> _Sign | None:
    if not _is_skin_test(case, problem.text, problem.codes):
        return None
    return _skin_test(case, _words(problem.text, problem.codes), problem_seen(problem))


def _is_skin_test(case: Case, text: str, codes: tuple[Code, ...]) -> bool:
    return _is_test_by_cpt(codes) or "skin_test" in case.terms.kinds_of(codes, text)


def _is_test_by_cpt(codes: tuple[Code, ...]) -> bool:
    return any(c.system == "cpt" and c.code in SKIN_TEST_CPT for c in codes)


def _skin_test(
    case: Case, words: str, seen: Evidence, positive: bool = False, negative: bool = False
) -> _Sign:
    said = _positive(words.lower())
    if negative or (said is False and not positive):
        return _Sign("negative test", seen)
    if not case.terms.names_perennial(Problem("", "condition", (), words, None)):
        return _Sign("test to clarify", seen, "no perennial allergen was recognised in its words")
    if positive or said:
        return _Sign("positive test", seen)
    return _Sign("test to clarify", seen, "it states no clear positive or negative result")


def _of_problem(case: Case, problem: Problem) -> _Sign | None:
    if not case.terms.names_perennial(problem):
        return None
    return _Sign("stated only", problem_seen(problem))


def _words(text: str, codes: tuple[Code, ...]) -> str:
    return " | ".join([text, *(c.display for c in codes)]).lower()


# ---------------------------------------------------------------- findings


def _clarify(case: Case, signs: list[_Sign]) -> Finding:
    return Finding(
        kind="allergy-test-to-clarify",
        summary="An allergy test is on file but leaves the allergen or result open: add it",
        found=tuple(f"{s.seen.reference}: {s.ask}." for s in signs),
        basis=(*(s.seen for s in signs), *indication_seen(case)),
        sources=need_sources(case.need(NEED)),
        unchecked=("Whether a perennial aeroallergen tested positive.",),
    )


def _stated_only(case: Case, signs: list[_Sign]) -> Finding:
    return Finding(
        kind="allergy-stated-without-test",
        summary="An allergy is listed, but no test of it: add the skin test or specific IgE result",
        found=("An allergy or condition entry does not say how the allergy was shown.",),
        basis=(*(s.seen for s in signs), *indication_seen(case)),
        sources=need_sources(case.need(NEED)),
    )


def _missing(case: Case, negative: list[_Sign]) -> Finding:
    found = "Only negative tests were found." if negative else "No test was found."
    # A skin test has no standard code, so results asked for by code cannot show that none is there.
    unseen = only_coded(case, "results")
    return Finding(
        kind="sensitisation-missing",
        severity=Severity.INFO if unseen else Severity.WARNING,
        summary="No positive test to a perennial allergen was found: add the skin test or IgE",
        found=(f"A perennial aeroallergen must be shown for {indication(case)}.", found),
        basis=(
            Evidence("", "results, allergies and procedures read", "no positive test"),
            *(s.seen for s in negative),
            *indication_seen(case),
        ),
        sources=need_sources(case.need(NEED)),
        unchecked=(*unseen, *form_unread(case)),
    )


RULE = Rule(
    id="sensitisation",
    check=check,
    requires=(wanted(NEED),),
    topic=Topic.DOCUMENTATION,
    rank=60,
    warns=("sensitisation-missing",),
    informs=("sensitisation-missing", "allergy-test-to-clarify", "allergy-stated-without-test"),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("observations", "allergies", "procedures", "answers"),
    form_groups=("sensitisation",),
    record=Record(
        name="test for a perennial allergen",
        title="A test for a perennial allergen",
        says="A positive skin test or specific IgE to a perennial aeroallergen is on file.",
        prevents="A denial because the allergy the label speaks of was not tested.",
        denials=("medical-necessity-documentation", "diagnosis-or-test-missing"),
        citations=("label", "policies"),
        reads=("need.sensitisation",),
        limits=(
            (
                "What was entered in Vialwise's form counts as entered, and is named so; no "
                "record shows it."
            ),
        ),
    ),
)
