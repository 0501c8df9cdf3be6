"""What day it is where the clinic is."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing_rules.model.states import iso_day
from vialwise.terminal import CommandProblem


def today(timezone: str | None = None) -> date:
    """Today in `timezone` (an IANA name), or in this machine's own."""
    return now(timezone).date()


def _zone(timezone: str) -> ZoneInfo:
    try:
        return ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise CommandProblem(
            f"'{timezone}' is not a time zone: write one like America/New_York, or leave it out"
        ) from None


def now(timezone: str | None = None) -> datetime:
    """The time in `timezone` (an IANA name), or in this machine's own. Raises Problem."""
    if timezone is None:
        return datetime.now().astimezone()
    return datetime.now(_zone(timezone))


def day(text: str | None) -> date | None:
    """`text` as a date, None for None. Raises Problem for what is none."""
    if text is None:
        return None
    try:
        return iso_day(text)
    except ValueError:
        raise CommandProblem(
            f"'{text}' is not a date: write it as YYYY-MM-DD, like 2026-11-23"
        ) from None
