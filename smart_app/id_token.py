"""The id_token: who the EHR says is signed in (OpenID Connect Core 1.0, 3.1.3.7).

A table of named checks, done from top to bottom; the first that does not hold refuses the token,
and a check that fails itself does not hold. Nothing of the token is believed before its signature.
"""

from __future__ import annotations

import hmac
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import msgspec
from joserfc.errors import JoseError
from joserfc.jws import CompactSignature

from ehr_access.public_keys import Key, KeySource, Signatures
from ehr_access.smart_configuration import SmartConfiguration

# algorithm -> type of its key. RS256 is required of every OpenID provider.
ALGORITHMS = {"RS256": "RSA", "RS384": "RSA", "ES384": "EC"}
SKEW = 60  # seconds that two clocks may differ
LONGEST_AGE = 600  # seconds since it was issued: it was made for this sign-in
LONGEST_SUBJECT = 255
_LONGEST = 16 * 1024


_SIGNATURES = Signatures(ALGORITHMS)


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


@dataclass(frozen=True, slots=True, repr=False)
class Case:
    """A token and what it is checked against. `claims` are proven by the signature only."""

    signed: CompactSignature
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    configuration: SmartConfiguration
    client_id: str
    nonce: str
    keys: IssuerKeys
    now: float

    @property
    def key(self) -> Key | None:
        return self.keys.find(self.configuration.jwks_uri, self.header.get("kid"))

    def time(self, claim: str) -> float | None:
        """A claim that is a NumericDate (RFC 7519, section 2); None for anything else."""
        value = self.claims.get(claim)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value if math.isfinite(value) else None


def verified(
    token: str,
    configuration: SmartConfiguration,
    client_id: str,
    nonce: str,
    keys: IssuerKeys,
    now: Callable[[], float] = time.time,
) -> Mapping[str, Any]:
    """The claims of `token`. Raises NotVerified."""
    case = _case(token, configuration, client_id, nonce, keys, now())
    for name, holds in CHECKS:
        try:
            held = holds(case) is True
        except Exception:  # whatever it is, the token was not shown to be right
            held = False
        if not held:
            raise NotVerified(name)
    return case.claims


def _case(
    token: str,
    configuration: SmartConfiguration,
    client_id: str,
    nonce: str,
    keys: IssuerKeys,
    now: float,
) -> Case:
    try:
        signed = _SIGNATURES.read(token[:_LONGEST].encode())
        claims = msgspec.json.decode(signed.payload)
    except (JoseError, ValueError, RecursionError, TypeError):
        raise NotVerified("readable") from None
    if not isinstance(claims, dict):
        raise NotVerified("readable")
    header = signed.headers()
    return Case(signed, header, claims, configuration, client_id, nonce, keys, now)


# ---------------------------------------------------------------- before any key is looked for


def _algorithm(case: Case) -> bool:
    return case.header["alg"] in ALGORITHMS


def _critical(case: Case) -> bool:
    """No extension is understood here, so none can be critical (RFC 7515, 4.1.11)."""
    return "crit" not in case.header and "b64" not in case.header


def _key_id(case: Case) -> bool:
    """It may be left out by an issuer with one key (OpenID Connect Core 1.0, 10.1), as the SMART
    launcher does."""
    said = case.header.get("kid")
    return "kid" not in case.header or (isinstance(said, str) and bool(said))


def _published(case: Case) -> bool:
    return bool(case.configuration.jwks_uri and case.configuration.issuer)


# ---------------------------------------------------------------- the signature


def _key_known(case: Case) -> bool:
    return case.key is not None


def _key_fits(case: Case) -> bool:
    return case.key is not None and _SIGNATURES.fits(case.header["alg"], case.key)


def _signature(case: Case) -> bool:
    return case.key is not None and _SIGNATURES.hold(case.signed, case.key)


# ---------------------------------------------------------------- the claims


def _issuer(case: Case) -> bool:
    """Exactly the issuer of the configuration."""
    return case.claims["iss"] == case.configuration.issuer


def _audience(case: Case) -> bool:
    """For this app; when for others too, issued to this app (3.1.3.7, 3 to 5)."""
    said = case.claims["aud"]
    named = said if isinstance(said, list) else [said]
    authorized = case.claims.get("azp", case.client_id if len(named) == 1 else None)
    return case.client_id in named and authorized == case.client_id


def _expires(case: Case) -> bool:
    expires = case.time("exp")
    return expires is not None and case.now < expires + SKEW


def _issued(case: Case) -> bool:
    issued = case.time("iat")
    return issued is not None and case.now - LONGEST_AGE <= issued <= case.now + SKEW


def _not_before(case: Case) -> bool:
    start = case.time("nbf")
    return "nbf" not in case.claims or (start is not None and start <= case.now + SKEW)


def _nonce(case: Case) -> bool:
    return bool(case.nonce) and hmac.compare_digest(case.claims["nonce"], case.nonce)


def _subject(case: Case) -> bool:
    subject = case.claims["sub"]
    return isinstance(subject, str) and 0 < len(subject) <= LONGEST_SUBJECT


CHECKS: tuple[tuple[str, Callable[[Case], bool]], ...] = (
    ("algorithm", _algorithm),
    ("critical", _critical),
    ("key-id", _key_id),
    ("published", _published),
    ("key-known", _key_known),
    ("key-fits", _key_fits),
    ("signature", _signature),
    ("issuer", _issuer),
    ("audience", _audience),
    ("expires", _expires),
    ("issued", _issued),
    ("not-before", _not_before),
    ("nonce", _nonce),
    ("subject", _subject),
)
