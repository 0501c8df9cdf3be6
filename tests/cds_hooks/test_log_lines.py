"""The form of log lines, and what of other packages' messages is shown."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_hooks.recording import JsonLines, TerminalLines
from service_parts.log_events import Event
from tests.cds_hooks.conftest import SERVICE, Body
from vialwise.serving import server as logs
from vialwise.serving.server import ServerLog


def line(logger: str, message: Any, *args: Any, error: BaseException | None = None) -> Any:
    """A record as a JSON line, read again."""
    info = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(logger, logging.ERROR, "/a/place.py", 7, message, args, info)
    text = JsonLines().format(record)
    assert "\n" not in text
    return json.loads(text)


def test_a_line_is_json_with_time_level_event_and_fields() -> None:
    said = line("cds_hooks", Event("call", {"status": 200, "hook": "", "tenant": None, "cards": 0}))
    assert said.pop("time").endswith("Z") and said.pop("pid") > 0
    assert said == {"level": "error", "event": "call", "status": 200, "cards": 0}


def test_a_message_never_becomes_two_lines() -> None:
    assert line("cds_hooks", "one\ntwo\r%s", "x\ny")["event"] == "one two x y"


@pytest.mark.parametrize(
    ("message", "args", "shown"),
    [
        ("GET %s", ("/Patient/1",), "other: GET %s"),
        ("waited %s", ("/Patient/1",), "other: waited %s"),
        ("worker %s got %s", (12, "SIGKILL"), "other: worker 12 got SIGKILL"),
        ("Invalid request: /Patient/1", (), "other: a message of place.py:7"),
        (ValueError("Jane Doe"), (), "other: a message of place.py:7"),
        ("%(name)s", ({"name": "Jane Doe"},), "other: %(name)s"),
    ],
)
def test_of_other_packages_no_value_is_shown(message: Any, args: Any, shown: str) -> None:
    assert line("other", message, *args)["event"] == shown


def test_of_an_exception_kind_and_place_are_shown() -> None:
    try:
        raise ValueError("Jane Doe")
    except ValueError as error:
        said = line("gunicorn.error", "Error handling request %s", "/?patient=1", error=error)
    assert said["fault"].startswith("ValueError at test_log_lines.py:")
    assert "Jane" not in json.dumps(said) and "patient" not in json.dumps(said)


def test_a_terminal_gets_words() -> None:
    event = Event("call", {"hook": "order-sign", "rules": ("a", "b"), "ms": {"total": 1.5}})
    record = logging.LogRecord("cds_hooks", logging.INFO, "", 1, event, (), None)
    said = TerminalLines().format(record)
    assert said.split(maxsplit=1)[1] == "info    call hook=order-sign rules=a,b ms=total:1.5"


def test_every_line_of_a_call_finds_the_others(
    client: FlaskClient, wrong_code: Body, log: io.StringIO
) -> None:
    wrong_code["prefetch"]["patient"] = {"resourceType": "Patient", "id": "somebody"}
    client.post(SERVICE, json=wrong_code)
    said = [json.loads(text) for text in log.getvalue().splitlines()]
    assert [one["level"] for one in said] == ["warning", "info"]
    assert {one["hook_instance"] for one in said} == {wrong_code["hookInstance"]}


# ---------------------------------------------------------------- as the program sets it up


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Standard error as `serve` writes it; everything is put back."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers, root.level
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(logging, "raiseExceptions", True)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    logs.to_standard_error()
    yield stream
    root.handlers, root.level = handlers, level
    for room in logs.OURS:
        logging.getLogger(room).setLevel(logging.NOTSET)


def test_our_information_and_others_warnings(log: io.StringIO) -> None:
    logging.getLogger("cds_hooks.part").info("said")
    logging.getLogger("other").info("silent")
    logging.getLogger("other").warning("%s", "Jane Doe")
    logging.getLogger("cds_hooks").info("%d", "a mistake in a logging call, with Jane Doe")
    events = [json.loads(text)["event"] for text in log.getvalue().splitlines()]
    assert events == ["said", "other: %s"]


def test_twice_set_up_is_one_line_each(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", log)
    logs.to_standard_error()
    logging.getLogger("cds_hooks").info("said")
    assert len(log.getvalue().splitlines()) == 1


def test_a_thread_that_fails_prints_no_values(log: io.StringIO) -> None:
    def fails() -> None:
        raise ValueError("Jane Doe")

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    assert json.loads(log.getvalue())["event"].startswith("a thread failed: ValueError at test_log")


def test_the_servers_own_log_comes_along_and_there_is_no_access_log(log: io.StringIO) -> None:
    from gunicorn.config import Config

    config = Config()
    config.set("logger_class", ServerLog)
    config.set("loglevel", "error")
    server = ServerLog(config)
    assert config.accesslog is None and not server.access_log.handlers
    try:
        raise ValueError("Jane Doe")
    except ValueError:
        server.exception("Error handling request %s", "/?patient=1")
    said = json.loads(log.getvalue())
    assert said["event"] == "gunicorn.error: Error handling request %s"
    assert "Jane" not in log.getvalue() and "patient" not in log.getvalue()
