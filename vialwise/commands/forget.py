"""`vialwise forget`: the end of what is kept."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, time
from pathlib import Path

import click

from cds_hooks.record.entries import SHORTEST_SECRET, KeyedHashes
from cds_hooks.record.store import Store
from service_parts.database import StoreFailed
from vialwise import clock, database, terminal
from vialwise.commands import options
from vialwise.serving import service
from vialwise.terminal import CommandProblem


@click.command()
@click.option(
    "--cards-before", metavar="DATE", help="Cards shown before then, and the feedback on them."
)
@click.option("--calls-before", metavar="DATE", help="The audit of calls before then.")
@click.option(
    "--app-before",
    metavar="DATE",
    help="Windows of the app opened before then, which end, and what was typed in its forms.",
)
@options.config
@options.database
def forget(
    cards_before: str | None,
    calls_before: str | None,
    app_before: str | None,
    config: Path | None,
    database_url: str | None,
) -> None:
    """Deletes what has been kept long enough, also while `serve` runs.

    `serve` does so by itself: cards and calls once a day where keep_days is set, windows of the app
    when they have ended, and its forms after keep_forms_days. Days are UTC, as YYYY-MM-DD.
    """
    cards, calls, app = _start(cards_before), _start(calls_before), _start(app_before)
    if cards is None and calls is None and app is None:
        raise CommandProblem(
            "nothing to forget: give --cards-before, --calls-before or --app-before with a date"
        )
    engine = database.existing_engine(service.database_named(config, database_url))
    # Nothing is hashed to be deleted, so any secret does.
    store = Store(engine, KeyedHashes(secrets.token_bytes(SHORTEST_SECRET)))
    try:
        if cards:
            terminal.say(f"Cards deleted, with their feedback: {store.forget(cards)}.")
        if calls:
            terminal.say(f"Audited calls deleted: {store.audit.forget(calls)}.")
        if app:
            from smart_app.launch.store import forget as forget_app

            windows, forms = forget_app(engine, app)
            terminal.say(f"Windows of the app deleted: {windows}; forms: {forms}.")
    except StoreFailed as error:
        where = database.readable_address(engine.url)
        raise CommandProblem(f"{where} did not delete them ({error.kind}): try again") from None
    finally:
        engine.dispose()


def _start(day: str | None) -> datetime | None:
    """The first moment of a day given as text."""
    read = clock.day(day)
    return datetime.combine(read, time.min, UTC) if read else None
