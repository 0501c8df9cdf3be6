"""Checklist A10.5: nothing of a launch reaches log, database (in the clear) or error page.

Whatever is a person's, a secret or a code is a canary, and launches go every way they can go.
"""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from cds_hooks.recording import JsonLines
from smart_app.launch.store import WindowStore
from tests.cds_hooks.canaries import CANARY, leaks
from tests.smart_app.conftest import Browser, MakeSite, Site
from tests.smart_app.test_windows import token_of

FIELDS = {"time", "level", "event", "pid", "ehr", "outcome", "ms", "endpoint", "kind", "fault"}
NOT_OURS = "werkzeug"  # the fake EHR's own log, which is not the app's


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any package logs, at every level, as `serve` would write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    handler.addFilter(lambda record: not record.name.startswith(NOT_OURS))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


class Watched:
    """A browser, and everything the app wrote while it was used."""

    def __init__(self, site: Site, log: io.StringIO, directory: Path) -> None:
        self.site = site
        self.browser = site.browser()
        self.log = log
        self.directory = directory
        self.secrets: set[str] = set()
        site.ehr.granted = {
            "patient": "zqzqpatient",
            "encounter": "zqzqencounter",
            "access_token": "zqzqaccess",
            "refresh_token": "zqzqrefresh",
            "appContext": "zqzqcontext",
            "tenant": "zqzqtenant",
            "fhirContext": [{"reference": "ServiceRequest/zqzq"}],
            "intent": "zqzqintent",
        }
        site.ehr.claims = {
            "sub": "zqzqsubject",
            "name": "Zqzq Name",
            "fhirUser": "Practitioner/zqzq",
        }
        site.ehr.resources["Practitioner/zqzq"] = {
            "resourceType": "Practitioner",
            "id": "zqzq",
            "name": [{"text": "Dr. Zqzq"}],
        }

    def noted(self, answer: TestResponse) -> TestResponse:
        """Remember what random secrets an answer carries, to look for them too."""
        for cookie in answer.headers.getlist("Set-Cookie"):
            self.secrets.add(cookie.partition("=")[2].partition(";")[0])
        location = answer.headers.get("Location", "")
        for part in location.partition("?")[2].split("&"):
            name, _, value = part.partition("=")
            if name in ("state", "nonce", "code", "code_challenge"):
                self.secrets.add(value)
        return answer

    def launched(self) -> str:
        begun = self.noted(self.browser.begin())
        back = self.browser.sign_in(begun)
        self.secrets.add(back.partition("code=")[2].partition("&")[0])
        return str(self.noted(self.browser.get(back)).headers["Location"])

    def check(self, *pages: TestResponse) -> list[dict[str, Any]]:
        """That nothing leaked; the log's lines. Of the database whole canaries are looked for:
        what is sealed is random, and four letters of it can look like anything."""
        said = self.log.getvalue()
        assert leaks(said) == []
        for file in self.directory.iterdir():
            assert re.findall(rb"zqzq[a-z]{4,}", file.read_bytes()) == [], file.name
        for page in pages:
            assert leaks(page.text) == [] and leaks(str(page.headers)) == []
        for secret in filter(None, self.secrets):
            assert secret not in said, "a state, code or cookie is in the log"
            for file in self.directory.iterdir():
                assert secret.encode() not in file.read_bytes(), file.name
        lines = [json.loads(line) for line in said.splitlines()]
        return [line for line in lines if set(line) <= FIELDS]


Make = Callable[..., Watched]


@pytest.fixture
def watched(site_with: MakeSite, log: io.StringIO, tmp_path: Path) -> Make:
    return lambda **changes: Watched(site_with(**changes), log, tmp_path)


def test_a_launch_and_a_window(watched: Make) -> None:
    app = watched()
    path = app.launched()
    shown = app.browser.get(path)
    assert CANARY in shown.text and "zqzqpatient" in shown.text, "the chart did get that far"
    app.site.ehr.live.clear()
    app.site.ehr.granted = {**app.site.ehr.granted, "access_token": "zqzqrenewed"}
    assert app.browser.get(f"{path}read/Practitioner/zqzq").text == "Present"
    token = token_of(app.browser, path)
    app.secrets.add(token)
    left = app.browser.post(f"{path}sign-out?patient=zqzqpatient", {"csrf_token": token})
    lines = app.check(left)
    assert {"launch begun", "launch ended"} <= {line["event"] for line in lines}
    assert all(line.get("ehr", "strict") == "strict" for line in lines)


