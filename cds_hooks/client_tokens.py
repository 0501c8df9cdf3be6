"""From the Authorization header to the registered client that sent it (no Flask in here).

Loaded only where clients are registered: cryptography takes its time to import.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from cds_hooks.client_keys import ClientKeys
from cds_hooks.replay import SeenTokens
from cds_hooks.token_checks import CHECKS, LAST, SIGNATURES, Case, Token, first_failed
from cds_hooks.trusted_clients import Client, Clients
from ehr_access.public_keys import Fetch, fetch
from service_parts.rate_limit import Bucket

FORM = "form"  # the check that is done by reading; the others stand in token_checks.py
_LONGEST = 8 * 1024  # bytes of a token; web servers take no longer header line


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
        seen: SeenTokens,
        development: bool = False,
        fetch: Fetch = fetch,
        now: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients = Clients(clients)
        self._keys = ClientKeys(clients, development, fetch, clock)
        self._buckets = {client: Bucket(client.calls_per_minute, clock) for client in clients}
        self._seen = seen
        self._now = now

    def verdict(self, authorization: str, audiences: frozenset[str]) -> Verdict:
        """Whether the header proves a client that may call what is named by `audiences`."""
        try:
            token = read(authorization)
        except Exception:  # whatever it is, this is no token
            return Verdict(failed=FORM)
        case = self._case(token, audiences)
        failed = first_failed(CHECKS, case)
        if failed or case.client is None:
            return Verdict(case.client, token, failed or FORM)
        bucket = self._buckets[case.client]
        wait = bucket.wait()
        if wait:
            return Verdict(case.client, token, wait=wait)
        failed = first_failed(LAST, case)
        if not failed:
            bucket.take()
        return Verdict(case.client, token, failed)

    def _case(self, token: Token, audiences: frozenset[str]) -> Case:
        iss = token.text("iss")
        return Case(
            token=token,
            client=self._clients.find(iss, token.text("tenant")),
            issuer_known=self._clients.has_issuer(iss),
            audiences=audiences,
            keys=self._keys,
            seen=self._seen,
            now=self._now(),
        )


def read(authorization: str) -> Token:
    """The token of a Bearer header (RFC 6750, section 2.1). Raises anything for what is none."""
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer" or len(text) > _LONGEST:
        raise ValueError("no bearer token")
    signed = SIGNATURES.read(text.strip(" ").encode("ascii"))
    header = signed.headers()
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    claims = msgspec.json.decode(signed.payload, type=dict)
    return Token(signed, header, claims)
