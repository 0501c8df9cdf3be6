"""`vialwise settings`: what can be set, and what is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from pydantic.fields import FieldInfo

from service_parts.setting_fields import settings_of
from vialwise import database, terminal
from vialwise.commands import options
from vialwise.serving import service
from vialwise.settings import page
from vialwise.settings.models import SETTINGS, TABLES
from vialwise.settings.reading import DEFAULT, Read, read
from vialwise.terminal import CommandProblem


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
    found = read(config, {})
    terminal.say(f"File: {found.file}" if found.file else "No file: name one with --config.")
    for name, field in SETTINGS.items():
        _show(name, field, found)
    service.stop_if(service.all_problems(found, open_=False))


def _show(name: str, field: FieldInfo, found: Read) -> None:
    value, origin, is_wrong = (
        getattr(found.settings, name),
        found.origins[name],
        name in found.wrong,
    )
    click.echo()
    terminal.say(
        "wrong, see below" if is_wrong else _value(name, value), f"{name} = ", 4, bold=True
    )
    terminal.say(field.description or "", "    ")
    default = page.default_text(field).replace("`", "")
    origin = "default" if origin == DEFAULT else f"{origin} (default: {default})"
    terminal.say(f"From: {origin}", "    ")
    for n, entry in enumerate(value if name in TABLES and not is_wrong else (), 1):
        written = [(k, of, getattr(entry, k)) for k, of in settings_of(TABLES[name]).items()]
        text = ", ".join(f"{k} = {page.shown(of, v)}" for k, of, v in written if page.is_set(v))
        terminal.say(text, f"    {n}. ")


def _value(name: str, value: Any) -> str:
    if name in TABLES and value:
        return f"{len(value)}, see below"
    if name == "database" and value:
        try:
            return database.readable_address(database.address(value))  # without its password
        except CommandProblem:
            return page.HIDDEN
    return page.shown(SETTINGS[name], value)
