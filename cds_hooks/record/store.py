"""Shown cards, their feedback and the audit of calls in a database (SQLAlchemy Core).

Every method is one transaction: it happens whole, or raises StoreFailed and nothing of it
happened. Nothing here knows HTTP, and nothing of a patient is written. Times are UTC, lists of ids
are JSON; vialwise/migrations makes the tables. What is old is deleted once a day, by one worker.
"""

from __future__ import annotations

import logging
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import sqlalchemy as sa
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)
from sqlalchemy.pool import StaticPool

from cds_hooks.record.entries import (
    AuditedCall,
    ByOrder,
    CodeSets,
    Feedback,
    KeyedHashes,
    RuleAndKind,
    ShownCard,
)
from service_parts.database import HASH, StoreFailed, UtcTime, transaction

# ----------------------------------------------------------------------
# The tables of shown cards, their feedback, and the audit; vialwise/migrations makes them.
#
# Times are UTC. Lists of ids are JSON. No column holds anything of a patient (conformance A8.8).


UUID = String(36)
TEXT = String(200)


metadata = MetaData()

card_shown = Table(
    "card_shown",
    metadata,
    Column("card", UUID, primary_key=True),
    Column("suggestions", JSON, nullable=False),
    Column("service", TEXT, nullable=False),
    Column("hook", TEXT, nullable=False),
    Column("client", TEXT, nullable=False),
    Column("tenant", TEXT, nullable=False),
    Column("rule_set", TEXT, nullable=False),
    Column("payer_id", TEXT, nullable=False),
    Column("drug_id", TEXT, nullable=False),
    Column("topic", TEXT, nullable=False),
    Column("indicator", TEXT, nullable=False),
    Column("patient_key", HASH, nullable=False),
    Column("order_key", HASH, nullable=False),
    # When it was made; shown only where `held_back` is "", else the reason why not (held_back.py).
    Column("shown_at", UtcTime, nullable=False),
    Column("held_back", TEXT, nullable=False, server_default=""),
    Index("card_shown_by_patient", "patient_key"),
    # With what cards are counted by (card_feedback.py).
    Index("card_shown_by_time", "shown_at", "held_back", "payer_id", "drug_id", "client", "card"),
)

card_finding = Table(
    "card_finding",
    metadata,
    Column("card", UUID, ForeignKey("card_shown.card", ondelete="CASCADE"), primary_key=True),
    Column("rule", TEXT, primary_key=True),
    Column("kind", TEXT, primary_key=True),
)

