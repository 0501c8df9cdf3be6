"""A FHIR server that takes resources, on a free loopback port, with the refusals real ones have."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Resource = dict[str, Any]


@dataclass
class WritableServer:
    """`own_ids`: an id of the client's is refused. `no_updates`: so is every PUT. `ignores_tag`:
    searches give everything. `needed`: references that may not be deleted."""

    url: str = ""
    held: dict[str, Resource] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    own_ids: bool = False
    no_updates: bool = False
    ignores_tag: bool = False
    needed: set[str] = field(default_factory=set)
    refuse: tuple[int, str] | None = None
    page_size: int = 50

    def by_identifier(self, kind: str, value: str) -> str | None:
        return next(
            (
                key
                for key, r in self.held.items()
                if key.startswith(f"{kind}/")
                and any(
                    f"{i.get('system')}|{i.get('value')}" == value for i in r.get("identifier", [])
                )
            ),
            None,
        )

    def keep(self, key: str, resource: Resource) -> tuple[int, Resource]:
        created = key not in self.held
        self.held[key] = {**resource, "id": key.partition("/")[2]}
        return (201 if created else 200), self.held[key]

    def new_key(self, kind: str) -> str:
        return f"{kind}/{1000 + len(self.held) + len(self.deleted)}"


@contextmanager
def writable_server(**habits: Any) -> Iterator[WritableServer]:
    handler = type("_Handler", (_Handler,), {"fhir": WritableServer(**habits)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.fhir.url = f"http://127.0.0.1:{server.server_port}/fhir"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield handler.fhir
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes: 40 ms each time otherwise
    fhir: WritableServer

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        kind, id_, query = self._asked()
        if id_:
            there = self.fhir.held.get(f"{kind}/{id_}")
            self._say(*((200, there) if there else (404, _outcome("not found"))))
            return
        found = [r for key, r in self.fhir.held.items() if key.startswith(f"{kind}/")]
        if not self.fhir.ignores_tag:
            tag = query["_tag"][0]
            found = [r for r in found if tag in _tags(r)]
        start = int(query.get("start", ["0"])[0])
        page = found[start : start + self.fhir.page_size]
        more = start + self.fhir.page_size < len(found)
        following = f"{kind}?_tag={query['_tag'][0]}&start={start + self.fhir.page_size}"
        links = [{"relation": "next", "url": f"{self.fhir.url}/{following}"}] if more else []
        entries = [{"resource": r} for r in page]
        self._say(200, {"resourceType": "Bundle", "entry": entries, "link": links})

    def do_PUT(self) -> None:  # noqa: N802
        kind, id_, query = self._asked()
        body = self._body()
        if self.fhir.refuse:
            self._say(self.fhir.refuse[0], _outcome(self.fhir.refuse[1]))
        elif self.fhir.no_updates or (id_ and self.fhir.own_ids):
            self._say(405, _outcome("ids are given here"))
        elif id_:
            self._say(*self.fhir.keep(f"{kind}/{id_}", body))
        else:
            known = self.fhir.by_identifier(kind, query["identifier"][0])
            self._say(*self.fhir.keep(known or self.fhir.new_key(kind), body))

    def do_POST(self) -> None:  # noqa: N802
        kind, _, _ = self._asked()
        body = self._body()
        wanted = parse_qs(self.headers["If-None-Exist"])["identifier"][0]
        known = self.fhir.by_identifier(kind, wanted)
        if known:
            self._say(200, self.fhir.held[known])
        elif self.fhir.refuse:
            self._say(self.fhir.refuse[0], _outcome(self.fhir.refuse[1]))
        else:
            self._say(*self.fhir.keep(self.fhir.new_key(kind), body))

    def do_DELETE(self) -> None:  # noqa: N802
        kind, id_, _ = self._asked()
        key = f"{kind}/{id_}"
        if key in self.fhir.needed:
            self._say(409, _outcome("something refers to it"))
        else:
            self.fhir.held.pop(key, None)
            self.fhir.deleted.append(key)
            self._say(204, None)

    def _asked(self) -> tuple[str, str, dict[str, list[str]]]:
        parts = urlsplit(self.path)
        kind, _, id_ = parts.path.removeprefix("/fhir/").partition("/")
        return kind, id_, parse_qs(parts.query)

    def _body(self) -> Resource:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def _say(self, status: int, body: Resource | None) -> None:
        sent = json.dumps(body).encode() if body is not None else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/fhir+json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: Any) -> None:
        pass


def _tags(resource: Resource) -> set[str]:
    return {f"{t['system']}|{t['code']}" for t in resource.get("meta", {}).get("tag", [])}


def _outcome(text: str) -> Resource:
    issue = {"severity": "error", "code": "processing", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
