"""A value that changes on dates: the one in force on a day, or NotInForce. Never a fallback.

Billing facts are right for a date of service, not for today. Falling back to the newest or the
oldest value when a date lies outside is how a claim is priced with the wrong year, so there is
no default here: a day before the first start date raises."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

import msgspec

from billing_rules.catalogue.files import (
    CatalogueError,
    ContainerFile,
    DrugFile,
    Sourced,
    SourceFile,
    Timeline,
)
from billing_rules.model.entities import (
    Amount,
    Container,
    Contents,
    DoseStatus,
    Source,
    ndc_candidates,
)
from billing_rules.model.states import iso_day

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


# ----------------------------------------------------------------------
# Reading the catalogue's values: the one in force on a date, as amount, number or duration.


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


# ----------------------------------------------------------------------
# The containers of a drug file, each checked against CMS's billing units.


FORMS = ("vial", "syringe", "autoinjector", "pen", "container")  # container: form not stated


def containers_of(drug: DrugFile) -> tuple[Container, ...]:
    """The drug's containers. Raises CatalogueError for one that contradicts itself."""
    return tuple(_container(drug, c) for c in drug.containers)


def _container(drug: DrugFile, file: ContainerFile) -> Container:
    place = f"drugs/{drug.id}.yaml: container {file.ndc.value}"
    forms = ndc_candidates(str(file.ndc.value))
    if len(forms) != 1:
        raise CatalogueError(f"{place}: write the NDC with hyphens, as on the box")
    if file.form not in FORMS:
        raise CatalogueError(f"{place}: form must be one of {', '.join(FORMS)}")
    strength = _strength(drug, file, place)
    _check_units(drug, file, strength, place)
    status = file.dose_status or drug.single_dose_list
    return Container(
        ndc=forms[0],
        ndc_shown=str(file.ndc.value),
        form=cast(Any, file.form),
        strength=strength,
        volume=amount_at(file.volume, place) if file.volume else None,
        per_package=file.per_package,
        dose_status=_dose_status(drug, file, place),
        marketed_from=_day(file.marketed_from, place),
        marketed_until=_day(file.marketed_until, place),
        source=source_of(drug.sources, file.ndc),
        dose_status_source=source_of(drug.sources, status) if status else None,
        contents=_contents(file, place),
    )


def _dose_status(drug: DrugFile, file: ContainerFile, place: str) -> DoseStatus:
    """The NDC's own label first, then CMS's single-dose code list, else unknown: ask.

    Absence from the list never means multiple-dose: the list is not exhaustive.
    """
    if file.dose_status is None:
        return "single-dose" if drug.single_dose_list else "unknown"
    text = str(file.dose_status.value).lower()
    if text in ("single-dose", "single-use"):
        return "single-dose"
    if text in ("multi-dose", "multiple-dose"):
        return "multiple-dose"
    raise CatalogueError(f"{place}: dose_status must be single-dose or multiple-dose")


_POWDER = ("powder", "lyo", "lyophilised", "lyophilized")
_READY = ("syringe", "autoinjector", "pen")


def _contents(file: ContainerFile, place: str) -> Contents:
    """What is ready to inject is liquid; a vial is asked about as long as nothing says it."""
    if file.contents is None:
        return "liquid" if file.form in _READY else "not stated"
    words = str(file.contents.value)
    if words.lower() in _POWDER:
        return "powder"
    if words.endswith("mL"):  # a strength in a volume: "100 mg/10 mL"
        return "liquid"
    raise CatalogueError(f"{place}: contents must be powder, lyophilised or like '100 mg/10 mL'")


def _day(sourced: Sourced | None, place: str) -> date | None:
    if sourced is None:
        return None
    try:
        return iso_day(str(sourced.value))
    except ValueError:
        raise CatalogueError(f"{place}: '{sourced.value}' is not a date (YYYY-MM-DD)") from None


def _strength(drug: DrugFile, file: ContainerFile, place: str) -> Amount:
    """The labelled amount: stated, else CMS's billing units times the one billing unit."""
    if file.strength is not None:
        return amount_at(file.strength, place)
    units = Dated(drug.billing_unit).ever()
    if file.billing_units is None or len(units) != 1:
        raise CatalogueError(f"{place}: state its strength, or its billing_units from CMS")
    return amount_at(units[0], place) * number_at(file.billing_units, place)


def _check_units(drug: DrugFile, file: ContainerFile, strength: Amount, place: str) -> None:
    """CMS's billing units of one container must agree with its labelled strength."""
    if file.billing_units is None:
        return
    units = Dated(drug.billing_unit).ever()
    amounts = [amount_at(unit, place) for unit in units]
    expected = {strength.to(u.unit).value / u.value for u in amounts}
    if number_at(file.billing_units, place) not in expected:
        raise CatalogueError(
            f"{place}: {file.billing_units.value} billing units are not {strength}; "
            "one of the two is wrong"
        )
