"""Shown cards and their feedback in a database that is handed in (SQLAlchemy Core).

Every method is one transaction: it happens whole, or raises StoreFailed and nothing of it
happened. Nothing here knows HTTP, and nothing of a patient is written (records.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from cds_hooks.audit import Audit
from cds_hooks.keyed_hashes import KeyedHashes
from cds_hooks.records import ByOrder, Feedback, RuleAndKind, ShownCard
from cds_hooks.rest import Rest
from cds_hooks.tables import card_feedback, card_finding, card_shown
from service_parts.transactions import transaction

# Milliseconds to wait for a lock: a person waits for cards, a machine sends feedback.
WAIT_FOR_CARDS = 250
WAIT_FOR_FEEDBACK = 3000

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


def utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """`keys` makes the hashes that its records carry; `rest` spares a database that fails; `audit`
    keeps the calls."""

    def __init__(
        self,
        engine: sa.Engine,
        keys: KeyedHashes,
        now: Callable[[], datetime] = utc_now,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.keys = keys
        self.rest = Rest(clock)
        self.now = now
        self.audit = Audit(engine, now)
        self._engine = engine

    @property
    def engine(self) -> sa.Engine:
        """The database, for what else workers share through it (shared_tokens.py)."""
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

        A later entry for the same card and time replaces the earlier (checklist A8.2). They are
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
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(card_feedback)
        keys = card_feedback.primary_key.columns.keys()
        new = {c.name: insert.excluded[c.name] for c in card_feedback.c if c.name not in keys}
        return insert.on_conflict_do_update(index_elements=keys, set_=new)


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
