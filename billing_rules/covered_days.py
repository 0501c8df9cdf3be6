"""Days a therapy covers: overlapping fills merged, so that no day is counted twice.

A span's first and last day both count, as both ends of a FHIR Period do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from billing_rules.chart import Therapy

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The days from `first` to `last`, both included. Raises ValueError when it ends before."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError(f"{self.last} is before {self.first}")

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same days as spans that neither overlap nor touch, earliest first."""
    whole: list[Span] = []
    for span in sorted(spans):
        if whole and span.first <= whole[-1].last + _DAY:
            whole[-1] = Span(whole[-1].first, max(whole[-1].last, span.last))
        else:
            whole.append(span)
    return tuple(whole)


def covered_days(spans: Iterable[Span]) -> int:
    """How many days `spans` cover, each day once."""
    return sum(span.days for span in merged(spans))


def window(until: date, days: int | None) -> Span:
    """The `days` days that end on `until`; all days up to it when not limited."""
    first = until - timedelta(days=days - 1) if days else date.min
    return Span(first, until)


def span_of(therapy: Therapy, within: Span) -> Span | None:
    """The days of `within` that a therapy's record covers; None when there are none or its dates
    do not say. An open end lasts until `within` ends, but only while the therapy is active; an
    administration covers its own day.
    """
    start, end = therapy.start, _end(therapy, within)
    if start is None or end is None:
        return None
    first, last = max(start, within.first), min(end, within.last)
    return Span(first, last) if first <= last else None


def is_dated(therapy: Therapy) -> bool:
    """Whether the record's dates say which days it covers."""
    ends = therapy.end is not None or therapy.kind == "administration" or _goes_on(therapy)
    return therapy.start is not None and ends


def _end(therapy: Therapy, within: Span) -> date | None:
    if therapy.end is not None:
        return therapy.end
    if therapy.kind == "administration":
        return therapy.start
    return within.last if _goes_on(therapy) else None


def _goes_on(therapy: Therapy) -> bool:
    """A dispense always runs out: without its days of supply nobody knows when."""
    return therapy.active and therapy.kind in ("request", "statement")
