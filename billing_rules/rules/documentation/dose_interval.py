"""A dose too soon after the last one is denied: the interval of the order, or of the label.

Doses not given do not count, nor does the order itself. Whether the date is right is asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from billing_rules.evidence.documentation import (
    dose_seen,
    interval_source,
    not_sure,
    planned_interval,
    seen,
    sources,
)
from billing_rules.model.entities import DrugOrder, Evidence
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import Present, days_between
from billing_rules.orders.case import Case
from billing_rules.rules.rule import (
    BOOKING,
    ORDERS,
    Place,
    Record,
    Rule,
    Stated,
    past_doses,
    planned_doses,
)

# Ours: clinics book a week day, so a few days early is no question. No label or payer text that
# states a tolerance was found.
DAYS_EARLY = 3


def check(case: Case) -> Stated:
    interval, before = case.once(planned_interval), case.past_visits
    assert interval is not None and isinstance(before, Present)  # both are required
    return _judged(case, interval, [v for v in before.value if v.drug_id == case.drug.id])


def _judged(case: Case, interval: int, visits: Sequence[DrugOrder]) -> Outcome:
    gap = days_between(visits[0].date_of_service, case.order.date_of_service) if visits else None
    if gap is not None and gap < interval - DAYS_EARLY:
        return _finding(case, interval, gap, visits[0])
    if case.drug.id in case.history.undated:
        return NotChecked(f"an earlier dose of {case.drug.name} has no date")
    if unsure := not_sure(case, "administrations"):
        return unsure
    if gap is None:
        return Silent("no earlier dose is on file")
    return Silent(
        f"{gap} days after the last dose; the interval is {interval} days",
        basis=_last_seen(visits[0]),
        sources=sources(interval_source(case)),
    )


def _last_seen(last: DrugOrder) -> tuple[Evidence, ...]:
    return tuple(
        seen(line, "given", line.dose.value if isinstance(line.dose, Present) else "a dose")
        for line in last.prescriptions
    )


def _finding(case: Case, interval: int, gap: int, last: DrugOrder) -> Finding:
    days = "1 day" if gap == 1 else f"{gap} days"
    return Finding(
        kind="too-soon",
        summary=f"Check the date: {days} after the last dose, and the interval is {interval} days",
        found=(
            f"The last dose on file is of {last.date_of_service}, {days} before this one.",
            f"Up to {DAYS_EARLY} days early are not asked about.",
        ),
        basis=(
            *_last_seen(last),
            *dose_seen(case),
        ),
        sources=sources(interval_source(case)),
    )


RULE = Rule(
    id="dose_interval",
    check=check,
    requires=(planned_doses, past_doses("no earlier dose is on file")),
    topic=Topic.DOCUMENTATION,
    rank=110,
    warns=("too-soon",),
    corrected_at={Topic.DOCUMENTATION: Place.PAST_DOSES},
    hooks=(*ORDERS, *BOOKING),
    queries=("administrations",),
    record=Record(
        name="dose interval",
        title="Not too soon after the last dose",
        says=("The days since the last dose are compared with the interval of the order or label."),
        prevents="A denial because the dose came before the last one had run out.",
        denials=("incorrect-dosage",),
        citations=("label",),
        reads=("indication.intervals", "drug.intervals"),
    ),
)
