"""What anyone may read, and what the people who run the service ask it.

Discovery, the front page and the override reasons; is it up, is it ready, what does it count.
Nothing here is of a patient, and nothing needs a client's token.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from flask import Blueprint, Response, render_template

from cds_hooks import exact_json, services
from cds_hooks.auth.operator_access import Guard, let_in
from cds_hooks.cards.writing import CODE_SYSTEM_PATH, ICON_PATH, REASONS
from cds_hooks.errors import RequestRefused
from cds_hooks.pages.responses import as_json, cacheable, page
from cds_hooks.record.store import Store
from cds_hooks.recording import OPERATIONS
from cds_hooks.running import Running
from cds_hooks.settings import Settings
from service_parts.database import StoreFailed

# ----------------------------------------------------------------------
# What anyone may read: discovery, the front page, the override reasons.


_ICON = Path(__file__).parent / "icon.png"


def blueprint(settings: Settings) -> Blueprint:
    """Addresses that hold nothing of any patient."""
    pages = Blueprint("pages", __name__)
    pages.add_url_rule("/cds-services", view_func=discovery)
    codes = partial(override_reason_codes, settings)
    pages.add_url_rule(CODE_SYSTEM_PATH, "override_reason_codes", codes)
    pages.add_url_rule("/", "front", partial(front, settings))
    pages.add_url_rule("/style.css", view_func=style)
    pages.add_url_rule(ICON_PATH, view_func=icon)
    return pages


def discovery() -> Response:
    """GET /cds-services (CDS Hooks 2.0.1, "Discovery"): the same for everyone, so cacheable."""
    return as_json(services.discovery())


def override_reason_codes(settings: Settings) -> Response:
    """The code system of the override reasons as FHIR, at the URL their Codings name."""
    url = settings.url(CODE_SYSTEM_PATH)
    concepts = [{"code": code, "display": display} for code, display in REASONS.items()]
    return as_json(
        {
            "resourceType": "CodeSystem",
            "url": url,
            "name": "VialwiseOverrideReason",
            "title": "Why a Vialwise card was set aside",
            "status": "active",
            "content": "complete",
            "caseSensitive": True,
            "concept": concepts,
        }
    )


def front(settings: Settings) -> Response:
    """A plain page that says what runs here and where its services are."""
    services_here = [
        (hook, settings.url(f"/cds-services/{service.id}"), service.description)
        for service in services.SERVICES.values()
        for hook in service.hooks
    ]
    return page(
        "front.html",
        root="./",
        specification=services.SPECIFICATION,
        open=settings.open,
        discovery=settings.url("/cds-services"),
        services=services_here,
    )


def style() -> Response:
    """The style sheet of every page."""
    return cacheable(Response(render_template("style.css"), content_type="text/css; charset=utf-8"))


def icon() -> Response:
    """The icon of a card's source: a PNG of 100 x 100, nothing of it transparent (CDS Hooks 2.0.1,
    "Source")."""
    return cacheable(Response(_ICON.read_bytes(), content_type="image/png"))


# ----------------------------------------------------------------------
# What the people who run the service ask it: is it up, is it ready, what does it count.
#
# Nothing here is of a patient, and nothing needs a client's token. What the service counts and
# stands on is for operators, where they have a secret; that it is up and ready is for every
# probe.


REACHED, AWAY = "reachable", "away: answered without it"


def operations_blueprint(here: Running, guard: Guard | None) -> Blueprint:
    """The three addresses; `guard` is None where operators have no secret."""
    pages = Blueprint(OPERATIONS, __name__)
    pages.add_url_rule("/healthz", view_func=health)
    pages.add_url_rule("/readyz", "ready", lambda: ready(here, guard))
    pages.add_url_rule("/metrics", "metrics", lambda: (guard and guard()) or metrics(here))
    return pages


def health() -> Response:
    """200 while the process answers."""
    return Response(b'{"status":"ok"}', content_type="application/json")


def ready(here: Running, guard: Guard | None) -> Response:
    """200 when orders can be answered, which needs the catalogue; the database is told of only,
    because cards go out without it. Others than operators are told whether it is ready."""
    drugs = len(here.catalogue.drug_ids())
    state = {"status": "ready" if drugs else "not ready"}
    if let_in(guard):
        state["catalogue"] = f"{drugs} drugs"
        state["rule_set"] = here.settings.rule_set
        state["database"] = _database(here.store)
    status = 200 if drugs else 503
    return Response(exact_json.encode(state), status, content_type="application/json")


def _database(store: Store) -> str:
    """Asked within the time a call would wait for it; not at all soon after a failure."""
    if not store.backoff.over:
        return AWAY
    try:
        with store.backoff.after_failure():
            store.audit.reach()
        return REACHED
    except StoreFailed:
        return AWAY


def metrics(here: Running) -> Response:
    """GET /metrics, in Prometheus' text form."""
    counted = here.metrics
    if counted is None:
        raise RequestRefused(404, "Nothing is counted here.")
    from cds_hooks.calls.metrics import CONTENT_TYPE  # loaded already, as there are metrics

    return Response(counted.text(), content_type=CONTENT_TYPE)
