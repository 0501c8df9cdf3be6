"""Windows: their cookies and form tokens, their access tokens, made, found again for every request
and ended."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from flask import Flask, Request, Response, current_app, g, request
from markupsafe import Markup

from ehr_access.base import allowed_base
from ehr_access.client import EhrClient, Token
from ehr_access.limits import Limits
from ehr_access.scopes import Scopes
from service_parts.database import StoreFailed
from smart_app.launch.authorization_server import NOT_SENT, AuthorizationServer, NotGiven
from smart_app.launch.error_pages import FORGED, NO_WINDOW, WINDOW_ENDED, Stopped, kept_late_form
from smart_app.launch.services import LaunchServices, launch_services
from smart_app.launch.store import LaunchGrant, StoredWindow, Tokens, WindowStore
from smart_app.launch.window import Role, User, Window, set_window
from smart_app.settings import RegisteredEhr

# ----------------------------------------------------------------------
# The cookies: one for each launch under way and one for each window, so that two never mix.
#
# Behind TLS they are `__Host-` cookies that an EHR's frame may use (SameSite=None) and that
# belong to that EHR's pages alone (Partitioned, "Cookies Having Independent Partitioned State"):
# no third-party cookie is needed. On a developer's machine, without TLS, they are plain ones.


_PREFIX = "vialwise-"
ID = re.compile(r"[0-9a-f]{16,32}")
KIND_LAUNCH, KIND_WINDOW = "launch", "window"
MOST_WINDOWS = 20  # open in one browser; headers have a limit
MOST_LAUNCHES = 10  # under way in one browser


def read_cookie(request: Request, kind: str, id_: str, secure: bool) -> str:
    """The secret that this browser holds for that launch or window; "" when it holds none."""
    return request.cookies.get(_name(kind, id_, secure), "")


def put_cookie(
    response: Response, kind: str, id_: str, secret: str, life: timedelta, secure: bool
) -> None:
    response.set_cookie(
        _name(kind, id_, secure),
        secret,
        max_age=int(life.total_seconds()),
        path="/",
        httponly=True,
        secure=secure,
        samesite="None" if secure else "Lax",
        partitioned=secure,
    )


def remove_cookie(response: Response, kind: str, id_: str, secure: bool) -> None:
    put_cookie(response, kind, id_, "", timedelta(0), secure)


def cookie_ids(request: Request, kind: str, secure: bool) -> Iterator[str]:
    """The ids of the launches or windows this browser holds a cookie for, the oldest first
    (RFC 6265, 5.4: browsers send earlier cookies before later ones)."""
    start = _name(kind, "", secure)
    for name in request.cookies:
        id_ = name.removeprefix(start)
        if name.startswith(start) and ID.fullmatch(id_):
            yield id_


def _name(kind: str, id_: str, secure: bool) -> str:
    return f"{'__Host-' if secure else ''}{_PREFIX}{kind}-{id_}"


# ----------------------------------------------------------------------
# That a form was sent from this window's own page, not from somebody else's.
#
# The token is made from the secret in the window's cookie, which no other page can read. A
# template writes `{{ csrf_field() }}` inside every form; htmx sends `{{ csrf_token() }}` as the
# header X-CSRF-Token (`hx-headers`, layout.html).


CSRF_FIELD, CSRF_HEADER = "csrf_token", "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def set_csrf_secret(secret: str) -> None:
    """The secret of this request's window."""
    g.vialwise_csrf = hmac.new(secret.encode(), b"vialwise csrf 1", hashlib.sha256).hexdigest()


def csrf_token() -> str:
    """The token of this request's window; "" outside of windows."""
    return str(g.get("vialwise_csrf", ""))


