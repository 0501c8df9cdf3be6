"""`vialwise feedback`: what became of the cards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import click

from billing_rules.rule_records import rule_heading, shipped
from cds_hooks.record.card_feedback import (
    NOT_TOLD_APART,
    Asked,
    CardOutcome,
    Report,
    Tally,
    outcomes,
    report,
    write_csv,
)
from service_parts.database import StoreFailed
from vialwise import clock, database, terminal
from vialwise.catalogues import catalogue
from vialwise.commands import options
from vialwise.serving import service
from vialwise.terminal import CommandProblem

_NAME = 32  # columns of a name; four numbers follow


@click.command()
@click.option("--since", metavar="DATE", help="Cards since that day, as YYYY-MM-DD (UTC).")
@click.option("--until", metavar="DATE", help="Cards up to that day, itself included.")
@click.option("--rule", default="", metavar="RULE", help="Cards with a finding of this rule.")
@click.option("--payer", default="", metavar="PAYER", help="Cards for this payer, by its id.")
@click.option("--client", default="", metavar="ISS", help="Cards sent to this client.")
@click.option(
    "--csv",
    "csv_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write every card and its feedback to this file too.",
)
@options.config
@options.database
def feedback(
    since: str | None,
    until: str | None,
    rule: str,
    payer: str,
    client: str,
    csv_file: Path | None,
    config: Path | None,
    database_url: str | None,
) -> None:
    """Shows what became of the cards.

    How many were shown, accepted, overridden and ignored, by rule, payer, drug, client and week,
    and how many were held back. Nothing of a patient is in it. The service shows the same on a
    page of its own.
    """
    if rule and rule not in shipped().records:
        raise CommandProblem(f"'{rule}' is not a rule: write its id, like wrong_code")
    first, last = clock.day(since), clock.day(until)
    if first and last and last < first:
        raise CommandProblem("--until is before --since: swap them")
    asked = Asked(
        since=_start(first) if first else None,
        before=_start(last + timedelta(days=1)) if last else None,
        rule=rule,
        payer_id=payer,
        client=client,
    )
    named = service.database_named(config, database_url)
    found, rows = _read(named, asked, with_rows=csv_file is not None)
    if csv_file:
        _write(rows, csv_file)
    if found.total.shown:
        _show(found)
    else:
        terminal.say(f"No card was shown{f' since {since}' if since else ' yet'}.")
    _held_back(found)
    if found.unknown:
        terminal.say(f"Feedback on cards that are not on record: {found.unknown}.")


def _start(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def _read(named: str, asked: Asked, with_rows: bool) -> tuple[Report, Sequence[CardOutcome]]:
    engine = database.existing_engine(named)
    try:
        return report(engine, asked), outcomes(engine, asked) if with_rows else ()
    except StoreFailed as error:
        where = database.readable_address(engine.url)
        raise CommandProblem(
            f"{where} cannot be read ({error.kind}): run `vialwise serve` once with it"
        ) from None
    finally:
        engine.dispose()


def _write(rows: Sequence[CardOutcome], file: Path) -> None:
    try:
        with file.open("w", newline="", encoding="utf-8") as opened:
            write_csv(rows, opened)
    except OSError as error:
        raise CommandProblem(
            f"{file} cannot be written ({error.strerror}): choose another"
        ) from None
    terminal.say(f"{len(rows)} lines below the header are in {file}.")
    click.echo()


# ---------------------------------------------------------------- the text


def _show(found: Report) -> None:
    total = found.total
    terminal.heading(f"Cards shown {found.first} to {found.last}")
    terminal.say(
        f"{total.shown} shown, {total.accepted} accepted, {total.overridden} overridden, "
        f"{total.ignored} ignored (without an answer)",
        "  ",
    )
    _table("By rule (several to a card)", found.by_rule, rule_heading)
    _table("By payer", found.by_payer, catalogue().payer_name)
    _table("By drug", found.by_drug)
    _table("By client", found.by_client, lambda client: client or NOT_TOLD_APART)
    _table("By week", found.by_week)
    _counts("Why cards were overridden", found.reasons, lambda why: why or "no reason given")


def _table(title: str, rows: Mapping[str, Tally], name_of: Callable[[str], str] = str) -> None:
    if not rows:
        return
    click.echo()
    head = _numbers("shown", "accepted", "overridden", "ignored")
    click.secho(title.ljust(_NAME + 2) + head, bold=True)  # as it is: columns are not words
    for name, tally in rows.items():
        said = terminal.plain(name_of(name))
        said = (said if len(said) <= _NAME else f"{said[: _NAME - 1]}…").ljust(_NAME)
        numbers = (tally.shown, tally.accepted, tally.overridden, tally.ignored)
        click.echo(f"  {said}{_numbers(*map(str, numbers))}")


def _numbers(*cells: str) -> str:
    return "".join(cell.rjust(11) for cell in cells)


def _counts(title: str, counts: Mapping[str, int], name_of: Callable[[str], str]) -> None:
    if not counts:
        return
    click.echo()
    terminal.heading(title)
    for name, count in counts.items():
        terminal.say(name_of(name), f"  {count:>5}  ")


def _held_back(found: Report) -> None:
    for because, counts in found.held_back.items():
        cards = found.held_cards[because]
        told = f"{cards} card{'s' if cards != 1 else ''}"
        _counts(f"Kept and not shown, {because}: {told}, by rule", counts, rule_heading)
