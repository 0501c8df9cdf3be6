"""The end of every request: its audit record, its numbers and its one log line.

Whatever fails here costs no answer. The probes and /metrics itself are left out: they
come every few seconds and say nothing."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from functools import partial
from pathlib import PurePath
from time import perf_counter
from typing import Any

from flask import Flask, Response, g, has_request_context, request

from cds_hooks import exact_json, services
from cds_hooks.calls import call_log
from cds_hooks.calls.call_log import CallNote
from cds_hooks.record.shown_cards import AuditedCall
from cds_hooks.running import Running
from service_parts.database import StoreFailed
from service_parts.log_events import Event, fault

log = logging.getLogger("cds_hooks")

OPERATIONS = "operations"  # the blueprint of the probes and /metrics
# Flask's endpoint -> what the log and the metrics call it; all others are "page"
_KINDS = {
    "calls.call": "call",
    "feedback.receive": "feedback",
    "pages.discovery": "discovery",
    None: "no such address",
}


def install(app: Flask, here: Running) -> None:
    """Account for every request to `app`. Comes before whatever else looks at requests."""
    app.before_request(partial(_begin, call_log.OPEN if here.settings.open else ""))
    app.after_request(partial(_end, here))


def _begin(client: str) -> None:
    g.call_note = CallNote(client=client)


def _end(here: Running, response: Response) -> Response:
    if request.blueprint == OPERATIONS:
        return response
    try:
        _account(call_log.of_request(), response.status_code, here)
    except Exception as error:
        log.error("a call was not accounted for: %s", fault(error))
    return response


def _account(note: CallNote, status: int, here: Running) -> None:
    if not note.outcome:
        refused = call_log.REFUSED if status < 500 else call_log.FAILED
        note.outcome = call_log.ANSWERED if status < 400 else refused
    if status >= 400:
        note.shows((), ())  # whatever was planned, nothing was sent
    id_ = (request.view_args or {}).get("service_id", "")
    service = id_ if id_ in services.SERVICES else ""  # the id in the address, if it is ours
    if note.audited:
        with note.hop("audit"):
            _audit(note, service, status, here)
    seconds = perf_counter() - note.started
    kind = _KINDS.get(request.endpoint, "page")
    if here.metrics is not None:
        here.metrics.count(kind, service, status, seconds, note)
    log.info(Event(kind, _request_log_fields(note, service, status, seconds)))


def _request_log_fields(
    note: CallNote, service: str, status: int, seconds: float
) -> dict[str, Any]:
    called = bool(note.hook)
    times = {"total": seconds, **note.hops}
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
        "ms": {name: round(taken * 1000, 2) for name, taken in times.items()},
    }


# ---------------------------------------------------------------- the audit


def _audit(note: CallNote, service: str, status: int, here: Running) -> None:
    """Keep the call; when the database is away the log says so and the answer goes out."""
    store = here.store
    try:
        if not store.backoff.over:
            raise StoreFailed("the database failed a moment ago")
        with store.backoff.after_failure():
            call = AuditedCall(
                client=note.client,
                tenant=note.tenant,
                service=service,
                hook=note.hook,
                hook_instance=note.instance,
                rule_set=here.settings.rule_set,
                code_sets=here.code_sets.key,
                input_hash=store.keys.request(note.body),
                status=status,
                outcome=note.outcome,
                cards=note.card_ids,
                findings=note.findings,
                milliseconds=round((perf_counter() - note.started) * 1000),
            )
            store.audit.record(call, here.code_sets)
    except StoreFailed as error:
        note.database_failures.append("call audited")
        log.error("call not audited: %s", error.kind)


# ----------------------------------------------------------------------
# Log records as lines: JSON for machines, words for a terminal; neither repeats a chart.
#
# Our own messages are fixed sentences with this program's own words in them. Other packages' may
# repeat an address or a body, so of theirs only the template and the place are shown, and of an
# exception only its kind and place (conformance A10.5).


OURS = ("billing_rules", "cds_hooks", "ehr_access", "smart_app", "vialwise")
_SIGNAL_OR_NUMBER = re.compile(r"SIG[A-Z0-9]{1,8}|[0-9]{1,7}")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, and the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": event_of(record),
            **_log_lines_fields(record),
            "pid": record.process,
        }
        return exact_json.encode(line).decode()


class TerminalLines(logging.Formatter):
    """The same for a person who watches."""

    def format(self, record: logging.LogRecord) -> str:
        event = Event(event_of(record), _log_lines_fields(record))
        return f"{_time(record).astimezone():%H:%M:%S} {record.levelname.lower():<7} {event}"


def event_of(record: logging.LogRecord) -> str:
    """What happened, on one line."""
    if isinstance(record.msg, Event):
        return record.msg.name
    if record.name.partition(".")[0] in OURS:
        return " ".join(record.getMessage().split())
    return _others(record)


def _others(record: logging.LogRecord) -> str:
    """Another package's message: a template without its values, unless these are numbers and names
    of signals; a text without values may be filled in already, so only its place is shown."""
    args = record.args
    if not isinstance(record.msg, str) or not args:
        return f"{record.name}: a message of {PurePath(record.pathname).name}:{record.lineno}"
    harmless = isinstance(args, tuple) and all(_SIGNAL_OR_NUMBER.fullmatch(str(a)) for a in args)
    text = record.getMessage() if harmless else record.msg
    return f"{record.name}: {' '.join(text.split())}"


def _log_lines_fields(record: logging.LogRecord) -> dict[str, Any]:
    if isinstance(record.msg, Event):
        return dict(record.msg.fields)
    fields = _of_request()
    if record.exc_info and record.exc_info[1]:
        fields["fault"] = fault(record.exc_info[1])
    return fields


def _of_request() -> dict[str, Any]:
    """What finds the line of the call that a line belongs to."""
    note = call_log.of_request() if has_request_context() else None
    return {"hook_instance": note.instance} if note and note.instance else {}


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
