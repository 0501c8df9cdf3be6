"""The audit of calls, in a database that is handed in: who asked, by which rules, what came of it.

It stands apart from the log and is kept longer (checklist A10.6). Nothing of a patient is written:
the request stands as a keyed hash, by which who has the request can show that it was this one.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from cds_hooks.code_sets import CodeSets
from cds_hooks.records import AuditedCall
from cds_hooks.tables import call_audit, code_sets
from service_parts.transactions import transaction

# Milliseconds to wait for a lock: a person waits for the answer, nobody for the deletion.
WAIT_FOR_ANSWER = 250
WAIT_FOR_DELETION = 10_000

_A_ROW = sa.select(call_audit.c.call).limit(1)


class Audit:
    """Every method is one transaction, whole or not at all, and raises StoreFailed."""

    def __init__(self, engine: sa.Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self._written: frozenset[str] = frozenset()  # code sets that are on record

    def record(self, call: AuditedCall, by: CodeSets) -> None:
        """Keep `call`, answered now by the code sets `by`."""
        now = self._now()
        with transaction(self._engine, WAIT_FOR_ANSWER) as connection:
            if call.code_sets not in self._written:
                connection.execute(self._unless_there(call.code_sets, by, now))
            row = {"call": str(uuid.uuid4()), "at": now, **asdict(call)}
            connection.execute(call_audit.insert(), row)
        self._written |= {call.code_sets}

    def reach(self) -> None:
        """Nothing, when the database could take a record now."""
        with transaction(self._engine, WAIT_FOR_ANSWER) as connection:
            connection.execute(_A_ROW).all()

    def forget(self, before: datetime, most: int | None = None) -> int:
        """Delete the calls before then; how many it were. `most` bounds them, the oldest first."""
        aged = sa.select(call_audit.c.call).where(call_audit.c.at < before)
        aged = aged.order_by(call_audit.c.at).limit(most)
        with transaction(self._engine, WAIT_FOR_DELETION) as connection:
            old = call_audit.delete().where(call_audit.c.call.in_(aged))
            return connection.execute(old).rowcount

    def _unless_there(self, key: str, by: CodeSets, now: datetime) -> sa.Executable:
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        row = {"key": key, "sources": by.sources, "first_used_at": now}
        return dialect.insert(code_sets).values(row).on_conflict_do_nothing()
