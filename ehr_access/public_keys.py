"""Public keys that somebody else publishes as a JWKS: read, fetched, kept for an hour at most.

RFC 7517. Keys are parsed once and then kept, because parsing costs more than verifying. Whoever
rotates keys is noticed by a key id that is not known yet; then they are fetched again, but not more
than once a minute, so that invented key ids cannot make this program call anybody.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

import msgspec
import requests
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey, import_key
from urllib3.exceptions import HTTPError

from billing_rules.model.states import Unknown
from ehr_access.limits import TOO_LARGE, Deadline, all_of
from ehr_access.transport import read_body

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
