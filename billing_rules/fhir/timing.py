"""Timing, dateTime and Period to a date of service and an interval between doses."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

from billing_rules.amounts import Amount, plain
from billing_rules.fhir.tolerant import Node, as_day, shown
from billing_rules.states import NOTHING, Nothing, Present, State, Unknown

_CODED = re.compile(r"q\s*(\d{1,3})\s*(w|wk|wks|weeks?|d|days?)")
_WORDED = re.compile(r"every\s+(\d{1,3})\s+(weeks?|days?)")
_SINGLE = {"qw": (1, "wk"), "wk": (1, "wk"), "weekly": (1, "wk"), "qd": (1, "d"), "daily": (1, "d")}


def interval(dosages: Sequence[Node]) -> State[Amount]:
    """The time between doses in days or weeks, the same in every dosage or unknown."""
    found = [_interval(d) for d in dosages if d.has("timing")]
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


def _interval(dosage: Node) -> State[Amount]:
    timing = dosage.obj("timing")
    if not timing:
        return Unknown("the timing could not be read")
    repeated = _repeated(timing)
    return _coded(timing) if isinstance(repeated, Nothing) else repeated


def _repeated(timing: Node) -> State[Amount]:
    repeat = timing.obj("repeat")
    period, unit = repeat.number("period"), repeat.text("periodUnit")
    if not repeat.has("period"):
        return NOTHING
    if period is None or period <= 0 or repeat.has("periodMax") or repeat.has("frequencyMax"):
        return Unknown("the interval between doses is not one number")
    frequency = repeat.number("frequency") if repeat.has("frequency") else Decimal(1)
    if frequency != 1:
        return Unknown("several doses are due in one interval")
    if unit not in ("d", "wk"):
        return Unknown(f"the interval of {plain(period)} '{shown(unit, 20)}' is not days or weeks")
    return Present(Amount(period, unit))


def _coded(timing: Node) -> State[Amount]:
    code = timing.obj("code")
    texts = [c.text(key) for c in code.objs("coding") for key in ("code", "display")]
    found = {a for text in [*texts, code.text("text")] if (a := _in_words(text)) is not None}
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


def first_day(timings: Sequence[Node]) -> date | None:
    """The earliest day that Timings name: their events, or the start of their bounds."""
    return min((day for timing in timings for day in _days(timing)), default=None)


def _days(timing: Node) -> Iterator[date]:
    yield from timing.days("event")
    start = timing.obj("repeat").obj("boundsPeriod").day("start")
    if start:
        yield start


def day_of(node: Node, stem: str) -> date | None:
    """The day of a choice element: `stem`DateTime, `stem`Date, `stem`Period or `stem`Timing."""
    for suffix in ("DateTime", "Date"):
        day = node.day(stem + suffix)
        if day:
            return day
    start = node.obj(f"{stem}Period").day("start")
    return start or first_day(node.objs(f"{stem}Timing"))


def earliest(text: str) -> date | None:
    """The first day a FHIR date can mean: a partial one stands for all its days."""
    return as_day(text) or as_day(f"{text}-01") or as_day(f"{text}-01-01")


def latest(text: str) -> date | None:
    """The last day a FHIR date can mean."""
    start = as_day(f"{text}-01")
    if start:
        return start.replace(day=monthrange(start.year, start.month)[1])
    return as_day(text) or as_day(f"{text}-12-31")
