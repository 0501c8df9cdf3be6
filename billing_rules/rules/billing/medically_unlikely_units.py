"""Units over CMS's medically unlikely edit (MUE) of the code are denied unless documented.

The edit holds for Medicare; for an unknown payer it is said as information. Whether units of the
JW line count towards it was not found in any source, so that is said, not decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from billing_rules.evidence.documentation import (
    billed_seen,
    dose_seen,
    drug_sources,
    payer_caveat,
    sources,
    units_word,
)
from billing_rules.model.entities import OrderLine, plain
from billing_rules.model.findings import Finding, NotChecked, Severity, Silent, Topic
from billing_rules.model.states import Present, Unknown
from billing_rules.orders.case import Case
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated


def check(case: Case) -> Stated:
    limit = case.drug.medically_unlikely_units
    if limit is None:
        return Silent("no edit is known for this code and date", applies=False)
    elif case.payer.known and not case.payer.medically_unlikely_edits:
        return Silent(f"no such edit of {case.payer.name} is known", applies=False)
    else:
        return _compared(case, limit)


def _compared(case: Case, limit: int) -> Stated:
    groups = [g for g in case.billed_together if _units(g) is not None]
    over = [g for g in groups if (_units(g) or 0) > limit]
    planned = case.plan.administered_units
    if over:
        return [_finding(case, limit, _units(g) or Decimal(0), g) for g in over]
    elif planned is not None and planned > limit:
        return _finding(case, limit, Decimal(planned), ())
    elif planned is not None and planned + case.plan.discarded_units > limit:
        total = planned + case.plan.discarded_units
        return Finding(
            kind="units-with-discarded-over-edit",
            summary=f"Given and discarded units together, {total}, "
            f"exceed CMS's limit of {limit} a day",
            found=(f"{units_word(planned)} given and {units_word(case.plan.discarded_units)} JW.",),
            basis=dose_seen(case),
            sources=drug_sources(case, "medically_unlikely_units"),
            unchecked=("Whether JW units count towards the limit was found in no source.",),
        )
    elif planned is None and not groups and (unread := _unread(case)):
        return NotChecked(unread)
    elif planned is None and not groups:
        return Silent("no units are billed or can be worked out", applies=False)
    else:
        source = case.drug.sources.get("medically_unlikely_units")
        return Silent(f"no more than {limit} units", sources=sources(source))


def _unread(case: Case) -> str:
    """Why neither the units billed nor the dose are known, where they could not be read."""
    states = (*(line.billed for line in case.drug_lines), case.order.dose)
    return next((state.because for state in states if isinstance(state, Unknown)), "")


def _units(group: Sequence[OrderLine]) -> Decimal | None:
    values = [
        line.billed.value.value
        for line in group
        if "JW" not in line.modifiers and isinstance(line.billed, Present)
    ]
    return sum(values, Decimal(0)) if values else None


def _finding(case: Case, limit: int, units: Decimal, group: Sequence[OrderLine]) -> Finding:
    shown = plain(units) if units < 10**9 else "Far too many"
    unit = case.drug.billing_unit
    as_dose = f" = {plain(units * unit.value)} {unit.unit}" if unit and units < 10**9 else ""
    return Finding(
        kind="units-over-edit",
        severity=Severity.WARNING if case.payer.known else Severity.INFO,
        summary=f"{shown} units exceed CMS's limit of {limit} a day for {case.drug.hcpcs}: check",
        found=(f"{shown} units of {case.drug.hcpcs}{as_dose} are over the limit of {limit}.",),
        basis=(*billed_seen(group), *dose_seen(case)),
        sources=drug_sources(case, "medically_unlikely_units"),
        unchecked=payer_caveat(case),
    )


RULE = Rule(
    id="medically_unlikely_units",
    check=check,
    topic=Topic.BILLING,
    rank=60,
    warns=("units-over-edit",),
    informs=("units-over-edit", "units-with-discarded-over-edit"),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    hooks=ORDERS,
    queries=("coverage",),
    record=Record(
        name="medically unlikely units",
        title="Units within CMS's medically unlikely edit",
        says="Units over CMS's limit for the code and day are denied unless documented.",
        prevents="A line denied because its units exceed the edit.",
        denials=("incorrect-dosage",),
        citations=("mue",),
        reads=("drug.medically_unlikely_units", "payer.medically_unlikely_edits"),
        limits=(
            (
                "Whether JW units count towards the limit was found in no source; they are not "
                "added to it."
            ),
        ),
    ),
)
