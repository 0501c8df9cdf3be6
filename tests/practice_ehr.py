"""The practice EHR on a free loopback port, as tests and the drill use it: open, its charts and its
moods can be changed while it runs, and every request is written down."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from sandbox_ehr.app import create_app, start
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.moods import Act, Journal, Mood, Reply, Request, Script
from sandbox_ehr.settings import EhrSettings

Resource = dict[str, Any]
TODAY = date(2026, 11, 23)
INTERACTIONS = ("read", "search-type", "create", "update")
METADATA = "/fhir/metadata"
_idle: list[Flask] = []  # applications to start again


class _Handler(WSGIRequestHandler):
    disable_nagle_algorithm = True  # head and body are two writes: 40 ms each time otherwise

    def log(self, type: str, message: str, *args: Any) -> None:
        """Addresses name patients, and tests read the log."""


class _Server(ThreadedWSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away, or was killed, is not a fault of this server."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def log(self, type: str, message: str, *args: Any) -> None:
        """See the handler."""


@contextmanager
def listening(app: Any, port: int = 0) -> Iterator[int]:
    """`app` on that port of this machine, or on a free one, until the block ends."""
    server = _Server("127.0.0.1", port, app, _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@dataclass
class Ehr:
    """`url` is its FHIR base. `replies` are answers chosen by hand (moods.Script): what is not
    among them is answered from the charts."""

    url: str
    app: Flask
    records: Records
    script: Script = field(default_factory=Script)
    journal: Journal = field(default_factory=Journal)

    @property
    def replies(self) -> dict[str, Any]:
        return self.script.replies

    @property
    def asked(self) -> list[str]:
        """The addresses of every read and search that came."""
        return [r.target for r in self.journal.requests if r.method == "GET"]

    @property
    def sent(self) -> list[Request]:
        """Every write that came, whatever was answered."""
        return [r for r in self.journal.requests if r.method != "GET"]

    @property
    def tokens(self) -> list[str | None]:
        """The Authorization header of every request."""
        return [r.headers.get("Authorization") for r in self.journal.requests]

    def forget(self) -> None:
        """What came so far."""
        self.journal.requests.clear()

    def hold(self, resources: Iterable[Resource]) -> None:
        """Charts of these resources, and of no others."""
        self.records.begin_with(resources)

    def held(self, kind: str) -> list[Resource]:
        return self.records.search(kind)

    def be(self, *moods: Mood | Act) -> None:
        """In these moods, before every answer, the ones chosen by hand included."""
        running = self.app.extensions["sandbox-ehr"]
        running.moods.be(self.journal, *moods, self.script, Mood.ANY_TOKEN)


@contextmanager
def practice_ehr(
    resources: Iterable[Resource] = (), *moods: Mood | Act, port: int = 0
) -> Iterator[Ehr]:
    """It takes any token. It starts with an empty chart unless `resources` are given."""
    records = Records()
    app = _idle.pop() if _idle else create_app(records, EhrSettings("", TODAY))
    try:
        with listening(app, port) as taken:
            address = f"http://127.0.0.1:{taken}"
            start(app, records, EhrSettings(address, TODAY, open=True))
            ehr = Ehr(f"{address}/fhir", app, records)
            ehr.hold(resources)
            ehr.be(*moods)
            yield ehr
    finally:
        _idle.append(app)


# ---------------------------------------------------------------- answers to choose


def statement(version: str = "4.0.1", **params: str) -> Resource:
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


def declares(ehr: Ehr, version: str = "4.0.1", **params: str) -> None:
    """Let it declare less, or more, than it does."""
    ehr.replies[METADATA] = Reply(statement(version, **params))


def bundle(*resources: Resource, next_link: str = "") -> Resource:
    links = [{"relation": "next", "url": next_link}] if next_link else []
    entries = [{"resource": r, "search": {"mode": "match"}} for r in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, "link": links}
