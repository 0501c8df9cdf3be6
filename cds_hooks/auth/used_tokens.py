"""Every token is for one call (CDS Hooks 2.0.1, "jti"): which were used, until they expire.

Workers share them through the database. Each also remembers its own, so while the database is away
a token still cannot be used twice at the same worker, and cards are answered.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any

import sqlalchemy as sa

from cds_hooks.record.schema import client_tokens_seen, insert_into
from cds_hooks.record.store import Store
from service_parts.database import StoreFailed, transaction

log = logging.getLogger("cds_hooks")

_WAIT = 250  # milliseconds for a lock: an order waits for its cards
_CLEAN_EVERY = 60.0  # seconds


class UsedTokens:
    """Tokens used at this process and at every process that shares `store`."""

    def __init__(self, store: Store, now: Callable[[], float] = time.time) -> None:
        self._store = store
        self._now = now
        self._lock = Lock()
        self._until: dict[str, float] = {}
        self._clean_at = now() + _CLEAN_EVERY

    def first_use(self, iss: str, jti: str, until: float) -> bool:
        """Whether this is the token's first use; afterwards it is used, until `until` (seconds
        since 1970). While the database cannot say, it decides by what this process remembers."""
        token = digest(iss, jti)
        self._forget_expired()
        with self._lock:
            if token in self._until:
                return False
            self._until[token] = until
        return self._tried(lambda engine: use(engine, token, _time(until))) is not False

    def _forget_expired(self) -> None:
        now = self._now()
        with self._lock:
            if now < self._clean_at:
                return
            self._clean_at = now + _CLEAN_EVERY
            self._until = {token: until for token, until in self._until.items() if until > now}
        self._tried(lambda engine: forget(engine, _time(now)))

    def _tried(self, do: Callable[[sa.Engine], bool | None]) -> bool | None:
        """What `do` answers; None when the database fails, or failed a moment ago."""
        backoff = self._store.backoff
        if not backoff.over:
            log.error("security: used tokens are not shared: the database failed a moment ago")
            return None
        try:
            with backoff.after_failure():
                return do(self._store.engine)
        except StoreFailed as error:
            log.error("security: used tokens are not shared: %s", error.kind)
            return None


def use(engine: sa.Engine, token: str, expires_at: datetime) -> bool:
    """Keep that `token` was used; False when it is kept already. Raises StoreFailed.

    One statement decides, so of several workers that use it at once exactly one gets True.
    """
    row = {"token": token, "expires_at": expires_at}
    with transaction(engine, _WAIT) as connection:
        return connection.execute(_insert(engine.dialect.name), row).first() is not None


def forget(engine: sa.Engine, before: datetime) -> None:
    """Delete the tokens that expired before then. Raises StoreFailed."""
    with transaction(engine, _WAIT) as connection:
        expired = client_tokens_seen.c.expires_at < before
        connection.execute(client_tokens_seen.delete().where(expired))


@cache
def _insert(dialect: str) -> Any:
    insert = insert_into(client_tokens_seen, dialect).on_conflict_do_nothing()
    return insert.returning(client_tokens_seen.c.token)


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def digest(iss: str, jti: str) -> str:
    """One text of fixed length for an issuer's jti, whatever they hold."""
    return hashlib.sha256(f"{len(iss)}:{iss}{jti}".encode("utf-8", "replace")).hexdigest()
