"""Authorization codes: good for a minute, once, and for the app they were given to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from authlib.oidc.core import AuthorizationCodeMixin

from sandbox_ehr.bounded import fingerprint, put
from sandbox_ehr.smart.sessions import Session

LIFETIME = 60
_MOST = 1000  # kept at once; the oldest goes first


@dataclass(frozen=True, slots=True)
class Code(AuthorizationCodeMixin):
    """What a code stands for. `family` names all tokens that come from it."""

    client_id: str
    redirect_uri: str
    code_challenge: str
    session: Session
    nonce: str
    family: str
    expires_at: float
    auth_time: int
    code_challenge_method: str = "S256"

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.session.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> int:
        return self.auth_time

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Codes:
    """Codes not used yet, and the families of those that were."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, Code] = {}
        self._used: dict[str, str] = {}

    def now(self) -> float:
        return self._clock()

    def keep(self, code: str, meaning: Code) -> None:
        with self._lock:
            put(self._open, fingerprint(code), meaning, _MOST)

    def peek(self, code: str) -> Code | None:
        with self._lock:
            return self._open.get(fingerprint(code))

    def take(self, code: str, client_id: str) -> Code | None:
        """What the code stands for, once. A wrong app's try does not use it up."""
        key = fingerprint(code)
        with self._lock:
            found = self._open.get(key)
            if found is None or found.client_id != client_id:
                return None
            del self._open[key]
            put(self._used, key, found.family, _MOST)
            return found if self._clock() < found.expires_at else None

    def family_if_used(self, code: str) -> str:
        """The family of a code that was used before, "" for any other."""
        with self._lock:
            return self._used.get(fingerprint(code), "")
