"""`vialwise settings`: what can be set, and what is in force."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from vialwise import database, screen, settings, settings_page, start
from vialwise.commands import options
from vialwise.problems import Problem
from vialwise.settings import ServeSettings
from vialwise.settings_reading import DEFAULT, TABLES, Read, read


@click.command("settings")
@options.config
@click.option("--markdown", is_flag=True, help="Print docs/settings.md instead.")
def show_settings(config: Path | None, markdown: bool) -> None:
    """Shows every setting of `serve`.

    Its meaning, its default and what is in force now, with secrets masked. Exit code 2 when
    something is wrong.
    """
    if markdown:
        click.echo(settings_page.markdown(), nl=False)
        return
    found = read(config, os.environ, {})
    screen.say(f"File: {found.file}" if found.file else "No file: name one with --config.")
    for name in settings.names(ServeSettings):
        _show(name, found)
    start.stop_if(start.all_problems(found, open_=False))


def _show(name: str, found: Read) -> None:
    value, origin = getattr(found.settings, name), found.origins[name]
    click.echo()
    screen.say(_value(name, value), f"{name} = ", 4, bold=True)
    screen.say(str(settings.meta(ServeSettings, name).description), "    ")
    default = settings_page.default_text(ServeSettings, name).replace("`", "")
    origin = "default" if origin == DEFAULT else f"{origin} (default: {default})"
    screen.say(f"From: {origin}", "    ")
    for n, entry in enumerate(value if name in settings.FILE_ONLY else (), 1):
        table = TABLES[name]
        said = ((key, getattr(entry, key)) for key in settings.names(table))
        text = ", ".join(f"{k} = {settings_page.shown(k, v)}" for k, v in said if v not in ("", ()))
        screen.say(text, f"    {n}. ")


def _value(name: str, value: Any) -> str:
    if name in settings.FILE_ONLY and value:
        return f"{len(value)}, see below"
    if name == "database" and value:
        return _database(value)
    return settings_page.shown(name, value)


def _database(value: str) -> str:
    """The address without its password."""
    try:
        return database.shown(database.address(value))
    except Problem:
        return settings_page.HIDDEN
