"""The practice EHR and the CDS service as two real servers that trust each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.serving import make_server

from billing_rules.catalogue import Catalogue
from cds_hooks import Settings, create_app
from sandbox_ehr.desk.worksheets import Desk
from sandbox_ehr.settings import RegisteredApp
from tests.databases import store_at
from vialwise.serving import practice_ehr, server


@dataclass(frozen=True, slots=True)
class Pair:
    """`ehr` and `cds` are addresses."""

    ehr: str
    cds: str
    app: Flask

    @property
    def desk(self) -> Desk:
        found = self.app.extensions["sandbox-ehr-desk"]
        assert isinstance(found, Desk)
        return found

    def with_services(self, *services: Any) -> None:
        """Other CDS services than ours from now on."""
        self.app.extensions["sandbox-ehr-desk"] = replace(self.desk, services=services)


@contextmanager
def running_pair(
    catalogue: Catalogue, folder: Path, apps: tuple[RegisteredApp, ...] = (), **changes: Any
) -> Iterator[Pair]:
    """Both on free ports of this machine; `changes` are members of the service's settings."""
    cds_socket, ehr_socket = (server.bound_socket("127.0.0.1", 0) for _ in range(2))
    cds_url, ehr_url = server.address_of(cds_socket), server.address_of(ehr_socket)
    with store_at(f"sqlite:///{folder}/store.sqlite") as store:
        said: dict[str, Any] = {
            "public_url": cds_url,
            "today": date.today,
            "clients": (practice_ehr.registration(ehr_url),),
            "development": True,
            "billing_plan": True,
            "quiet_days": 0,
        }
        cds = create_app(catalogue, Settings(**{**said, **changes}), store)
        ehr = practice_ehr.application(ehr_url, cds_url, date.today(), apps)
        with served(cds, cds_socket), served(ehr, ehr_socket):
            yield Pair(ehr_url, cds_url, ehr)


@contextmanager
def served(app: Flask, bound: Any) -> Iterator[None]:
    """`app` at the address of a socket that listens, until the block ends."""
    running = make_server("127.0.0.1", 0, app, threaded=True, fd=bound.fileno())
    thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        running.shutdown()
        thread.join(5)
        bound.close()
