"""Signed tokens (JWT): the public keys of those who sign, fetched and kept, and what a token has to
satisfy."""

from __future__ import annotations

import hmac
import logging
import math
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import msgspec
import requests
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key
from joserfc.jws import CompactSignature, JWSRegistry
from urllib3.exceptions import HTTPError

from billing_rules.model.states import Unknown
from ehr_access.limits import TOO_LARGE, Deadline, all_of
from ehr_access.transport import read_body

# ----------------------------------------------------------------------
# Public keys that somebody else publishes as a JWKS: read, fetched, kept for an hour at most.
#
# RFC 7517. Keys are parsed once and then kept, because parsing costs more than verifying. Whoever
# rotates keys is noticed by a key id that is not known yet; then they are fetched again, but not
# more than once a minute, so that invented key ids cannot make this program call anybody.


log = logging.getLogger("ehr_access")

Key = RSAKey | ECKey
Keys = Mapping[str, Key]

SECONDS = 3.0  # for one fetch, whatever the server does
MOST_BYTES = 256 * 1024
MOST_KEYS = 100
LONGEST_KEPT = 3600.0
KEPT_UNASKED = 600.0  # where the answer has no Cache-Control
AGAIN_AFTER = 60.0  # seconds between two fetches from one address
AGAIN_AFTER_FAILURE = 10.0
_RSA_BITS = range(2048, 8193)


class NotKeys(ValueError):
    """What is not a JWKS, or could not be fetched. The message says why in fixed words."""


# ---------------------------------------------------------------- reading


def read_keys(document: bytes | str, refused: Collection[str] = ()) -> dict[str, Key]:
    """The keys in a JWKS by their key ids; a key that cannot be used is passed over, and so is one
    whose `x` is refused.

    Raises NotKeys when it is not a JWKS.
    """
    try:
        content = msgspec.json.decode(document)
    except (ValueError, RecursionError):
        raise NotKeys("it is not JSON") from None
    listed = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise NotKeys("it has no list of keys")
    keys: dict[str, Key] = {}
    for entry in listed[:MOST_KEYS]:
        key = _usable(entry, refused)
        if key is not None:
            keys.setdefault(entry["kid"], key)
    return keys


def _usable(entry: Any, refused: Collection[str]) -> Key | None:
    """`entry` as a key to verify with: public, strong enough, for signatures, with a key id."""
    if not isinstance(entry, dict) or entry.get("kty") not in ("RSA", "EC"):
        return None
    named = isinstance(entry.get("kid"), str) and entry["kid"]
    private = "d" in entry or entry.get("x") in refused
    if not named or private or entry.get("use", "sig") != "sig":
        return None
    try:
        key = import_key({name: entry[name] for name in _OF_A_KEY & entry.keys()})
        key.check_key_op("verify")
    except (JoseError, ValueError, TypeError, LookupError):  # joserfc's, for odd values
        return None
    if isinstance(key, RSAKey):
        return key if key.raw_value.key_size in _RSA_BITS else None
    return key if isinstance(key, ECKey) else None


_OF_A_KEY = frozenset({"kty", "kid", "use", "key_ops", "alg", "n", "e", "crv", "x", "y"})


# ---------------------------------------------------------------- fetching


@dataclass(frozen=True, slots=True)
class Fetched:
    """A JWKS as it was answered, and how long it may be kept."""

    document: bytes
    seconds: float


Fetch = Callable[[str], Fetched]


def fetch(address: str) -> Fetched:
    """GET `address`: never redirected, bounded in time and size. Raises NotKeys."""
    deadline = Deadline.after(SECONDS)
    answer = all_of({address: lambda: _tried(address, deadline)}, deadline, 1)[address]
    if isinstance(answer, Fetched):
        return answer
    raise NotKeys(answer if isinstance(answer, str) else "it took too long")


