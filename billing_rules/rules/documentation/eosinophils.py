"""A blood eosinophil count is on file where label or payer wants one, recent enough.

Only that it is there: how high it must be differs by payer and is left to the reader.
"""

from __future__ import annotations

from billing_rules.evidence.documentation import (
    capital,
    dated,
    indication,
    indication_seen,
    items,
    measured_seen,
    need_sources,
    not_sure,
    wanted_by,
)
from billing_rules.model.chart import Measured
from billing_rules.model.entities import Evidence, Need
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import Unknown, days_between
from billing_rules.orders.case import Case
from billing_rules.rules.rule import BOOKING, ORDERS, Place, Record, Rule, Stated, wanted

NEED = "eosinophils"  # of label and payer, and the kind of result


def check(case: Case) -> Stated:
    need, results = case.need(NEED), case.chart.results
    if NEED not in case.terms.observations:
        return NotChecked("the catalogue does not say which results are eosinophil counts")
    if isinstance(results, Unknown):
        return NotChecked(results.because)
    assert need is not None  # it is required
    return _judged(case, need, items(results))


def _judged(case: Case, need: Need, results: tuple[Measured, ...]) -> Outcome:
    on = case.order.date_of_service
    past = [r for r in results if r.final and (r.on is None or r.on <= on)]
    counts = [r for r in past if case.terms.is_kind(r, NEED) == "yes"]
    dates = [r for r in counts if r.on is not None]
    if not counts:
        return not_sure(case, "results") or _missing(case, need)
    if need.within is None:
        return _on_file(need, counts[0])
    if not dates:
        return NotChecked("the eosinophil count on file has no date")
    newest = max(dates, key=lambda r: r.on or on)
    age = days_between(newest.on or on, on)
    if age <= need.within:
        return _on_file(need, newest)
    return not_sure(case, "results") or _stale(case, need, newest, age)


def _on_file(need: Need, count: Measured) -> Silent:
    return Silent(
        f"{count.as_written} {dated(count.on)}",
        basis=(measured_seen(count, "eosinophils"),),
        sources=need_sources(need),
    )


def _missing(case: Case, need: Need) -> Finding:
    who = capital(wanted_by(case, need))
    return Finding(
        kind="eosinophils-missing",
        summary="No blood eosinophil count is on file: add the result",
        found=(f"{who} wants it for {indication(case)}; none was found.",),
        basis=(Evidence("", "eosinophil counts read", "none"), *indication_seen(case)),
        sources=need_sources(need),
    )


def _stale(case: Case, need: Need, newest: Measured, age: int) -> Finding:
    return Finding(
        kind="eosinophils-too-old",
        summary=f"The newest eosinophil count is {age} days old: add one of {need.within} days",
        found=(f"Up to {need.within} days are accepted by {wanted_by(case, need)}.",),
        basis=(measured_seen(newest, "eosinophils"), *indication_seen(case)),
        sources=need_sources(need),
    )


RULE = Rule(
    id="eosinophils",
    check=check,
    requires=(wanted(NEED),),
    topic=Topic.DOCUMENTATION,
    rank=70,
    warns=("eosinophils-missing", "eosinophils-too-old"),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("observations",),
    form_groups=("eosinophils",),
    record=Record(
        name="blood eosinophils",
        title="Blood eosinophils",
        says="A blood eosinophil count is on file where label or payer wants one.",
        prevents="A denial because the eosinophilic disease was not shown.",
        denials=("medical-necessity-documentation", "diagnosis-or-test-missing"),
        citations=("policies",),
        reads=("need.eosinophils",),
    ),
)
