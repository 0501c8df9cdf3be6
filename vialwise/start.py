"""From settings to a service that may start, or to every reason why it may not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cds_hooks import Link, Settings
from vialwise import clock, quiet_settings, settings_checks, versions
from vialwise.problems import Problem
from vialwise.screen import plain
from vialwise.settings import ServeSettings
from vialwise.settings_reading import Read, read

APP = "/app"  # where the app is, below the service


def checked(
    config: Path | None, environ: Mapping[str, str], options: Mapping[str, Any], open_: bool
) -> ServeSettings:
    """The settings, if nothing is wrong with them. Ends the command otherwise."""
    found = read(config, environ, options)
    stop_if(all_problems(found, open_))
    return found.settings


def database_named(config: Path | None, environ: Mapping[str, str], option: str | None) -> str:
    """Where `serve` keeps cards with these settings, "" for its own file. Ends the command where
    they cannot be read."""
    found = read(config, environ, {"database": option})
    stop_if(found.problems)
    return found.settings.database


def all_problems(found: Read, open_: bool) -> list[str]:
    """What could not be read, and what of the rest does not go together."""
    return [*found.problems, *settings_checks.problems(found.settings, open_)]


def stop_if(problems: list[str]) -> None:
    """One line on standard error for each problem, and exit code 2."""
    if not problems:
        return
    for problem in problems[:-1]:
        click.echo(f"vialwise: {plain(problem)}", err=True)
    raise Problem(problems[-1])


def app_launch_url(said: ServeSettings, url: str) -> str:
    """Where EHRs open the app, and cards link to: as set, else the app's own, else ""."""
    own = f"{(said.public_url or url).rstrip('/')}{APP}/launch" if said.ehrs else ""
    return said.app_launch_url or own


def service_settings(said: ServeSettings, url: str, open_: bool, app_key: bytes = b"") -> Settings:
    """What the CDS service is told; `url` is where it listens, `app_key` seals what its cards hand
    to the app."""
    timezone = said.timezone or None
    return Settings(
        public_base_url=said.public_url or url,
        today=lambda: clock.today(timezone),
        open=open_,
        show_billing_plan=said.billing_plan,
        max_body_bytes=said.max_body_bytes,
        max_json_depth=said.max_json_depth,
        cors_origins=frozenset(said.cors_origins),
        source_label=said.source_label,
        source_url=said.source_url,
        links=tuple(Link(link.label, link.url) for link in said.links),
        quiet_days=said.quiet_days,
        keep_comments=said.keep_comments,
        rule_set=versions.rule_set(Path(said.site) if said.site else None),
        fetch_seconds=said.fetch_seconds,
        fetch_pages=said.fetch_pages,
        fhir_bases=frozenset(said.fhir_bases),
        given_days=said.given_days,
        clients=settings_checks.clients(said),
        development=said.development,
        clock=lambda: clock.now(timezone),
        quiet=quiet_settings.quiet(said),
        most_cards=said.most_cards,
        documentation_at_select=said.documentation_at_select,
        link_hosts=frozenset(said.link_hosts),
        app_launch_url=app_launch_url(said, url),
        app_key=app_key,
        operator_secret=settings_checks.operator_secret(said),
    )
