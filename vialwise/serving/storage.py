"""The store that `serve` and `demo` run with, and what of it does not work in words."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from cds_hooks.record.keyed_hashes import SHORTEST_SECRET, KeyedHashes
from cds_hooks.record.store import Store
from vialwise import database, secret_file
from vialwise.problems import Problem

SECRET_VARIABLE = "VIALWISE_RECORD_SECRET"


@dataclass(frozen=True, slots=True)
class Opened:
    """`trouble` says in a few words why `store` keeps nothing now; "" when it does. `secret` is
    that of its hashes, empty where it could not be had: then nothing is sealed with another."""

    store: Store
    where: str
    trouble: str = ""
    secret: bytes = field(default=b"", repr=False)


def opened(named: str | None, secret: bytes = b"") -> Opened:
    """The store at `named`, up to date; `secret` is that of its hashes, if one is configured.
    Raises Problem for what the user has to correct; a database that is merely away is trouble,
    because cards are answered without it."""
    url = database.address(named)
    connections, trouble = database.engine(url), ""
    keys = KeyedHashes(secrets.token_bytes(SHORTEST_SECRET))  # until the real ones are read
    known = b""
    try:
        known = _secret(url, secret)
        keys = KeyedHashes(known)
        database.upgrade(connections)
    except OSError as error:
        trouble = error.strerror or type(error).__name__
    except SQLAlchemyError as error:
        trouble = database.kind(error)
    return Opened(Store(connections, keys), database.shown(url), trouble, known)


def _secret(url: sa.URL, configured: bytes) -> bytes:
    """As configured, or from the environment; else, with SQLite, from a file of its own. Raises
    OSError, Problem."""
    configured = configured or os.environ.get(SECRET_VARIABLE, "").encode()
    if configured and len(configured) < SHORTEST_SECRET:
        raise Problem(f"{SECRET_VARIABLE} is too short: give {SHORTEST_SECRET} characters or more")
    file = database.sqlite_file(url)
    if file is None:
        if not configured:
            raise Problem(f"PostgreSQL needs a secret for its hashes: set {SECRET_VARIABLE}")
        return configured
    database.make_private(file)
    return configured or secret_file.secret(secret_file.beside(file))
