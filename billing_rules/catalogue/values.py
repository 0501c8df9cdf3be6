"""Reading the catalogue's values: the one in force on a date, as amount, number or duration."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Generic, TypeVar

import msgspec

from billing_rules.catalogue.files import CatalogueError, Sourced, SourceFile, Timeline
from billing_rules.model.amounts import Amount
from billing_rules.model.dated import Dated
from billing_rules.model.entities import Source

T = TypeVar("T")


class Resolved(Generic[T]):
    """What was already worked out, by id and the days between two changes of its file: nothing in
    the file differs between them, so every day there has the same answer."""

    def __init__(self, changes: Mapping[str, Iterable[date]]) -> None:
        self._changes = {key: sorted(set(days)) for key, days in changes.items()}
        self._found: dict[tuple[str, int], T] = {}

    def on(self, key: str, day: date, work_out: Callable[[str, date], T]) -> T:
        """The answer for `key` on `day`. Raises KeyError for an unknown key."""
        place = (key, bisect_right(self._changes[key], day))
        if place not in self._found:
            self._found[place] = work_out(key, day)
        return self._found[place]

    def changes(self) -> Iterator[tuple[str, date]]:
        for key, days in self._changes.items():
            yield from ((key, day) for day in days)


def source_of(sources: Mapping[str, SourceFile], sourced: Sourced) -> Source:
    return sources[sourced.source].cited(sourced.quote)


def listed(sourced: Sourced | None) -> tuple[str, ...]:
    """The value as a list: one text is a list of one, no value an empty one."""
    value = sourced.value if sourced else None
    return (value,) if isinstance(value, str) else tuple(value or ())


class InForce:
    """The values of one file on one date, and the source of each one asked for, by name."""

    def __init__(self, file: Any, sources: Mapping[str, SourceFile], on: date) -> None:
        self.sources: dict[str, Source] = {}
        self._file = file
        self._listed = sources
        self.on = on

    def sourced(self, name: str) -> Sourced | None:
        timeline: Timeline = getattr(self._file, name)
        found = Dated(timeline).on_or_none(self.on)
        return self._noted(name, found) if found and found.value is not None else None

    def undated(self, name: str) -> Sourced | None:
        found: Sourced | None = getattr(self._file, name)
        return self._noted(name, found) if found else None

    def _noted(self, name: str, sourced: Sourced) -> Sourced:
        self.sources[name] = source_of(self._listed, sourced)
        return sourced

    def text(self, name: str) -> str | None:
        found = self.sourced(name)
        return str(found.value) if found else None

    def texts(self, name: str) -> tuple[str, ...]:
        return listed(self.sourced(name))

    def whole(self, name: str) -> int | None:
        text = self.text(name)
        return int(text) if text else None

    def amount(self, name: str) -> Amount | None:
        text = self.text(name)
        return Amount.parse(text) if text else None

    def amounts(self, name: str) -> tuple[Amount, ...]:
        texts = self.texts(name)
        return tuple(_listed_amounts(",".join(texts))) if texts else ()

    def intervals(self, name: str) -> tuple[Amount, ...]:
        return tuple(_interval(text) for text in self.texts(name))

    def starts_later(self, name: str) -> bool:
        """Whether the value has a first day that is still to come; notes that value's source."""
        timeline: Timeline = getattr(self._file, name)
        if not timeline or self.on >= min(timeline):
            return False
        self._noted(name, timeline[min(timeline)])
        return True


def _listed_amounts(text: str) -> list[Amount]:
    """`"75,150,300 mg"` as three amounts: labels may write the unit once, after the last number."""
    *others, last = text.split(",")
    amount = Amount.parse(last)
    return [*(_with_unit(other.strip(), amount.unit) for other in others), amount]


def _with_unit(text: str, unit: str) -> Amount:
    return Amount.parse(text if " " in text else f"{text} {unit}")


def _interval(text: str) -> Amount:
    """`"q4w"` or `"4 wk"`, as labels and policies write it. Raises ValueError."""
    every = re.fullmatch(r"q(\d+)w", text)
    return Amount.parse(f"{every[1]} wk" if every else text)


# Policies count in months and years; claims count days. A month is taken as 30 days and a year
# as 365, so that 3 months of treatment are 90 days of supply.
_DAYS = {"d": 1, "day": 1, "wk": 7, "week": 7, "mo": 30, "month": 30, "y": 365, "year": 365}


def days_of(text: str) -> int:
    """`"3 months"`, `"90 days"`, `"4 weeks"`, `"12 mo"` in days. Raises ValueError."""
    found = re.fullmatch(r"(\d+) ?([a-z]+?)s?", text.strip().lower())
    if not found or found[2] not in _DAYS:
        raise ValueError(f"'{text}' is not a duration: write it as '3 months', '90 days' or '4 wk'")
    return int(found[1]) * _DAYS[found[2]]


def units_per_period(text: str) -> tuple[int, int]:
    """`"75 units/14 d"` or `"100 billable units every 28 days"`: so many billing units in so many
    days. Raises ValueError."""
    found = re.fullmatch(r"(\d+)(?: billable)?(?: units)? ?(?:/|every) ?(.+)", text.strip())
    if not found:
        raise ValueError(f"'{text}' is not a limit: write it as '75 units/14 d'")
    period = found[2] if found[2][0].isdigit() else f"1 {found[2]}"
    return int(found[1]), days_of(period)


def decimal_of(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError(f"'{text}' is not a number") from None


def days_in(sourced: Sourced | None) -> int | None:
    return days_of(str(sourced.value)) if sourced else None


def change_days(struct: Any) -> Iterable[date]:
    """Every start date of every timeline anywhere inside a file struct."""
    if isinstance(struct, dict):
        for key, value in struct.items():
            if isinstance(key, date):
                yield key
            yield from change_days(value)
    elif isinstance(struct, list):
        for value in struct:
            yield from change_days(value)
    elif isinstance(struct, msgspec.Struct):
        for name in struct.__struct_fields__:
            yield from change_days(getattr(struct, name))


def amount_at(sourced: Sourced, place: str) -> Amount:
    try:
        return Amount.parse(str(sourced.value))
    except ValueError as error:
        raise CatalogueError(f"{place}: {error}") from None


def number_at(sourced: Sourced, place: str) -> Decimal:
    try:
        return decimal_of(str(sourced.value))
    except ValueError as error:
        raise CatalogueError(f"{place}: {error}") from None
