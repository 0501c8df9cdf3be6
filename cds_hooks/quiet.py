"""When findings are evaluated and kept, and not shown: shadow mode and quiet hours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from typing import Literal

from service_parts.setting_fields import setting

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"


@dataclass(frozen=True, slots=True)
class Quiet:
    """What is kept and not shown, and when: always with `shadow`, else from `start` to before `end`
    on each of `days`, the whole days where both are empty. An end before the start is on the day
    after; days of none are all."""

    rule: str = setting("", "The rule's id. Otherwise all rules.", "dose_interval")
    client: str = setting(
        "", "The `iss` of a client. Otherwise all clients.", "https://ehr.example/r4"
    )
    tenant: str = setting("", "A tenant. Otherwise all tenants.", "clinic-7")
    shadow: bool = setting(False, "Shadow mode: at all times.", True)
    days: tuple[Day, ...] = setting(
        (),
        "Quiet hours: on these days of the week, of mon, tue, wed, thu, fri, sat and sun; hours "
        "over midnight belong to the day they begin on. Otherwise every day.",
        ["sat", "sun"],
    )
    start: str = setting(
        "",
        "The time they begin, in the clinic's time zone. Otherwise the whole day.",
        "22:00",
        wanted="a time from 00:00 to 23:59",
        pattern=_TIME,
    )
    end: str = setting(
        "",
        "The time they end; before `start` it is on the day after.",
        "06:30",
        wanted="a time from 00:00 to 23:59",
        pattern=_TIME,
    )

    def concerns(self, client: str, tenant: str) -> bool:
        return self.client in ("", client) and self.tenant in ("", tenant)

    def covers(self, now: datetime) -> bool:
        """Whether `now`, in the clinic's time zone, is within it."""
        if self.shadow:
            return True
        days = self.days or DAYS
        clock, today, yesterday = now.time(), DAYS[now.weekday()], DAYS[now.weekday() - 1]
        start, end = (time.fromisoformat(t) if t else time(0) for t in (self.start, self.end))
        if start < end:
            return today in days and start <= clock < end
        return (today in days and clock >= start) or (yesterday in days and clock < end)

    def faults(self) -> Iterator[str]:
        """What of it does not go together, a sentence each with its remedy."""
        has_hours = bool(self.days or self.start or self.end)
        if self.shadow and has_hours:
            yield "shadow is for always, but there are hours: remove one of the two"
        if not self.shadow and not has_hours:
            yield "it does not say when: write shadow = true, or start and end, or days"
        if bool(self.start) != bool(self.end):
            missing = "end" if self.start else "start"
            yield f"{missing} is missing: write it like 06:30, or leave out both for whole days"
        elif self.start and self.start == self.end:
            yield "start and end are the same: leave out both for whole days"
