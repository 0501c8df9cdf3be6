"""Every token is for one call (CDS Hooks 2.0.1, "jti"): who saw which, until it expires.

Workers share what they saw through the database. Each also remembers its own, so while the
database is away a token still cannot be used twice at the same worker, and cards are answered.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING

from service_parts.store_failed import StoreFailed

if TYPE_CHECKING:  # a service without a store starts without SQLAlchemy
    from cds_hooks.store import Store

log = logging.getLogger("cds_hooks")

_CLEAN_EVERY = 60.0  # seconds


class SeenTokens:
    """Tokens seen by this process and, with a store, by every process that shares it."""

    def __init__(self, store: Store | None = None, now: Callable[[], float] = time.time) -> None:
        self._shared = _Shared(store) if store is not None else None
        self._now = now
        self._lock = Lock()
        self._until: dict[str, float] = {}
        self._clean_at = now() + _CLEAN_EVERY

    def first_use(self, iss: str, jti: str, until: float) -> bool:
        """Whether this is the token's first use; afterwards it is seen, until `until`."""
        token = digest(iss, jti)
        if self._clean_is_due():
            self._clean()
        with self._lock:
            if token in self._until:
                return False
            self._until[token] = until
        return self._shared is None or self._shared.first_use(token, until)

    def _clean_is_due(self) -> bool:
        with self._lock:
            due = self._now() >= self._clean_at
            if due:
                self._clean_at = self._now() + _CLEAN_EVERY
            return due

    def _clean(self) -> None:
        now = self._now()
        with self._lock:
            self._until = {token: until for token, until in self._until.items() if until > now}
        if self._shared is not None:
            self._shared.forget(now)


class _Shared:
    """Those in the database. While it cannot say, every use counts as the first."""

    def __init__(self, store: Store) -> None:
        from cds_hooks import shared_tokens  # SQLAlchemy, only where there is a store

        self._tokens = shared_tokens
        self._store = store

    def first_use(self, token: str, until: float) -> bool:
        seen = self._tried(lambda: self._tokens.see(self._store.engine, token, _time(until)))
        return seen is not False

    def forget(self, before: float) -> None:
        self._tried(lambda: self._tokens.forget(self._store.engine, _time(before)))

    def _tried(self, do: Callable[[], bool | None]) -> bool | None:
        """What `do` answers; None when the database fails, or failed a moment ago."""
        rest = self._store.rest
        if not rest.over:
            log.error("security: used tokens are not shared: the database failed a moment ago")
            return None
        try:
            with rest.after_failure():
                return do()
        except StoreFailed as error:
            log.error("security: used tokens are not shared: %s", error.kind)
            return None


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def digest(iss: str, jti: str) -> str:
    """One text of fixed length for an issuer's jti, whatever they hold."""
    return hashlib.sha256(f"{len(iss)}:{iss}{jti}".encode("utf-8", "replace")).hexdigest()
