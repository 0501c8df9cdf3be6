"""The database: where it is, how it is opened, its schema brought up to date, the store in it.

SQLite is the default, one file for all workers of this machine (WAL, https://sqlite.org/wal.html:
readers and a writer do not block each other). PostgreSQL is for workers on several machines.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import sys
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DisconnectionError, NoSuchModuleError, SQLAlchemyError

from cds_hooks.record.entries import SHORTEST_SECRET, KeyedHashes
from cds_hooks.record.store import Store
from vialwise import secret_file
from vialwise.terminal import CommandProblem

# ----------------------------------------------------------------------
# The database: where it is, how it is opened, and its schema brought up to date.
#
# SQLite is the default, one file for all workers of this machine (WAL,
# https://sqlite.org/wal.html: readers and a writer do not block each other). PostgreSQL is for
# workers on several machines.


FILE_NAME = "vialwise.sqlite"
_UNREACHABLE = 2  # seconds until a PostgreSQL server that says nothing is given up
_UPGRADE_WAITS = 30_000  # milliseconds, for another process that upgrades
_UPGRADING = 0x7669616C  # PostgreSQL's advisory lock of all Vialwise processes that upgrade


def data_directory() -> Path:
    """Where this user's programs keep their data (XDG Base Directory, and its like elsewhere)."""
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "vialwise"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "vialwise"
    named = os.environ.get("XDG_DATA_HOME", "")
    return (Path(named) if Path(named).is_absolute() else home / ".local" / "share") / "vialwise"


def address(named: str | None) -> sa.URL:
    """`named` as a URL: a URL itself, or a file's path for SQLite. Raises Problem."""
    named = named or str(data_directory() / FILE_NAME)
    if "://" not in named:
        return sa.URL.create("sqlite", database=str(Path(named).expanduser().absolute()))
    try:
        url = sa.make_url(named)
    except (ArgumentError, ValueError):
        raise CommandProblem(
            "--database is not an address: write sqlite:///file or postgresql://"
        ) from None
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise CommandProblem("--database is of another kind: use sqlite:///file or postgresql://")
    if url.get_backend_name() == "sqlite" and not sqlite_file(url):
        raise CommandProblem("--database names no file: write sqlite:////path/to/file")
    return url


def sqlite_file(url: sa.URL) -> Path | None:
    """The file of a SQLite address; None for another database, or one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def readable_address(url: sa.URL) -> str:
    """The address for people to read, without a password."""
    file = sqlite_file(url)
    return str(file) if file else url.render_as_string(hide_password=True)


def engine(url: sa.URL) -> sa.Engine:
    """Connections to `url`, made when needed. Raises Problem when its driver is not installed."""
    try:
        if url.get_backend_name() == "sqlite":
            return _sqlite(url)
        return _postgresql(url)
    except (NoSuchModuleError, ModuleNotFoundError):
        raise CommandProblem("PostgreSQL needs psycopg: pip install 'vialwise[postgres]'") from None


def existing_engine(named: str | None) -> sa.Engine:
    """An engine for the database at `named`, which `serve` made. Raises Problem."""
    url = address(named)
    file = sqlite_file(url)
    if file and not file.exists():
        raise CommandProblem(
            f"there is no database {file} yet: run `vialwise serve`, or use --database"
        )
    return engine(url)


def upgrade(database: sa.Engine) -> None:
    """Bring the schema up to date, one process at a time. Raises Problem for a database of a newer
    program; what SQLAlchemy raises passes through.

    No connection stays open: processes that are forked later must not share one.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with (
            database.connect().execution_options(vialwise_begin="IMMEDIATE") as connection,
            connection.begin(),
        ):
            _alone(connection)
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except CommandError:
        raise CommandProblem(
            "the database is of a newer Vialwise: use that, or another one"
        ) from None
    finally:
        database.dispose()


def kind(error: SQLAlchemyError) -> str:
    """The kind of a fault; a driver's message can repeat addresses and passwords."""
    return type(getattr(error, "orig", None) or error).__name__


