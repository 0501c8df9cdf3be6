"""A value that changes on dates: the one in force on a day, or NotInForce. Never a fallback.

Billing facts are right for a date of service, not for today. Falling back to the newest or the
oldest value when a date lies outside is how a claim is priced with the wrong year, so there is
no default here: a day before the first start date raises.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import date
from typing import Generic, TypeVar

Value = TypeVar("Value")


class NotInForce(LookupError):
    """No value was in force on the day asked for: before the first, or abolished since."""


class Dated(Generic[Value]):
    """{start date: value}; each value ends when the next starts, None abolishes."""

    __slots__ = ("_starts", "_values")

    def __init__(self, values: Mapping[date, Value | None]) -> None:
        self._starts = sorted(values)
        self._values = [values[start] for start in self._starts]

    def on(self, day: date) -> Value:
        """The value in force on `day`. Raises NotInForce."""
        place = bisect_right(self._starts, day)
        if place == 0:
            raise NotInForce(f"nothing in force on {day}")
        value = self._values[place - 1]
        if value is None:
            raise NotInForce(f"abolished on {self._starts[place - 1]}")
        return value

    def on_or_none(self, day: date) -> Value | None:
        """The value in force on `day`, None where none is: for values that may well be absent."""
        try:
            return self.on(day)
        except NotInForce:
            return None

    def ever(self) -> tuple[Value, ...]:
        """Every value that was ever in force, oldest first."""
        return tuple(value for value in self._values if value is not None)

    def changes(self) -> tuple[tuple[date, Value | None], ...]:
        """(start date, value) pairs, oldest first."""
        return tuple(zip(self._starts, self._values, strict=True))
