"""A payer's most units in a number of days: this order's units and those already given.

A dose on the last day before the period does not count: 75 units in 14 days allow the next 75 on
the fourteenth day.
"""

from __future__ import annotations

from collections.abc import Sequence

from billing_rules.evidence.documentation import (
    criteria_sources,
    dose_seen,
    items,
    not_sure,
    payer_seen,
    seen,
    units_word,
)
from billing_rules.model.entities import Criteria, DrugOrder
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import Present, Unknown, days_between
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import units_of
from billing_rules.rules.rule import BOOKING, ORDERS, Place, Record, Rule, Stated, limit_of_units


def check(case: Case) -> Stated:
    if case.plan.administered_units is None:
        return NotChecked("the units of this order cannot be worked out")
    assert case.criteria is not None  # its limit is required
    return _compared(case, case.criteria, case.plan.administered_units)


def _compared(case: Case, criteria: Criteria, planned: int) -> Outcome:
    assert criteria.most_units
    most, days = criteria.most_units
    before = case.past_visits
    visits = _in_period(case, items(before), days)
    counted = [(visit, _units(case, visit)) for visit in visits]
    total = planned + sum(units or 0 for _, units in counted)
    if total > most:
        return _finding(case, criteria, planned, total, visits)
    if isinstance(before, Unknown):
        return NotChecked(before.because)
    if case.drug.id in case.history.undated or any(units is None for _, units in counted):
        return NotChecked(f"the date or dose of an earlier {case.drug.name} is not known")
    known = Silent(
        f"{units_word(total)} in {days} days, of {most} at the most",
        sources=criteria_sources(case, "most_units"),
    )
    return not_sure(case, "administrations") or known


def _in_period(case: Case, visits: Sequence[DrugOrder], days: int) -> tuple[DrugOrder, ...]:
    on = case.order.date_of_service
    return tuple(
        visit
        for visit in visits
        if visit.drug_id == case.drug.id and days_between(visit.date_of_service, on) < days
    )


def _units(case: Case, visit: DrugOrder) -> int | None:
    if not isinstance(visit.dose, Present) or case.drug.billing_unit is None:
        return None
    return units_of(visit.dose.value, case.drug.billing_unit)


def _finding(
    case: Case, criteria: Criteria, planned: int, total: int, visits: Sequence[DrugOrder]
) -> Finding:
    assert criteria.most_units
    most, days = criteria.most_units
    given = f" and {units_word(total - planned)} given before" if total > planned else ""
    return Finding(
        kind="over-the-limit",
        summary=f"Ask the payer first: {total:,} units in {days} days, it allows {most:,}",
        found=(f"{units_word(planned)} of this order{given} are within {days} days.",),
        basis=(
            *dose_seen(case),
            *(
                seen(line, "given", line.dose.value)
                for visit in visits
                for line in visit.prescriptions
                if isinstance(line.dose, Present)
            ),
            *payer_seen(case),
        ),
        sources=criteria_sources(case, "most_units"),
        unchecked=("Discarded units are not counted; whether this payer does is not known.",),
    )


RULE = Rule(
    id="units_per_period",
    check=check,
    requires=(limit_of_units,),
    topic=Topic.DOCUMENTATION,
    rank=120,
    warns=("over-the-limit",),
    corrected_at={Topic.BILLING: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("administrations",),
    record=Record(
        name="units per period",
        title="Units within the payer's limit",
        says=("Units of this order and those given in the payer's period stay within its limit."),
        prevents="A denial because the payer's quantity limit is exceeded.",
        denials=("coverage-criteria", "incorrect-dosage"),
        citations=("policies",),
        reads=("criteria.most_units",),
    ),
)
