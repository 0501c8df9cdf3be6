"""The CDS Hooks service: draft orders in, cards out (CDS Hooks 2.0.1).

`create_app` is all that others need. The way of a request is written out in views.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from billing_rules.catalogue import Catalogue
from cds_hooks import (
    accounting,
    app_link,
    client_auth,
    code_sets,
    decision_page,
    errors,
    feedback,
    http_headers,
    operations,
    operator_access,
    pages,
    rule_pages,
    views,
)
from cds_hooks.running import Running, set_running
from cds_hooks.settings import Link, Settings

if TYPE_CHECKING:  # a service without a store starts without SQLAlchemy
    from cds_hooks.metrics import Metrics
    from cds_hooks.store import Store

__all__ = ["Link", "Settings", "create_app"]


def create_app(
    catalogue: Catalogue,
    settings: Settings,
    store: Store | None = None,
    metrics: Metrics | None = None,
) -> Flask:
    """The service as a WSGI application. It holds these four, and nothing else.

    `store` remembers calls, shown cards and their feedback; without one nothing is kept. `metrics`
    counts; without them nothing is counted.
    """
    app = Flask(__name__, static_folder=None)
    # One byte more than allowed: a chunked body is cut off there, and so seen to be too large.
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes + 1
    # Addresses are exact: a client that follows no redirect must not meet one.
    app.url_map.strict_slashes = True
    app.url_map.merge_slashes = False
    set_running(app, Running(catalogue, settings, store, metrics, code_sets.of(catalogue)))
    if metrics:
        metrics.serves(settings.rule_set)
    accounting.install(app)
    errors.install(app)
    http_headers.install(app)
    client_auth.install(app, settings, store)
    app_link.prepare(settings)

    for calls in (views.blueprint(), feedback.blueprint()):
        calls.before_request(client_auth.require_trusted_client)
        app.register_blueprint(calls)
    if settings.open or settings.development:
        decisions = decision_page.blueprint()
        decisions.before_request(client_auth.require_trusted_client)
        app.register_blueprint(decisions)
    secret = settings.operator_secret
    guard = operator_access.with_secret(secret) if secret else None
    for page in (pages.blueprint(), rule_pages.blueprint(), operations.blueprint(guard)):
        app.register_blueprint(page)  # open to anyone: nothing here is of a patient
    if guard and store:
        from cds_hooks import feedback_page  # SQLAlchemy is loaded only where there is a store

        app.register_blueprint(feedback_page.blueprint(store.engine, guard, catalogue.payer_name))
    return app
