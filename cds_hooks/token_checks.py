"""What a client's token has to satisfy: a table of named checks, done from top to bottom.

CDS Hooks 2.0.1, "Trusting CDS Clients"; RFC 7519; RFC 8725 (best practices). The first check that
does not hold refuses the token; a check that fails itself does not hold. Nothing is fetched before
issuer and key address are known to be registered, and no claim but issuer and tenant, which choose
the client, is believed before the signature holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from joserfc.jws import CompactSignature

from cds_hooks.client_keys import ClientKeys
from cds_hooks.replay import SeenTokens
from cds_hooks.trusted_clients import ALGORITHMS, Client
from ehr_access.public_keys import Key, Signatures

SKEW = 60  # seconds that two clocks may differ
LONGEST_ID = 255  # characters of a jti
_LONGEST_KID = 512
_BEYOND_ANY_TIME = 1e11  # seconds since 1970; the year 5138


SIGNATURES = Signatures(ALGORITHMS)  # those that can be registered


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A token as it was sent; nothing of it is proven. Never logged."""

    signed: CompactSignature
    header: Mapping[str, Any]
    claims: Mapping[str, Any]

    def text(self, claim: str) -> str:
        """A claim that is a string; "" for any other."""
        value = self.claims.get(claim)
        return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Case:
    """A token, whom it says it is from, and what it is checked against.

    `client` is None for an issuer, or a tenant, that is not registered.
    """

    token: Token
    client: Client | None
    issuer_known: bool
    audiences: frozenset[str]
    keys: ClientKeys
    seen: SeenTokens
    now: float

    @property
    def registered(self) -> Client:
        if self.client is None:
            raise LookupError("no client")
        return self.client

    @property
    def header(self) -> Mapping[str, Any]:
        return self.token.header

    @cached_property
    def key(self) -> Key | None:
        """The client's key that the token names; this may fetch its keys."""
        return self.keys.find(self.registered, self.header["kid"])

    def time(self, claim: str) -> float | None:
        """A claim that is a NumericDate (RFC 7519, section 2); None for anything else."""
        value = self.token.claims.get(claim)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value if math.isfinite(value) and 0 <= value < _BEYOND_ANY_TIME else None


@dataclass(frozen=True, slots=True)
class Check:
    """`name` stands in our log, and nowhere else, when `holds` is not true."""

    name: str
    holds: Callable[[Case], bool]


def first_failed(checks: tuple[Check, ...], case: Case) -> str:
    """The name of the first check that does not hold; "" when all do."""
    return next((check.name for check in checks if not _holds(check, case)), "")


def _holds(check: Check, case: Case) -> bool:
    try:
        return check.holds(case) is True
    except Exception:  # whatever it is, the token was not shown to be right
        return False


# ---------------------------------------------------------------- before any key is looked for


def _issuer(case: Case) -> bool:
    return case.issuer_known


def _tenant(case: Case) -> bool:
    """A tenant is checked where one is registered (3.0.0-ballot, "tenant")."""
    return case.client is not None


def _algorithm(case: Case) -> bool:
    alg = case.header["alg"]
    return alg in ALGORITHMS and alg in case.registered.algorithms


def _type(case: Case) -> bool:
    """A JWT for another purpose says so (RFC 8725, 3.11); one that says nothing is let pass."""
    kind = case.header.get("typ", "JWT")
    return isinstance(kind, str) and kind.upper() == "JWT"


def _critical(case: Case) -> bool:
    """No extension is understood here, so none can be critical (RFC 7515, 4.1.11)."""
    return "crit" not in case.header and "b64" not in case.header


def _key_id(case: Case) -> bool:
    kid = case.header["kid"]
    return isinstance(kid, str) and 0 < len(kid) <= _LONGEST_KID


def _key_address(case: Case) -> bool:
    """The address is the registered one or absent; with keys at hand it is not looked at."""
    client = case.registered
    return bool(client.jwks) or case.header.get("jku", client.jku) == client.jku


# ---------------------------------------------------------------- the signature


def _key_known(case: Case) -> bool:
    return case.key is not None


def _key_fits(case: Case) -> bool:
    return case.key is not None and SIGNATURES.fits(case.header["alg"], case.key)


def _signature(case: Case) -> bool:
    return case.key is not None and SIGNATURES.hold(case.token.signed, case.key)


# ---------------------------------------------------------------- the claims


def _expires(case: Case) -> bool:
    expires = case.time("exp")
    return expires is not None and case.now < expires + SKEW


def _issued(case: Case) -> bool:
    issued = case.time("iat")
    return issued is not None and issued <= case.now + SKEW


def _not_before(case: Case) -> bool:
    start = case.time("nbf")
    return "nbf" not in case.token.claims or (start is not None and start <= case.now + SKEW)


def _lifetime(case: Case) -> bool:
    expires, issued = case.time("exp"), case.time("iat")
    if expires is None or issued is None:
        return False
    return 0 < expires - issued <= case.registered.longest_life


def _audience(case: Case) -> bool:
    """The exact address that was called, or what was registered (RFC 7519, 4.1.3)."""
    said = case.token.claims["aud"]
    named = said if isinstance(said, list) else [said]
    accepted = case.audiences | case.registered.audiences
    return all(isinstance(one, str) for one in named) and bool(accepted & set(named))


def _token_id(case: Case) -> bool:
    return 0 < len(case.token.text("jti").strip()) <= LONGEST_ID


def _first_use(case: Case) -> bool:
    expires = case.time("exp")
    if expires is None:
        return False
    iss, jti = case.registered.iss, case.token.text("jti")
    return case.seen.first_use(iss, jti, expires + SKEW)


CHECKS = (
    Check("issuer", _issuer),
    Check("tenant", _tenant),
    Check("algorithm", _algorithm),
    Check("type", _type),
    Check("critical", _critical),
    Check("key-id", _key_id),
    Check("key-address", _key_address),
    Check("key-known", _key_known),
    Check("key-fits", _key_fits),
    Check("signature", _signature),
    Check("expires", _expires),
    Check("issued", _issued),
    Check("not-before", _not_before),
    Check("lifetime", _lifetime),
    Check("audience", _audience),
    Check("token-id", _token_id),
)
# Apart, because it marks the token as used: only when the client may call now at all.
LAST = (Check("first-use", _first_use),)
