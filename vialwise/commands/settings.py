"""`vialwise settings`: what can be set, and what is in force."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from service_parts.setting_fields import settings_of
from vialwise import database, screen
from vialwise.commands import options
from vialwise.problems import Problem
from vialwise.serving import start
from vialwise.settings import page
from vialwise.settings.models import PLACES, TABLES, Place
from vialwise.settings.reading import DEFAULT, Read, read


@click.command("settings")
@options.config
@click.option("--markdown", is_flag=True, help="Print docs/settings.md instead.")
def show_settings(config: Path | None, markdown: bool) -> None:
    """Shows every setting of `serve`.

    Its meaning, its default and what is in force now, with secrets masked. Exit code 2 when
    something is wrong.
    """
    if markdown:
        click.echo(page.markdown(), nl=False)
        return
    found = read(config, os.environ, {})
    screen.say(f"File: {found.file}" if found.file else "No file: name one with --config.")
    for place in PLACES.values():
        _show(place, found)
    start.stop_if(start.all_problems(found, open_=False))


def _show(place: Place, found: Read) -> None:
    value, origin = place.value(found.settings), found.origins[place.name]
    click.echo()
    is_wrong = place.name in found.wrong
    text = "wrong, see below" if is_wrong else _value(place, value)
    screen.say(text, f"{place.name} = ", 4, bold=True)
    screen.say(place.known.meaning, "    ")
    default = page.default_text(place.default).replace("`", "")
    origin = "default" if origin == DEFAULT else f"{origin} (default: {default})"
    screen.say(f"From: {origin}", "    ")
    for n, entry in enumerate(value if place.name in TABLES and not is_wrong else (), 1):
        settings = settings_of(TABLES[place.name]).items()
        written = [(key, known, getattr(entry, key)) for key, known in settings]
        text = ", ".join(f"{k} = {page.shown(of, v)}" for k, of, v in written if page.is_set(v))
        screen.say(text, f"    {n}. ")


def _value(place: Place, value: Any) -> str:
    if place.name in TABLES and value:
        return f"{len(value)}, see below"
    if place.name == "database" and value:
        try:
            return database.shown(database.address(value))  # without its password
        except Problem:
            return page.HIDDEN
    return page.shown(place.known, value)
