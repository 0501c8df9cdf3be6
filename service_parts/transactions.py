"""One transaction of a store: whole, or not at all, and never a long wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from service_parts.store_failed import StoreFailed


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
