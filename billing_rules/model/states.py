"""Present, none or unknown: the three states of every input of a rule; and days.

Missing is not unknown. "Documentation missing" may be said only of `Nothing`: the question
was asked, the answer was complete, and there was nothing there. Whatever could not be asked
or not be read is `Unknown` and carries its reason, which the card repeats.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import Generic, TypeVar

import msgspec

# ----------------------------------------------------------------------
# The three states every input of a rule can be in: present, none, unknown.
#
# Missing is not unknown. "Documentation missing" may be said only of `Nothing`: the question was
# asked, the answer was complete, and there was nothing there. Whatever could not be asked or not
# be read is `Unknown` and carries its reason, which the card repeats.


T = TypeVar("T", covariant=True)
U = TypeVar("U")


class Present(msgspec.Struct, Generic[T], frozen=True):
    """The value was there and could be read."""

    value: T


class Nothing(msgspec.Struct, frozen=True):
    """Asked, answered completely, nothing there."""


class Unknown(msgspec.Struct, frozen=True):
    """Could not be asked or read. `because` completes "could not be checked, because ..."."""

    because: str


NOTHING = Nothing()

State = Present[T] | Nothing | Unknown


def mapped(state: State[T], change: Callable[[T], U]) -> State[U]:
    """`state` with `change` applied to its value; none and unknown pass through untouched."""
    return Present(change(state.value)) if isinstance(state, Present) else state


# ----------------------------------------------------------------------
# Days as they are written, and the arithmetic rules need. Pure; no day here is today.


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