def test_launches_that_go_nowhere(watched: Make) -> None:
    app = watched()
    browser: Browser = app.browser
    ehr = app.site.ehr
    hostile = {"error": "zqzqerror", "error_description": "zqzqdescription", "state": "zqzqstate"}
    pages = [
        browser.begin(iss="https://zqzq.example/r4", launch="zqzqlaunch"),
        browser.begin(launch=""),
        browser.get("/callback", query_string=hostile),
        browser.get("/callback?code=zqzqcode&state=zqzqstate"),
        browser.get("/open/zqzq"),
        browser.get("/zqzq?patient=zqzqpatient"),
        browser.get("/w/zqzqwindow/"),
        browser.post("/launch", {"patient": "zqzqpatient"}),
    ]
    begun = app.noted(browser.begin(launch="zqzqlaunch"))
    state = begun.headers["Location"].partition("state=")[2].partition("&")[0]
    pages.append(browser.get("/callback", query_string={**hostile, "state": state}))
    for granted in (
        {"patient": None},
        {"id_token": "zqzq.zqzq.zqzq"},
        {"access_token": None},
        {"scope": "zqzqscope"},
    ):
        before, ehr.granted = ehr.granted, {**ehr.granted, **granted}
        pages.append(app.noted(browser.get(browser.sign_in(app.noted(browser.begin())))))
        ehr.granted = before
    ehr.claims = {**ehr.claims, "fhirUser": "Patient/zqzqpatient"}
    pages.append(app.noted(browser.get(browser.sign_in(app.noted(browser.begin())))))
    assert {page.status_code for page in pages} <= {400, 401, 403, 404, 405, 502}
    app.check(*pages)


def test_a_token_endpoint_that_repeats_what_it_was_sent(
    watched: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = watched()
    back = app.browser.sign_in(app.browser.begin())
    app.secrets.add(back.partition("code=")[2].partition("&")[0])
    app.site.ehr.granted = {"error": "zqzqerror", "error_description": "zqzq", "access_token": None}
    app.check(app.browser.get(back))


def test_windows_that_have_ended(watched: Make) -> None:
    app = watched()
    path = app.launched()
    token = token_of(app.browser, path)
    pages = [app.browser.post(f"{path}form", {"csrf_token": "zqzqtoken", "note": "zqzqnote"})]
    app.site.clock.moved = timedelta(minutes=31)
    late = {"csrf_token": token, "note": "zqzqnote"}
    pages.append(app.browser.post(f"{path}form?note=zqzqnote", late))
    assert [page.status_code for page in pages] == [400, 401]
    app.check(*pages)


def test_crashes_and_a_database_that_is_away(
    watched: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = watched()
    path = app.launched()

    def fails(*everything: Any) -> Any:
        try:
            raise ValueError("zqzqcause")
        except ValueError as error:
            logging.getLogger("somebody.elses").exception("failed for %s", everything)
            raise RuntimeError(f"zqzqcrash {everything}") from error

    with monkeypatch.context() as patched:
        patched.setattr(WindowStore, "find", fails)
        crashed = app.browser.get(path)
    (tmp_path / "app.sqlite").rename(tmp_path / "away")
    away = app.browser.get(path)
    assert (crashed.status_code, away.status_code) == (500, 503)
    app.check(crashed, away)


def test_a_server_that_is_broken(watched: Make) -> None:
    app = watched(ehr_fhir_base="http://127.0.0.1:9/zqzqbase", ehr_id="strict")
    page = app.browser.begin(iss="http://127.0.0.1:9/zqzqbase", launch="zqzqlaunch")
    assert page.status_code == 502
    app.check(page)


def test_the_canaries_are_found_where_there_are_any(watched: Make) -> None:
    """The test itself is tested: a line with a canary is a leak."""
    app = watched()
    logging.getLogger("smart_app").info("patient %s", "zqzq1")
    with pytest.raises(AssertionError):
        app.check()
