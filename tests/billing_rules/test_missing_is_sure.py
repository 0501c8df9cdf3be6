"""Nothing is called missing unless the part of the chart was asked for and read completely."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import DATA_NEEDED, RESULT_CODES
from billing_rules.model.chart import Chart
from billing_rules.model.findings import Finding
from billing_rules.model.states import NOTHING, Nothing, Present, Unknown
from billing_rules.review import OrderReview
from billing_rules.rules import rules_reading
from tests import scenario, scenario_chart

WHY = "the EHR sent a first page only"
LISTS = tuple(
    f.name for f in fields(Chart) if f.name not in ("birth_date", "setting", "incomplete")
)
# What a rule may say only of what it read completely: something is not there, or not enough.
SAYS_MISSING = {
    ("indication", "no-indication-on-file"),
    ("total_ige", "total-ige-missing"),
    ("total_ige", "only-on-treatment"),
    ("total_ige", "retest-after-a-year"),
    ("total_ige", "total-ige-too-old"),
    ("eosinophils", "eosinophils-missing"),
    ("eosinophils", "eosinophils-too-old"),
    ("weight", "weight-missing"),
    ("weight", "weight-stale"),
    ("sensitisation", "sensitisation-missing"),
    ("sensitisation", "allergy-stated-without-test"),
    ("prior_therapy", "missing"),
    ("prior_therapy", "too-short"),
    ("prior_authorization", "none-on-file"),
    ("prior_authorization", "none-for-this-drug"),
    ("prior_authorization", "ended"),
    ("prior_authorization", "denied"),
    ("prior_authorization", "starts-later"),
    ("prior_authorization", "pending"),
    ("reauthorization", "assessment-missing"),
    ("research_modifier", "modifier-without-study"),
    ("supervised_doses", "first-doses-at-home"),
}
# No payer of the catalogue names a reassessment or how old a total IgE may be.
UNTRIED = {("reauthorization", "assessment-missing"), ("total_ige", "total-ige-too-old")}
SCENARIOS = [s for _, s in scenario.all_scenarios()]
Change = Callable[[Chart], Chart]


def reviewed(words: Any, catalogue: Catalogue, change: Change) -> tuple[OrderReview, ...]:
    """The scenario's orders, its chart changed before the rules see it."""
    made = scenario_chart.chart
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenario_chart, "chart", lambda *args: change(made(*args)))
        return scenario.reviewed(words, catalogue)


def kinds(words: Any, catalogue: Catalogue, change: Change) -> set[tuple[str, str]]:
    found = (f for r in reviewed(words, catalogue, change) for f in r.findings)
    return {(finding.rule, finding.kind) for finding in found}


def with_gaps(chart: Chart) -> Chart:
    """The same chart, when each of its lists may not be all there is."""
    changes: dict[str, Any] = {
        name: Unknown(WHY) for name in LISTS if isinstance(getattr(chart, name), Nothing)
    }
    present = {name: WHY for name in LISTS if isinstance(getattr(chart, name), Present)}
    return replace(chart, incomplete=present, **changes)


def same(chart: Chart) -> Chart:
    return chart


def test_a_part_is_sure_when_it_is_complete() -> None:
    chart = Chart(
        results=NOTHING,
        conditions=Present(()),
        allergies=Unknown("no"),
        procedures=Present(()),
        incomplete={"procedures": WHY},
    )
    assert chart.missing_is_sure("results") and chart.missing_is_sure("conditions")
    assert (chart.why_not("allergies"), chart.why_not("procedures")) == ("no", WHY)
    assert not chart.missing_is_sure("therapies")
    assert isinstance(hash(chart), int)


def test_every_rule_that_calls_something_missing_is_tried_here(catalogue: Catalogue) -> None:
    every = {kind for words in SCENARIOS for kind in kinds(words, catalogue, same)}
    assert SAYS_MISSING - every <= UNTRIED, "no scenario has it: is it still called that?"


@pytest.mark.parametrize("words", SCENARIOS, ids=lambda words: words["says"])
def test_a_gap_in_the_chart_never_makes_something_missing(words: Any, catalogue: Catalogue) -> None:
    said = kinds(words, catalogue, same) & SAYS_MISSING
    assert kinds(words, catalogue, with_gaps) & SAYS_MISSING == set()
    for rule, kind in said:
        outcomes = [o for r in reviewed(words, catalogue, with_gaps) for o in r.outcomes]
        unsure = [o for o in outcomes if o.rule == rule and not isinstance(o, Finding)]
        assert unsure, f"{rule} must say that it could not check {kind}"


# ---------------------------------------------------------------- every query feeds its rules

FIELDS = {
    "patient": ("birth_date",),
    "coverage": ("coverages",),
    "weight": ("weights",),
    "encounter": ("setting",),
    "observations": ("results",),
    "medications": ("therapies",),
    "statements": ("therapies",),
    "dispenses": ("therapies",),
    "administrations": ("administrations", "therapies"),
}


def outcomes(words: Any, catalogue: Catalogue, change: Change) -> dict[str, list[Any]]:
    said: dict[str, list[Any]] = {}
    for outcome in (o for r in reviewed(words, catalogue, change) for o in r.outcomes):
        said.setdefault(outcome.rule, []).append(outcome)
    return said


def moved_by(names: tuple[str, ...], catalogue: Catalogue) -> Iterator[str]:
    """The rules that answer differently in some scenario when these fields are not known."""
    unknown: dict[str, Any] = dict.fromkeys(names, Unknown("not known"))
    for words in SCENARIOS:
        before = outcomes(words, catalogue, same)
        if names == ("coverages",):  # which payer it is, they say
            words = {key: value for key, value in words.items() if key != "payer"}
        after = outcomes(words, catalogue, lambda chart: replace(chart, **unknown))
        yield from (rule for rule in before if before[rule] != after.get(rule))


@pytest.mark.parametrize("need", DATA_NEEDED, ids=lambda need: need.key)
def test_every_query_moves_the_rules_it_is_asked_for(need: Any, catalogue: Catalogue) -> None:
    moved = set(moved_by(FIELDS.get(need.key, (need.key,)), catalogue))
    if need.key == "dispenses":  # the containers of a dose given: shown by fhir/test_given.py
        moved.add("waste_modifier")
    assert set(rules_reading(need.key)) <= moved


def test_the_result_codes_are_those_of_the_catalogue(catalogue: Catalogue) -> None:
    kinds_ = catalogue.terms.observations
    wanted = {code for kind in kinds_.values() if kind.id != "weight" for code in kind.loinc}
    # Asked for although no source confirms what they mean; a rule wants their words to agree.
    unconfirmed = {"6096-2", "6020-2"}
    assert set(RESULT_CODES) == wanted | unconfirmed
    assert len(RESULT_CODES) == len(set(RESULT_CODES))
