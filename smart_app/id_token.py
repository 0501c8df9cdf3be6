"""The id_token: who the EHR says is signed in (OpenID Connect Core 1.0, 3.1.3.7).

Nothing of the token is believed before its signature (ehr_access/jwt_checks.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from ehr_access.jwt_checks import Case, NotReadable, Signatures, first_failed
from ehr_access.public_keys import Key, KeySource
from ehr_access.smart_configuration import SmartConfiguration

# algorithm -> type of its key. RS256 is required of every OpenID provider.
ALGORITHMS = {"RS256": "RSA", "RS384": "RSA", "ES384": "EC"}
LONGEST_AGE = 600  # seconds since it was issued: it was made for this sign-in
_LONGEST = 16 * 1024  # characters of a token
_SIGNATURES = Signatures(ALGORITHMS)
CHECKS = (
    "algorithm",
    "critical",
    "key-id",
    "key-known",
    "key-fits",
    "signature",
    "issuer",
    "audience",
    "expires",
    "issued",
    "not-before",
    "nonce",
    "subject",
)


class IssuerKeys:
    """The keys with which EHRs sign id_tokens, by their address. Safe to share between threads."""

    def __init__(self, source: Callable[[str], KeySource] = KeySource) -> None:
        self._source = source
        self._guard = Lock()
        self._sources: dict[str, KeySource] = {}

    def find(self, address: str, kid: str | None) -> Key | None:
        with self._guard:
            source = self._sources.setdefault(address, self._source(address))
        return source.find(kid)


class NotVerified(Exception):
    """The id_token proves nothing. `check` is the name of the check that did not hold."""

    def __init__(self, check: str) -> None:
        super().__init__(check)
        self.check = check


def verified(
    token: str,
    configuration: SmartConfiguration,
    client_id: str,
    nonce: str,
    keys: IssuerKeys,
    now: Callable[[], float] = time.time,
) -> Mapping[str, Any]:
    """The claims of `token`. Raises NotVerified."""
    try:
        read = _SIGNATURES.read(token, _LONGEST)
    except NotReadable:
        raise NotVerified("readable") from None
    if not (configuration.jwks_uri and configuration.issuer):
        raise NotVerified("published")
    case = Case(
        token=read,
        now=now(),
        signatures=_SIGNATURES,
        algorithms=ALGORITHMS,
        find_key=lambda kid: keys.find(configuration.jwks_uri, kid),
        # An issuer with one key need not name it (OpenID Connect Core 1.0, 10.1), as the SMART
        # launcher does not.
        key_id_optional=True,
        issuer=configuration.issuer,
        audiences=frozenset({client_id}),
        party=client_id,
        nonce=nonce,
        longest_age=LONGEST_AGE,
    )
    failed = first_failed(case, CHECKS)
    if failed:
        raise NotVerified(failed)
    return read.claims
