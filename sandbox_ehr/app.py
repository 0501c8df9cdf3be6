"""The practice EHR as one Flask application: everything it serves is registered here."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from werkzeug.exceptions import NotFound

import fixtures
from sandbox_ehr import cds_client
from sandbox_ehr.cds_client import CdsClient
from sandbox_ehr.desk import views
from sandbox_ehr.desk.stories import everything
from sandbox_ehr.desk.views import nowhere, pages
from sandbox_ehr.desk.worksheets import Desk, set_desk
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.fhir.requests import FhirServer, Pages
from sandbox_ehr.fhir_endpoint import fhir, not_served
from sandbox_ehr.moods import Mood, Moods
from sandbox_ehr.settings import EhrSettings
from sandbox_ehr.smart.authorization import SmartServer
from sandbox_ehr.smart.tokens import IssuedTokens, Launches
from sandbox_ehr.smart.views import auth
from sandbox_ehr.state import KEY, RunningEhr, set_running

LARGEST_BODY = 5 * 1024 * 1024


def create_app(records: Records, settings: EhrSettings) -> Flask:
    """The FHIR endpoint at /fhir, SMART authorization at /auth, the order desk at /."""
    app = _addresses()
    start(app, records, settings)
    return app


def start(app: Flask, records: Records, settings: EhrSettings) -> None:
    """Begin with these records and settings, and with nothing of what was before. An application
    that was made before can be started again, which takes a tenth of the time."""
    tokens = IssuedTokens()
    smart = SmartServer(settings, tokens, records)
    moods = Moods(settings.moods)
    running = RunningEhr(records, settings, Launches(), tokens, Pages(), smart, moods)
    set_running(app, running)
    _open_desk(app, running)


def _addresses() -> Flask:
    """All addresses, with nothing behind them yet."""
    app = Flask("sandbox_ehr")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.register_blueprint(fhir, url_prefix="/fhir")
    app.register_blueprint(auth, url_prefix="/auth")
    app.register_blueprint(pages)
    app.register_error_handler(404, _nowhere)
    own_answer = app.wsgi_app

    def answered(environ: Any, start_response: Any) -> Any:
        running = app.extensions[KEY]
        return running.moods.answer(own_answer, environ, start_response)

    app.wsgi_app = answered  # type: ignore[method-assign]
    return app


def _nowhere(error: NotFound) -> Any:
    """An address that nothing answers to: FHIR says so in its own way, everything else by a page
    of the desk."""
    return not_served(error) if request.path.startswith("/fhir") else nowhere(error)


# ---------------------------------------------------------------- the order desk


def _open_desk(app: Flask, running: RunningEhr) -> None:
    """What the addresses of the desk work with, and a key of its own for CDS services."""
    settings = running.settings
    jku = f"{settings.base_url}{views.JWKS_PATH}"
    key = cds_client.new_key(settings.base_url, jku)
    served = FhirServer(running.records, running.pages, settings.quirks, settings.fhir_base)
    services = tuple(
        CdsClient(
            base=service.base_url,
            fhir_server="" if Mood.NO_FHIR_SERVER in settings.moods else settings.fhir_base,
            key=key,
            look_up=cds_client.from_chart(served),
            authorize=cds_client.authorizing(running.tokens, service.client_id),
            trace=service.trace,
        )
        for service in settings.cds_services
    )
    days = (settings.today - fixtures.WRITTEN_ON).days
    desk = Desk(
        records=running.records,
        settings=settings,
        launches=running.launches,
        services=services,
        key=key,
        start=everything(running.records),
        current=lambda resource: fixtures.moved(resource, days),
    )
    set_desk(app, desk)
