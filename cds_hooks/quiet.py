"""When findings are evaluated and kept, and not shown: shadow mode and quiet hours."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any, Literal, Self

from pydantic import Field, ModelWrapValidatorHandler, StrictBool, model_validator

from service_parts.setting_fields import SettingsModel

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"


class Quiet(SettingsModel):
    """What is kept and not shown, and when: always with `shadow`, else from `start` to before `end`
    on each of `days`, the whole days where both are empty. An end before the start is on the day
    after; days of none are all."""

    rule: str = Field(
        "", description="The rule's id. Otherwise all rules.", examples=["dose_interval"]
    )
    client: str = Field(
        "",
        description="The `iss` of a client. Otherwise all clients.",
        examples=["https://ehr.example/r4"],
    )
    tenant: str = Field("", description="A tenant. Otherwise all tenants.", examples=["clinic-7"])
    shadow: StrictBool = Field(False, description="Shadow mode: at all times.", examples=[True])
    days: tuple[Day, ...] = Field(
        (),
        description="Quiet hours: on these days of the week, of mon, tue, wed, thu, fri, sat and "
        "sun; hours over midnight belong to the day they begin on. Otherwise every day.",
        examples=[["sat", "sun"]],
    )
    start: str = Field(
        "",
        description="The time they begin, in the clinic's time zone. Otherwise the whole day.",
        examples=["22:00"],
        title="a time from 00:00 to 23:59",
        pattern=_TIME,
    )
    end: str = Field(
        "",
        description="The time they end; before `start` it is on the day after.",
        examples=["06:30"],
        title="a time from 00:00 to 23:59",
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

    @model_validator(mode="wrap")
    @classmethod
    def _says_when(cls, written: Any, made: ModelWrapValidatorHandler[Self]) -> Self:
        if isinstance(written, cls):
            return written  # it was checked when it was made
        quiet = made(written)
        has_hours = bool(quiet.days or quiet.start or quiet.end)
        if quiet.shadow and has_hours:
            raise ValueError("shadow is for always, but there are hours: remove one of the two")
        if not quiet.shadow and not has_hours:
            raise ValueError("it does not say when: write shadow = true, or start and end, or days")
        if bool(quiet.start) != bool(quiet.end):
            missing = "end" if quiet.start else "start"
            raise ValueError(
                f"{missing} is missing: write it like 06:30, or leave out both for whole days"
            )
        if quiet.start and quiet.start == quiet.end:
            raise ValueError("start and end are the same: leave out both for whole days")
        return quiet