def csrf_field() -> Markup:
    """The hidden field every form needs."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(CSRF_FIELD, csrf_token())


def require_csrf() -> None:
    """Raises Stopped for a request that changes something and was not sent from this window."""
    if request.method in _SAFE:
        return
    sent = request.headers.get(CSRF_HEADER, "") or request.form.get(CSRF_FIELD, "")
    expected = csrf_token()
    if not expected or not hmac.compare_digest(sent.encode(), expected.encode()):
        raise Stopped(FORGED)
    origin = request.headers.get("Origin", "")
    if origin not in ("", _own_origin()):
        raise Stopped(FORGED)


def _own_origin() -> str:
    scheme, _, rest = launch_services().settings.app_url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


# ----------------------------------------------------------------------
# A window's access token, renewed when it is about to expire and after one 401.
#
# A refresh token is used once and then replaced (conformance B7.1). Of all threads and workers
# that need it at the same moment one renews, the others wait for what it got.


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

    def __init__(self, window: StoredWindow, store: WindowStore, server: Refreshes) -> None:
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

    def _renewed(self, window: StoredWindow) -> str:
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


# ----------------------------------------------------------------------
# Windows: made from a launch, found again for every request, ended.
#
# `require_window` stands before every screen; nothing behind it is reached without the cookie of
# that very window.


SEEN_EVERY = timedelta(minutes=1)  # so that not every request writes


def new_window_id() -> str:
    """It stands in addresses and is not a secret, but nobody can guess the next one from it."""
    return secrets.token_hex(8)


def take_window_id(endpoint: str | None, values: dict[str, object] | None) -> None:
    """Views are not handed `window_id`: they call window()."""
    if values is not None:
        g.vialwise_window_id = str(values.pop("window_id", ""))


def put_window_id(endpoint: str, values: dict[str, object]) -> None:
    """url_for of a screen leads to the same window."""
    in_window = current_app.url_map.is_endpoint_expecting(endpoint, "window_id")
    if g.get("vialwise_window_id") and in_window:
        values.setdefault("window_id", g.vialwise_window_id)


def require_window() -> None:
    """The window of this request, or a page that says to open the app again. Raises Stopped."""
    services = launch_services()
    id_ = str(g.get("vialwise_window_id", ""))
    key = read_cookie(request, KIND_WINDOW, id_, services.settings.secure)
    kept = services.store.find(id_, key) if key and ID.fullmatch(id_) else None
    if kept is None:
        raise Stopped(NO_WINDOW)
    set_csrf_secret(key)
    require_csrf()
    ehr = services.settings.ehr(kept.ehr)
    grant, tokens, now = kept.opened, kept.tokens, services.store.now()
    # Without a token that is good, and a way to another, nothing could be shown.
    readable = tokens and (tokens.refresh or tokens.expires_at > now.timestamp())
    if grant is None or ehr is None or not readable:
        raise Stopped(WINDOW_ENDED, kept_late_form(kept))
    g.vialwise_ehr = ehr
    if now - kept.seen_at >= SEEN_EVERY:
        services.store.see(id_)
    set_window(_window(kept, grant, ehr, services))


def _window(
    kept: StoredWindow, grant: LaunchGrant, ehr: RegisteredEhr, services: LaunchServices
) -> Window:
    """The window as screens see it: with a client that reads for it, and without its tokens."""
    token = WindowToken(kept, services.store, _Server(ehr, services))
    return Window(
        id=kept.id,
        ehr_id=ehr.id,
        ehr_name=ehr.name,
        fhir_base=ehr.base.url,
        ehr=ehr_client(ehr, services, token),
        patient_id=grant.patient,
        encounter_id=grant.encounter,
        user=User(grant.user, grant.name, Role(grant.role)),
        scopes=Scopes.parse(grant.scope),
        order=grant.order,
        rules=grant.rules,
        shows_banner=grant.shows_banner,
        owner_key=kept.owner_key,
        note=grant.note,
        together=grant.together,
    )


def ehr_client(ehr: RegisteredEhr, services: LaunchServices, token: Token | str) -> EhrClient:
    """A client of that EHR's FHIR server; the token goes nowhere else."""
    base = allowed_base(ehr.fhir_base, [ehr.fhir_base])
    return EhrClient(base, services.transport, services.capabilities, token=token, limits=Limits())


def authorization_server_of(ehr: RegisteredEhr, services: LaunchServices) -> AuthorizationServer:
    """That EHR's authorization server. Raises Stopped when it cannot be used now."""
    configuration = services.discovery.of(ehr)
    return AuthorizationServer(ehr, configuration, services.settings, services.app_keys)


def end_window(id_: str) -> None:
    """Give the window's tokens back and forget them."""
    services = launch_services()
    kept = services.store.current(id_)
    services.store.end(id_)
    ehr = services.settings.ehr(kept.ehr) if kept else None
    if kept is None or kept.tokens is None or ehr is None:
        return
    tokens = (("refresh_token", kept.tokens.refresh), ("access_token", kept.tokens.access))
    with suppress(Stopped):
        authorization_server_of(ehr, services).revoke(
            *((kind, token) for kind, token in tokens if token)
        )


class _Server:
    """The authorization server, looked for only when a token has to be renewed."""

    def __init__(self, ehr: RegisteredEhr, services: LaunchServices) -> None:
        self._ehr = ehr
        self._with = services

    def refreshed(self, refresh_token: str) -> Mapping[str, Any]:
        try:
            return authorization_server_of(self._ehr, self._with).refreshed(refresh_token)
        except Stopped as stopped:
            raise NotGiven(stopped.stop.name) from None


def install_windows(app: Flask) -> None:
    app.url_value_preprocessor(take_window_id)
    app.url_defaults(put_window_id)
