"""Every token is for one call (CDS Hooks 2.0.1, "jti"): which were used, until they expire.

Workers share them through the database. Each also remembers its own, so while the database is away
a token still cannot be used twice at the same worker, and cards are answered."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from threading import Lock
from typing import Any

import sqlalchemy as sa

from cds_hooks.record.store import Store, client_tokens_seen, insert_into
from cds_hooks.settings import ALGORITHMS, SANDBOX_KEY, Client, Clients
from ehr_access import signed_tokens
from ehr_access.signed_tokens import (
    Fetch,
    Key,
    KeySource,
    NotReadable,
    Signatures,
    SignedToken,
    TokenCase,
    fetch,
    first_failed,
)
from service_parts.database import StoreFailed, transaction
from service_parts.web import Bucket

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


# ----------------------------------------------------------------------
# From the Authorization header to the registered client that sent it (no Flask in here).
#
# CDS Hooks 2.0.1, "Trusting CDS Clients". Nothing is fetched before issuer and key address are
# known to be registered, and no claim but issuer and tenant, which choose the client, is believed
# before the signature holds (ehr_access/jwt_checks.py). Loaded only where clients are registered:
# cryptography takes its time to import.


_LONGEST = 8 * 1024  # characters of a token; web servers take no longer header line
_SIGNATURES = Signatures(ALGORITHMS)  # those that can be registered
# Checks that choose the client; the first is that there is a token at all.
FORM, ISSUER, TENANT = "form", "issuer", "tenant"
CHECKS = (
    "algorithm",
    "type",
    "critical",
    "key-id",
    "key-address",
    "key-known",
    "key-fits",
    "signature",
    "expires",
    "issued",
    "not-before",
    "lifetime",
    "audience",
    "token-id",
)
# Apart, because it marks the token as used: only when the client may call now at all.
LAST = ("first-use",)


def read_keys(document: bytes | str, development: bool = False) -> dict[str, Key]:
    """The keys in a JWKS by their key ids, without the one whose private key is public. Raises
    NotKeys when it is not a JWKS."""
    return signed_tokens.read_keys(document, _refused(development))


def _refused(development: bool) -> tuple[str, ...]:
    return () if development else (SANDBOX_KEY,)


class ClientKeys:
    """The keys of all registered clients in this process (jku, kid). Safe to share between
    threads."""

    def __init__(
        self,
        clients: Iterable[Client],
        development: bool = False,
        fetch: Fetch = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        registered = tuple(clients)
        self._static = {c.jwks: read_keys(c.jwks, development) for c in registered if c.jwks}
        self._fetched = {
            c.jku: KeySource(c.jku, _refused(development), fetch, clock)
            for c in registered
            if c.jku
        }

    def find(self, client: Client, kid: str | None) -> Key | None:
        """The client's key of that id. Only addresses that were registered are ever fetched."""
        if client.jwks:
            return self._static[client.jwks].get(kid or "")
        return self._fetched[client.jku].find(kid)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`failed` names the check that refused the token, `wait` the seconds until a client that
    called too often may call again; with neither, `client` is proven. `token` is None when it could
    not be read."""

    client: Client | None = None
    token: SignedToken | None = None
    failed: str = ""
    wait: int = 0


class Gate:
    """All that tokens are checked against, for one process. Safe to share between threads."""

    def __init__(
        self,
        clients: tuple[Client, ...],
        used: UsedTokens,
        development: bool = False,
        fetch: Fetch = fetch,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients = Clients(clients)
        self._keys = ClientKeys(clients, development, fetch, clock)
        self._buckets = {client: Bucket(client.calls_per_minute, clock) for client in clients}
        self._used = used
        self._now = now

    def verdict(self, authorization: str, audiences: frozenset[str]) -> Verdict:
        """Whether the header proves a client that may call what is named by `audiences`."""
        try:
            token = read(authorization)
        except NotReadable:
            return Verdict(failed=FORM)
        iss = token.text("iss")
        client = self._clients.find(iss, token.text("tenant"))
        if client is None:
            return Verdict(None, token, TENANT if self._clients.has_issuer(iss) else ISSUER)
        case = self._case(token, client, audiences)
        if failed := first_failed(case, CHECKS):
            return Verdict(client, token, failed)
        bucket = self._buckets[client]
        if wait := bucket.wait():
            return Verdict(client, token, wait=wait)
        failed = first_failed(case, LAST)
        if not failed:
            bucket.take()
        return Verdict(client, token, failed)

    def _case(self, token: SignedToken, client: Client, audiences: frozenset[str]) -> TokenCase:
        """An audience is the exact address that was called, or what was registered. With keys at
        hand no address in the header is looked at."""
        return TokenCase(
            token=token,
            now=self._now(),
            signatures=_SIGNATURES,
            algorithms=client.algorithms & ALGORITHMS.keys(),
            find_key=lambda kid: self._keys.find(client, kid),
            key_address=None if client.jwks else client.jku,
            audiences=audiences | client.audiences,
            longest_life=client.longest_life,
            first_use=lambda jti, until: self._used.first_use(client.iss, jti, until),
        )


def read(authorization: str) -> SignedToken:
    """The token of a Bearer header (RFC 6750, section 2.1). Raises NotReadable."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer" or len(text) > _LONGEST:
        raise NotReadable
    return _SIGNATURES.read(text.strip(" "), _LONGEST)
