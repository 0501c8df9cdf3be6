"""What the database holds, read past the service."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from cds_hooks.record.store import call_audit, card_feedback, card_shown
from vialwise import database

Batch = tuple[str, tuple[str, ...]]  # the time and the cards of one message of feedback


@dataclass(frozen=True, slots=True)
class Records:
    """Hook instances of audited calls, UUIDs of cards shown, and feedback: card and time a row."""

    calls: tuple[str, ...]
    cards: frozenset[str]
    entries: tuple[tuple[str, datetime], ...]

    @property
    def feedback(self) -> frozenset[str]:
        """The cards with feedback."""
        return frozenset(card for card, _ in self.entries)

    def feedback_at(self, at: str) -> list[str]:
        """The cards with feedback of this time."""
        return [card for card, when in self.entries if when == datetime.fromisoformat(at)]

    def half_batches(self, batches: Collection[Batch]) -> int:
        """Of how many batches of feedback some entries are kept and some are not."""
        there = set(self.entries)
        return sum(
            len({(card, datetime.fromisoformat(at)) in there for card in cards}) > 1
            for at, cards in batches
        )


def read(url: str) -> Records:
    engine = database.engine(database.address(url))
    try:
        with engine.connect() as connection:
            calls = connection.scalars(sa.select(call_audit.c.hook_instance)).all()
            cards = connection.scalars(sa.select(card_shown.c.card)).all()
            entries = connection.execute(
                sa.select(card_feedback.c.card, card_feedback.c.outcome_at)
            ).all()
    finally:
        engine.dispose()
    return Records(tuple(calls), frozenset(cards), tuple(tuple(entry) for entry in entries))
