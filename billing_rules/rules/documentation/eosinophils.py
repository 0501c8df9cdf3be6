"""A blood eosinophil count is on file where label or payer wants one, recent enough.

Only that it is there: how high it must be differs by payer and is left to the reader.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.case import Case
from billing_rules.chart import Measured
from billing_rules.dates import days_between
from billing_rules.documentation import (
    dated,
    indication,
    indication_seen,
    measured_seen,
    need_sources,
    not_sure,
    wanted_by,
    without_need,
)
from billing_rules.findings import Finding, NotChecked, Outcome, Severity, Silent, Topic
from billing_rules.model import Evidence, Need
from billing_rules.states import Present, Unknown

RULE = "eosinophils"


def check(case: Case) -> Iterator[Outcome]:
    need, results = case.need(RULE), case.chart.results
    if stopped := without_need(case, RULE, RULE):
        yield stopped
    elif RULE not in case.terms.observations:
        yield NotChecked(RULE, "the catalogue does not say which results are eosinophil counts")
    elif isinstance(results, Unknown):
        yield NotChecked(RULE, results.because)
    elif need:
        counts = results.value if isinstance(results, Present) else ()
        yield _judged(case, need, counts)


def _judged(case: Case, need: Need, results: tuple[Measured, ...]) -> Outcome:
    on = case.order.date_of_service
    past = [r for r in results if r.final and (r.on is None or r.on <= on)]
    counts = [r for r in past if case.terms.is_kind(r, RULE) == "yes"]
    dates = [r for r in counts if r.on is not None]
    if not counts:
        return not_sure(case, RULE, "results") or _missing(case, need)
    if need.within is None:
        return _on_file(need, counts[0])
    if not dates:
        return NotChecked(RULE, "the eosinophil count on file has no date")
    newest = max(dates, key=lambda r: r.on or on)
    age = days_between(newest.on or on, on)
    if age <= need.within:
        return _on_file(need, newest)
    return not_sure(case, RULE, "results") or _stale(case, need, newest, age)


def _on_file(need: Need, count: Measured) -> Silent:
    return Silent(
        RULE,
        f"{count.as_written} {dated(count.on)}",
        basis=(measured_seen(count, "eosinophils"),),
        sources=need_sources(need),
    )


def _missing(case: Case, need: Need) -> Finding:
    who = wanted_by(case, need)
    return Finding(
        rule=RULE,
        kind="eosinophils-missing",
        severity=Severity.WARNING,
        summary="No blood eosinophil count is on file: add the result",
        found=(f"{who[:1].upper()}{who[1:]} wants it for {indication(case)}; none was found.",),
        basis=(Evidence("", "eosinophil counts read", "none"), *indication_seen(case)),
        sources=need_sources(need),
        topic=Topic.DOCUMENTATION,
    )


def _stale(case: Case, need: Need, newest: Measured, age: int) -> Finding:
    return Finding(
        rule=RULE,
        kind="eosinophils-too-old",
        severity=Severity.WARNING,
        summary=f"The newest eosinophil count is {age} days old: add one of {need.within} days",
        found=(f"Up to {need.within} days are accepted by {wanted_by(case, need)}.",),
        basis=(measured_seen(newest, "eosinophils"), *indication_seen(case)),
        sources=need_sources(need),
        topic=Topic.DOCUMENTATION,
    )
