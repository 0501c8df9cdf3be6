"""Launches from the practice EHR, in every kind of client, and every trouble it can make."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from ehr_access.app_context import AppContext, sealed
from sandbox_ehr import charts
from sandbox_ehr.app import create_app
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.moods import Mood
from sandbox_ehr.settings import ClientKind as Kind
from sandbox_ehr.settings import EhrSettings, RegisteredApp
from smart_app.launch import error_pages
from smart_app.launch.error_pages import Stop
from smart_app.launch.registration import AppKeys
from smart_app.settings import RegisteredEhr
from tests.sandbox_ehr.conftest import inside
from tests.smart_app.clients import ClientKind
from tests.smart_app.conftest import CONTEXT_KEY, Browser, MakeSite, Site
from tests.smart_app.strict_ehr import REDIRECT
from tests.smart_app.test_launch import stopped
from tests.smart_app.test_windows import window_token

TODAY = date(2026, 11, 23)
ADA, DOCTOR = "pat-ada-winterbourne", "Practitioner/prac-imogen-hartwell"
SECRET = "a secret: with+signs"


@dataclass
class Practice:
    """The practice EHR, running, and the site whose app is registered there."""

    app: Flask
    site: Site
    base: str

    def launch(self, browser: Browser, **more: Any) -> str:
        """Opened from a chart there, signed in, and sent back to this address."""
        said = {"user": DOCTOR, **more}
        token = inside(self.app).launches.new(ADA, **said)
        begun = browser.begin(iss=self.base, launch=token)
        assert begun.status_code == 303, begun.text
        answer = requests.get(begun.headers["Location"], allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        parts = urlsplit(answer.headers["Location"])
        return f"/callback?{parts.query}"

    def opened(self, browser: Browser, **more: Any) -> str:
        answer = browser.get(self.launch(browser, **more))
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])


@pytest.fixture(scope="module")
def invented() -> list[dict[str, Any]]:
    return charts.invented(TODAY)


MakePractice = Callable[..., Any]


@pytest.fixture
def practice(
    invented: list[dict[str, Any]], site_with: MakeSite, app_keys: AppKeys
) -> Iterator[MakePractice]:
    running: list[Callable[[], None]] = []

    def make(kind: ClientKind = ClientKind.PUBLIC, **registered: Any) -> Practice:
        server = make_server("127.0.0.1", 0, Flask("not yet"), threaded=True)
        url = f"http://127.0.0.1:{server.server_port}"
        secret = SECRET if kind is ClientKind.SECRET else ""
        client = RegisteredApp(
            "vialwise",
            "Vialwise",
            _KINDS[kind],
            redirect_uris=(REDIRECT,),
            secret=secret,
            jwks=app_keys.published(),
        )
        server.app = create_app(Records.of(invented), EhrSettings(url, TODAY, (client,)))
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        running.append(server.shutdown)
        ehr = RegisteredEhr(
            id="practice",
            name="Practice",
            fhir_base=f"{url}/fhir",
            client_id="vialwise",
            client_secret=secret,
            **kind.written,
            **registered,
        )
        return Practice(server.app, site_with(kind, ehrs=(ehr,)), f"{url}/fhir")

    yield make
    for stop in running:
        stop()


_KINDS = {
    ClientKind.PUBLIC: Kind.PUBLIC,
    ClientKind.SECRET: Kind.SECRET,
    ClientKind.RS384: Kind.KEY,
    ClientKind.ES384: Kind.KEY,
}


@pytest.mark.parametrize("kind", list(ClientKind))
def test_every_kind_of_client_opens_reads_and_renews(
    practice: MakePractice, kind: ClientKind
) -> None:
    there = practice(kind)
    browser = there.site.browser()
    path = there.opened(browser)
    said = browser.seen(path)
    assert (said["patient"], said["user"], said["role"]) == (ADA, DOCTOR, "clinician")
    assert said["name"]
    assert browser.get(f"{path}read/Patient/{ADA}").text == "Present"
    token = window_token(there.site, path)
    assert token.after_refusal(token.current())
    assert browser.get(f"{path}read/Patient/{ADA}").text == "Present"


def test_what_a_card_handed_over_comes_back(practice: MakePractice) -> None:
    there = practice()
    meant = AppContext("card-1", "MedicationRequest/m-1", ("total_ige",), ADA, there.base)
    text = sealed(meant, CONTEXT_KEY, datetime.now(UTC))
    browser = there.site.browser()
    said = browser.seen(there.opened(browser, app_context=text))
    assert (said["order"], said["rules"]) == ("MedicationRequest/m-1", ["total_ige"])


def test_a_patient_who_is_signed_in_there_sees_nothing(practice: MakePractice) -> None:
    there = practice()
    browser = there.site.browser()
    stopped(browser.get(there.launch(browser, user=f"Patient/{ADA}")), error_pages.NOT_FOR_PATIENTS)


def test_writing_is_granted_only_where_it_is_asked_for(practice: MakePractice) -> None:
    there = practice(writes=frozenset({"Observation"}))
    browser = there.site.browser()
    assert "Observation.crus" in browser.seen(there.opened(browser))["scopes"]
    path = there.opened(browser, moods=frozenset({Mood.NO_WRITE_SCOPES}))
    assert "Observation.crus" not in browser.seen(path)["scopes"]


@pytest.mark.parametrize(
    ("fault", "stop"),
    [
        (Mood.AUTH_INVALID_SCOPE, error_pages.REFUSED_BY_EHR),
        (Mood.AUTH_ACCESS_DENIED, error_pages.REFUSED_BY_EHR),
        (Mood.AUTH_WRONG_STATE, error_pages.FOREIGN_STATE),
        (Mood.TOKEN_INVALID_TOKEN, error_pages.NOT_EXCHANGED),
        (Mood.TOKEN_INVALID_SCOPE, error_pages.NOT_EXCHANGED),
        (Mood.NO_PATIENT, error_pages.NO_PATIENT),
        (Mood.WRONG_NONCE, error_pages.NOT_IDENTIFIED),
    ],
)
def test_each_trouble_is_a_page_that_says_what_to_do(
    practice: MakePractice, fault: Mood, stop: Stop
) -> None:
    there = practice()
    browser = there.site.browser()
    stopped(browser.get(there.launch(browser, moods=frozenset({fault}))), stop)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (ClientKind.SECRET, Mood.AUTH_INVALID_CLIENT_SECRET),
        (ClientKind.ES384, Mood.TOKEN_EXPIRED_REGISTRATION_TOKEN),
        (ClientKind.RS384, Mood.TOKEN_INVALID_JTI),
    ],
)
def test_a_client_that_is_not_believed_is_not_let_in(
    practice: MakePractice, kind: ClientKind, fault: Mood
) -> None:
    there = practice(kind)
    browser = there.site.browser()
    answer = browser.get(there.launch(browser, moods=frozenset({fault})))
    stopped(answer, error_pages.NOT_EXCHANGED)


def test_a_token_that_lasts_two_seconds_is_renewed_unseen(practice: MakePractice) -> None:
    there = practice()
    browser = there.site.browser()
    path = there.opened(browser, moods=frozenset({Mood.SHORT_TOKEN}))
    kept = there.site.store.current(path.split("/")[2])
    assert browser.get(f"{path}read/Patient/{ADA}").text == "Present"
    after = there.site.store.current(path.split("/")[2])
    assert kept is not None and after is not None and after.version > kept.version


def test_without_a_refresh_token_reading_ends_with_the_token(practice: MakePractice) -> None:
    there = practice()
    browser = there.site.browser()
    lasting = frozenset({Mood.NO_REFRESH_TOKEN})
    path = there.opened(browser, moods=lasting)
    assert browser.get(f"{path}read/Patient/{ADA}").text == "Present"
    token = window_token(there.site, path)
    assert token.after_refusal(token.current()) == ""
