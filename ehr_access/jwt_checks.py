"""What a signed token (JWT) has to satisfy: named checks, done in the order a caller names them.

RFC 7519; RFC 7515; RFC 8725 (best practices); OpenID Connect Core 1.0, 3.1.3.7; CDS Hooks 2.0.1,
"Trusting CDS Clients". The first check that does not hold refuses the token. They fail closed: a
check that raises, whose expected value was left out, or that has no such name, does not hold.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jws import CompactSignature, JWSRegistry

from ehr_access.public_keys import Key

SKEW = 60  # seconds that two clocks may differ
LONGEST_ID = 255  # characters of a jti or a sub
_LONGEST_KID = 512
_BEYOND_ANY_TIME = 1e11  # seconds since 1970; the year 5138


class NotReadable(ValueError):
    """What is not a signed token with a header and claims."""


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

    def time(self, claim: str) -> float | None:
        """A claim that is a NumericDate (RFC 7519, section 2); None for anything else."""
        value = self.claims.get(claim)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return value if math.isfinite(value) and 0 <= value < _BEYOND_ANY_TIME else None


class _Registry(JWSRegistry):
    """Longer headers and contents than joserfc expects: EHRs send certificate chains along, which
    are not looked at."""

    max_header_length = 6 * 1024
    max_payload_length = 8 * 1024
    max_signature_length = 2 * 1024


class Signatures:
    """Signed tokens, with `algorithms` and no others: each name with the type of its keys."""

    def __init__(self, algorithms: Mapping[str, str]) -> None:
        self._algorithms = algorithms
        self._registry = _Registry(algorithms=list(algorithms), strict_check_header=False)

    def read(self, text: str, longest: int) -> Token:
        """A token of at most `longest` characters in its parts. Raises NotReadable."""
        if len(text) > longest:
            raise NotReadable
        try:
            signed = jws.extract_compact(text.encode("ascii"), registry=self._registry)
            header, claims = signed.headers(), msgspec.json.decode(signed.payload)
        except (JoseError, ValueError, TypeError, RecursionError):
            raise NotReadable from None
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise NotReadable
        return Token(signed, header, claims)

    def fits(self, algorithm: str, key: Key) -> bool:
        """Whether the algorithm is used with its own type of key and curve (RFC 8725, 3.1). What
        does not fit is False or raises."""
        if key.key_type != self._algorithms[algorithm]:
            return False
        key.check_alg(algorithm)
        self._registry.get_alg(algorithm).check_key(key)
        return True

    def hold(self, token: CompactSignature, key: Key) -> bool:
        """Whether that key signed it."""
        try:
            return jws.validate_compact(token, key, registry=self._registry) is True
        except JoseError:
            return False


@dataclass(frozen=True, repr=False, kw_only=True)
class Case:
    """A token and what it is held against at `now` (seconds since 1970).

    `find_key` gives the signer's key of an id (None: the only one there is); it may fetch.
    `key_address` is the only address a header may name (jku); None where no address is looked at.
    `party` is the client an id_token was issued to (azp). `longest_life` bounds exp - iat and
    `longest_age` the time since iat, in seconds. `first_use` marks a jti as used until a time, and
    says whether that was its first use. What is left out refuses where a check needs it.
    """

    token: Token
    now: float
    signatures: Signatures
    algorithms: Collection[str]
    find_key: Callable[[str | None], Key | None]
    key_id_optional: bool = False
    key_address: str | None = None
    issuer: str = ""
    audiences: frozenset[str] = frozenset()
    party: str = ""
    nonce: str = ""
    longest_life: float = 0
    longest_age: float = math.inf
    first_use: Callable[[str, float], bool] | None = None

    @cached_property
    def key(self) -> Key:
        """The key that the token names. Raises LookupError where there is none."""
        key = self.find_key(self.token.header.get("kid"))
        if key is None:
            raise LookupError("no key")
        return key


def first_failed(case: Case, checks: Sequence[str]) -> str:
    """The first of `checks` that does not hold; "" when all do."""
    return next((name for name in checks if not _holds(name, case)), "")


def _holds(name: str, case: Case) -> bool:
    try:
        return _CHECKS[name](case) is True
    except Exception:  # whatever it is, the token was not shown to be right
        return False


# ---------------------------------------------------------------- before any key is looked for


def _algorithm(case: Case) -> bool:
    return case.token.header["alg"] in case.algorithms


def _type(case: Case) -> bool:
    """A JWT for another purpose says so (RFC 8725, 3.11); one that says nothing is let pass."""
    kind = case.token.header.get("typ", "JWT")
    return isinstance(kind, str) and kind.upper() == "JWT"


def _critical(case: Case) -> bool:
    """No extension is understood here, so none can be critical (RFC 7515, 4.1.11)."""
    return "crit" not in case.token.header and "b64" not in case.token.header


def _key_id(case: Case) -> bool:
    if case.key_id_optional and "kid" not in case.token.header:
        return True
    kid = case.token.header["kid"]
    return isinstance(kid, str) and 0 < len(kid) <= _LONGEST_KID


def _key_address(case: Case) -> bool:
    if case.key_address is None:
        return True
    return bool(case.token.header.get("jku", case.key_address) == case.key_address)


# ---------------------------------------------------------------- the claims


def _issuer(case: Case) -> bool:
    """Exactly the expected one."""
    return bool(case.issuer) and case.token.text("iss") == case.issuer


def _audience(case: Case) -> bool:
    """One of those expected (RFC 7519, 4.1.3). An id_token for others too was issued to this
    client (OpenID Connect Core 1.0, 3.1.3.7, 3 to 5)."""
    claim = case.token.claims["aud"]
    named = claim if isinstance(claim, list) else [claim]
    if not all(isinstance(one, str) for one in named) or not case.audiences & set(named):
        return False
    alone = case.party if len(named) == 1 else None
    return not case.party or bool(case.token.claims.get("azp", alone) == case.party)


def _expires(case: Case) -> bool:
    expires = case.token.time("exp")
    return expires is not None and case.now < expires + SKEW


def _issued(case: Case) -> bool:
    issued = case.token.time("iat")
    return issued is not None and case.now - case.longest_age <= issued <= case.now + SKEW


def _not_before(case: Case) -> bool:
    start = case.token.time("nbf")
    return "nbf" not in case.token.claims or (start is not None and start <= case.now + SKEW)


def _lifetime(case: Case) -> bool:
    expires, issued = case.token.time("exp"), case.token.time("iat")
    if expires is None or issued is None:
        return False
    return 0 < expires - issued <= case.longest_life


def _nonce(case: Case) -> bool:
    return bool(case.nonce) and hmac.compare_digest(case.token.claims["nonce"], case.nonce)


def _first_use(case: Case) -> bool:
    """Marks the token as used, so it comes last: when everything else holds."""
    expires = case.token.time("exp")
    if expires is None or case.first_use is None:
        return False
    return case.first_use(case.token.text("jti"), expires + SKEW)


_CHECKS: Mapping[str, Callable[[Case], bool]] = {
    "algorithm": _algorithm,
    "type": _type,
    "critical": _critical,
    "key-id": _key_id,
    "key-address": _key_address,
    "key-known": lambda case: case.key is not None,
    "key-fits": lambda case: case.signatures.fits(case.token.header["alg"], case.key),
    "signature": lambda case: case.signatures.hold(case.token.signed, case.key),
    "issuer": _issuer,
    "audience": _audience,
    "expires": _expires,
    "issued": _issued,
    "not-before": _not_before,
    "lifetime": _lifetime,
    "nonce": _nonce,
    "subject": lambda case: 0 < len(case.token.text("sub")) <= LONGEST_ID,
    "token-id": lambda case: 0 < len(case.token.text("jti").strip()) <= LONGEST_ID,
    "first-use": _first_use,
}
