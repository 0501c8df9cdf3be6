"""The [[quiet]] tables: what is kept and not shown, and everything wrong with what was written."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import time

from billing_rules.rule_records import shipped
from cds_hooks.quiet import ALL_DAYS, Hours, Quiet
from vialwise.settings import DAYS, QuietTable, ServeSettings

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d", re.ASCII)


def quiet(settings: ServeSettings) -> tuple[Quiet, ...]:
    """What the tables say; there are no `problems` with them."""
    return tuple(
        Quiet(table.rule, table.client, table.tenant, None if table.shadow else _hours(table))
        for table in settings.quiet
    )


def _hours(table: QuietTable) -> Hours:
    days = frozenset(map(DAYS.index, table.days)) or ALL_DAYS
    if not table.start:
        return Hours(days)
    return Hours(days, time.fromisoformat(table.start), time.fromisoformat(table.end))


def problems(settings: ServeSettings) -> Iterator[str]:
    """What cannot work, one sentence each, with its remedy."""
    for number, table in enumerate(settings.quiet, 1):
        for found in (*_when(table), *_hours_problems(table), *_what(table, settings)):
            yield f"quiet, number {number}: {found}"


def _when(table: QuietTable) -> Iterator[str]:
    has_hours = bool(table.days or table.start or table.end)
    if table.shadow and has_hours:
        yield "shadow is for always, but there are hours: remove one of the two"
    if not table.shadow and not has_hours:
        yield "it does not say when: write shadow = true, or start and end, or days"


def _hours_problems(table: QuietTable) -> Iterator[str]:
    if not set(table.days) <= set(DAYS):
        yield f"a day is none: write {', '.join(DAYS)}"
    if bool(table.start) != bool(table.end):
        missing = "end" if table.start else "start"
        yield f"{missing} is missing: write it like 06:30, or leave out both for whole days"
        return
    if not table.start:
        return
    if not (_TIME.fullmatch(table.start) and _TIME.fullmatch(table.end)):
        yield "start or end is no time: write them like 22:00 and 06:30, midnight as 00:00"
    elif table.start == table.end:
        yield "start and end are the same: leave out both for whole days"


def _what(table: QuietTable, settings: ServeSettings) -> Iterator[str]:
    rules = shipped().records
    if table.rule and table.rule not in rules:
        near = difflib.get_close_matches(table.rule, rules, 1, 0.5)
        yield f"rule names none: write {near[0] if near else 'the id that stands on its page'}"
    clients = [c for c in settings.clients if table.client in ("", c.iss)]
    if table.client and not clients:
        yield "client is no registered one: copy the iss of its [[clients]] table"
    elif table.tenant and table.tenant not in {client.tenant for client in clients}:
        yield "tenant is no registered one: copy the tenant of its [[clients]] table"
