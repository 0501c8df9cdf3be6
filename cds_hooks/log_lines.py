"""Log records as lines: JSON for machines, words for a terminal; neither repeats a chart.

Our own messages are fixed sentences with this program's own words in them. Other packages' may
repeat an address or a body, so of theirs only the template and the place are shown, and of an
exception only its kind and place (checklist A10.5).
"""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

from flask import has_request_context

from cds_hooks import call_note, exact_json
from service_parts.log_events import Event, fault

OURS = ("billing_rules", "cds_hooks", "ehr_access", "smart_app", "vialwise")
_SIGNAL_OR_NUMBER = re.compile(r"SIG[A-Z0-9]{1,8}|[0-9]{1,7}")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, event, and the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": event_of(record),
            **_fields(record),
            "pid": record.process,
        }
        return exact_json.encode(line).decode()


class TerminalLines(logging.Formatter):
    """The same for a person who watches."""

    def format(self, record: logging.LogRecord) -> str:
        said = str(Event(event_of(record), _fields(record)))
        return f"{_time(record).astimezone():%H:%M:%S} {record.levelname.lower():<7} {said}"


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


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    if isinstance(record.msg, Event):
        return dict(record.msg.fields)
    fields = _of_request()
    if record.exc_info and record.exc_info[1]:
        fields["fault"] = fault(record.exc_info[1])
    return fields


def _of_request() -> dict[str, Any]:
    """What finds the line of the call that a line belongs to."""
    note = call_note.of_request() if has_request_context() else None
    return {"hook_instance": note.instance} if note and note.instance else {}


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)
