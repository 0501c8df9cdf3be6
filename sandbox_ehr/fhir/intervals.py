"""Dates as searches compare them: a date is the interval it names (FHIR R4, "date").

`2024-05` is all of May. Where one of the two sides has no time zone, the clocks on the wall are
compared: a chart's `2026-08-31T22:05:00-06:00` lies on 2026-08-31, where the clinic is.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_TEXT = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{2})(-(?P<day>\d{2})"
    r"(T(?P<hour>\d{2}):(?P<minute>\d{2})(:(?P<second>\d{2})(\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>Z|[+-]\d{2}:\d{2})?)?)?)?",
    re.ASCII,
)
_FIRST, _LAST = datetime.min, datetime.max


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` up to but not including `high`, as a wall clock shows them; `zone` when known."""

    low: datetime
    high: datetime
    zone: timezone | None = None

    def beside(self, other: Interval) -> tuple[Interval, Interval]:
        """Both on one clock: that of the world when both know theirs, else that on the wall."""
        if self.zone is None or other.zone is None:
            return self, other
        return self._in_utc(), other._in_utc()

    def _in_utc(self) -> Interval:
        assert self.zone is not None
        offset = self.zone.utcoffset(None)
        return Interval(_less(self.low, offset), _less(self.high, offset), UTC)


def read(text: str) -> Interval:
    """The interval a date or dateTime names. Raises ValueError for anything else."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError("no FHIR date")
    names = ("year", "month", "day", "hour", "minute", "second")
    defaults = (1, 1, 1, 0, 0, 0)
    parts = (int(match[name] or default) for name, default in zip(names, defaults, strict=True))
    year, month, day, hour, minute, second = parts
    fraction = (match["fraction"] or "")[:6].ljust(6, "0")
    low = datetime(year, month, day, hour, minute, second, int(fraction))
    zone = match["zone"]
    if zone and zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        return Interval(low, _end(low, match), timezone(offset if zone[0] == "+" else -offset))
    return Interval(low, _end(low, match), UTC if zone else None)


def between(start: str | None, end: str | None) -> Interval:
    """The interval of a Period; a side that is not said lies in no bounds. Raises ValueError."""
    first = read(start) if start else None
    last = read(end) if end else None
    zone = (first.zone if first else None) or (last.zone if last else None)
    return Interval(first.low if first else _FIRST, last.high if last else _LAST, zone)


def matches(prefix: str, asked: Interval, held: Interval) -> bool:
    """Whether what is held stands to what was asked as the prefix says (FHIR R4, "Prefixes")."""
    a, h = asked.beside(held)
    within = a.low <= h.low and h.high <= a.high
    answers = {
        "eq": within,
        "ne": not within,
        "gt": h.high > a.high,
        "lt": h.low < a.low,
        "ge": h.high > a.high or within,
        "le": h.low < a.low or within,
        "sa": h.low >= a.high,
        "eb": h.high <= a.low,
        "ap": h.low < _plus(a.high, _ABOUT) and h.high > _less(a.low, _ABOUT),
    }
    return answers[prefix]


_ABOUT = timedelta(days=1)


def _end(low: datetime, match: re.Match[str]) -> datetime:
    """The first moment after what the text names."""
    try:
        if match["month"] is None:
            return low.replace(year=low.year + 1)
        if match["day"] is None:
            return low + timedelta(days=calendar.monthrange(low.year, low.month)[1])
        if match["hour"] is None:
            return low + timedelta(days=1)
        if match["second"] is None:
            return low + timedelta(minutes=1)
        return low + (timedelta(milliseconds=1) if match["fraction"] else timedelta(seconds=1))
    except (ValueError, OverflowError):
        return _LAST


def _less(moment: datetime, by: timedelta | None) -> datetime:
    return _plus(moment, -(by or timedelta()))


def _plus(moment: datetime, by: timedelta) -> datetime:
    """`moment` moved; what has no bounds keeps none, and nothing leaves the calendar."""
    if moment in (_FIRST, _LAST):
        return moment
    try:
        return moment + by
    except OverflowError:
        return _LAST if by > timedelta() else _FIRST
