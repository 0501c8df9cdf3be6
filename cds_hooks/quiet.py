"""Shadow mode and quiet hours as they are set: which rules are kept and not shown, and when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time

ALL_DAYS = frozenset(range(7))  # Monday is 0, as in datetime.weekday


@dataclass(frozen=True, slots=True)
class Hours:
    """From `start` to before `end` on each of `days`; an end at or before the start is on the day
    after. The whole of the days where `start` and `end` are equal."""

    days: frozenset[int] = ALL_DAYS
    start: time = time(0)
    end: time = time(0)

    def cover(self, now: datetime) -> bool:
        """Whether `now`, in the clinic's time zone, is within them."""
        clock, today, yesterday = now.time(), now.weekday(), (now.weekday() - 1) % 7
        if self.start < self.end:
            return today in self.days and self.start <= clock < self.end
        begun_today = today in self.days and clock >= self.start
        return begun_today or (yesterday in self.days and clock < self.end)


@dataclass(frozen=True, slots=True)
class Quiet:
    """One entry: a rule's findings, or all where `rule` is ""; for one client, or every one; for
    one tenant of it, or all. `hours` of None is always: shadow mode."""

    rule: str = ""
    client: str = ""
    tenant: str = ""
    hours: Hours | None = None

    def concerns(self, client: str, tenant: str) -> bool:
        return self.client in ("", client) and self.tenant in ("", tenant)

    def covers(self, now: datetime) -> bool:
        return self.hours is None or self.hours.cover(now)
