"""Access and refresh tokens, codes, and what each of them stands for, in memory.

Tokens are kept by their hash, so that a dump of this server's memory or a log of it gives none.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sandbox_ehr.moods import Mood
from sandbox_ehr.records import fingerprint, put

ACCESS_SECONDS = 3600
SERVICE_SECONDS = 300
SYSTEM_SECONDS = 300  # SMART Backend Services: no more than five minutes
REFRESH_SECONDS = 90 * 24 * 3600
_MOST = 10_000  # kept at once; the oldest goes first


@dataclass(frozen=True, slots=True)
class Granted:
    """What a token stands for. `more` are the other launch parameters of the token response.

    `family` is the authorization it came from: when a refresh token is used twice, all that
    came from it ends (RFC 9700, "Refresh Token Protection").
    """

    client_id: str
    scope: str
    user: str = ""
    patient: str = ""
    encounter: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    moods: frozenset[Mood] = field(default_factory=frozenset)
    family: str = ""
    issued_at: int = 0
    expires_at: int = 0


class Tokens:
    """Which tokens are good. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._access: dict[str, Granted] = {}
        self._refresh: dict[str, Granted] = {}
        self._used: dict[str, str] = {}  # a refresh token that was used -> its family
        self._ended: dict[str, None] = {}  # families that are good no more

    def now(self) -> int:
        return int(self._clock())

    def issue(
        self,
        client_id: str,
        scope: str,
        *,
        patient: str = "",
        user: str = "",
        encounter: str = "",
        seconds: int = SERVICE_SECONDS,
    ) -> str:
        """An access token without a launch: what a CDS service gets for one call."""
        token = secrets.token_urlsafe(32)
        self.keep(token, Granted(client_id, scope, user, patient, encounter), seconds)
        return token

    def keep(self, token: str, granted: Granted, seconds: int, refresh: bool = False) -> None:
        """Make `token` an access token, or a refresh token, for what is granted."""
        now = self.now()
        timed = replace(granted, issued_at=now, expires_at=now + seconds)
        with self._lock:
            tokens = self._refresh if refresh else self._access
            put(tokens, fingerprint(token), timed, _MOST)

    def access(self, token: str) -> Granted | None:
        """What an access token grants, expired or not; None when it is none or was revoked."""
        with self._lock:
            return self._good(self._access.get(fingerprint(token)))

    def refresh(self, token: str) -> Granted | None:
        """What a refresh token stands for. One that was used before ends its whole family."""
        key = fingerprint(token)
        with self._lock:
            if key in self._used:
                put(self._ended, self._used[key], None, _MOST)
            return self._good(self._refresh.get(key))

    def peek_refresh(self, token: str) -> Granted | None:
        """The same, without taking a second use for theft."""
        with self._lock:
            return self._good(self._refresh.get(fingerprint(token)))

    def use_refresh(self, token: str) -> bool:
        """Whether this is its first and only use."""
        key = fingerprint(token)
        with self._lock:
            granted = self._refresh.pop(key, None)
            if granted is not None:
                put(self._used, key, granted.family, _MOST)
            return granted is not None

    def end(self, family: str) -> None:
        """End everything that came from one authorization."""
        with self._lock:
            put(self._ended, family, None, _MOST)

    def revoke(self, token: str) -> None:
        """End an access token; with a refresh token, all that came from the same authorization."""
        key = fingerprint(token)
        with self._lock:
            self._access.pop(key, None)
            granted = self._refresh.pop(key, None)
            if granted is not None:
                put(self._ended, granted.family, None, _MOST)

    def is_expired(self, granted: Granted) -> bool:
        return self.now() >= granted.expires_at

    def _good(self, granted: Granted | None) -> Granted | None:
        ended = granted is not None and granted.family != "" and granted.family in self._ended
        return None if ended else granted
