"""`vialwise serve`: the CDS Hooks service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cds_hooks.app import create_app
from cds_hooks.record.store import Retention
from cds_hooks.settings import Settings
from vialwise import database, terminal
from vialwise.catalogues import catalogue
from vialwise.commands import options
from vialwise.serving import server
from vialwise.serving import server as logs
from vialwise.serving import server as workers
from vialwise.serving import service as start
from vialwise.settings.models import DEFAULT_HOST, DEFAULT_PORT


@click.command()
@options.config
@click.option(
    "--host",
    metavar="HOST",
    show_default=DEFAULT_HOST,
    help="The address to listen on.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    show_default=str(DEFAULT_PORT),
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--open",
    "open_",
    is_flag=True,
    help="Answer callers that do not prove who they are. For development with invented "
    "patients only.",
)
@options.site
@click.option("--timezone", metavar="ZONE", help="The clinic's, like America/New_York.")
@click.option(
    "--billing-plan/--no-billing-plan",
    default=None,
    help="Whether a clean order gets an info card with its claim lines.",
)
@options.database
def serve(
    config: Path | None, open_: bool, database_url: str | None, site: Path | None, **given: Any
) -> None:
    """Runs the CDS Hooks service until Ctrl-C.

    `vialwise settings` lists what can be set besides; the EHRs that may call are registered in the
    file.
    """
    named = {**given, "database": database_url, "site": str(site) if site else None}
    settings = start.checked(config, named, open_)
    known = catalogue(Path(settings.site) if settings.site else None)
    bound = server.bound_socket(settings.host, settings.port)
    url = server.address_of(bound)
    kept = database.open_storage(settings.database or None, settings.record_secret)
    service = start.service_settings(settings, url, open_, kept.secret)
    with workers.shared_metrics() as metrics:
        app: Any = create_app(known, service, kept.store, metrics)
        tasks: list[Callable[[], object]] = []
        kept_for = Retention(settings.keep_days, settings.keep_audit_days)
        if kept_for != Retention():
            tasks.append(lambda: kept_for.apply(kept.store))
        if settings.ehrs:
            from vialwise.serving import app as smart  # what the app needs, only where there is one

            app, sweep = smart.beside(app, settings, known, url, kept)
            tasks.append(sweep)
        terminal.say(
            f"Vialwise answers at {url}/cds-services; orders go to {start.orders_url(url)}"
        )
        if settings.public_url:
            terminal.say(f"EHRs reach it, and their tokens name it, as {service.url('')}.")
        if settings.ehrs:
            address = start.app_launch_url(settings, url)
            terminal.say(
                f"EHRs open the app at {address} ({len(settings.ehrs)} registered); what it "
                "keeps of windows is encrypted."
            )
        _say_where(kept)
        _say_to_whom(service)
        logs.to_standard_error()
        app = workers.behind_proxies(app, settings.trusted_proxies)
        server.run(app, bound, in_worker=workers.start_retention(*tasks))


def _say_where(kept: database.Storage) -> None:
    terminal.say(
        f"Calls, cards and feedback are kept in {kept.where}, without anything of a patient."
    )
    if kept.trouble:
        terminal.say(
            f"That database cannot be used ({kept.trouble}): orders are answered, nothing is "
            "kept, feedback is answered 503. Correct it and start again, or use --database.",
            fg="yellow",
        )


def _say_to_whom(service: Settings) -> None:
    if service.open:
        text = "Open: every caller is answered. Invented patients only; Ctrl-C ends it."
    elif service.clients:
        terminal.say(f"Registered clients: {len(service.clients)}. Ctrl-C ends it.")
        text = "For development: keys that are public are trusted." if service.development else ""
    else:
        text = (
            "No client is registered yet, so every order is answered 401: add [[clients]] to the "
            "file with the settings. For development on this machine, use --open. Ctrl-C ends it."
        )
    if text:
        terminal.say(text, fg="yellow")
