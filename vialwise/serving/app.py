"""The SMART app beside the CDS service: its settings from ours, and one WSGI application of both.

Imported only where an EHR is registered, so that a service without the app starts without what the
app needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, request
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from billing_rules.catalogue import Catalogue
from cds_hooks.pages import feedback_page
from smart_app.app import compile_templates, create_app
from smart_app.forms.saved_forms import SavedForms
from smart_app.launch.error_pages import NOT_AN_OWNER, Stopped
from smart_app.launch.services import Installation
from smart_app.launch.store import Seal, WindowStore
from smart_app.launch.window import Role, window
from smart_app.screens import SCREENS, order_page
from smart_app.settings import AppOptions, AppSettings
from vialwise import clock, database, secret_file
from vialwise.database import Storage
from vialwise.serving import service as start
from vialwise.settings.files import window_secrets_in
from vialwise.settings.models import APP, ServeSettings
from vialwise.terminal import CommandProblem


def beside(
    service: Flask, settings: ServeSettings, known: Catalogue, url: str, kept: Storage
) -> tuple[Any, Callable[[], None]]:
    """The service with the app under /app, and what forgets ended windows and their tokens,
    launches nobody came back from and old forms, also where nobody opens the app any more. `url` is
    where they listen. Raises Problem."""
    secrets = settings.window_secrets or _window_secrets(kept)
    app_settings = AppSettings(
        **settings.of(AppOptions) | {"window_secrets": secrets},
        app_url=start.app_url(settings, url),
        context_key=kept.secret,
    )
    store = WindowStore(
        kept.store.engine,
        Seal(app_settings.window_secrets),
        app_settings.session,
        app_settings.idle,
        forms=timedelta(days=app_settings.keep_forms_days),
    )
    report = f"{feedback_page.NAME}.report"
    running = Installation(known, lambda: clock.today(settings.timezone or None), feedback=report)
    app = create_app(
        running, app_settings, store, (*SCREENS, lambda: feedback_for_owners(kept, known))
    )
    compile_templates(app)
    forms = SavedForms.of(store)

    def sweep() -> None:
        store.sweep()
        forms.sweep()

    return DispatcherMiddleware(service, {APP: app}), sweep


def feedback_for_owners(kept: Storage, known: Catalogue) -> Blueprint:
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
    return {"navigation": order_page.navigation_items(window(), order), "carried": {"order": order}}


def _window_secrets(kept: Storage) -> tuple[bytes, ...]:
    """From a file of its own beside the SQLite file, made when there is none. Raises Problem."""
    file = database.sqlite_file(kept.store.engine.url)
    if file is None:
        raise CommandProblem(
            "PostgreSQL needs secrets for the app's windows: set window_secrets_file"
        )
    beside = file.with_name(file.name + ".window-secrets")
    try:
        secret_file.secret(beside)
    except OSError as error:
        raise CommandProblem(
            f"{beside} cannot be made ({error.strerror}): set window_secrets_file"
        ) from None
    return window_secrets_in(str(beside), str(beside))
