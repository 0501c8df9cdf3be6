"""What the people who run the service ask it: is it up, is it ready, what does it count.

Nothing here is of a patient, and nothing needs a client's token. What the service counts and stands
on is for operators, where they have a secret; that it is up and ready is for every probe.
"""

from __future__ import annotations

from flask import Blueprint, Response

from cds_hooks import exact_json
from cds_hooks.auth.operator_access import Guard, let_in
from cds_hooks.errors import Refused
from cds_hooks.pages.request_log import OPERATIONS
from cds_hooks.record.store import Store
from cds_hooks.running import Running
from service_parts.database import StoreFailed

REACHED, AWAY = "reachable", "away: answered without it"


def blueprint(here: Running, guard: Guard | None) -> Blueprint:
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
        raise Refused(404, "Nothing is counted here.")
    from cds_hooks.calls.metrics import CONTENT_TYPE  # loaded already, as there are metrics

    return Response(counted.text(), content_type=CONTENT_TYPE)
