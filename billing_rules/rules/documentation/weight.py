"""A usable, recent body weight is on file where the dose rests on it.

Pounds entered as kilograms are asked about, never corrected; so is a change of weight that puts
the labelled dose into another cell than the one the order still has.
"""

from __future__ import annotations

from billing_rules.evidence.documentation import (
    YEAR,
    birth_seen,
    dated,
    dose_amount,
    dose_seen,
    items,
    measured_seen,
    need_sources,
    not_sure,
    sources,
    wanted_by,
    without_indication,
    without_need,
)
from billing_rules.evidence.pretreatment import (
    Labelled,
    current_weight,
    doubtful_weight,
    kilograms,
    labelled_at_last_dose,
    labelled_now,
)
from billing_rules.model.chart import Measured
from billing_rules.model.entities import Evidence, Source
from billing_rules.model.findings import Finding, NotChecked, Outcome, Severity, Silent, Topic
from billing_rules.model.states import Nothing, Present, Unknown, days_between
from billing_rules.orders.case import Case
from billing_rules.rules.documentation.labelled_dose import UNVERIFIED, every, is_ordered
from billing_rules.rules.rule import BOOKING, ORDERS, Place, Record, Rule, Stated, UseOf

NEED = "weight"  # of label and payer


def check(case: Case) -> Stated:
    weights = case.chart.weights
    by_weight = case.drug.labelled_dose_per_weight is not None
    if stopped := without_indication(case) if by_weight else without_need(case, NEED):
        return stopped
    elif isinstance(weights, Unknown):
        return NotChecked(weights.because)
    elif isinstance(weights, Nothing) or not weights.value:
        return Finding(
            kind="weight-missing",
            summary="No body weight is on file: add it, the labelled dose depends on it",
            found=(f"The labelled dose of {case.drug.name} depends on weight; none was found.",),
            basis=(Evidence("", "weights read", "none"), *dose_seen(case)),
            sources=_sources(case),
        )
    else:
        return _judged(case)


def _judged(case: Case) -> Outcome:
    newest = case.once(current_weight)
    if not isinstance(newest, Present):
        return not_sure(case, "weights") or _unreadable(case)
    if doubtful := doubtful_weight(case):
        value, *others = doubtful
        why = (
            f"Against {others[0].as_written} {dated(others[0].on)} it changed by about the factor "
            "between pounds and kilograms."
            if others
            else f"{kilograms(value)} is outside what a patient weighs."
        )
        return Finding(
            kind="weight-implausible",
            summary=f"Weight {value.as_written[:30]}: are unit and number right? "
            "Pounds for kilograms?",
            found=(why,),
            basis=(*(measured_seen(w, "weight") for w in doubtful), *birth_seen(case)),
            sources=_sources(case),
            unchecked=("Whether the dose follows the weight.",),
        )
    if newest.value.on is None:
        return _undated(case, newest.value)
    age = days_between(newest.value.on, case.order.date_of_service)
    need = case.need(NEED)
    limit = need.within if need and need.within is not None else YEAR
    if age > limit:
        return not_sure(case, "weights") or _stale(case, newest.value, age, limit)
    return _moved(case) or Silent(
        f"{newest.value.as_written} {dated(newest.value.on)}",
        basis=(measured_seen(newest.value, "weight"),),
        sources=_sources(case),
    )


def _sources(case: Case) -> tuple[Source, ...]:
    per_weight = case.drug.sources.get("labelled_dose_per_weight")
    return need_sources(case.need(NEED)) or sources(per_weight)


def _unreadable(case: Case) -> Finding:
    return Finding(
        kind="weight-not-understood",
        summary="No weight on file can be read with its unit: add one in kg or lb",
        found=("No weight on file has a number and a unit of mass up to the date of service.",),
        basis=tuple(measured_seen(w, "weight") for w in items(case.chart.weights)),
        sources=_sources(case),
        unchecked=("Whether the dose follows the weight.",),
    )


def _undated(case: Case, weight: Measured) -> Finding:
    return Finding(
        kind="weight-undated",
        summary=f"Weight {weight.as_written[:30]} has no date: add when it was measured",
        found=("Whether the weight is recent cannot be told.",),
        basis=(measured_seen(weight, "weight"),),
        sources=_sources(case),
    )


def _stale(case: Case, weight: Measured, age: int, limit: int) -> Finding:
    need = case.need(NEED)
    stated = need is not None and need.within is not None
    who = wanted_by(case, need) if need and stated else "Vialwise's own default"
    return Finding(
        kind="weight-stale",
        severity=Severity.WARNING if stated else Severity.INFO,
        summary=f"The newest weight is {age} days old: add a current one",
        found=(f"Up to {limit} days are accepted by {who}.",),
        basis=(measured_seen(weight, "weight"), *dose_seen(case)),
        sources=_sources(case),
        unchecked=() if stated else ("No payer or label states how recent a weight must be.",),
    )


def _moved(case: Case) -> Finding | None:
    """The order still has the dose of the weight at the last dose, and the cell is another now."""
    now = case.once(labelled_now)
    if not isinstance(now, Present):
        return None
    then = labelled_at_last_dose(case, now.value)
    if then is None or then.dose is None or now.value.dose in (None, then.dose):
        return None
    if not is_ordered(case, then.dose) or is_ordered(case, now.value.dose):
        return None
    return _moves_dose(case, then, now.value)


def _moves_dose(case: Case, then: Labelled, now: Labelled) -> Finding:
    firm = now.table.verified
    return Finding(
        kind="weight-moves-dose",
        severity=Severity.WARNING if firm else Severity.INFO,
        summary=f"Weight is now {now.weight.as_written[:20]}: "
        f"is {dose_amount(case)} still intended?",
        found=(
            f"Table for {then.weight.as_written}: {every(then.dose)}.",
            f"Table for {now.weight.as_written}: {every(now.dose)}.",
        ),
        basis=(
            measured_seen(then.weight, "weight at the last dose"),
            measured_seen(now.weight, "weight"),
            measured_seen(now.ige, "baseline total IgE"),
            *birth_seen(case),
            *dose_seen(case),
        ),
        sources=(now.table.source,),
        unchecked=() if firm else (UNVERIFIED,),
    )


RULE = Rule(
    id="weight",
    check=check,
    topic=Topic.DOCUMENTATION,
    rank=50,
    warns=("weight-missing", "weight-implausible", "weight-stale", "weight-moves-dose"),
    informs=("weight-stale", "weight-moves-dose", "weight-not-understood", "weight-undated"),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("weight",),
    form_groups=("weight",),
    record=Record(
        name="weight",
        title="A current body weight",
        says="A plausible and recent weight is on file where the dose depends on it.",
        prevents="A denial because the dose cannot be traced to a weight.",
        denials=("medical-necessity-documentation", "incorrect-dosage"),
        citations=("label", "policies"),
        reads=("need.weight", "drug.labelled_dose_per_weight", "table"),
        uses=UseOf(
            date_of_birth=(
                "the age decides which labelled dosing table a change of weight is looked up in"
            )
        ),
    ),
)
