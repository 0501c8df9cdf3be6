"""From the Authorization header to the registered client that sent it (no Flask in here).

CDS Hooks 2.0.1, "Trusting CDS Clients". Nothing is fetched before issuer and key address are known
to be registered, and no claim but issuer and tenant, which choose the client, is believed before
the signature holds (ehr_access/jwt_checks.py). Loaded only where clients are registered:
cryptography takes its time to import.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cds_hooks.auth.used_tokens import UsedTokens
from cds_hooks.trusted_clients import ALGORITHMS, SANDBOX_KEY, Client, Clients
from ehr_access import public_keys
from ehr_access.jwt_checks import Case, NotReadable, Signatures, Token, first_failed
from ehr_access.public_keys import Fetch, Key, KeySource, fetch
from service_parts.web import Bucket

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
    return public_keys.read_keys(document, _refused(development))


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
    token: Token | None = None
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

    def _case(self, token: Token, client: Client, audiences: frozenset[str]) -> Case:
        """An audience is the exact address that was called, or what was registered. With keys at
        hand no address in the header is looked at."""
        return Case(
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


def read(authorization: str) -> Token:
    """The token of a Bearer header (RFC 6750, section 2.1). Raises NotReadable."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer" or len(text) > _LONGEST:
        raise NotReadable
    return _SIGNATURES.read(text.strip(" "), _LONGEST)
