"""Real Chromium, the practice EHR and the CDS service; skipped where there is no Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue
from tests.practice import Pair, running_pair

ROOT = Path(__file__).parents[2]
SHOTS = ROOT / "screenshots"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDTHS = (1200, 320)

Look = Callable[[Any, str], None]


@pytest.fixture(scope="session")
def browser(playwright: Any, chromium: str) -> Iterator[Any]:
    started = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
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
        for frame in page.frames:  # the desk, and the app in its frame
            cut = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            assert frame.evaluate(cut) <= 0, f"{name} is cut off at {frame.url}"
            found = Axe().run(frame).response["violations"]
            said = [(v["id"], [node["target"] for node in v["nodes"]]) for v in found]
            assert not said, f"axe at {name}, {frame.url}: {said}"

    return look_at
