"""The used tokens that all workers share through the database (replay.py)."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from cds_hooks.tables import client_tokens_seen
from service_parts.transactions import transaction

WAIT = 250  # milliseconds for a lock: an order waits for its cards


def see(engine: sa.Engine, token: str, expires_at: datetime) -> bool:
    """Keep that `token` was used; False when it is kept already. Raises StoreFailed.

    One statement decides, so of several workers that see it at once exactly one is told True.
    """
    row = {"token": token, "expires_at": expires_at}
    with transaction(engine, WAIT) as connection:
        kept = connection.execute(_insert(engine.dialect.name), row)
        return kept.first() is not None


def forget(engine: sa.Engine, before: datetime) -> None:
    """Delete the tokens that expired before then. Raises StoreFailed."""
    with transaction(engine, WAIT) as connection:
        expired = client_tokens_seen.c.expires_at < before
        connection.execute(client_tokens_seen.delete().where(expired))


@cache
def _insert(dialect: str) -> Any:
    kind = postgresql if dialect == "postgresql" else sqlite
    insert = kind.insert(client_tokens_seen).on_conflict_do_nothing()
    return insert.returning(client_tokens_seen.c.token)
