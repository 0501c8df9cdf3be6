"""Both writing screens against the practice EHR, from the launch to the chart read again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from billing_rules.catalogue import Catalogue
from sandbox_ehr import charts
from sandbox_ehr.app import create_app as practice_ehr
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.settings import ClientKind as Kind
from sandbox_ehr.settings import EhrSettings, RegisteredApp
from smart_app.app import create_app
from smart_app.launch.services import Installation
from smart_app.launch.store import Seal, WindowStore
from smart_app.screens import SCREENS
from smart_app.settings import AppSettings, RegisteredEhr
from tests.sandbox_ehr.conftest import inside
from tests.smart_app.conftest import PUBLIC, SEAL_KEYS, Browser, Clock, Site
from tests.smart_app.form_site import EDMUND, TWO_VIALS, fields_of, follow, text_of
from tests.smart_app.strict_ehr import REDIRECT
from tests.smart_app.test_close_out_screen import GIVEN
from tests.smart_app.test_documentation_screen import IGE

TODAY = date(2026, 11, 24)
NURSE = "Practitioner/prac-nell-birdsong"
# Of this patient only the one order, and no dose yet.
OTHERS = ("MedicationAdministration", "MedicationRequest", "ServiceRequest", "ChargeItem", "Claim")
WRITES = frozenset(
    {"Observation", "QuestionnaireResponse", "DocumentReference", "MedicationAdministration"}
)


class Opened:
    """A window that was launched from the practice EHR, seen by a browser."""

    def __init__(self, site: Site, ehr: Flask, base: str, patient: str, order: str) -> None:
        self.browser = Browser(site, site.app.test_client())
        self.order = f"MedicationRequest/{order}"
        token = inside(ehr).launches.new(patient, user=NURSE)
        begun = self.browser.get(f"/launch?{urlencode({'iss': base, 'launch': token})}")
        answer = requests.get(begun.headers["Location"], allow_redirects=False, timeout=10)
        back = self.browser.get(f"/callback?{answer.headers['Location'].partition('?')[2]}")
        assert back.status_code == 303, back.text
        self.window = str(back.headers["Location"]).rstrip("/")

    def get(self, path: str) -> Any:
        return self.browser.get(path)

    def address(self, screen: str) -> str:
        return f"{self.window}/{screen}?order={self.order}"

    def page(self, screen: str) -> str:
        answer = self.get(self.address(screen))
        assert answer.status_code == 200, text_of(answer.text)
        return str(answer.text)

    def send(self, screen: str, typed: dict[str, str]) -> str:
        data = {**fields_of(self.page(screen)), **typed}
        return text_of(follow(self, self.browser.post(self.address(screen), data=data)))


@pytest.fixture
def opened(catalogue: Catalogue, engine: Any) -> Iterator[Any]:
    server = make_server("127.0.0.1", 0, Flask("not yet"), threaded=True)
    url = f"http://127.0.0.1:{server.server_port}"
    client = RegisteredApp("vialwise", "Vialwise", Kind.PUBLIC, redirect_uris=(REDIRECT,))

    def open_(patient: str, order: str, writes: frozenset[str] = WRITES) -> Opened:
        held = [
            r
            for r in charts.invented(TODAY)
            if patient not in str(r) or r["resourceType"] not in OTHERS or r["id"] == order
        ]
        ehr = practice_ehr(Records.of(held), EhrSettings(url, TODAY, (client,)))
        server.app = ehr
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        registered = RegisteredEhr(
            id="practice",
            name="Practice",
            fhir_base=f"{url}/fhir",
            client_id="vialwise",
            writes=writes,
        )
        settings = AppSettings(app_url=PUBLIC, ehrs=(registered,), window_secrets=SEAL_KEYS)
        seal = Seal(settings.window_secrets)
        store = WindowStore(
            engine, seal, settings.session, settings.idle, lambda: datetime.now(UTC)
        )
        app = create_app(Installation(catalogue, lambda: TODAY), settings, store, SCREENS)
        return Opened(Site(app, store, ehr, Clock()), ehr, f"{url}/fhir", patient, order)

    yield open_
    server.shutdown()


def test_an_ige_that_was_entered_is_found_in_the_chart(opened: Any) -> None:
    window = opened(*EDMUND)
    told = window.send("documentation", IGE)
    assert "The documentation is saved" in told and "Total IgE Missing On file new" in told
    assert "350 kU/L" in text_of(window.page(""))


def test_a_dose_that_was_closed_out_gives_the_same_lines_again(opened: Any) -> None:
    window = opened(*TWO_VIALS)
    told = window.send("close-out", GIVEN)
    assert "The dose is closed out" in told and "J2357 x 45 J2357-JW x 15" in told
    assert "the EHR's own records give the same claim lines" in told


def test_where_writing_was_not_registered_the_note_is_all(opened: Any) -> None:
    window = opened(*EDMUND, frozenset())
    told = window.send("documentation", IGE)
    assert "Not saved Total IgE: this sign-in does not allow it." in told
    assert "print it, or copy it into the chart" in told and "350 kU/L" in told
