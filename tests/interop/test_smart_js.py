"""npm's fhirclient, the library of most SMART apps on the web, launched by the practice EHR.

The app around it (smart_js/app.mjs) says what the library read; a browser is played by requests.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from sandbox_ehr import charts
from sandbox_ehr.app import create_app
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.settings import EhrSettings
from tests.interop.servers import NotHere, smart_js
from tests.sandbox_ehr.conftest import ADA, PUBLIC, TODAY, inside

pytestmark = pytest.mark.interop
USER = "Practitioner/prac-imogen-hartwell"
ENCOUNTER = "enc-of-the-launch"
SCOPE = "launch openid fhirUser patient/*.rs offline_access"


@dataclass(frozen=True, slots=True)
class Launching:
    """The practice EHR, and the app that is registered at it."""

    ehr: Flask
    app: str

    def opened(self) -> dict[str, Any]:
        """What the app read after the EHR opened it for Ada, and after every redirect."""
        token = inside(self.ehr).launches.new(ADA, ENCOUNTER, USER)
        query = {"iss": inside(self.ehr).settings.fhir_base, "launch": token}
        said = requests.get(f"{self.app}/launch", params=query, timeout=60)
        assert said.status_code == 200, said.text
        return said.json()


@pytest.fixture(scope="module")
def launching() -> Iterator[Launching]:
    started = smart_js(PUBLIC.id, SCOPE)
    try:
        app = started.__enter__()
    except NotHere as why:
        pytest.skip(f"no fhirclient of npm: {why}")
    try:
        yield from _beside(app)
    finally:
        started.__exit__(None, None, None)


def _beside(app: str) -> Iterator[Launching]:
    """The EHR on a loopback port, until the tests are over."""
    running = make_server("127.0.0.1", 0, lambda environ, start: [], threaded=True)
    client = replace(PUBLIC, redirect_uris=(f"{app}/callback",), launch_url=f"{app}/launch")
    settings = EhrSettings(f"http://127.0.0.1:{running.server_port}", TODAY, (client,))
    ehr = create_app(Records.of(charts.invented(TODAY)), settings)
    running.app = ehr
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield Launching(ehr, app)
    running.shutdown()
    thread.join(10)
    running.server_close()


@pytest.fixture(scope="module")
def read(launching: Launching) -> dict[str, Any]:
    return launching.opened()


def test_it_launches_with_pkce_and_knows_patient_visit_and_user(read: dict[str, Any]) -> None:
    assert (read["patient"], read["encounter"], read["user"]) == (ADA, ENCOUNTER, USER)


def test_it_walks_every_page(launching: Launching, read: dict[str, Any]) -> None:
    held = inside(launching.ehr).records.search("Observation")
    of_ada = [r["id"] for r in held if r["subject"]["reference"] == f"Patient/{ADA}"]
    assert sorted(read["observations"]) == sorted(of_ada) and len(of_ada) > 2


def test_it_resolves_references(read: dict[str, Any]) -> None:
    assert read["subjects"] == ["Patient"]


def test_it_is_told_of_another_patient_as_forbidden(read: dict[str, Any]) -> None:
    assert (read["another"], read["unknown"]) == (403, 404)


def test_it_renews_its_token(read: dict[str, Any]) -> None:
    assert read["refreshed"] is True
