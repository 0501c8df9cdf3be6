"""What a rule's record says it reads is what the rule's findings cite."""

from __future__ import annotations

from datetime import date

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.rule_records import WHAT, passages, shipped
from tests.scenario import TODAY, all_scenarios, reviewed

# Only a site's own file, or a payer's yet to be read, states these.
NOT_SHIPPED = {"payer.wanted_modifiers"}


def test_every_source_a_finding_cites_stands_in_its_rules_record(catalogue: Catalogue) -> None:
    records, missing = shipped().records, set()
    for name, scenario in all_scenarios():
        for review in reviewed(scenario, catalogue):
            for finding in review.findings:
                record = records[finding.rule]
                on = review.order.date_of_service
                known = {p.source for p in passages(record.reads, catalogue, on)}
                cited = {s for s in finding.sources if s.certainty != "S"}
                missing |= {(finding.rule, s.title, s.quote, name) for s in cited - known}
    assert not missing, "name these in `reads` of the rule's record"


@pytest.mark.parametrize("read", sorted(set(WHAT) - NOT_SHIPPED))
def test_everything_a_record_may_read_is_in_the_catalogue(read: str, catalogue: Catalogue) -> None:
    found = passages((read,), catalogue, TODAY)
    assert found and all(p.of and p.what == WHAT[read] for p in found)


def test_every_kind_of_passage_is_read_by_a_rule() -> None:
    assert {read for record in shipped().records.values() for read in record.reads} == set(WHAT)


def test_a_passage_is_the_one_in_force_on_the_day(catalogue: Catalogue) -> None:
    read = "payer.medically_unlikely_edits"

    def payers(on: date) -> set[str]:
        return {of for p in passages((read,), catalogue, on) for of in p.of}

    assert "Medicare Part B" in payers(date(2026, 7, 1))
    assert "Medicare Part B" not in payers(date(2026, 6, 30))


def test_one_passage_names_all_it_stands_for(catalogue: Catalogue) -> None:
    (found, *_) = passages(("need.total_ige",), catalogue, TODAY)
    assert "omalizumab, moderate to severe persistent asthma" in found.of
    assert len(set(found.of)) == len(found.of) > 1
