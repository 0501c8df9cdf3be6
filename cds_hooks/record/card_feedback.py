"""What became of the cards: rows to export, and counts (conformance F1.4).

The command `vialwise feedback` and the page (feedback_page.py) show one and the same report. The
database counts, as a year of cards is a hundred thousand. Cards that were held back (card_plan.py)
are rows too, and are never counted as shown.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any, TextIO

import sqlalchemy as sa

from cds_hooks.record.entries import RuleAndKind
from cds_hooks.record.store import card_feedback, card_finding, card_shown
from service_parts.database import transaction

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

    @property
    def parts(self) -> dict[str, int]:
        """Those shown, apart by what became of them."""
        return {
            "ignored": self.ignored,
            "overridden": self.overridden,
            "accepted": self.accepted,
        }

    def add(self, outcome: str | None, cards: int) -> None:
        """That many cards of which this was said last."""
        self.shown += cards
        self.accepted += cards * (outcome == ACCEPTED)
        self.overridden += cards * (outcome == OVERRIDDEN)


@dataclass(frozen=True, slots=True, repr=False)
class Report:
    """The cards asked for, counted, each once, with what was said of it last.

    `first` and `last` are the days (UTC) on which one was shown, None where none was. `held_cards`
    counts the cards held back by reason, `held_back` by reason and rule; all else is of cards that
    were shown. `unknown` counts cards with feedback that are not on record; only the time bounds
    them.
    """

    first: date | None
    last: date | None
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
    with transaction(engine, _WAIT) as connection:
        cards = connection.execute(_counted(asked, *_OF_CARD)).all()
        days = connection.execute(_counted(asked, _DAY)).all()
        rules = connection.execute(_counted(asked, _rules.c.rule, of=_WITH_RULES)).all()
        unknown = connection.execute(_unknown_count(asked)).scalar_one()
    shown, held = _apart(cards)
    days_shown, _ = _apart(days)
    rules_shown, rules_held = _apart(rules)
    overridden = (row for row in shown if row.outcome == OVERRIDDEN)
    return Report(
        first=min(map(_day, days_shown), default=None),
        last=max(map(_day, days_shown), default=None),
        total=_tallies(shown, lambda row: "").get("", Tally()),
        by_rule=_most_first(_tallies(rules_shown, lambda row: row.rule)),
        by_payer=_most_first(_tallies(shown, lambda row: row.payer_id)),
        by_drug=_most_first(_tallies(shown, lambda row: row.drug_id)),
        by_client=_most_first(_tallies(shown, lambda row: row.client)),
        by_week=dict(sorted(_tallies(days_shown, lambda row: _week(_day(row))).items())),
        reasons=_counts(overridden, lambda row: row.reason_display or row.reason_code),
        held_cards=dict(sorted(_counts(held, lambda row: row.held_back).items())),
        held_back={
            because: _counts([r for r in rules_held if r.held_back == because], lambda r: r.rule)
            for because in sorted({row.held_back for row in rules_held})
        },
        unknown=unknown,
    )


def _counted(
    asked: Asked, *kinds: sa.ColumnElement[Any], of: sa.FromClause = card_shown
) -> sa.Select[Any]:
    """How many cards there are of each of the `kinds` together with why they were held back and
    what was said of them last."""
    every = (card_shown.c.held_back, card_feedback.c.outcome, *kinds)
    last_said = (
        sa.select(sa.func.max(_said.c.outcome_at))
        .where(_said.c.card == card_shown.c.card)
        .scalar_subquery()
    )
    on_it = card_feedback.c.card == card_shown.c.card
    return (
        sa.select(*every, sa.func.count().label("cards"))
        .select_from(of.outerjoin(card_feedback, on_it & (card_feedback.c.outcome_at == last_said)))
        .where(*_conditions(asked))
        .group_by(*every)
    )


def _apart(rows: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """Those of cards that were shown, and those of cards held back."""
    return [r for r in rows if not r.held_back], [r for r in rows if r.held_back]


def _day(row: Any) -> date:
    """SQLite gives a day as text."""
    return row.day if isinstance(row.day, date) else date.fromisoformat(row.day)


def _week(day: date) -> str:
    """The ISO 8601 week, like 2026-W48."""
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"


def _tallies(rows: Iterable[Any], key: Callable[[Any], str]) -> dict[str, Tally]:
    counted: dict[str, Tally] = {}
    for row in rows:
        counted.setdefault(key(row), Tally()).add(row.outcome, row.cards)
    return counted


def _most_first(rows: Mapping[str, Tally]) -> dict[str, Tally]:
    return dict(sorted(rows.items(), key=lambda row: (-row[1].shown, row[0])))


def _counts(rows: Iterable[Any], key: Callable[[Any], str]) -> dict[str, int]:
    """The cards counted under each key, the most first."""
    counted: Counter[str] = Counter()
    for row in rows:
        counted[key(row)] += row.cards
    return dict(sorted(counted.items(), key=lambda counts: (-counts[1], counts[0])))


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


def _unknown_count(asked: Asked) -> sa.Select[Any]:
    feedback = card_feedback.c
    on_record = sa.exists().where(card_shown.c.card == feedback.card)
    count = (
        sa.select(sa.func.count(feedback.card.distinct()))
        .where(feedback.received_at >= (asked.since or _EVER))
        .where(~on_record)
    )
    return count.where(feedback.received_at < asked.before) if asked.before else count


def payers_and_clients(engine: sa.Engine) -> tuple[list[str], list[str]]:
    """Those that any card on record is of."""
    with transaction(engine, _WAIT) as connection:
        payers, clients = (
            [row[0] for row in connection.execute(sa.select(column).distinct().order_by(column))]
            for column in (card_shown.c.payer_id, card_shown.c.client)
        )
    return payers, clients


# What cards are counted by. A card can have several findings of a rule, and counts once for it.
_said = card_feedback.alias()
_rules = sa.select(card_finding.c.card, card_finding.c.rule).distinct().subquery()
_WITH_RULES = card_shown.join(_rules, _rules.c.card == card_shown.c.card)
_DAY = sa.func.date(card_shown.c.shown_at).label("day")
_OF_CARD = (
    *(card_shown.c[name] for name in ("payer_id", "drug_id", "client")),
    *(card_feedback.c[name] for name in ("reason_code", "reason_display")),
)

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


# ---------------------------------------------------------------- as a CSV file
#
# 45 CFR 170.315(b)(11)(ii)(C) names what an EHR must be able to export: intervention, action,
# feedback, user, date and location. The user is left empty: who answered is not in the feedback and
# is kept by the EHR. Nothing here is of a patient; a comment is only said to have been sent.

CSV_HEADER = (
    "intervention",
    "action",
    "feedback",
    "user",
    "date",
    "location",
    "card",
    "shown",
    "service",
    "hook",
    "findings",
    "rule_set",
    "drug",
    "payer",
    "topic",
    "indicator",
    "reason_code",
    "reason_system",
    "comment_sent",
    "accepted_suggestions",
    "held_back",
)
HELD_BACK = "held back"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute a cell that begins so


def write_csv(rows: Iterable[CardOutcome], to: TextIO) -> None:
    """One line for each feedback, and one for each card without. A card that was not shown says so
    in `held_back`, and its action is "held back"."""
    lines = csv.writer(to)
    lines.writerow(CSV_HEADER)
    for row in rows:
        lines.writerow([_inert(cell) for cell in _csv_cells(row)])


def _csv_cells(row: CardOutcome) -> tuple[str, ...]:
    return (
        " ".join(row.rules),
        HELD_BACK if row.held_back else row.outcome,
        row.reason,
        "",
        _csv_time(row.outcome_at),
        " ".join(part for part in (row.client, row.tenant) if part),
        row.card,
        _csv_time(row.shown_at),
        row.service,
        row.hook,
        " ".join(f"{rule}/{kind}" for rule, kind in row.findings),
        row.rule_set,
        row.drug_id,
        row.payer_id,
        row.topic,
        row.indicator,
        row.reason_code,
        row.reason_system,
        "yes" if row.comment_sent else "no",
        " ".join(row.accepted),
        row.held_back,
    )


def _inert(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _csv_time(time: datetime | None) -> str:
    return time.isoformat(timespec="seconds").replace("+00:00", "Z") if time else ""
