"""Ages and gaps on both sides of their days."""

from __future__ import annotations

from datetime import date

import pytest

from billing_rules.evidence.documentation import last_of_earlier_course
from billing_rules.model.states import a_year_apart, age_on, days_between, iso_day, years_later


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        (date(2014, 11, 24), date(2026, 11, 23), 11),
        (date(2014, 11, 23), date(2026, 11, 23), 12),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 28), 19),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2026, 11, 23), date(2026, 11, 23), 0),
    ],
)
def test_age(born: date, on: date, age: int) -> None:
    assert age_on(born, on) == age


@pytest.mark.parametrize(
    ("earlier", "later", "apart"),
    [
        (date(2025, 11, 24), date(2026, 11, 23), False),
        (date(2025, 11, 23), date(2026, 11, 23), True),
        (date(2024, 2, 29), date(2025, 2, 28), False),
        (date(2024, 2, 29), date(2025, 3, 1), True),
    ],
)
def test_a_year_apart(earlier: date, later: date, apart: bool) -> None:
    assert a_year_apart(earlier, later) is apart


def test_years_later_and_days_between() -> None:
    assert years_later(date(2024, 2, 29), 4) == date(2028, 2, 29)
    assert days_between(date(2024, 2, 28), date(2024, 3, 1)) == 2


def test_a_year_without_a_dose_ends_a_course() -> None:
    long_ago, last = date(2022, 1, 1), date(2022, 3, 1)
    again = date(2026, 10, 1)
    on = date(2026, 11, 1)
    assert last_of_earlier_course((), on) is None
    assert last_of_earlier_course((again,), on) is None
    assert last_of_earlier_course((long_ago, last, again), on) == last
    assert last_of_earlier_course((long_ago, last), on) == last


@pytest.mark.parametrize(
    "text",
    ["2026-W01-1", "20260101", "2026W011", "2026-1-1", "2026-02-30", "٢٠٢٦-٠١-٠١", "2026-01-01 "],
)
def test_a_day_is_written_year_month_day_and_no_other_way(text: str) -> None:
    with pytest.raises(ValueError):
        iso_day(text)
    assert iso_day("2026-01-01") == date(2026, 1, 1)
