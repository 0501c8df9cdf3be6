"""The practice EHR as one Flask application: everything it serves is registered here."""

from __future__ import annotations

from typing import Any

from flask import Flask, request
from werkzeug.exceptions import NotFound

from sandbox_ehr.desk.install import install as install_desk
from sandbox_ehr.desk.views import nowhere
from sandbox_ehr.fhir.pages import Pages
from sandbox_ehr.fhir.views import fhir, not_served
from sandbox_ehr.launches import Launches
from sandbox_ehr.records import Records
from sandbox_ehr.running import Running, set_running
from sandbox_ehr.settings import Settings
from sandbox_ehr.smart.authorization import SmartServer
from sandbox_ehr.smart.tokens import Tokens
from sandbox_ehr.smart.views import auth

LARGEST_BODY = 5 * 1024 * 1024


def create_app(records: Records, settings: Settings) -> Flask:
    """The FHIR endpoint at /fhir, SMART authorization at /auth, the order desk at /."""
    app = Flask("sandbox_ehr")
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    tokens = Tokens()
    smart = SmartServer(settings, tokens, records)
    running = Running(records, settings, Launches(), tokens, Pages(), smart)
    set_running(app, running)
    app.register_blueprint(fhir, url_prefix="/fhir")
    app.register_blueprint(auth, url_prefix="/auth")
    install_desk(app, running)
    app.register_error_handler(404, _nowhere)
    return app


def _nowhere(error: NotFound) -> Any:
    """An address that nothing answers to: FHIR says so in its own way, everything else by a page
    of the desk."""
    return not_served(error) if request.path.startswith("/fhir") else nowhere(error)
