"""Date arithmetic the rules need: ages and gaps. Pure; every day is an argument, none is today."""

from __future__ import annotations

from datetime import date


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
