"""Databases that can be taken away and brought back: a SQLite file, and a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from tests import postgres

_PARTS = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Database:
    """`take_away` and `bring_back` do to it what an outage does."""

    name: str
    url: str
    gone: str
    take_away: Callable[[], None]
    bring_back: Callable[[], None]


@contextmanager
def sqlite(folder: Path) -> Iterator[Database]:
    """A file that is moved away under the running service, with its log of changes."""
    file, elsewhere = folder / "vialwise.sqlite", folder / "elsewhere"
    elsewhere.mkdir()
    yield Database(
        "SQLite",
        str(file),
        "its file is moved away",
        lambda: _move(file.parent, elsewhere, file.name),
        lambda: _move(elsewhere, file.parent, file.name),
    )


@contextmanager
def postgresql(folder: Path) -> Iterator[Database]:
    with postgres.started(_programs()) as server:
        yield Database("PostgreSQL", server.url, "it is stopped", server.stop, server.start)


Kind = Callable[[Path], AbstractContextManager[Database]]


def installed() -> dict[str, Kind]:
    """Each kind of database there is here."""
    kinds: dict[str, Kind] = {"SQLite": sqlite}
    if postgres.programs():
        return {**kinds, "PostgreSQL": postgresql}
    click.echo("PostgreSQL is not installed (Debian: postgresql): its steps are left out")
    return kinds


def _programs() -> Path:
    found = postgres.programs()
    assert found is not None
    return found


def _move(here: Path, there: Path, name: str) -> None:
    for part in _PARTS:
        file = here / f"{name}{part}"
        if file.exists():
            file.rename(there / file.name)
