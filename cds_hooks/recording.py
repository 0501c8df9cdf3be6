"""What is kept of a call: its cards, its audit record, its numbers and its one log line.

No failure of the store costs a card, and no failure here costs an answer: while the database is
away nothing is suppressed and nothing recorded, and the log names the kind of fault.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import PurePath
from time import perf_counter
from typing import Any, TypeVar

from flask import Flask, Response, g, has_request_context, request

from billing_rules.review import OrderReview
from cds_hooks import exact_json, services
from cds_hooks.calls import call_log
from cds_hooks.calls.call_log import CallNote
from cds_hooks.cards.plan import HeldBack, PlannedCard, without_repeats
from cds_hooks.cards.writing import new_uuid
from cds_hooks.record.entries import AuditedCall, ShownCard
from cds_hooks.record.store import Store
from cds_hooks.request.hook_request import HookRequest
from cds_hooks.running import Running
from cds_hooks.services import Service
from service_parts.database import StoreFailed
from service_parts.log_events import Event, fault

# ----------------------------------------------------------------------
# What a service call asks of the store and tells it; no failure there costs a card.
#
# While the database is away nothing is suppressed and nothing recorded, the log names the kind of
# fault, and the answer goes out as it would have.


log = logging.getLogger("cds_hooks")
T = TypeVar("T")


def unrepeated(
    reviews: Sequence[OrderReview], hook: HookRequest, here: Running, note: CallNote
) -> Sequence[OrderReview]:
    """`reviews` without what was overridden for the same patient and order of late."""
    store, quiet_days = here.store, here.settings.quiet_days
    if quiet_days <= 0 or not any(review.findings for review in reviews):
        return reviews
    patient = store.keys.patient(hook.context.patient_id, hook.fhir_server)
    since = store.now() - timedelta(days=quiet_days)
    overridden = _tried(store, note, "looked up", lambda: store.overridden(patient, since))
    return without_repeats(reviews, overridden, store.keys.order) if overridden else reviews


def record(
    plan: Sequence[PlannedCard],
    cards: Sequence[Mapping[str, Any]],
    held: Sequence[HeldBack],
    hook: HookRequest,
    service: Service,
    here: Running,
    note: CallNote,
    unseen: str = "",
) -> None:
    """Keep what is about to be sent, `cards` are those of `plan`, written; and what is `held` back.
    `unseen` says why the EHR will not show what it is sent."""
    store = here.store
    if not (cards or held):
        return
    patient = store.keys.patient(hook.context.patient_id, hook.fhir_server)
    entries: list[tuple[PlannedCard, Mapping[str, Any], str]] = [
        (planned, card, unseen) for planned, card in zip(plan, cards, strict=True)
    ]
    for part in held:
        entries += [(planned, {"uuid": new_uuid()}, part.because) for planned in part.cards]
    order_keys: dict[int, str] = {}  # an order has two cards at most
    records = []
    for planned, card, because in entries:
        order = planned.review.order
        if id(order) not in order_keys:
            order_keys[id(order)] = store.keys.order(order)
        records.append(
            ShownCard(
                card=card["uuid"],
                suggestions=tuple(one["uuid"] for one in card.get("suggestions", ())),
                service=service.id,
                hook=hook.hook,
                findings=tuple((finding.rule, finding.kind) for finding in planned.findings),
                rule_set=here.settings.rule_set,
                payer_id=planned.review.payer.id,
                drug_id=planned.review.drug.id,
                topic=planned.topic.value,
                indicator=planned.severity.value,
                patient_key=patient,
                order_key=order_keys[id(order)],
                client=note.client,
                tenant=note.tenant,
                held_back=because,
            )
        )
    _tried(store, note, "recorded", lambda: store.record(records))


def _tried(store: Store, note: CallNote, what: str, do: Callable[[], T]) -> T | None:
    """What `do` answers; None when it fails, with the kind of fault
    in the log, or while it is left alone."""
    try:
        if store.backoff.over:
            with store.backoff.after_failure():
                return do()
        log.warning("cards not %s: the database failed a moment ago", what)
    except StoreFailed as error:
        log.error("cards not %s: %s", what, error.kind)
    except Exception as error:
        log.error("cards not %s: %s", what, fault(error))
    note.database_failures.append(f"cards {what}")
    return None


# ----------------------------------------------------------------------
# The end of every request: its audit record, its numbers and its one log line.
#
# Whatever fails here costs no answer. The probes and /metrics itself are left out: they come
# every few seconds and say nothing.


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
