"""Timing, dateTime and Period to a date of service and an interval between doses."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from billing_rules.amounts import Amount, plain
from billing_rules.fhir.lenient import Notes
from billing_rules.fhir.shapes import Dosage, Element, Period, Timing, unreadable
from billing_rules.fhir.tolerant import absent, as_day, as_number, shown
from billing_rules.states import NOTHING, Nothing, Present, State, Unknown

_CODED = re.compile(r"q\s*(\d{1,3})\s*(w|wk|wks|weeks?|d|days?)")
_WORDED = re.compile(r"every\s+(\d{1,3})\s+(weeks?|days?)")
_SINGLE = {"qw": (1, "wk"), "wk": (1, "wk"), "weekly": (1, "wk"), "qd": (1, "d"), "daily": (1, "d")}


def interval(dosages: Sequence[Dosage], notes: Notes | None = None) -> State[Amount]:
    """The time between doses in days or weeks, the same in every dosage or unknown."""
    found: list[State[Amount]] = []
    for dosage in dosages:
        if dosage.timing:
            repeated = _repeated(dosage.timing, notes)
            found.append(_coded(dosage.timing) if isinstance(repeated, Nothing) else repeated)
        elif unreadable(dosage, "timing"):
            found.append(Unknown("the timing could not be read"))
    stated = [state for state in found if not isinstance(state, Nothing)]
    if not stated:
        return NOTHING
    unknown = next((state for state in stated if isinstance(state, Unknown)), None)
    if unknown:
        return unknown
    present = [state.value for state in stated if isinstance(state, Present)]
    if len({amount.to("d").value for amount in present}) > 1:
        return Unknown("several different intervals are stated")
    return Present(present[0])


def _repeated(timing: Timing, notes: Notes | None) -> State[Amount]:
    repeat = timing.repeat
    if repeat is None or (repeat.period is None and not unreadable(repeat, "period")):
        return NOTHING
    period = as_number(repeat.period)
    if period is None and notes:
        notes.unread(repeat, "period")
    if period is None or period <= 0 or not absent(repeat.periodMax):
        return Unknown("the interval between doses is not one number")
    if not absent(repeat.frequencyMax):
        return Unknown("the interval between doses is not one number")
    stated = repeat.frequency is not None or unreadable(repeat, "frequency")
    if stated and as_number(repeat.frequency) != 1:
        return Unknown("several doses are due in one interval")
    unit = repeat.periodUnit.strip()
    if unit not in ("d", "wk"):
        return Unknown(f"the interval of {plain(period)} '{shown(unit, 20)}' is not days or weeks")
    return Present(Amount(period, unit))


def _coded(timing: Timing) -> State[Amount]:
    code = timing.code
    if code is None:
        return NOTHING
    texts = [text for one in code.coding for text in (one.code, one.display)]
    found = {a for text in [*texts, code.text] if (a := _in_words(text)) is not None}
    if not found:
        return NOTHING
    if len({amount.to("d").value for amount in found}) > 1:
        return Unknown("several different intervals are stated")
    return Present(min(found, key=lambda amount: amount.value))


def _in_words(text: str) -> Amount | None:
    lower = text[:200].lower().strip()
    if lower in _SINGLE:
        number, unit = _SINGLE[lower]
        return Amount(Decimal(number), unit)
    match = _CODED.fullmatch(lower) or _WORDED.search(lower)
    if match is None or int(match[1]) == 0:
        return None
    return Amount(Decimal(match[1]), "wk" if match[2].startswith("w") else "d")


def day(parent: Element | None, key: str, notes: Notes | None = None) -> date | None:
    """The full date in a text element; for any other text None, and a note."""
    text: str = getattr(parent, key) if parent is not None else ""
    if not text or parent is None:
        return None
    found = as_day(text)
    if found is None and notes and text.strip():
        notes.add(f"{notes.at(parent, key)} '{shown(text)}' is no full date")
    return found


def first_day(timings: Iterable[Timing | None], notes: Notes | None = None) -> date | None:
    """The earliest day that Timings name: their events, or the start of their bounds."""
    days = []
    for timing in filter(None, timings):
        for event in timing.event:
            found = as_day(event)
            if found:
                days.append(found)
            elif notes and event.strip():
                notes.unread(timing, "event")
        start = day(timing.repeat.boundsPeriod, "start", notes) if timing.repeat else None
        days += [start] if start else []
    return min(days, default=None)


def day_of(element: Any, stem: str, notes: Notes | None = None) -> date | None:
    """The day of a choice element: `stem`DateTime, `stem`Date, `stem`Period or `stem`Timing."""
    period: Period | None = getattr(element, f"{stem}Period")
    return (
        day(element, f"{stem}DateTime", notes)
        or day(element, f"{stem}Date", notes)
        or day(period, "start", notes)
        or first_day([getattr(element, f"{stem}Timing")], notes)
    )


def earliest(text: str) -> date | None:
    """The first day a FHIR date can mean: a partial one stands for all its days."""
    return as_day(text) or as_day(f"{text}-01") or as_day(f"{text}-01-01")


def latest(text: str) -> date | None:
    """The last day a FHIR date can mean."""
    start = as_day(f"{text}-01")
    if start:
        return start.replace(day=monthrange(start.year, start.month)[1])
    return as_day(text) or as_day(f"{text}-12-31")
