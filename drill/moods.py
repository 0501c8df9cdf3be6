"""The ways in which a FHIR server fails: each changes how a server of tests/ehr_access answers."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.ehr_access.server import FakeEhr, Handler, Reply, bundle

Mood = Callable[[FakeEhr], None]
_METADATA = "/r4/metadata"  # read once a day: the drill is about the queries


def slow(seconds: float) -> Mood:
    """Every answer waits."""

    def late(said: Reply | Handler) -> Handler:
        def answer(request: BaseHTTPRequestHandler) -> None:
            time.sleep(seconds)
            _send(said, request)

        return answer

    return _changed(late)


def dripping(request: BaseHTTPRequestHandler) -> None:
    """A byte every tenth of a second, for much longer than anybody waits."""
    _head(request, 10_000)
    for _ in range(60):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.1)
    request.close_connection = True


def status(code: int, **headers: str) -> Mood:
    """Every answer is this HTTP status."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return _changed(lambda said: Reply({"resourceType": "OperationOutcome"}, code, named))


def busy_once(seconds: int) -> Mood:
    """429 with Retry-After for the first of each question, the answer afterwards."""

    def first_busy(said: Reply | Handler) -> Handler:
        asked: set[str] = set()

        def answer(request: BaseHTTPRequestHandler) -> None:
            if request.path in asked:
                _send(said, request)
                return
            asked.add(request.path)
            Reply(b"", 429, {"Retry-After": str(seconds)}).send(request)

        return answer

    return _changed(first_busy)


def half_a_page(request: BaseHTTPRequestHandler) -> None:
    """The head promises more than the body holds, then the connection is cut."""
    body = json.dumps(bundle()).encode()
    _head(request, len(body))
    request.wfile.write(body[: len(body) // 2])
    request.close_connection = True


def endless(request: BaseHTTPRequestHandler) -> None:
    """Every page names a next one."""
    path, _, query = request.path.partition("?")
    page = int(query.rpartition("page=")[2] or 0) if "page=" in query else 0
    Reply(bundle(next_link=f"{path.rpartition('/')[2]}?page={page + 1}")).send(request)


def labelled(content_type: str) -> Mood:
    """The right answer under a wrong name."""
    return _changed(lambda said: _relabelled(said, content_type))


def web_page(request: BaseHTTPRequestHandler) -> None:
    """A login page that says it is FHIR, as proxies send it."""
    Reply(b"<html><body>Please log in</body></html>").send(request)


def another_patients(kind: str, resource: dict[str, Any]) -> Mood:
    """A search answers with somebody else's resource."""

    def change(ehr: FakeEhr) -> None:
        ehr.replies[f"/r4/{kind}"] = Reply(bundle(resource))

    return change


def always(handler: Handler) -> Mood:
    """Every question gets this answer."""
    return _changed(lambda _: handler)


# ---------------------------------------------------------------- how


def _changed(change: Callable[[Reply | Handler], Reply | Handler]) -> Mood:
    def mood(ehr: FakeEhr) -> None:
        for path, said in ehr.replies.items():
            if path != _METADATA and not isinstance(said, list):
                ehr.replies[path] = change(said)

    return mood


def _relabelled(said: Reply | Handler, content_type: str) -> Handler:
    def answer(request: BaseHTTPRequestHandler) -> None:
        send_header = request.send_header

        def renamed(name: str, value: str) -> None:
            send_header(name, content_type if name == "Content-Type" else value)

        request.send_header = renamed  # type: ignore[method-assign]
        try:
            _send(said, request)
        finally:
            request.send_header = send_header  # type: ignore[method-assign]

    return answer


def _send(said: Reply | Handler, request: BaseHTTPRequestHandler) -> None:
    if isinstance(said, Reply):
        said.send(request)
    else:
        said(request)


def _head(request: BaseHTTPRequestHandler, length: int) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/fhir+json")
    request.send_header("Content-Length", str(length))
    request.end_headers()
