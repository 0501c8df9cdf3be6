"""`vialwise feedback`: what became of the cards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from pathlib import Path

import click

from cds_hooks.outcomes import (
    OVERRIDDEN,
    CardOutcome,
    Tally,
    last_of_each,
    outcomes,
    tallies,
    unknown_cards,
)
from service_parts.store_failed import StoreFailed
from vialwise import clock, database, feedback_csv, screen
from vialwise.commands import options
from vialwise.problems import Problem
from vialwise.report import rule_name

_NAME = 41  # columns of a name; three numbers follow


@click.command()
@click.option("--since", metavar="DATE", help="Cards shown since then, as YYYY-MM-DD (UTC).")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write every card and its feedback to this file too.",
)
@options.database
def feedback(since: str | None, csv_file: Path | None, database_url: str | None) -> None:
    """Shows what became of the cards.

    How many were shown, accepted and overridden, by rule, payer and week. Nothing of a patient is
    in it.
    """
    rows, unknown = _read(database_url, since)
    if csv_file:
        _write(rows, csv_file)
    cards = last_of_each(rows)
    if not cards:
        screen.say(f"No card was shown{f' since {since}' if since else ' yet'}.")
    else:
        _show(cards)
    if unknown:
        screen.say(f"Feedback on cards that are not on record: {unknown}.")


def _read(named: str | None, since: str | None) -> tuple[list[CardOutcome], int]:
    day = clock.day(since)
    start = datetime.combine(day, time.min, UTC) if day else None
    engine = database.existing(named)
    try:
        return outcomes(engine, start), unknown_cards(engine, start)
    except StoreFailed as error:
        where = database.shown(engine.url)
        raise Problem(
            f"{where} cannot be read ({error.kind}): run `vialwise serve` once with it"
        ) from None
    finally:
        engine.dispose()


def _write(rows: Sequence[CardOutcome], file: Path) -> None:
    try:
        with file.open("w", newline="", encoding="utf-8") as opened:
            feedback_csv.write(rows, opened)
    except OSError as error:
        raise Problem(f"{file} cannot be written ({error.strerror}): choose another") from None
    screen.say(f"{len(rows)} lines below the header are in {file}.")
    click.echo()


# ---------------------------------------------------------------- the text


def _show(cards: Sequence[CardOutcome]) -> None:
    total = Tally()
    for card in cards:
        total.add(card)
    screen.heading(f"Cards shown {cards[0].shown_at.date()} to {cards[-1].shown_at.date()}")
    screen.say(
        f"{total.shown} shown, {total.accepted} accepted, {total.overridden} overridden, "
        f"{total.unanswered} without an answer",
        "  ",
    )
    by_rule = tallies(cards, lambda card: map(rule_name, card.rules))
    _table("By rule (a card can hold several)", _most_shown_first(by_rule))
    _table("By payer", _most_shown_first(tallies(cards, lambda card: [card.payer_id])))
    _table("By week", dict(sorted(tallies(cards, lambda card: [_week(card)]).items())))
    _reasons(cards)


def _table(title: str, rows: Mapping[str, Tally]) -> None:
    if not rows:
        return
    click.echo()
    screen.heading(title.ljust(_NAME + 2) + _numbers("shown", "accepted", "overridden"))
    for name, tally in rows.items():
        numbers = _numbers(str(tally.shown), str(tally.accepted), str(tally.overridden))
        click.echo(f"  {screen.plain(name)[:_NAME].ljust(_NAME)}{numbers}")


def _numbers(*cells: str) -> str:
    return "".join(cell.rjust(12) for cell in cells)


def _most_shown_first(rows: Mapping[str, Tally]) -> dict[str, Tally]:
    return dict(sorted(rows.items(), key=lambda row: (-row[1].shown, row[0])))


def _week(card: CardOutcome) -> str:
    year, week, _ = card.shown_at.isocalendar()
    return f"{year}-W{week:02}"


def _reasons(cards: Sequence[CardOutcome]) -> None:
    overridden = [card for card in cards if card.outcome == OVERRIDDEN]
    given = Counter(card.reason or "no reason given" for card in overridden)
    if not given:
        return
    click.echo()
    screen.heading("Why cards were overridden")
    for reason, count in given.most_common():
        screen.say(reason, f"  {count:>5}  ")
