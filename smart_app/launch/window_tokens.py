"""A window's access token, renewed when it is about to expire and after one 401.

A refresh token is used once and then replaced (conformance B7.1). Of all threads and workers that
need it at the same moment one renews, the others wait for what it got.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from service_parts.database import StoreFailed
from smart_app.launch.authorization import NOT_SENT, NotGiven
from smart_app.launch.store import KeptWindow, Store, Tokens

ABOUT_TO = 60.0  # seconds before its end at which a token is renewed
ASSUMED_LIFE = 3600.0  # seconds, where the EHR does not say (conformance B3.8)
_WAIT = 10.0  # seconds for another's renewal
_LOOK = 0.1
_HEADER_TEXT = re.compile(r"[!-~]+")  # what can stand in a header (RFC 6750, 2.1)


class Refreshes(Protocol):
    """What a refresh token is handed to."""

    def refreshed(self, refresh_token: str) -> Mapping[str, Any]: ...


def tokens_in(response: Mapping[str, Any], now: float, before: Tokens | None = None) -> Tokens:
    """The tokens of a token response. Raises NotGiven when it is not one that can be used."""
    access, kind = response.get("access_token"), response.get("token_type")
    if not isinstance(access, str) or not _HEADER_TEXT.fullmatch(access):
        raise NotGiven("no access token")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise NotGiven("no bearer token")
    try:
        life = float(str(response.get("expires_in")))  # seconds; some servers send it as text
    except ValueError:
        life = ASSUMED_LIFE
    ends = now + (life if 0 < life < 86_400 else ASSUMED_LIFE)
    refresh = response.get("refresh_token")
    if isinstance(refresh, str):
        return Tokens(access, ends, refresh)
    return Tokens(access, ends, before.refresh if before else "")


def _without_next(tokens: Tokens) -> Tokens:
    """What is left when there will be no other: a minute at most, then the window has ended."""
    return replace(tokens, refresh="", expires_at=min(tokens.expires_at, time.time() + ABOUT_TO))


class WindowToken:
    """The token of one window (ehr_access.client.Token)."""

    def __init__(self, window: KeptWindow, store: Store, server: Refreshes) -> None:
        self._window = window
        self._store = store
        self._server = server

    def current(self) -> str:
        tokens = self._window.tokens
        assert tokens is not None
        if tokens.refresh and tokens.expires_at - time.time() < ABOUT_TO:
            return self.after_refusal(tokens.access) or tokens.access
        return tokens.access

    def after_refusal(self, refused: str) -> str:
        """The next token, renewed by this thread or by another; "" when there is none."""
        try:
            return self._next(refused)
        except StoreFailed:
            return ""

    def _next(self, refused: str) -> str:
        until = time.monotonic() + _WAIT
        while True:
            window = self._store.current(self._window.id)
            if window is None or window.tokens is None:
                return ""
            self._window = window
            if window.tokens.access != refused:
                return window.tokens.access
            if not window.tokens.refresh or time.monotonic() > until:
                return ""
            if self._store.claim_renewal(window):
                return self._renewed(window)
            time.sleep(_LOOK)

    def _renewed(self, window: KeptWindow) -> str:
        assert window.opened and window.tokens
        try:
            response = self._server.refreshed(window.tokens.refresh)
            tokens = tokens_in(response, time.time(), window.tokens)
        except NotGiven as error:
            # Used once: unless it never left, it is not sent again, whatever became of it.
            left = window.tokens if error.kind == NOT_SENT else _without_next(window.tokens)
            self._store.renewed(window, window.opened, left)
            return ""
        scope = response.get("scope")
        opened = replace(window.opened, scope=scope) if isinstance(scope, str) else window.opened
        self._store.renewed(window, opened, tokens)
        self._window = replace(window, opened=opened, tokens=tokens)
        return tokens.access
