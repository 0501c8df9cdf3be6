"""Requirements repeat the review, and the answers on top claim no more than it holds."""

from __future__ import annotations

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.model.findings import Finding, NotChecked, Severity, Topic
from billing_rules.orders.claim_lines import WasteAnswer
from smart_app.chart.requirements import State, billing, documentation, requirements
from tests.scenario import all_scenarios, reviewed

SCENARIOS = list(all_scenarios())


@pytest.mark.parametrize("place", range(0, len(SCENARIOS), 9))
def test_every_outcome_is_there_and_no_gap_is_called_complete(
    place: int, catalogue: Catalogue
) -> None:
    for review in reviewed(SCENARIOS[place][1], catalogue):
        found = requirements(review)
        assert sum(len(r.points) for r in found) == len(review.outcomes)
        gaps = [f for f in review.findings if f.topic is Topic.DOCUMENTATION]
        answer = documentation(found)
        if any(f.severity is Severity.WARNING for f in gaps):
            assert answer.words.startswith("Not complete")
        if answer.state is State.MET:
            assert not gaps
            documented = {r.rule for r in found if r.is_documentation}
            assert not documented & {gap.rule for gap in review.not_checked}
        if billing(found, review.plan).state is State.MET:
            assert not [f for f in review.findings if f.topic is Topic.BILLING]
            assert not review.plan.lines or review.plan.waste is not WasteAnswer.INDETERMINATE


def test_only_a_complete_answer_that_held_nothing_is_called_missing(catalogue: Catalogue) -> None:
    """Wherever the worksheet says "missing", the review had no unknown in its place."""
    seen: set[str] = set()
    for _, scenario in SCENARIOS:
        for review in reviewed(scenario, catalogue):
            for requirement in requirements(review):
                if requirement.state is State.MISSING:
                    outcomes = [o for o in review.outcomes if o.rule == requirement.rule]
                    assert any(isinstance(o, Finding) for o in outcomes)
                    seen.add(requirement.rule)
                if all(
                    isinstance(o, NotChecked) for o in review.outcomes if o.rule == requirement.rule
                ):
                    assert requirement.state is State.UNCHECKED
    assert {"total_ige", "weight", "prior_therapy", "indication"} <= seen


def test_no_sentence_names_a_rule_by_its_id(catalogue: Catalogue) -> None:
    for _, scenario in SCENARIOS:
        for review in reviewed(scenario, catalogue):
            for requirement in requirements(review):
                for point in requirement.points:
                    if point.state in (State.MET, State.OFF):
                        assert "_modifiers" not in point.says and "_container" not in point.says
                        assert "prior_authorization" not in point.says
                assert requirement.sources, "every requirement says whom it rests on"
