"""The CDS service before it starts: its settings from ours, checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cds_hooks.services import ORDERS
from cds_hooks.settings import ServiceOptions, Settings
from vialwise import catalogues, clock
from vialwise.settings import checks
from vialwise.settings.models import APP, ServeSettings
from vialwise.settings.reading import Read, read
from vialwise.terminal import CommandProblem, plain


def checked(config: Path | None, options: Mapping[str, Any], open_: bool) -> ServeSettings:
    """The settings with what their files hold, if nothing is wrong with them. Ends the command
    otherwise."""
    found = read(config, options)
    settings, problems = checks.checked(found.settings, open_)
    stop_if([*found.problems, *problems])
    return settings


def database_named(config: Path | None, option: str | None) -> str:
    """Where `serve` keeps cards with these settings, "" for its own file. Ends the command where
    they cannot be read."""
    found = read(config, {"database": option})
    stop_if(found.problems)
    return found.settings.database


def all_problems(found: Read, open_: bool) -> list[str]:
    """What could not be read, and what of the rest does not go together."""
    return [*found.problems, *checks.checked(found.settings, open_)[1]]


def stop_if(problems: list[str]) -> None:
    """One line on standard error for each problem, and exit code 2."""
    if not problems:
        return
    for problem in problems[:-1]:
        click.echo(f"vialwise: {plain(problem)}", err=True)
    raise CommandProblem(problems[-1])


def service_settings(
    settings: ServeSettings, url: str, open_: bool, context_key: bytes = b""
) -> Settings:
    """The CDS service's settings, with what is known when it starts; `url` is where it listens,
    `context_key` seals what its cards hand to the app."""
    timezone = settings.timezone or None
    known = {
        "public_url": settings.public_url or url,
        "app_launch_url": app_launch_url(settings, url),
    }
    return Settings(
        **settings.of(ServiceOptions) | known,
        today=lambda: clock.today(timezone),
        clock=lambda: clock.now(timezone),
        open=open_,
        rule_set=catalogues.rule_set(Path(settings.site) if settings.site else None),
        context_key=context_key,
    )


def app_url(settings: ServeSettings, url: str) -> str:
    """Where browsers reach the app; `url` is where the service listens."""
    return f"{(settings.public_url or url).rstrip('/')}{APP}"


def app_launch_url(settings: ServeSettings, url: str) -> str:
    """Where EHRs open the app, and cards link to: as set, else the app's own, else ""."""
    own = f"{app_url(settings, url)}/launch" if settings.ehrs else ""
    return settings.app_launch_url or own


def orders_url(url: str) -> str:
    """Where draft orders are posted."""
    return f"{url}/cds-services/{ORDERS.id}"
