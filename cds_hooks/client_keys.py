"""The public keys of registered clients (CDS Hooks 2.0.1, "Trusting CDS Clients": jku, kid)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from cds_hooks.trusted_clients import SANDBOX_KEY, Client
from ehr_access import public_keys
from ehr_access.public_keys import Fetch, Key, KeySource, fetch


def read_keys(document: bytes | str, development: bool = False) -> dict[str, Key]:
    """The keys in a JWKS by their key ids, without the one whose private key is public. Raises
    NotKeys when it is no JWKS."""
    return public_keys.read_keys(document, _refused(development))


class ClientKeys:
    """The keys of all registered clients in this process. Safe to share between threads."""

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

    def find(self, client: Client, kid: str) -> Key | None:
        """The client's key of that id. Only addresses that were registered are ever fetched."""
        if client.jwks:
            return self._static[client.jwks].get(kid)
        return self._fetched[client.jku].find(kid)


def _refused(development: bool) -> tuple[str, ...]:
    return () if development else (SANDBOX_KEY,)
