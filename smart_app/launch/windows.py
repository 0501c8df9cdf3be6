"""Windows: made from a launch, found again for every request, ended.

`require_window` stands before every screen; nothing behind it is reached without the cookie of that
very window.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any

from flask import Flask, current_app, g, request

from ehr_access.base import allowed_base
from ehr_access.client import EhrClient, Token
from ehr_access.limits import Limits
from ehr_access.scopes import Scopes
from smart_app.launch import cookies, csrf
from smart_app.launch.authorization import AuthorizationServer, NotGiven
from smart_app.launch.error_pages import NO_WINDOW, WINDOW_ENDED, Stopped, kept_late_form
from smart_app.launch.state import Launching, launching
from smart_app.launch.store import KeptWindow, Opened
from smart_app.launch.window import Role, User, Window, set_window
from smart_app.launch.window_tokens import WindowToken
from smart_app.settings import RegisteredEhr

SEEN_EVERY = timedelta(minutes=1)  # so that not every request writes


def new_id() -> str:
    """It stands in addresses and is no secret, but nobody's next one can be told from it."""
    return secrets.token_hex(8)


def take_window_id(endpoint: str | None, values: dict[str, object] | None) -> None:
    """Views get no `window_id`: they ask for window()."""
    if values is not None:
        g.vialwise_window_id = str(values.pop("window_id", ""))


def put_window_id(endpoint: str, values: dict[str, object]) -> None:
    """url_for of a screen leads to the same window."""
    if g.get("vialwise_window_id") and _is_in_window(endpoint):
        values.setdefault("window_id", g.vialwise_window_id)


def require_window() -> None:
    """The window of this request, or a page that says to open the app again. Raises Stopped."""
    with_ = launching()
    id_ = str(g.get("vialwise_window_id", ""))
    key = cookies.read(request, cookies.KIND_WINDOW, id_, with_.settings.secure)
    kept = with_.store.find(id_, key) if key and cookies.ID.fullmatch(id_) else None
    if kept is None:
        raise Stopped(NO_WINDOW)
    csrf.set_secret(key)
    csrf.require()
    ehr = with_.settings.ehr(kept.ehr)
    if kept.opened is None or ehr is None or _reads_no_more(kept, with_):
        raise Stopped(WINDOW_ENDED, kept_late_form(kept))
    g.vialwise_ehr = ehr
    if with_.store.now() - kept.seen_at >= SEEN_EVERY:
        with_.store.see(id_)
    set_window(shown(kept, kept.opened, ehr, with_))


def _reads_no_more(kept: KeptWindow, with_: Launching) -> bool:
    """Whether its token has expired and there is no way to another: nothing could be shown."""
    tokens = kept.tokens
    over = tokens is None or tokens.expires_at <= with_.store.now().timestamp()
    return over and not (tokens and tokens.refresh)


def shown(kept: KeptWindow, opened: Opened, ehr: RegisteredEhr, with_: Launching) -> Window:
    """The window as screens see it: with a client that reads for it, and without its tokens."""
    token = WindowToken(kept, with_.store, _Server(ehr, with_))
    return Window(
        id=kept.id,
        ehr_id=ehr.id,
        ehr_name=ehr.name,
        fhir_base=ehr.base.url,
        ehr=client(ehr, with_, token),
        patient_id=opened.patient,
        encounter_id=opened.encounter,
        user=User(opened.user, opened.name, Role(opened.role)),
        scopes=Scopes.parse(opened.scope),
        order=opened.order,
        rules=opened.rules,
        shows_banner=opened.shows_banner,
        owner_key=kept.owner_key,
        note=opened.note,
        together=opened.together,
    )


def client(ehr: RegisteredEhr, with_: Launching, token: Token | str) -> EhrClient:
    """A client of that EHR's FHIR server; the token goes nowhere else."""
    base = allowed_base(ehr.fhir_base, [ehr.fhir_base])
    return EhrClient(base, with_.transport, with_.capabilities, token=token, limits=Limits())


def server(ehr: RegisteredEhr, with_: Launching) -> AuthorizationServer:
    """That EHR's authorization server. Raises Stopped when it cannot be used now."""
    configuration = with_.discovery.of(ehr)
    return AuthorizationServer(ehr, configuration, with_.settings, with_.app_keys)


def end(id_: str) -> None:
    """Give the window's tokens back and forget them."""
    with_ = launching()
    kept = with_.store.current(id_)
    with_.store.end(id_)
    ehr = with_.settings.ehr(kept.ehr) if kept else None
    if kept is None or kept.tokens is None or ehr is None:
        return
    given = (("refresh_token", kept.tokens.refresh), ("access_token", kept.tokens.access))
    with suppress(Stopped):
        server(ehr, with_).revoke(*((kind, token) for kind, token in given if token))


class _Server:
    """The authorization server, looked for only when a token has to be renewed."""

    def __init__(self, ehr: RegisteredEhr, with_: Launching) -> None:
        self._ehr = ehr
        self._with = with_

    def refreshed(self, refresh_token: str) -> Mapping[str, Any]:
        try:
            return server(self._ehr, self._with).refreshed(refresh_token)
        except Stopped as stopped:
            raise NotGiven(stopped.stop.name) from None


def _is_in_window(endpoint: str) -> bool:
    return current_app.url_map.is_endpoint_expecting(endpoint, "window_id")


def install(app: Flask) -> None:
    app.url_value_preprocessor(take_window_id)
    app.url_defaults(put_window_id)
