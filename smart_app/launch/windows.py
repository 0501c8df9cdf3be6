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
from smart_app.launch.state import LaunchServices, launch_services
from smart_app.launch.store import KeptWindow, Opened
from smart_app.launch.window import Role, User, Window, set_window
from smart_app.launch.window_tokens import WindowToken
from smart_app.settings import RegisteredEhr

SEEN_EVERY = timedelta(minutes=1)  # so that not every request writes


def new_id() -> str:
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
    key = cookies.read(request, cookies.KIND_WINDOW, id_, services.settings.secure)
    kept = services.store.find(id_, key) if key and cookies.ID.fullmatch(id_) else None
    if kept is None:
        raise Stopped(NO_WINDOW)
    csrf.set_secret(key)
    csrf.require()
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
    kept: KeptWindow, grant: Opened, ehr: RegisteredEhr, services: LaunchServices
) -> Window:
    """The window as screens see it: with a client that reads for it, and without its tokens."""
    token = WindowToken(kept, services.store, _Server(ehr, services))
    return Window(
        id=kept.id,
        ehr_id=ehr.id,
        ehr_name=ehr.name,
        fhir_base=ehr.base.url,
        ehr=client(ehr, services, token),
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


def client(ehr: RegisteredEhr, services: LaunchServices, token: Token | str) -> EhrClient:
    """A client of that EHR's FHIR server; the token goes nowhere else."""
    base = allowed_base(ehr.fhir_base, [ehr.fhir_base])
    return EhrClient(base, services.transport, services.capabilities, token=token, limits=Limits())


def server(ehr: RegisteredEhr, services: LaunchServices) -> AuthorizationServer:
    """That EHR's authorization server. Raises Stopped when it cannot be used now."""
    configuration = services.discovery.of(ehr)
    return AuthorizationServer(ehr, configuration, services.settings, services.app_keys)


def end(id_: str) -> None:
    """Give the window's tokens back and forget them."""
    services = launch_services()
    kept = services.store.current(id_)
    services.store.end(id_)
    ehr = services.settings.ehr(kept.ehr) if kept else None
    if kept is None or kept.tokens is None or ehr is None:
        return
    tokens = (("refresh_token", kept.tokens.refresh), ("access_token", kept.tokens.access))
    with suppress(Stopped):
        server(ehr, services).revoke(*((kind, token) for kind, token in tokens if token))


class _Server:
    """The authorization server, looked for only when a token has to be renewed."""

    def __init__(self, ehr: RegisteredEhr, services: LaunchServices) -> None:
        self._ehr = ehr
        self._with = services

    def refreshed(self, refresh_token: str) -> Mapping[str, Any]:
        try:
            return server(self._ehr, self._with).refreshed(refresh_token)
        except Stopped as stopped:
            raise NotGiven(stopped.stop.name) from None


def install(app: Flask) -> None:
    app.url_value_preprocessor(take_window_id)
    app.url_defaults(put_window_id)
