"""A database as both services use it: one transaction, moments in UTC, and that it failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import TypeDecorator

HASH = String(64)  # a SHA-256 in hexadecimal


class StoreFailed(Exception):
    """The database did not do it, and nothing is half-written. `kind` names the fault alone."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@contextmanager
def transaction(engine: sa.Engine, wait: int) -> Iterator[sa.Connection]:
    """Commits at the end of the block. Waits `wait` milliseconds for a lock. Raises StoreFailed
    with the kind of fault alone: a driver's message repeats what was written."""
    try:
        with engine.begin() as connection:
            _wait_at_most(connection, wait)
            yield connection
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None)
        raise StoreFailed(type(cause or error).__name__) from None


def _wait_at_most(connection: sa.Connection, milliseconds: int) -> None:
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {milliseconds}")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {2 * milliseconds}")
    else:
        connection.exec_driver_sql(f"PRAGMA busy_timeout = {milliseconds}")


class UtcTime(TypeDecorator[datetime]):
    """An aware time in UTC, kept without its zone: SQLite has none to keep."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)
