"""Days as they are written, and the arithmetic rules need. Pure; no day here is today."""

from __future__ import annotations

import re
from datetime import date

_YEAR_MONTH_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def iso_day(text: str) -> date:
    """The day that YYYY-MM-DD names. Raises ValueError for all else: date.fromisoformat alone
    takes 2026-W01-1 and 20260101 as well, which nobody here means."""
    if not _YEAR_MONTH_DAY.fullmatch(text):
        raise ValueError(f"'{text}' is no date (YYYY-MM-DD)")
    return date.fromisoformat(text)


def age_on(born: date, on: date) -> int:
    """Completed years. Who was born on 29 February has the birthday on 1 March in other years."""
    return on.year - born.year - ((on.month, on.day) < (born.month, born.day))


def days_between(earlier: date, later: date) -> int:
    return (later - earlier).days


def years_later(day: date, years: int) -> date:
    """The same day `years` later; 1 March where that year has no 29 February."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return date(day.year + years, 3, 1)


def a_year_apart(earlier: date, later: date) -> bool:
    """Whether a full year lies between: true on the anniversary."""
    return later >= years_later(earlier, 1)
