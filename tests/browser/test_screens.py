"""The reading screens in real Chromium: at both widths, by keyboard, with axe, under their policy.

Pictures are kept under screenshots/, which git ignores.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue
from tests.browser.conftest import SHOTS
from tests.practice_ehr import practice_ehr
from tests.smart_app.charts import chart_of, running_with, serve, window_on
from tests.smart_app.screens_app import screens_app, served
from tests.smart_app.test_patient_record import many
from tests.smart_app.test_screens import hostile

pytestmark = pytest.mark.browser
WIDTHS = (320, 1200)
SCREENS = ("", "dosing", "claim", "history", "packet", "orders")
# patient, draft orders: one of each kind of answer
CHARTS = {
    "discards": ("pat-bartholomew-quince", "omalizumab-225-mg-two-vials"),
    "complete": ("pat-ada-winterbourne", "ada-omalizumab-300-mg"),
    "undocumented": ("pat-dorothea-pennyfarthing", "omalizumab-300-mg-undocumented"),
    "by-weight": ("pat-ulric-fennimore", "reslizumab-210-mg"),
}
Opened = Callable[..., Any]


@pytest.fixture
def opened(browser: Any, catalogue: Catalogue) -> Iterator[Opened]:
    """Opens a screen on a patient's chart; what the browser complains of fails the test."""
    complaints: list[str] = []
    stack = ExitStack()

    def open_(
        patient: str,
        order: str,
        screen: str = "",
        width: int = 1200,
        spoil: Any = None,
        more: Any = (),
        page_size: int = 1000,
        **context: Any,
    ) -> Any:
        ehr = stack.enter_context(practice_ehr())
        resources = [*chart_of(patient, order), *more]
        serve(ehr, spoil(resources) if spoil else resources, page=page_size)
        window = window_on(ehr, patient)
        app = screens_app(running_with(catalogue), lambda: window)
        url = stack.enter_context(served(app))
        made = browser.new_context(viewport={"width": width, "height": 800}, **context)
        stack.callback(made.close)
        page = made.new_page()
        page.set_default_timeout(15_000)
        page.on(
            "console",
            lambda m: complaints.append(f"{m.text} {m.location}") if m.type == "error" else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url}/w/w1/{screen}?order=MedicationRequest/{order}")
        return page

    with stack:
        yield open_
    assert not complaints


def looks_right(page: Any, name: str) -> None:
    """Nothing cut off, nothing for axe to complain of; a picture is kept."""
    from axe_playwright_python.sync_playwright import Axe

    page.locator("#reading [hx-get]").wait_for(state="detached")
    width = page.viewport_size["width"]
    SHOTS.mkdir(exist_ok=True)
    page.screenshot(path=SHOTS / f"app-{name}-{width}.png", full_page=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is cut off"
    found = Axe().run(page).response["violations"]
    said = [(v["id"], v["impact"], [node["target"] for node in v["nodes"]]) for v in found]
    assert not said, f"axe at {name}: {said}"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("kind", CHARTS)
def test_screens_fit_and_are_accessible(opened: Opened, kind: str, screen: str, width: int) -> None:
    page = opened(*CHARTS[kind], screen=screen, width=width)
    for details in page.locator("details").all():
        details.evaluate("d => d.open = true")
    looks_right(page, f"{kind}-{screen or 'worksheet'}")


@pytest.mark.parametrize("screen", SCREENS)
def test_a_hostile_chart_neither_runs_nor_widens_the_page(opened: Opened, screen: str) -> None:
    page = opened(*CHARTS["discards"], screen=screen, width=320, spoil=hostile)
    looks_right(page, f"hostile-{screen or 'worksheet'}")


def test_a_record_can_be_read_and_led_back_from(opened: Opened) -> None:
    page = opened(*CHARTS["discards"], width=320)
    page.get_by_role("link", name="show the order").first.click()
    assert page.get_by_role("heading", level=1).inner_text() == "Record as the EHR sent it"
    looks_right(page, "record")
    page.get_by_role("link", name="Back to the worksheet").click()
    assert page.get_by_role("heading", level=1).inner_text() == "Order worksheet"


def test_the_screens_are_reached_by_keyboard_alone(opened: Opened) -> None:
    page = opened(*CHARTS["discards"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "usa-skipnav"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.goto(page.url.partition("#")[0])
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Claim":
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/claim**")
    page.locator("#dose").focus()
    page.keyboard.type("300")
    page.keyboard.press("Enter")
    page.get_by_text("What if: 300 mg").wait_for()


def test_what_if_is_worked_out_at_once(opened: Opened) -> None:
    page = opened(*CHARTS["discards"], screen="claim")
    assert page.locator("#plan tr", has_text="JW").count()
    page.select_option("#fill", label="1 x 150 mg syringe, 1 x 75 mg syringe")
    page.get_by_text("SV1*HC:J2357:JZ").wait_for()
    assert page.locator("#fill").input_value(), "the form is left as it was"
    looks_right(page, "what-if")


def test_what_if_works_without_script(opened: Opened) -> None:
    page = opened(*CHARTS["discards"], screen="claim", java_script_enabled=False)
    page.fill("#dose", "275")
    page.get_by_role("button", name="Work it out").click()
    assert page.get_by_text("SV1*HC:J2357*?*UN*55").count()
    assert page.locator("#dose").input_value() == "275"


def test_a_chart_of_5000_is_shown_at_once_and_read_on(opened: Opened) -> None:
    """The first useful screen within a second or two of this slow loopback server, the rest by
    itself; the round before is never taken for the whole."""
    began = time.monotonic()
    page = opened(*CHARTS["discards"], more=many(5000), page_size=50)
    page.get_by_text("J2357-JW x 15", exact=True).wait_for()
    first = time.monotonic() - began
    assert page.get_by_text("Still reading the chart").count()
    page.get_by_text("Still reading the chart").wait_for(state="detached", timeout=40_000)
    assert page.get_by_role("heading", level=1).inner_text() == "Order worksheet"
    print(f"first screen after {first:.2f} s, whole after {time.monotonic() - began:.2f} s")
