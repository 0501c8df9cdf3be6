"""Covered days: no day counted twice, in whatever order the fills come."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_rules.evidence.authorizations import (
    Span,
    covered_days,
    is_dated,
    merged,
    span_of,
    window,
)
from billing_rules.model.chart import Therapy

DAY = timedelta(days=1)
days = st.dates(date(2025, 1, 1), date(2026, 12, 31))
spans = st.lists(
    st.tuples(days, st.integers(0, 120)).map(lambda t: Span(t[0], t[0] + t[1] * DAY)), max_size=8
)


def each_day(of: list[Span]) -> set[date]:
    return {span.first + n * DAY for span in of for n in range(span.days)}


@given(spans)
def test_no_day_is_counted_twice_and_none_is_lost(fills: list[Span]) -> None:
    assert covered_days(fills) == len(each_day(fills))
    assert each_day(list(merged(fills))) == each_day(fills)


@given(spans)
def test_merged_spans_neither_overlap_nor_touch(fills: list[Span]) -> None:
    whole = merged(fills)
    assert all(a.last + DAY < b.first for a, b in zip(whole, whole[1:], strict=False))


@given(spans.flatmap(lambda s: st.tuples(st.just(s), st.permutations(s))))
def test_the_order_of_fills_does_not_matter(fills: tuple[list[Span], list[Span]]) -> None:
    assert merged(fills[0]) == merged(fills[1])


@given(spans)
def test_counting_a_fill_again_changes_nothing(fills: list[Span]) -> None:
    assert merged([*fills, *fills]) == merged(fills)


@given(spans, days, st.integers(1, 400))
def test_a_window_never_holds_more_than_its_days(
    fills: list[Span], until: date, length: int
) -> None:
    within = window(until, length)
    inside = [s for f in fills if (s := span_of(fill("dispense", f.first, f.last), within))]
    assert covered_days(inside) <= length
    assert all(within.first <= s.first and s.last <= until for s in inside)


def fill(kind: str, start: date | None, end: date | None, active: bool = True) -> Therapy:
    return Therapy("T/1", kind, (), "", start, end, active)  # type: ignore[arg-type]


UNTIL = date(2026, 11, 23)
START = date(2026, 11, 14)


@pytest.mark.parametrize(
    ("therapy", "covered"),
    [
        (fill("statement", START, None), 10),
        (fill("request", START, None), 10),
        (fill("statement", START, None, active=False), None),
        (fill("dispense", START, None), None),
        (fill("administration", START, None), 1),
        (fill("statement", None, None), None),
        (fill("dispense", START, date(2027, 1, 1)), 10),
        (fill("dispense", date(2026, 11, 24), date(2026, 12, 24)), None),
        (fill("dispense", UNTIL, UNTIL), 1),
        (fill("dispense", START, date(2026, 11, 1)), None),
    ],
)
def test_what_a_record_covers(therapy: Therapy, covered: int | None) -> None:
    span = span_of(therapy, window(UNTIL, None))
    assert (span.days if span else None) == covered


def test_a_dispense_without_days_of_supply_is_not_dated() -> None:
    assert not is_dated(fill("dispense", START, None))
    assert is_dated(fill("statement", START, None))
    assert not is_dated(fill("statement", START, None, active=False))


def test_a_span_does_not_end_before_it_starts() -> None:
    with pytest.raises(ValueError, match="before"):
        Span(UNTIL, START)