def _tried(address: str, deadline: Deadline) -> Fetched | str:
    """What was fetched, or why nothing was."""
    try:
        with requests.get(
            address,
            auth=lambda request: request,  # keeps requests from reading ~/.netrc
            headers={"Accept": "application/json", "User-Agent": "vialwise"},
            timeout=SECONDS,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code != 200:
                return f"the answer was HTTP {response.status_code}"
            body = read_body(response, deadline, MOST_BYTES)
            if isinstance(body, Unknown):
                return "the answer was too large" if body == TOO_LARGE else "it took too long"
            return Fetched(body, kept_for(response.headers))
    except requests.Timeout:
        return "it took too long"
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        return f"it could not be reached ({type(error).__name__})"


def kept_for(headers: Mapping[str, str]) -> float:
    """Seconds that the answer may be kept (RFC 9111), from one minute to one hour."""
    control = headers.get("Cache-Control", "").lower()
    if re.search(r"\bno-(store|cache)\b", control):
        return AGAIN_AFTER
    age = re.fullmatch(r"\d{1,9}", headers.get("Age", "").strip())
    stated = re.search(r"\bmax-age=\"?(\d{1,9})", control)
    if not stated:
        return KEPT_UNASKED
    seconds = int(stated[1]) - (int(age[0]) if age else 0)
    return min(max(float(seconds), AGAIN_AFTER), LONGEST_KEPT)


# ---------------------------------------------------------------- keeping


class KeySource:
    """The keys of one address. Old ones serve on while it fails, but never beyond an hour."""

    def __init__(
        self,
        address: str,
        refused: Collection[str] = (),
        fetch: Fetch = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._refused = refused
        self._fetch = fetch
        self._clock = clock
        self._lock = Lock()
        self._keys: Keys = {}
        self._ends = self._stale_at = self._again_at = float("-inf")

    def find(self, kid: str | None) -> Key | None:
        """The key of that id; without an id the only one there is."""
        now = self._clock()
        key = self._valid(kid)
        due = now >= self._again_at or self._lock.locked()  # or is being done
        if due and (key is None or now >= self._stale_at):
            self._refresh(wait=key is None)
            key = self._valid(kid)
        return key

    def _valid(self, kid: str | None) -> Key | None:
        if self._clock() >= self._ends:
            return None
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _refresh(self, wait: bool) -> None:
        """Fetch, unless another thread just did. Who already has a key does not wait for it."""
        if not self._lock.acquire(blocking=wait, timeout=SECONDS + 1 if wait else -1):
            return
        started = self._clock()
        try:
            if started < self._again_at:
                return
            self._again_at = started + AGAIN_AFTER
            fetched = self._fetch(self._address)
            keys = read_keys(fetched.document, self._refused)
            if not keys:
                raise NotKeys("it holds no key this program can use")
            self._keys = keys
            self._stale_at, self._ends = started + fetched.seconds, started + LONGEST_KEPT
        except NotKeys as error:
            self._again_at = started + AGAIN_AFTER_FAILURE
            log.error("keys of %s were not fetched: %s", self._address, error)
        finally:
            self._lock.release()


# ----------------------------------------------------------------------
# What a signed token (JWT) has to satisfy: named checks, done in the order a caller names them.
#
# RFC 7519; RFC 7515; RFC 8725 (best practices); OpenID Connect Core 1.0, 3.1.3.7; CDS Hooks
# 2.0.1, "Trusting CDS Clients". The first check that does not hold refuses the token. They fail
# closed: a check that raises, whose expected value was left out, or that has no such name, does
# not hold.


SKEW = 60  # seconds that two clocks may differ
LONGEST_ID = 255  # characters of a jti or a sub
_LONGEST_KID = 512
_BEYOND_ANY_TIME = 1e11  # seconds since 1970; the year 5138


class NotReadable(ValueError):
    """What is not a signed token with a header and claims."""


@dataclass(frozen=True, slots=True, repr=False)
class SignedToken:
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

    def read(self, text: str, longest: int) -> SignedToken:
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
        return SignedToken(signed, header, claims)

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
class TokenCase:
    """A token and what it is held against at `now` (seconds since 1970).

    `find_key` gives the signer's key of an id (None: the only one there is); it may fetch.
    `key_address` is the only address a header may name (jku); None where no address is looked at.
    `party` is the client an id_token was issued to (azp). `longest_life` bounds exp - iat and
    `longest_age` the time since iat, in seconds. `first_use` marks a jti as used until a time, and
    says whether that was its first use. What is left out refuses where a check needs it.
    """

    token: SignedToken
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


def first_failed(case: TokenCase, checks: Sequence[str]) -> str:
    """The first of `checks` that does not hold; "" when all do."""
    return next((name for name in checks if not _holds(name, case)), "")


def _holds(name: str, case: TokenCase) -> bool:
    try:
        return _CHECKS[name](case) is True
    except Exception:  # whatever it is, the token was not shown to be right
        return False


# ---------------------------------------------------------------- before any key is looked for


def _algorithm(case: TokenCase) -> bool:
    return case.token.header["alg"] in case.algorithms


def _type(case: TokenCase) -> bool:
    """A JWT for another purpose says so (RFC 8725, 3.11); one that says nothing is let pass."""
    kind = case.token.header.get("typ", "JWT")
    return isinstance(kind, str) and kind.upper() == "JWT"


def _critical(case: TokenCase) -> bool:
    """No extension is understood here, so none can be critical (RFC 7515, 4.1.11)."""
    return "crit" not in case.token.header and "b64" not in case.token.header


def _key_id(case: TokenCase) -> bool:
    if case.key_id_optional and "kid" not in case.token.header:
        return True
    kid = case.token.header["kid"]
    return isinstance(kid, str) and 0 < len(kid) <= _LONGEST_KID


def _key_address(case: TokenCase) -> bool:
    if case.key_address is None:
        return True
    return bool(case.token.header.get("jku", case.key_address) == case.key_address)


# ---------------------------------------------------------------- the claims


def _issuer(case: TokenCase) -> bool:
    """Exactly the expected one."""
    return bool(case.issuer) and case.token.text("iss") == case.issuer


def _audience(case: TokenCase) -> bool:
    """One of those expected (RFC 7519, 4.1.3). An id_token for others too was issued to this
    client (OpenID Connect Core 1.0, 3.1.3.7, 3 to 5)."""
    claim = case.token.claims["aud"]
    named = claim if isinstance(claim, list) else [claim]
    if not all(isinstance(one, str) for one in named) or not case.audiences & set(named):
        return False
    alone = case.party if len(named) == 1 else None
    return not case.party or bool(case.token.claims.get("azp", alone) == case.party)


def _expires(case: TokenCase) -> bool:
    expires = case.token.time("exp")
    return expires is not None and case.now < expires + SKEW


def _issued(case: TokenCase) -> bool:
    issued = case.token.time("iat")
    return issued is not None and case.now - case.longest_age <= issued <= case.now + SKEW


def _not_before(case: TokenCase) -> bool:
    start = case.token.time("nbf")
    return "nbf" not in case.token.claims or (start is not None and start <= case.now + SKEW)


def _lifetime(case: TokenCase) -> bool:
    expires, issued = case.token.time("exp"), case.token.time("iat")
    if expires is None or issued is None:
        return False
    return 0 < expires - issued <= case.longest_life


def _nonce(case: TokenCase) -> bool:
    return bool(case.nonce) and hmac.compare_digest(case.token.claims["nonce"], case.nonce)


def _first_use(case: TokenCase) -> bool:
    """Marks the token as used, so it comes last: when everything else holds."""
    expires = case.token.time("exp")
    if expires is None or case.first_use is None:
        return False
    return case.first_use(case.token.text("jti"), expires + SKEW)


_CHECKS: Mapping[str, Callable[[TokenCase], bool]] = {
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
