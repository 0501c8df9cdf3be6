"""Real Chromium, the practice EHR and the CDS service; skipped where there is no Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue
from tests.practice import Pair, running_pair

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "screenshots"
ARGUMENTS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
WIDTHS = (1200, 320)

Look = Callable[[Any, str], None]


def chromium() -> str | None:
    """Where Chromium is: named by CHROMIUM, or under one of its usual names."""
    named = os.environ.get("CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    program = chromium()
    if program is None:
        pytest.skip("no Chromium here: install it (Debian: apt install chromium) or set CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="session")
def pair(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_pair(catalogue, tmp_path_factory.mktemp("pair")) as running:
        yield running


@pytest.fixture(params=WIDTHS, ids=lambda width: f"{width}px")
def page(browser: Any, pair: Pair, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A window of each width. What the browser complains about fails the test."""
    context = browser.new_context(viewport={"width": request.param, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(10_000)
    complaints: list[str] = []
    opened.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    yield opened
    context.close()
    # A form that could not be taken is answered 422, and Chromium says so of its own accord.
    assert not [said for said in complaints if "status of 422" not in said]


@pytest.fixture
def look(request: pytest.FixtureRequest) -> Look:
    """Keep a picture, and hold what every page must hold: axe silent, nothing cut off."""
    from axe_playwright_python.sync_playwright import Axe

    def look_at(page: Any, name: str) -> None:
        width = page.viewport_size["width"]
        SHOTS.mkdir(exist_ok=True)
        page.screenshot(path=SHOTS / f"{name}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is cut off"
        found = Axe().run(page).response["violations"]
        said = [(v["id"], [node["target"] for node in v["nodes"]]) for v in found]
        assert not said, f"axe at {name}: {said}"

    return look_at
