"""`vialwise serve`: the CDS Hooks service."""

from __future__ import annotations

from pathlib import Path

import click

from vialwise import screen, server, storage
from vialwise.catalogues import catalogue
from vialwise.commands import options
from vialwise.service import application, orders_url


@click.command()
@click.option(
    "--host",
    default=server.DEFAULT_HOST,
    show_default=True,
    metavar="HOST",
    help="The address to listen on.",
)
@click.option(
    "--port",
    default=server.DEFAULT_PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    metavar="PORT",
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
    default=False,
    help="Whether a clean order gets an info card with its claim lines.",
)
@options.database
def serve(
    host: str,
    port: int,
    open_: bool,
    site: Path | None,
    timezone: str | None,
    billing_plan: bool,
    database_url: str | None,
) -> None:
    """Runs the CDS Hooks service until Ctrl-C."""
    known = catalogue(site)
    bound = server.bound_socket(host, port)
    url = server.address_of(bound)
    kept = storage.opened(database_url)
    app = application(
        known,
        url,
        open_=open_,
        billing_plan=billing_plan,
        timezone=timezone,
        site=site,
        store=kept.store,
    )
    screen.say(f"Vialwise answers at {url}/cds-services; orders go to {orders_url(url)}")
    _say_where(kept)
    if open_:
        screen.say(
            "Open: every caller is answered. Invented patients only; Ctrl-C ends it.", fg="yellow"
        )
    else:
        screen.say(
            "No client is registered yet, so every order is answered 401. For development on this "
            "machine, use --open. Ctrl-C ends it.",
            fg="yellow",
        )
    server.run(app, bound)


def _say_where(kept: storage.Opened) -> None:
    screen.say(f"Cards and feedback are kept in {kept.where}, without anything of a patient.")
    if kept.trouble:
        screen.say(
            f"That database cannot be used ({kept.trouble}): orders are answered, nothing is "
            "kept, feedback is answered 503. Mend it and start again, or use --database.",
            fg="yellow",
        )
