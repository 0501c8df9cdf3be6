"""A FHIR server made of a dictionary, on a free loopback port, for the tests of the client."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

INTERACTIONS = ("read", "search-type", "create", "update")
Handler = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Reply:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    def send(self, request: BaseHTTPRequestHandler) -> None:
        body = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        headers = {"Content-Type": "application/fhir+json", "Content-Length": str(len(body))}
        request.send_response(self.status)
        for name, value in {**headers, **self.headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


@dataclass
class Sent:
    """A write that arrived, whatever was answered."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeEhr:
    """`replies` maps "/r4/Patient/1" or "/r4/Patient" (a search) or "POST /r4/Observation"
    to a reply, a list of replies given one after the other, or a function that answers by itself.
    """

    url: str
    replies: dict[str, Reply | list[Reply] | Handler]
    asked: list[str] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)


@contextmanager
def fake_ehr(port: int = 0) -> Iterator[FakeEhr]:
    handler = type("_Handler", (_Handler,), {})
    server = _Server(("127.0.0.1", port), handler)
    ehr = FakeEhr(f"http://127.0.0.1:{server.server_port}/r4", {"/r4/metadata": Reply(statement())})
    handler.ehr = ehr
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield ehr
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or was killed, is no fault of this server."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: 40 ms each time otherwise
    ehr: FakeEhr

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        self.ehr.asked.append(self.path)
        self.ehr.tokens.append(self.headers.get("Authorization"))
        reply = self.ehr.replies.get(self.path) or self.ehr.replies.get(self.path.split("?")[0])
        self._answer(reply)

    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.ehr.sent.append(Sent(self.command, self.path, dict(self.headers), body))
        self.ehr.tokens.append(self.headers.get("Authorization"))
        self._answer(self.ehr.replies.get(f"{self.command} {self.path}"))

    do_PUT = do_POST  # noqa: N815 - http.server's name

    def _answer(self, reply: Any) -> None:
        if isinstance(reply, list):
            reply = reply.pop(0)
        if reply is None:
            reply = Reply({"resourceType": "OperationOutcome"}, status=404)
        try:
            reply.send(self) if isinstance(reply, Reply) else reply(self)
        except OSError:  # the client went away: most of these tests are about that
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


def statement(version: str = "4.0.1", **params: str) -> dict[str, Any]:
    """A capability statement: type -> its search parameters, separated by spaces."""
    types = params or {
        "Patient": "_id",
        "Observation": "patient code category date",
        "Coverage": "patient status",
    }
    return {
        "resourceType": "CapabilityStatement",
        "fhirVersion": version,
        "rest": [
            {
                "mode": "server",
                "resource": [
                    {
                        "type": name,
                        "interaction": [{"code": c} for c in INTERACTIONS],
                        "searchParam": [{"name": p} for p in text.split()],
                    }
                    for name, text in types.items()
                ],
            }
        ],
    }


def bundle(*resources: dict[str, Any], next_link: str = "") -> dict[str, Any]:
    links = [{"relation": "next", "url": next_link}] if next_link else []
    entries = [{"resource": r, "search": {"mode": "match"}} for r in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, "link": links}


def weight(id_: str) -> dict[str, Any]:
    return {"resourceType": "Observation", "id": id_}


def outcome(severity: str) -> dict[str, Any]:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity}]}
