"""The end of every request: its audit record, its numbers and its one log line.

Whatever fails here costs no answer. The probes and /metrics itself are left out: they
come every few seconds and say nothing.
"""

from __future__ import annotations

import logging
from time import perf_counter
from typing import Any

from flask import Flask, Response, g, request

from cds_hooks import call_note, operations, services
from cds_hooks.call_note import CallNote
from cds_hooks.records import AuditedCall
from cds_hooks.running import Running, running
from service_parts.database import StoreFailed
from service_parts.log_events import Event, fault

log = logging.getLogger("cds_hooks")

# Flask's endpoint -> what the log and the metrics call it; all others are "page"
_KINDS = {
    "calls.call": "call",
    "feedback.receive": "feedback",
    "pages.discovery": "discovery",
    None: "no such address",
}


def install(app: Flask) -> None:
    """Account for every request to `app`. Comes before whatever else looks at requests."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.pop("call_note", None)
    note = call_note.of_request()
    if running().settings.open:
        note.client = call_note.OPEN


def _end(response: Response) -> Response:
    if request.blueprint == operations.NAME:
        return response
    try:
        _account(call_note.of_request(), response.status_code, running())
    except Exception as error:
        log.error("a call was not accounted for: %s", fault(error))
    return response


def _account(note: CallNote, status: int, here: Running) -> None:
    note.outcome = note.outcome or _outcome(status)
    if status >= 400:
        note.shows((), ())  # whatever was planned, nothing was sent
    service = _service()
    if note.audited:
        with note.hop("audit"):
            _audit(note, service, status, here)
    seconds = perf_counter() - note.started
    kind = _KINDS.get(request.endpoint, "page")
    if here.metrics is not None:
        here.metrics.count(kind, service, status, seconds, note)
    log.info(Event(kind, _fields(note, service, status, seconds)))


def _outcome(status: int) -> str:
    if status < 400:
        return call_note.ANSWERED
    return call_note.REFUSED if status < 500 else call_note.FAILED


def _service() -> str:
    """The id in the address, when it is one of ours."""
    id_ = (request.view_args or {}).get("service_id", "")
    return id_ if id_ in services.SERVICES else ""


def _fields(note: CallNote, service: str, status: int, seconds: float) -> dict[str, Any]:
    called = bool(note.hook)
    hops = {name: _ms(taken) for name, taken in note.hops.items()}
    return {
        "service": service,
        "hook": note.hook,
        "hook_instance": note.instance,
        "client": note.client,
        "tenant": note.tenant,
        "status": status,
        "outcome": note.outcome,
        "cards": len(note.card_ids) if called else None,
        "rules": note.rules if called else None,
        "held_back": note.held_back or None,
        "bytes": len(note.body) or None,
        "ms": {"total": _ms(seconds), **hops},
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


# ---------------------------------------------------------------- the audit


def _audit(note: CallNote, service: str, status: int, here: Running) -> None:
    """Keep the call; when the database is away the log says so and the answer goes out."""
    store = here.store
    try:
        if not store.backoff.over:
            raise StoreFailed("the database failed a moment ago")
        with store.backoff.after_failure():
            store.audit.record(_audited(note, service, status, here), here.code_sets)
    except StoreFailed as error:
        note.database_failures.append("call audited")
        log.error("call not audited: %s", error.kind)


def _audited(note: CallNote, service: str, status: int, here: Running) -> AuditedCall:
    return AuditedCall(
        client=note.client,
        tenant=note.tenant,
        service=service,
        hook=note.hook,
        hook_instance=note.instance,
        rule_set=here.settings.rule_set,
        code_sets=here.code_sets.key,
        input_hash=here.store.keys.request(note.body),
        status=status,
        outcome=note.outcome,
        cards=note.card_ids,
        findings=note.findings,
        milliseconds=round((perf_counter() - note.started) * 1000),
    )
