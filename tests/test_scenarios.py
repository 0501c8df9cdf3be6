"""Every scenario gives exactly the findings it names; every rule speaks and is silent somewhere."""

from __future__ import annotations

from typing import Any

import pytest

from billing_rules import review
from billing_rules.catalogue import Catalogue
from billing_rules.model.findings import Finding, NotChecked, Outcome, Severity, Silent
from billing_rules.rules import DOCUMENTATION_NAMES, RULES
from tests.scenario import all_scenarios, cases, reviewed

SCENARIOS = list(all_scenarios())


@pytest.mark.parametrize(("name", "scenario"), SCENARIOS, ids=[name for name, _ in SCENARIOS])
def test_scenario(name: str, scenario: dict[str, Any], catalogue: Catalogue) -> None:
    reviews = reviewed(scenario, catalogue)
    found = [f"{f.rule}: {f.kind}" for r in reviews for f in r.findings]
    assert sorted(found) == sorted(scenario.get("finds", [])), _told(reviews)
    not_checked = {o.rule for r in reviews for o in r.not_checked}
    assert set(scenario.get("not_checked", [])) <= not_checked, _told(reviews)
    if "lines" in scenario:
        assert [str(line) for r in reviews for line in r.plan.lines] == scenario["lines"]
    if "waste" in scenario:
        assert [r.plan.waste.value for r in reviews] == [scenario["waste"]], _told(reviews)
    if "summary" in scenario:
        assert scenario["summary"] in [f.summary for r in reviews for f in r.findings]
    if "found" in scenario:
        told = " ".join(s for r in reviews for f in r.findings for s in f.found)
        assert scenario["found"] in told, told
    if "corrects" in scenario:
        labels = [f.correction_label for r in reviews for f in r.findings if f.corrections]
        assert labels == scenario["corrects"], _told(reviews)


def test_names_are_different_sentences() -> None:
    names = [name for name, _ in SCENARIOS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", [rule.id for rule in RULES])
def test_rule_has_a_scenario_where_it_speaks_and_one_where_it_is_silent(
    rule: str, catalogue: Catalogue
) -> None:
    reviews = [r for _, scenario in SCENARIOS for r in reviewed(scenario, catalogue)]
    outcomes = [o for r in reviews for o in r.outcomes if o.rule == rule]
    assert any(isinstance(o, Finding) for o in outcomes), f"write a scenario where {rule} speaks"
    assert any(isinstance(o, Silent) for o in outcomes), f"write one where {rule} is silent"
    if rule in DOCUMENTATION_NAMES:
        assert any(isinstance(o, NotChecked) for o in outcomes), f"write one {rule} cannot check"


def test_every_rule_answers_every_order(catalogue: Catalogue) -> None:
    for name, scenario in SCENARIOS:
        for r in reviewed(scenario, catalogue):
            assert list(dict.fromkeys(o.rule for o in r.outcomes)) == [x.id for x in RULES], name


def test_every_outcome_is_one_that_its_rules_row_allows(catalogue: Catalogue) -> None:
    """In production a row is never compared with what the rule says: here it is."""
    for name, scenario in SCENARIOS:
        for case in cases(scenario, catalogue):
            outcomes = review.reviewed(case).outcomes
            for rule in RULES:
                of_rule = [outcome for outcome in outcomes if outcome.rule == rule.id]
                for outcome in of_rule:
                    assert not rule.outside(outcome), f"{name}: {rule.outside(outcome)}"
                if any(requirement(case) for requirement in rule.requires):
                    continue
                found = rule.check(case)
                every = [found] if isinstance(found, Outcome) else list(found)
                for stated, outcome in zip(every, of_rule, strict=True):
                    written = getattr(stated, "severity", Severity.INFO)
                    left_to_the_row = written is Severity.INFO
                    assert left_to_the_row or written is getattr(outcome, "severity", None), (
                        f"{name}: {rule.id} writes a severity that its row does not leave open"
                    )


def test_summaries_fit_a_card(catalogue: Catalogue) -> None:
    for name, scenario in SCENARIOS:
        for r in reviewed(scenario, catalogue):
            for f in r.findings:
                assert len(f.summary) < 140, (name, f.summary)


def _told(reviews: Any) -> str:
    def words(o: Any) -> str:
        if isinstance(o, Finding):
            return f"FOUND {o.rule}: {o.kind}: {o.summary} {o.found}"
        return f"{'?' if isinstance(o, NotChecked) else '-'} {o.rule}: {o.because}"

    return "\n".join(words(o) for r in reviews for o in r.outcomes)
