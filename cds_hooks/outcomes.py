"""What became of the cards that were shown: rows to export, and counts (checklist F1.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from cds_hooks.records import RuleAndKind
from cds_hooks.tables import card_feedback, card_finding, card_shown
from service_parts.transactions import transaction

_WAIT = 10_000  # milliseconds: nobody waits for cards here
_EVER = datetime.min.replace(tzinfo=UTC)
ACCEPTED, OVERRIDDEN, NO_ANSWER = "accepted", "overridden", "none"


@dataclass(frozen=True, slots=True, repr=False)
class CardOutcome:
    """A shown card with one feedback on it, or with none: then `outcome` is NO_ANSWER."""

    card: str
    findings: tuple[RuleAndKind, ...]
    rule_set: str
    service: str
    hook: str
    client: str
    tenant: str
    drug_id: str
    payer_id: str
    topic: str
    indicator: str
    shown_at: datetime
    outcome: str
    outcome_at: datetime | None
    accepted: tuple[str, ...]
    reason_code: str
    reason_system: str
    reason_display: str
    comment_sent: bool

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule for rule, _ in self.findings))

    @property
    def reason(self) -> str:
        return self.reason_display or self.reason_code


@dataclass(slots=True)
class Tally:
    """How many cards were shown, and what became of them."""

    shown: int = 0
    accepted: int = 0
    overridden: int = 0

    @property
    def unanswered(self) -> int:
        return self.shown - self.accepted - self.overridden

    def add(self, card: CardOutcome) -> None:
        self.shown += 1
        self.accepted += card.outcome == ACCEPTED
        self.overridden += card.outcome == OVERRIDDEN


def outcomes(engine: sa.Engine, since: datetime | None = None) -> list[CardOutcome]:
    """Every card shown since then with each feedback on it, in the order of time."""
    since = since or _EVER
    shown = (
        sa.select(card_shown, *_OF_FEEDBACK)
        .outerjoin(card_feedback, card_feedback.c.card == card_shown.c.card)
        .where(card_shown.c.shown_at >= since)
        .order_by(card_shown.c.shown_at, card_shown.c.card, card_feedback.c.outcome_at)
    )
    found = (
        sa.select(card_finding)
        .join(card_shown, card_shown.c.card == card_finding.c.card)
        .where(card_shown.c.shown_at >= since)
        .order_by(card_finding.c.rule, card_finding.c.kind)
    )
    findings: dict[str, list[RuleAndKind]] = {}
    with transaction(engine, _WAIT) as connection:
        for row in connection.execute(found):
            findings.setdefault(row.card, []).append((row.rule, row.kind))
        rows = connection.execute(shown).all()
    return [_outcome(row, tuple(findings.get(row.card, ()))) for row in rows]


def unknown_cards(engine: sa.Engine, since: datetime | None = None) -> int:
    """How many cards had feedback since then without being on record."""
    feedback = card_feedback.c
    count = (
        sa.select(sa.func.count(feedback.card.distinct()))
        .where(feedback.received_at >= (since or _EVER))
        .where(feedback.card.not_in(sa.select(card_shown.c.card)))
    )
    with transaction(engine, _WAIT) as connection:
        return connection.execute(count).scalar_one()


def last_of_each(rows: Iterable[CardOutcome]) -> list[CardOutcome]:
    """Each card once, with what was said of it last."""
    return list({row.card: row for row in rows}.values())


def tallies(
    cards: Sequence[CardOutcome], keys: Callable[[CardOutcome], Iterable[str]]
) -> dict[str, Tally]:
    """The cards counted under each of their `keys`."""
    counted: dict[str, Tally] = {}
    for card in cards:
        for key in keys(card):
            counted.setdefault(key, Tally()).add(card)
    return counted


_OF_FEEDBACK = [
    c for c in card_feedback.c if c.name not in ("card", "comment", "received_at")
]  # the comment may name a patient: no report holds it


def _outcome(row: Any, findings: tuple[RuleAndKind, ...]) -> CardOutcome:
    values = row._asdict()
    for unreported in ("suggestions", "patient_key", "order_key"):
        del values[unreported]
    if row.outcome is None:
        values |= {name: "" for name in ("reason_code", "reason_system", "reason_display")}
        values |= {"outcome": NO_ANSWER, "accepted": (), "comment_sent": False}
    return CardOutcome(**{**values, "accepted": tuple(values["accepted"]), "findings": findings})
