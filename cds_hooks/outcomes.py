"""What became of the cards: rows to export, and counts (checklist F1.4).

The command `vialwise feedback` and the page (feedback_page.py) show one and the same report. Cards
that were held back (held_back.py) are rows too, and are never counted as shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from cds_hooks.records import RuleAndKind
from cds_hooks.tables import card_feedback, card_finding, card_shown
from service_parts.transactions import transaction

_WAIT = 10_000  # milliseconds: nobody waits for cards here
_EVER = datetime.min.replace(tzinfo=UTC)
ACCEPTED, OVERRIDDEN, NO_ANSWER = "accepted", "overridden", "none"
NOT_TOLD_APART = "callers not told apart"  # for people, where a card has no client


@dataclass(frozen=True, slots=True)
class Asked:
    """Which cards: made since then, before then, with a finding of that rule, for that payer or
    client. None and "" leave none out."""

    since: datetime | None = None
    before: datetime | None = None
    rule: str = ""
    payer_id: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class CardOutcome:
    """A card with one feedback on it, or with none: then `outcome` is NO_ANSWER. `held_back` says
    why it was not shown; "" for one that was."""

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
    held_back: str
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

    @property
    def week(self) -> str:
        """The ISO 8601 week it was shown in, like 2026-W48 (UTC)."""
        year, week, _ = self.shown_at.isocalendar()
        return f"{year}-W{week:02}"


@dataclass(slots=True)
class Tally:
    """How many cards were shown, and what became of them."""

    shown: int = 0
    accepted: int = 0
    overridden: int = 0

    @property
    def ignored(self) -> int:
        """Without an answer; an EHR that sends no feedback ignores every card."""
        return self.shown - self.accepted - self.overridden

    def add(self, card: CardOutcome) -> None:
        self.shown += 1
        self.accepted += card.outcome == ACCEPTED
        self.overridden += card.outcome == OVERRIDDEN


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """What was asked for, counted. `rows` are every card and feedback, those held back too; the
    others are of cards that were shown, each once, with what was said of it last.

    `held_cards` counts the cards held back by reason, `held_back` by reason and rule. `unknown`
    counts cards with feedback that are not on record; only the time bounds them.
    """

    rows: Sequence[CardOutcome]
    shown: Sequence[CardOutcome]
    total: Tally
    by_rule: Mapping[str, Tally]
    by_payer: Mapping[str, Tally]
    by_drug: Mapping[str, Tally]
    by_client: Mapping[str, Tally]
    by_week: Mapping[str, Tally]
    reasons: Mapping[str, int]
    held_cards: Mapping[str, int]
    held_back: Mapping[str, Mapping[str, int]]
    unknown: int


def report(engine: sa.Engine, asked: Asked = Asked()) -> Report:
    """The cards asked for, counted in every way. Raises StoreFailed."""
    rows = outcomes(engine, asked)
    shown = last_of_each(row for row in rows if not row.held_back)
    held = last_of_each(row for row in rows if row.held_back)
    overridden = [card for card in shown if card.outcome == OVERRIDDEN]
    return Report(
        rows=rows,
        shown=shown,
        total=tallies(shown, lambda card: [""]).get("", Tally()),
        by_rule=_most_shown_first(tallies(shown, lambda card: card.rules)),
        by_payer=_most_shown_first(tallies(shown, lambda card: [card.payer_id])),
        by_drug=_most_shown_first(tallies(shown, lambda card: [card.drug_id])),
        by_client=_most_shown_first(tallies(shown, lambda card: [card.client])),
        by_week=dict(sorted(tallies(shown, lambda card: [card.week]).items())),
        reasons=dict(Counter(card.reason for card in overridden).most_common()),
        held_cards=dict(sorted(Counter(card.held_back for card in held).items())),
        held_back=_held_back(held),
        unknown=unknown_cards(engine, asked),
    )


def outcomes(engine: sa.Engine, asked: Asked = Asked()) -> list[CardOutcome]:
    """Every card asked for with each feedback on it, in the order of time."""
    wanted = _conditions(asked)
    cards = (
        sa.select(*_COLUMNS)
        .outerjoin(card_feedback, card_feedback.c.card == card_shown.c.card)
        .where(*wanted)
        .order_by(card_shown.c.shown_at, card_shown.c.card, card_feedback.c.outcome_at)
    )
    found = (
        sa.select(card_finding)
        .join(card_shown, card_shown.c.card == card_finding.c.card)
        .where(*wanted)
        .order_by(card_finding.c.rule, card_finding.c.kind)
    )
    findings: dict[str, list[RuleAndKind]] = {}
    with transaction(engine, _WAIT) as connection:
        for row in connection.execute(found):
            findings.setdefault(row.card, []).append((row.rule, row.kind))
        rows = connection.execute(cards).all()
    return [_outcome(row, tuple(findings.get(row.card, ()))) for row in rows]


def _conditions(asked: Asked) -> list[sa.ColumnElement[bool]]:
    shown = card_shown.c
    wanted = [shown.shown_at >= (asked.since or _EVER)]
    if asked.before:
        wanted.append(shown.shown_at < asked.before)
    if asked.payer_id:
        wanted.append(shown.payer_id == asked.payer_id)
    if asked.client:
        wanted.append(shown.client == asked.client)
    if asked.rule:
        of_rule = sa.select(card_finding.c.card).where(card_finding.c.rule == asked.rule)
        wanted.append(shown.card.in_(of_rule))
    return wanted


def unknown_cards(engine: sa.Engine, asked: Asked = Asked()) -> int:
    """How many cards had feedback in that time without being on record."""
    feedback = card_feedback.c
    count = (
        sa.select(sa.func.count(feedback.card.distinct()))
        .where(feedback.received_at >= (asked.since or _EVER))
        .where(feedback.card.not_in(sa.select(card_shown.c.card)))
    )
    if asked.before:
        count = count.where(feedback.received_at < asked.before)
    with transaction(engine, _WAIT) as connection:
        return connection.execute(count).scalar_one()


def payers_and_clients(engine: sa.Engine) -> tuple[list[str], list[str]]:
    """Those that any card on record is of."""
    with transaction(engine, _WAIT) as connection:
        payers, clients = (
            [row[0] for row in connection.execute(sa.select(column).distinct().order_by(column))]
            for column in (card_shown.c.payer_id, card_shown.c.client)
        )
    return payers, clients


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


def _most_shown_first(rows: Mapping[str, Tally]) -> dict[str, Tally]:
    return dict(sorted(rows.items(), key=lambda row: (-row[1].shown, row[0])))


def _held_back(cards: Iterable[CardOutcome]) -> dict[str, dict[str, int]]:
    counts: dict[str, Counter[str]] = {}
    for card in cards:
        counts.setdefault(card.held_back, Counter()).update(card.rules)
    return {because: dict(counted.most_common()) for because, counted in sorted(counts.items())}


# Patient and order, though hashed, are in no report, and neither is a comment.
_NAMES = tuple(field.name for field in fields(CardOutcome) if field.name != "findings")
_COLUMNS = [card_shown.c[n] if n in card_shown.c else card_feedback.c[n] for n in _NAMES]
_UNANSWERED = {
    "outcome": NO_ANSWER,
    "accepted": (),
    "reason_code": "",
    "reason_system": "",
    "reason_display": "",
    "comment_sent": False,
}


def _outcome(row: Sequence[Any], findings: tuple[RuleAndKind, ...]) -> CardOutcome:
    said = dict(zip(_NAMES, row, strict=True))
    if said["outcome"] is None:
        said |= _UNANSWERED
    said["accepted"] = tuple(said["accepted"])
    return CardOutcome(findings=findings, **said)
