"""The end of what is kept: old cards, their feedback, old audits, deleted once a day.

Every worker asks, one of them does it (a row in the database says who was first), in small steps
with pauses, so that no answer waits for the deletion.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from cds_hooks.record.schema import housekeeping, insert_into
from cds_hooks.record.store import Store
from service_parts.database import StoreFailed, transaction

log = logging.getLogger("cds_hooks")

TASK = "forget"
EVERY = timedelta(days=1)
STEP = 200  # rows of one transaction: a few milliseconds
PAUSE = 0.05  # seconds between them, for the others
_WAIT = 3000  # milliseconds for a lock; nobody waits for this


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days cards and audits are kept; 0 is for good."""

    card_days: int = 0
    audit_days: int = 0

    def apply(self, store: Store, pause: Callable[[float], None] = time.sleep) -> bool:
        """Delete what is too old, unless that was done within a day by any worker; whether it was
        done now. A database that fails is told of in the log, and asked again another time."""
        if not (self.card_days or self.audit_days):
            return False
        try:
            if not first_of_the_day(store.engine, store.now()):
                return False
            cards = self._forget(store.forget, self.card_days, store.now(), pause)
            calls = self._forget(store.audit.forget, self.audit_days, store.now(), pause)
        except StoreFailed as error:
            log.error("what is too old was not deleted: %s", error.kind)
            return False
        log.info("deleted what is too old: cards=%d audited calls=%d", cards, calls)
        return True

    def _forget(
        self,
        forget: Callable[[datetime, int], int],
        days: int,
        now: datetime,
        pause: Callable[[float], None],
    ) -> int:
        """All that is older than `days`, step by step; how many it were."""
        deleted, last = 0, STEP if days else 0
        while last == STEP:
            last = forget(now - timedelta(days=days), STEP)
            deleted += last
            pause(PAUSE)
        return deleted


def first_of_the_day(engine: sa.Engine, now: datetime) -> bool:
    """Whether this worker is the first to ask within a day. One statement decides, so of several
    that ask at once exactly one is told True. Raises StoreFailed."""
    insert = insert_into(housekeeping, engine.dialect.name).values(task=TASK, done_at=now)
    claim = insert.on_conflict_do_update(
        index_elements=["task"],
        set_={"done_at": insert.excluded.done_at},
        # One that lies ahead was done while the clock was wrong.
        where=(housekeeping.c.done_at <= now - EVERY) | (housekeeping.c.done_at > now + EVERY),
    ).returning(housekeeping.c.task)
    with transaction(engine, _WAIT) as connection:
        return connection.execute(claim).first() is not None
