"""A chart of 5,000 resources opened in the app: from the click on a card's link, in real Chromium
and from the practice EHR, to the order worksheet and to the end of the chart.

Everything runs as `vialwise demo` starts it. Cold is the first launch of servers that have just
started, in a browser that has never been there; warm the launches after it. Without Chromium there
is nothing to measure.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bench.bodies import chart
from cds_hooks.app import create_app
from vialwise import clock, database
from vialwise.catalogues import catalogue
from vialwise.serving import app as smart
from vialwise.serving import practice_ehr, server, service
from vialwise.settings.models import DEFAULT_HOST, ServeSettings

RESOURCES = 5000
RUNS = 5
_STORY = "story-j2356-on-omalizumab"
_ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
_WAIT = 60_000  # milliseconds


@dataclass(frozen=True, slots=True)
class Opened:
    """Seconds after the click: the order worksheet can be read; the chart is read to its end."""

    first: float
    whole: float


@dataclass(frozen=True, slots=True)
class Launches:
    """Medians."""

    cold: Opened
    warm: Opened


def chromium() -> str | None:
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def measured() -> Launches:
    """Each cold launch has servers and a browser of its own."""
    from playwright.sync_api import sync_playwright

    cold, warm = [], []
    with sync_playwright() as playwright:
        for _ in range(RUNS):
            browser = playwright.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
            with _demo() as url:
                page = browser.new_page()
                page.set_default_timeout(_WAIT)
                cold.append(_opened(page, url))
                warm.append(_opened(page, url))
            browser.close()
    return Launches(_median(cold), _median(warm))


def _median(runs: list[Opened]) -> Opened:
    return Opened(
        statistics.median(run.first for run in runs), statistics.median(run.whole for run in runs)
    )


@contextmanager
def _demo() -> Iterator[str]:
    """The service, the app and the practice EHR; the EHR's address."""
    bound, ehr_bound = (server.bound_socket(DEFAULT_HOST, 0) for _ in range(2))
    url, ehr_url = server.address_of(bound), server.address_of(ehr_bound)
    known, today = catalogue(), clock.today(None)
    with tempfile.TemporaryDirectory() as folder:
        kept = database.open_storage(str(Path(folder, "bench.sqlite")))
        settings = ServeSettings(
            development=True,
            quiet_days=0,
            clients=(practice_ehr.registration(ehr_url),),
            ehrs=(practice_ehr.ehr_at(ehr_url),),
        )
        said = service.service_settings(settings, url, open_=False, context_key=kept.secret)
        app, _ = smart.beside(create_app(known, said, kept.store), settings, known, url, kept)
        large = chart(RESOURCES)
        ehr = practice_ehr.application(ehr_url, url, today, (practice_ehr.app_at(url),), large)
        with server.running(app, bound), server.running(ehr, ehr_bound, practice_ehr.WORKERS):
            _wait_for(f"{url}/cds-services")
            _wait_for(ehr_url)
            yield ehr_url


def _wait_for(url: str) -> None:
    for _ in range(200):
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    raise SystemExit(f"{url} did not start")


def _opened(page: Any, url: str) -> Opened:
    """The story's order signed at the desk, and the app opened from the card on it."""
    page.goto(url)
    page.locator(f"form[action$='/{_STORY}'] button").click()
    link = page.locator(".card .app-link").first
    link.wait_for()
    began = time.perf_counter()
    link.click(no_wait_after=True)
    app = page.frame_locator("iframe")
    app.get_by_role("heading", name="Bill it like this").wait_for()
    first = time.perf_counter() - began
    app.locator("#reading [hx-get]").wait_for(state="detached")
    return Opened(first, time.perf_counter() - began)