# Its cards may be unknown: shown while the database was away, or forgotten since (A8.5).
card_feedback = Table(
    "card_feedback",
    metadata,
    Column("card", UUID, primary_key=True),
    Column("outcome_at", UtcTime, primary_key=True),
    Column("outcome", TEXT, nullable=False),
    Column("accepted", JSON, nullable=False),
    Column("reason_code", TEXT, nullable=False),
    Column("reason_system", TEXT, nullable=False),
    Column("reason_display", TEXT, nullable=False),
    Column("comment_sent", Boolean, nullable=False),
    Column("comment", Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Index("card_feedback_by_time", "received_at"),
)

# One row a call that something of ours was in (audit.py); kept for longer than the cards.
call_audit = Table(
    "call_audit",
    metadata,
    Column("call", UUID, primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("client", TEXT, nullable=False),
    Column("tenant", TEXT, nullable=False),
    Column("service", TEXT, nullable=False),
    Column("hook", TEXT, nullable=False),
    Column("hook_instance", UUID, nullable=False),
    Column("rule_set", TEXT, nullable=False),
    Column("code_sets", HASH, nullable=False),
    Column("input_hash", HASH, nullable=False),
    Column("status", Integer, nullable=False),
    Column("outcome", TEXT, nullable=False),
    Column("cards", JSON, nullable=False),
    Column("findings", JSON, nullable=False),
    Column("milliseconds", Integer, nullable=False),
    Index("call_audit_by_time", "at"),
)

# What `call_audit.code_sets` stands for: the catalogue's sources by title and date.
code_sets = Table(
    "code_sets",
    metadata,
    Column("key", HASH, primary_key=True),
    Column("sources", JSON, nullable=False),
    Column("first_used_at", UtcTime, nullable=False),
)

# What one worker does for all, and when it was done last (retention.py).
housekeeping = Table(
    "housekeeping",
    metadata,
    Column("task", TEXT, primary_key=True),
    Column("done_at", UtcTime, nullable=False),
)

# Tokens of clients that were used, by their hash (CDS Hooks 2.0.1, "jti"), until they expire.
client_tokens_seen = Table(
    "client_tokens_seen",
    metadata,
    Column("token", HASH, primary_key=True),
    Column("expires_at", UtcTime, nullable=False),
    Index("client_tokens_seen_by_time", "expires_at"),
)


def insert_into(table: Table, dialect: str) -> Any:
    """An insert into `table` that can say what is done on a conflict, in the database's own
    dialect; only that is loaded, as loading one takes its time."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as postgresql_insert

        return postgresql_insert(table)
    from sqlalchemy.dialects.sqlite import insert

    return insert(table)


# ----------------------------------------------------------------------
# Shown cards, their feedback and the audit of calls in a database (SQLAlchemy Core).
#
# Every method is one transaction: it happens whole, or raises StoreFailed and nothing of it
# happened. Nothing here knows HTTP, and nothing of a patient is written (records.py).


# Milliseconds to wait for a lock: a person waits for cards, a machine sends feedback, and nobody
# waits for the deletion of audits.
WAIT_FOR_CARDS = 250
WAIT_FOR_FEEDBACK = 3000
WAIT_FOR_DELETION = 10_000
_TIMES_AS_LONG = 10

_OVERRIDDEN = (  # built once: building takes longer than asking
    sa.select(
        card_shown.c.card,
        card_shown.c.order_key,
        card_feedback.c.outcome,
        card_finding.c.rule,
        card_finding.c.kind,
    )
    .join(card_feedback, card_feedback.c.card == card_shown.c.card)
    .join(card_finding, card_finding.c.card == card_shown.c.card)
    .where(card_shown.c.patient_key == sa.bindparam("patient_key"))
    .where(card_feedback.c.outcome_at >= sa.bindparam("since"))
    .where(card_feedback.c.received_at >= sa.bindparam("since"))
    .order_by(card_feedback.c.outcome_at)
)


_A_CALL = sa.select(call_audit.c.call).limit(1)


def utc_now() -> datetime:
    return datetime.now(UTC)


class DatabaseBackoff:
    """A database that fails slowly is left alone: after a failure that took t seconds nothing is
    tried for 10 t.

    So an unreachable database costs a tenth of the time at most, and a lock of a moment costs a
    moment. It knows nothing of any request.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until = 0.0

    @property
    def over(self) -> bool:
        return self._clock() >= self._until

    @contextmanager
    def after_failure(self) -> Iterator[None]:
        """Leave the database alone for a while if what is done inside raises."""
        started = self._clock()
        try:
            yield
        except Exception:
            self.leave_alone(_TIMES_AS_LONG * (self._clock() - started))
            raise

    def leave_alone(self, seconds: float) -> None:
        """Try nothing for that long from now."""
        self._until = self._clock() + seconds


class Audit:
    """Calls: who asked, by which rules, what came of it. It stands apart from the log and is kept
    longer (conformance A10.6). The request stands as a keyed hash, by which who has the request can
    show that it was this one."""

    def __init__(self, engine: sa.Engine, now: Callable[[], datetime]) -> None:
        self._engine = engine
        self._now = now
        self._written: frozenset[str] = frozenset()  # code sets that are on record

    def record(self, call: AuditedCall, by: CodeSets) -> None:
        """Keep `call`, answered now by the code sets `by`."""
        now = self._now()
        with transaction(self._engine, WAIT_FOR_CARDS) as connection:
            if call.code_sets not in self._written:
                connection.execute(self._unless_there(call.code_sets, by, now))
            row = {"call": str(uuid.uuid4()), "at": now, **asdict(call)}
            connection.execute(call_audit.insert(), row)
        self._written |= {call.code_sets}

    def reach(self) -> None:
        """Nothing, when the database could take a record now."""
        with transaction(self._engine, WAIT_FOR_CARDS) as connection:
            connection.execute(_A_CALL).all()

    def forget(self, before: datetime, most: int | None = None) -> int:
        """Delete the calls before then; how many it were. `most` bounds them, the oldest first."""
        aged = sa.select(call_audit.c.call).where(call_audit.c.at < before)
        aged = aged.order_by(call_audit.c.at).limit(most)
        with transaction(self._engine, WAIT_FOR_DELETION) as connection:
            old = call_audit.delete().where(call_audit.c.call.in_(aged))
            return connection.execute(old).rowcount

    def _unless_there(self, key: str, by: CodeSets, now: datetime) -> sa.Executable:
        row = {"key": key, "sources": by.sources, "first_used_at": now}
        insert = insert_into(code_sets, self._engine.dialect.name).values(row)
        unless_there: sa.Executable = insert.on_conflict_do_nothing()
        return unless_there


class Store:
    """`keys` makes the hashes that its records carry; `backoff` spares a database that fails;
    `audit` keeps the calls."""

    def __init__(
        self,
        engine: sa.Engine,
        keys: KeyedHashes,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.keys = keys
        self.backoff = DatabaseBackoff(clock)
        self.now = now
        self.audit = Audit(engine, now)
        self._engine = engine

    @property
    def engine(self) -> sa.Engine:
        """The database, for what else workers share through it (used_tokens.py)."""
        return self._engine

    # ------------------------------------------------------------ while cards are made

    def overridden(self, patient_key: str, since: datetime) -> ByOrder:
        """The findings of cards whose last feedback since then is an override, by order key.

        The client's clock is not trusted to say that an old override is a new one.
        """
        asked = {"patient_key": patient_key, "since": since}
        with transaction(self._engine, WAIT_FOR_CARDS) as connection:
            return _last_overridden(connection.execute(_OVERRIDDEN, asked).all())

    def record(self, cards: Sequence[ShownCard]) -> None:
        """Keep `cards` as shown now."""
        if not cards:
            return
        shown_at = self.now()
        findings = [
            {"card": card.card, "rule": rule, "kind": kind}
            for card in cards
            for rule, kind in dict.fromkeys(card.findings)
        ]
        with transaction(self._engine, WAIT_FOR_CARDS) as connection:
            rows = [{**_columns(card), "shown_at": shown_at} for card in cards]
            connection.execute(card_shown.insert(), rows)
            if findings:
                connection.execute(card_finding.insert(), findings)

    # ------------------------------------------------------------ afterwards

    def feedback(self, entries: Iterable[Feedback]) -> int:
        """Keep `entries`, each once however often it is sent; how many cards are unknown.

        A later entry for the same card and time replaces the earlier (conformance A8.2). They are
        written in one sequence by everyone, so that two writers never wait for each other.
        """
        last = {(entry.card, entry.outcome_at): entry for entry in entries}
        if not last:
            return 0
        received_at = self.now()
        rows = [{**asdict(last[key]), "received_at": received_at} for key in sorted(last)]
        cards = {entry.card for entry in last.values()}
        known = sa.select(sa.func.count()).where(card_shown.c.card.in_(cards))
        with transaction(self._engine, WAIT_FOR_FEEDBACK) as connection:
            connection.execute(self._upsert(), rows)
            return len(cards) - connection.execute(known).scalar_one()

    def forget(self, before: datetime, most: int | None = None) -> int:
        """Delete the cards shown before then, with their feedback; how many cards it were. `most`
        bounds them, the oldest first."""
        old = sa.select(card_shown.c.card).where(card_shown.c.shown_at < before)
        old = old.order_by(card_shown.c.shown_at, card_shown.c.card).limit(most)
        unknown = card_feedback.c.card.not_in(sa.select(card_shown.c.card))
        late = card_feedback.c.received_at < before
        with transaction(self._engine, WAIT_FOR_FEEDBACK) as connection:
            # A write comes first: SQLite gives no lock to who has read before another wrote.
            connection.execute(card_finding.delete().where(card_finding.c.card.in_(old)))
            connection.execute(card_feedback.delete().where(card_feedback.c.card.in_(old)))
            deleted = connection.execute(card_shown.delete().where(card_shown.c.card.in_(old)))
            if most is None or deleted.rowcount < most:  # at the end: it looks at all feedback
                connection.execute(card_feedback.delete().where(unknown, late))
            return deleted.rowcount

    # ------------------------------------------------------------ the database

    def _upsert(self) -> Any:
        insert = insert_into(card_feedback, self._engine.dialect.name)
        keys = card_feedback.primary_key.columns.keys()
        new = {c.name: insert.excluded[c.name] for c in card_feedback.c if c.name not in keys}
        return insert.on_conflict_do_update(index_elements=keys, set_=new)


def temporary(keys: KeyedHashes, now: Callable[[], datetime] = utc_now) -> Store:
    """A store of this process alone, gone with it: SQLite's database without a name, which is
    written to disk only where it becomes too large for its cache."""
    engine = sa.create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect("", check_same_thread=False),
        poolclass=StaticPool,
    )
    metadata.create_all(engine)
    return Store(engine, keys, now)


def _columns(card: ShownCard) -> dict[str, Any]:
    columns = asdict(card)
    del columns["findings"]
    return columns


def _last_overridden(rows: Iterable[Any]) -> ByOrder:
    """`rows` are in the order of time, one for each finding of a card and each of its outcomes."""
    outcomes = {row.card: row.outcome for row in rows}
    by_order: dict[str, set[RuleAndKind]] = {}
    for row in rows:
        if outcomes[row.card] == "overridden":
            by_order.setdefault(row.order_key, set()).add((row.rule, row.kind))
    return {order_key: frozenset(findings) for order_key, findings in by_order.items()}


# ----------------------------------------------------------------------
# The end of what is kept: old cards, their feedback, old audits, deleted once a day.
#
# Every worker asks, one of them does it (a row in the database says who was first), in small
# steps with pauses, so that no answer waits for the deletion.


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
