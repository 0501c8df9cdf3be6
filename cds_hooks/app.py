"""The CDS Hooks service as a web application: every blueprint, and what stands before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from billing_rules.catalogue import Catalogue
from cds_hooks import recording, views
from cds_hooks.auth import client_auth, operator_access
from cds_hooks.cards import app_link
from cds_hooks.pages import decision_page, feedback, feedback_page, front, responses, rule_pages
from cds_hooks.pages import front as operations
from cds_hooks.pages import responses as error_answers
from cds_hooks.record import entries
from cds_hooks.record.store import Store
from cds_hooks.running import Running
from cds_hooks.settings import Settings

if TYPE_CHECKING:  # a service that counts nothing starts without prometheus_client
    from cds_hooks.calls.metrics import Metrics


def create_app(
    catalogue: Catalogue,
    settings: Settings,
    store: Store,
    metrics: Metrics | None = None,
) -> Flask:
    """The service as a WSGI application. It holds these four, and nothing else.

    `store` keeps calls, shown cards and their feedback. Without `metrics` nothing is counted.
    """
    app = Flask(__name__, static_folder=None)
    # One byte more than allowed: a chunked body is cut off there, and so seen to be too large.
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1
    # Addresses are exact: a client that follows no redirect must not meet one.
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    here = Running(catalogue, settings, store, metrics, entries.of(catalogue))
    if metrics:
        metrics.serves(settings.rule_set)
    recording.install(app, here)
    error_answers.install_errors(app)
    responses.install(app, settings)
    require_trusted_client = client_auth.guard(settings, store)
    app_link.prepare(settings)

    for calls in (views.blueprint(here), feedback.blueprint(here)):
        calls.before_request(require_trusted_client)
        app.register_blueprint(calls)
    if settings.open or settings.development:
        traces = decision_page.blueprint(here)
        traces.before_request(require_trusted_client)
        app.register_blueprint(traces)
    secret = settings.operator_secret
    guard = operator_access.with_secret(secret) if secret else None
    for page in (
        front.blueprint(settings),
        rule_pages.blueprint(here),
        operations.operations_blueprint(here, guard),
    ):
        app.register_blueprint(page)  # open to anyone: nothing here is of a patient
    if guard:
        app.register_blueprint(feedback_page.blueprint(store.engine, guard, catalogue.payer_name))
    return app
