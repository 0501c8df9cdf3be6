"""Charts: every value stands where its number says, inside the drawing."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from service_parts.svg_chart import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Value, bars, points

days = st.dates(date(2015, 1, 1), date(2030, 1, 1))
amounts = st.decimals(min_value=0, max_value=10_000, places=1)
values = st.lists(st.builds(Value, days, amounts, amounts), min_size=1, max_size=60)


@given(values)
def test_marks_lie_inside_and_heights_are_in_proportion(found: list[Value]) -> None:
    chart = bars("Dose", "mg", found)
    assert chart
    floor = HEIGHT - BOTTOM
    for mark in chart.marks:
        assert LEFT <= mark.x <= WIDTH
        assert TOP - 0.01 <= mark.beside_y <= mark.y <= floor + 0.01
        assert abs(mark.y + mark.height - floor) < 0.01
    ordered = sorted(found, key=lambda v: v.on)
    for one, other in zip(ordered, ordered[1:], strict=False):
        first, second = chart.marks[ordered.index(one)], chart.marks[ordered.index(other)]
        assert first.x <= second.x
        if one.amount > other.amount:
            assert first.height > second.height - 0.01


@given(values)
def test_labels_below_never_run_into_each_other(found: list[Value]) -> None:
    chart = points("Weight", "kg", found)
    assert chart and 1 <= len(chart.across) <= 5
    places = [tick.at for tick in chart.across]
    assert all(b - a >= 66 for a, b in zip(places, places[1:], strict=False))


def test_without_values_there_is_no_chart() -> None:
    assert bars("Dose", "mg", []) is None and points("Weight", "kg", []) is None


def test_the_description_gives_the_ends_and_the_range() -> None:
    start = date(2026, 1, 1)
    found = [Value(start + timedelta(days=28 * n), Decimal(n * 75)) for n in (1, 3, 2)]
    chart = bars("Dose", "mg", found)
    assert chart and chart.description == (
        "3 values: 75 mg on 2026-01-29, last 225 mg on 2026-03-26; lowest 75, highest 225. "
        "The table beside it has all of them."
    )
