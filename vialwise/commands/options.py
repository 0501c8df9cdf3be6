"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

site = click.option(
    "--site",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The clinic's own file: stock, prices, values of its own.",
)
on = click.option("--on", "on", metavar="DATE", help="The date of service, as YYYY-MM-DD.")
config = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file with the settings (TOML). Otherwise the one in VIALWISE_CONFIG, if any.",
)
database = click.option(
    "--database",
    "database_url",
    envvar="VIALWISE_DATABASE",
    metavar="URL",
    help="Where shown cards and feedback are kept: a file for SQLite, or a postgresql:// address. "
    "Otherwise as the settings say, else a file of this user.",
)
