"""Launches under way, sessions, authorization codes, access and refresh tokens, in memory.

Codes and tokens are kept by their hash, so that a dump of this server's memory or a log of it
gives none."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from authlib.oidc.core import AuthorizationCodeMixin

from sandbox_ehr.fhir.records import fingerprint, put
from sandbox_ehr.moods import Mood

# ----------------------------------------------------------------------
# Launches under way, what was settled when somebody let an app in, and the codes for it.
#
# The order desk makes a launch (`running().launches.new(...)`) and opens
# `{client.launch_url}?iss={fhir_base}&launch={token}`; the authorization endpoint redeems it.


# ---------------------------------------------------------------- launches

LAUNCH_SECONDS = 600.0
_MOST_LAUNCHES = 1000  # kept at once; the oldest goes first


@dataclass(frozen=True, slots=True)
class Launch:
    """`user` is a reference ("Practitioner/1"). `app_context` is the text of a CDS Hooks link.

    `client_id` is the one app it is for; "" leaves it to whoever comes first.
    """

    patient_id: str = ""
    encounter_id: str = ""
    user: str = ""
    app_context: str = ""
    client_id: str = ""
    intent: str = ""
    fhir_context: tuple[dict[str, Any], ...] = ()
    need_patient_banner: bool = True
    moods: frozenset[Mood] = field(default_factory=frozenset)


class Launches:
    """Each token is good for ten minutes and for one authorization."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, tuple[float, Launch]] = {}

    def new(
        self,
        patient_id: str,
        encounter_id: str = "",
        user: str = "",
        app_context: str = "",
        **more: Any,
    ) -> str:
        """The `launch` of the app's URL. `more` are the other members of Launch."""
        token = secrets.token_urlsafe(24)
        launch = Launch(patient_id, encounter_id, user, app_context, **more)
        with self._lock:
            put(self._open, token, (self._clock() + LAUNCH_SECONDS, launch), _MOST_LAUNCHES)
        return token

    def peek(self, token: str) -> Launch | None:
        """The launch, when it is still open."""
        with self._lock:
            return self._still_open(token)

    def redeem(self, token: str) -> Launch | None:
        """The launch, once."""
        with self._lock:
            launch = self._still_open(token)
            self._open.pop(token, None)
            return launch

    def _still_open(self, token: str) -> Launch | None:
        until, launch = self._open.get(token, (0.0, None))
        return launch if launch is not None and self._clock() < until else None


# ---------------------------------------------------------------- sessions


@dataclass(frozen=True, slots=True)
class Session:
    """`user` is a reference; `scope` is what was granted; `more` the other launch parameters."""

    user: str
    scope: str
    patient: str = ""
    encounter: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    moods: frozenset[Mood] = field(default_factory=frozenset)


def of_launch(launch: Launch, scope: str, tenant: str) -> Session:
    """The session of an EHR launch: everything is as the EHR has it open."""
    said: dict[str, Any] = {
        "appContext": launch.app_context,
        "intent": launch.intent,
        "fhirContext": list(launch.fhir_context),
    }
    more = {"need_patient_banner": launch.need_patient_banner, "tenant": tenant}
    more |= {name: value for name, value in said.items() if value}
    return Session(launch.user, scope, launch.patient_id, launch.encounter_id, more, launch.moods)


# ---------------------------------------------------------------- authorization codes

CODE_SECONDS = 60
_MOST_CODES = 1000  # kept at once; the oldest goes first


@dataclass(frozen=True, slots=True)
class AuthorizationCode(AuthorizationCodeMixin):
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


class AuthorizationCodes:
    """Codes not used yet, and the families of those that were."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[str, AuthorizationCode] = {}
        self._used: dict[str, str] = {}

    def now(self) -> float:
        return self._clock()

    def keep(self, code: str, meaning: AuthorizationCode) -> None:
        with self._lock:
            put(self._open, fingerprint(code), meaning, _MOST_CODES)

    def peek(self, code: str) -> AuthorizationCode | None:
        with self._lock:
            return self._open.get(fingerprint(code))

    def take(self, code: str, client_id: str) -> AuthorizationCode | None:
        """What the code stands for, once. A wrong app's try does not use it up."""
        key = fingerprint(code)
        with self._lock:
            found = self._open.get(key)
            if found is None or found.client_id != client_id:
                return None
            del self._open[key]
            put(self._used, key, found.family, _MOST_CODES)
            return found if self._clock() < found.expires_at else None

    def family_if_used(self, code: str) -> str:
        """The family of a code that was used before, "" for any other."""
        with self._lock:
            return self._used.get(fingerprint(code), "")


# ----------------------------------------------------------------------
# Access and refresh tokens, codes, and what each of them stands for, in memory.
#
# Tokens are kept by their hash, so that a dump of this server's memory or a log of it gives none.


ACCESS_SECONDS = 3600
SERVICE_SECONDS = 300
SYSTEM_SECONDS = 300  # SMART Backend Services: no more than five minutes
REFRESH_SECONDS = 90 * 24 * 3600
_MOST = 10_000  # kept at once; the oldest goes first


@dataclass(frozen=True, slots=True)
class TokenGrant:
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


class IssuedTokens:
    """Which tokens are good. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._access: dict[str, TokenGrant] = {}
        self._refresh: dict[str, TokenGrant] = {}
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
        self.keep(token, TokenGrant(client_id, scope, user, patient, encounter), seconds)
        return token

    def keep(self, token: str, granted: TokenGrant, seconds: int, refresh: bool = False) -> None:
        """Make `token` an access token, or a refresh token, for what is granted."""
        now = self.now()
        timed = replace(granted, issued_at=now, expires_at=now + seconds)
        with self._lock:
            tokens = self._refresh if refresh else self._access
            put(tokens, fingerprint(token), timed, _MOST)

    def access(self, token: str) -> TokenGrant | None:
        """What an access token grants, expired or not; None when it is none or was revoked."""
        with self._lock:
            return self._good(self._access.get(fingerprint(token)))

    def refresh(self, token: str) -> TokenGrant | None:
        """What a refresh token stands for. One that was used before ends its whole family."""
        key = fingerprint(token)
        with self._lock:
            if key in self._used:
                put(self._ended, self._used[key], None, _MOST)
            return self._good(self._refresh.get(key))

    def peek_refresh(self, token: str) -> TokenGrant | None:
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

    def is_expired(self, granted: TokenGrant) -> bool:
        return self.now() >= granted.expires_at

    def _good(self, granted: TokenGrant | None) -> TokenGrant | None:
        ended = granted is not None and granted.family != "" and granted.family in self._ended
        return None if ended else granted