def _alone(connection: sa.Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADING})")


# ---------------------------------------------------------------- SQLite


def make_private(file: Path) -> None:
    """An empty file that only this user may read, unless there is one. Raises OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _sqlite(url: sa.URL) -> sa.Engine:
    """A file that is gone is a fault, not a new and empty database: so `mode=rw`."""
    file = Path(str(url.database))
    name = f"file:{quote(str(file))}?mode=rw"
    wait = _UPGRADE_WAITS / 1000
    connect = partial(sqlite3.connect, name, wait, uri=True, check_same_thread=False)
    made = sa.create_engine(url, pool_timeout=1, creator=connect)
    sa.event.listen(made, "connect", _opened)
    sa.event.listen(made, "connect", partial(_note_file, file))
    sa.event.listen(made, "checkout", partial(_check_file, file))
    sa.event.listen(made, "begin", _begin)
    return made


def _opened(connection: Any, _record: Any) -> None:
    """Transactions are begun by `_begin`, not guessed by the driver (SQLAlchemy 2, "Serializable
    isolation / Savepoints / Transactional DDL" of the SQLite dialect)."""
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _note_file(file: Path, _connection: Any, record: Any) -> None:
    record.info["file"] = _identity(file)


def _check_file(file: Path, _connection: Any, record: Any, _proxy: Any) -> None:
    """A file that was deleted or replaced still takes what is written, and nobody finds it again:
    such a connection is opened anew."""
    if record.info.get("file") != _identity(file):
        raise DisconnectionError


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin(connection: sa.Connection) -> None:
    how = connection.get_execution_options().get("vialwise_begin", "")
    connection.exec_driver_sql(f"BEGIN {how}")


# ---------------------------------------------------------------- PostgreSQL


def _postgresql(url: sa.URL) -> sa.Engine:
    return sa.create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=1,
        connect_args={
            "connect_timeout": _UNREACHABLE,
            "tcp_user_timeout": _UNREACHABLE * 1000,
            "application_name": "vialwise",
        },
    )


# ----------------------------------------------------------------------
# The store that `serve` and `demo` run with, and what of it does not work in words.


SECRET_VARIABLE = "VIALWISE_RECORD_SECRET"


@dataclass(frozen=True, slots=True)
class Storage:
    """`trouble` says in a few words why `store` keeps nothing now; "" when it does. `secret` is
    that of its hashes, empty where it could not be had: then nothing is sealed with another."""

    store: Store
    where: str
    trouble: str = ""
    secret: bytes = field(default=b"", repr=False)


def open_storage(named: str | None, secret: bytes = b"") -> Storage:
    """The store at `named`, up to date; `secret` is that of its hashes, if one is configured.
    Raises Problem for what the user has to correct; a database that is merely away is trouble,
    because cards are answered without it."""
    url = address(named)
    connections, trouble = engine(url), ""
    keys = KeyedHashes(secrets.token_bytes(SHORTEST_SECRET))  # until the real ones are read
    known = b""
    try:
        known = _secret(url, secret)
        keys = KeyedHashes(known)
        upgrade(connections)
    except OSError as error:
        trouble = error.strerror or type(error).__name__
    except SQLAlchemyError as error:
        trouble = kind(error)
    return Storage(Store(connections, keys), readable_address(url), trouble, known)


def _secret(url: sa.URL, configured: bytes) -> bytes:
    """As configured, or from the environment; else, with SQLite, from a file of its own. Raises
    OSError, Problem."""
    configured = configured or os.environ.get(SECRET_VARIABLE, "").encode()
    if configured and len(configured) < SHORTEST_SECRET:
        raise CommandProblem(
            f"{SECRET_VARIABLE} is too short: give {SHORTEST_SECRET} characters or more"
        )
    file = sqlite_file(url)
    if file is None:
        if not configured:
            raise CommandProblem(f"PostgreSQL needs a secret for its hashes: set {SECRET_VARIABLE}")
        return configured
    make_private(file)
    return configured or secret_file.secret(secret_file.beside(file))
