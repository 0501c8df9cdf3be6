"""The SMART app beside the CDS service: its settings from ours, and one WSGI application of both.

Imported only where an EHR is registered, so that a service without the app starts without what the
app needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from billing_rules.catalogue import Catalogue
from cds_hooks import feedback_page
from smart_app import navigation, registration
from smart_app.app import compile_templates, create_app
from smart_app.app_keys import ALGORITHMS, AppKeys, NotAppKeys
from smart_app.error_pages import NOT_AN_OWNER, Stopped
from smart_app.kept_forms import KeptForms
from smart_app.running import Running
from smart_app.screens import SCREENS
from smart_app.sealing import SHORTEST_KEY, Seal
from smart_app.settings import ClientKind, RegisteredEhr, Settings
from smart_app.store import Store
from smart_app.window import Role, window
from vialwise import clock, database, secret_file
from vialwise.problems import Problem
from vialwise.settings import EhrTable, ServeSettings
from vialwise.start import APP
from vialwise.storage import Opened

_LARGEST_FILE = 64 * 1024


def beside(
    service: Flask, said: ServeSettings, known: Catalogue, url: str, kept: Opened
) -> tuple[Any, Callable[[], None]]:
    """The service with the app under /app, and what forgets ended windows and their tokens,
    launches nobody came back from and old forms, also where nobody opens the app any more. `url` is
    where they listen. Raises Problem."""
    public = (said.public_url or url).rstrip("/")
    told = Settings(
        public_url=f"{public}{APP}",
        ehrs=tuple(_ehr(table) for table in said.ehrs),
        seal_keys=_window_secrets(said, kept),
        session=timedelta(minutes=said.session_minutes),
        idle=timedelta(minutes=said.idle_minutes),
        signing_keys=_app_keys(said).text() if said.app_keys_file else "",
        context_key=kept.secret,
        launches_per_minute=said.launches_per_minute,
    )
    store = Store(
        kept.store.engine,
        Seal(told.seal_keys),
        told.session,
        told.idle,
        forms=timedelta(days=said.keep_forms_days),
    )
    report = f"{feedback_page.NAME}.report"
    running = Running(known, lambda: clock.today(said.timezone or None), feedback=report)
    app = create_app(running, told, store, (*SCREENS, lambda: feedback_for_owners(kept, known)))
    compile_templates(app)
    forms = KeptForms.of(store)

    def sweep() -> None:
        store.sweep()
        forms.sweep()

    return DispatcherMiddleware(service, {APP: app}), sweep


def feedback_for_owners(kept: Opened, known: Catalogue) -> Blueprint:
    """The service's page of what became of the cards, as a screen of the app. The app does not know
    the service, so it is handed over here."""
    in_app = feedback_page.Around("beside.html", _around, policy="", styles=False)
    return feedback_page.blueprint(kept.store.engine, _owner, known.payer_name, in_app)


def _owner() -> None:
    """Only a site's owner comes past here. Raises Stopped for everybody else."""
    if window().user.role is not Role.OWNER:
        raise Stopped(NOT_AN_OWNER)


def _around() -> Mapping[str, Any]:
    """The app's navigation, with the order that was looked at before."""
    order = request.args.get("order", "")
    return {"navigation": navigation.items(window(), order), "carried": {"order": order}}


# ---------------------------------------------------------------- what can be wrong


def problems(said: ServeSettings) -> Iterator[str]:
    """A sentence each, with its remedy."""
    try:
        keys = _app_keys(said) if said.app_keys_file else AppKeys()
    except Problem as problem:
        yield problem.format_message()
        return
    algorithms = [name for name in ALGORITHMS if keys.signing(name)]
    ehrs = []
    for table in said.ehrs:
        try:
            ehrs.append(_ehr(table))
        except Problem as problem:
            yield f"ehr {table.id}: {problem.format_message()}"
    yield from registration.faults(ehrs, algorithms)
    if said.idle_minutes > said.session_minutes:
        yield "idle_minutes is more than session_minutes: make it less"
    try:
        secrets = _named_secrets(said)
    except Problem as problem:
        yield problem.format_message()
        return
    if not secrets and said.database.startswith("postgres"):
        yield "PostgreSQL needs secrets for the app's windows: set window_secrets_file"


# ---------------------------------------------------------------- what is registered


def _ehr(table: EhrTable) -> RegisteredEhr:
    """The registration in a table. Raises Problem for a secret that cannot be read."""
    signs = f" {table.algorithm}" if table.client == "private_key_jwt" else ""
    return RegisteredEhr(
        id=table.id,
        name=table.name,
        fhir_base=table.fhir_base,
        client_id=table.client_id,
        kind=ClientKind(table.client + signs),
        secret=_client_secret(table),
        authorization_hosts=frozenset(host.lower() for host in table.authorization_hosts),
        frame_ancestors=table.frame_ancestors,
        scopes=table.scopes,
        writes=frozenset(table.writes),
        owners=frozenset(table.owners),
    )


def _client_secret(table: EhrTable) -> str:
    if not table.client_secret_file:
        return ""
    return _private(table.client_secret_file, "client_secret_file", shortest=1).strip()


def _app_keys(said: ServeSettings) -> AppKeys:
    try:
        return AppKeys.read(_private(said.app_keys_file, "app_keys_file", shortest=1))
    except NotAppKeys as error:
        raise Problem(
            f"{said.app_keys_file} holds no keys of the app, {error}: make them with "
            "`vialwise app-keys add`"
        ) from None


# ---------------------------------------------------------------- secrets of windows


def _window_secrets(said: ServeSettings, kept: Opened) -> tuple[bytes, ...]:
    """As configured, or from a file of its own beside the SQLite file. Raises Problem."""
    secrets = _named_secrets(said)
    file = database.sqlite_file(kept.store.engine.url)
    if secrets or file is None:
        return secrets
    beside = file.with_name(file.name + ".window-secrets")
    try:
        secret_file.secret(beside)
    except OSError as error:
        raise Problem(
            f"{beside} cannot be made ({error.strerror}): set window_secrets_file"
        ) from None
    return _lines(_private(str(beside), "window_secrets_file"), str(beside))


def _named_secrets(said: ServeSettings) -> tuple[bytes, ...]:
    if said.window_secrets and said.window_secrets_file:
        raise Problem("window_secrets and window_secrets_file are both set: remove one")
    if said.window_secrets_file:
        file = said.window_secrets_file
        return _lines(_private(file, "window_secrets_file"), "window_secrets_file")
    return _lines(said.window_secrets, "window_secrets") if said.window_secrets else ()


def _lines(text: str, where: str) -> tuple[bytes, ...]:
    secrets = tuple(line.encode() for line in text.split())
    if not secrets or any(len(secret) < SHORTEST_KEY for secret in secrets):
        raise Problem(f"{where} holds a secret that is too short: give {SHORTEST_KEY} characters")
    return secrets


def _private(named: str, setting: str, shortest: int = SHORTEST_KEY) -> str:
    """The text of a file that its user alone may read. Raises Problem."""
    file = Path(named)
    if not file.is_file():
        raise Problem(f"{setting} names no file: check the path")
    try:
        return secret_file.read(file, shortest, _LARGEST_FILE).decode()
    except OSError as error:
        raise Problem(f"{file} cannot be read ({error.strerror}): check its owner") from None
    except UnicodeDecodeError:
        raise Problem(f"{file} is not UTF-8: save it as UTF-8") from None
