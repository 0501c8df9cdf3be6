"""The two writing screens in real Chromium: entered, answered at once, saved; by keyboard alone and
without script. Pictures are kept under screenshots/, which git ignores."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue
from smart_app.launch import session
from tests.browser.test_screens import WIDTHS, looks_right
from tests.smart_app.form_site import EDMUND, KEY, TWO_VIALS, WINDOW, FormSite, form_site
from tests.smart_app.screens_app import served

pytestmark = pytest.mark.browser
Opened = Callable[..., tuple[Any, FormSite]]
_EXPECTED = ("422", "401")  # Chromium reports every such status in its console


@pytest.fixture
def opened(browser: Any, catalogue: Catalogue, tmp_path: Path) -> Iterator[Opened]:
    """Opens a writing screen in a window of its own; complaints of the browser fail the test."""
    complaints: list[str] = []
    stack = ExitStack()

    def open_(patient: tuple[str, str], screen: str, width: int = 1200, **context: Any) -> Any:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        without = ("MedicationAdministration",)
        site = stack.enter_context(
            form_site(catalogue, tmp_path, *patient, without=without, public_url=url)
        )
        stack.enter_context(served(site.app, port))
        made = browser.new_context(viewport={"width": width, "height": 800}, **context)
        stack.callback(made.close)
        name = session._name(session.KIND_WINDOW, WINDOW, False)
        made.add_cookies([{"name": name, "value": KEY, "url": url}])
        page = made.new_page()
        page.set_default_timeout(15_000)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url}/w/{WINDOW}/{screen}?order={site.order}")
        return page, site

    with stack:
        yield open_
    assert not [c for c in complaints if not any(status in c for status in _EXPECTED)]


def save(page: Any) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_load_state()


def heading(page: Any) -> str:
    return str(page.get_by_role("heading", level=1).inner_text())


@pytest.mark.parametrize("width", WIDTHS)
def test_a_missing_ige_is_entered_and_the_worksheet_turns_green(opened: Opened, width: int) -> None:
    page, site = opened(EDMUND, "documentation", width)
    looks_right(page, "documentation")
    page.get_by_role("textbox", name="Total IgE").fill("1,5")
    page.get_by_label("Day the blood was drawn").fill("2027-01-01")
    save(page)
    looks_right(page, "documentation-errors")
    page.get_by_role("link", name="write decimals with a point").click()
    assert page.evaluate("document.activeElement.id") == "total-ige-0-value"
    page.get_by_role("textbox", name="Total IgE").fill("350")
    page.get_by_role("combobox", name="Unit of Total IgE").select_option("kU/L")
    page.get_by_label("Day the blood was drawn").fill("2026-01-10")
    save(page)
    assert heading(page) == "The documentation is saved"
    looks_right(page, "documentation-saved")
    assert len(site.ehr.of("Observation")) == 1
    page.get_by_role("link", name="Back to the worksheet").click()
    assert "350 kU/L" in page.inner_text("#total_ige")
    looks_right(page, "worksheet-after-entering")


@pytest.mark.parametrize("width", WIDTHS)
def test_an_injection_is_closed_out_with_jw(opened: Opened, width: int) -> None:
    page, site = opened(TWO_VIALS, "close-out", width)
    looks_right(page, "close-out")
    page.get_by_label("Day of the injection").fill("2026-11-24")
    page.get_by_label("Dose given").fill("225")
    page.get_by_role("combobox", name="Container").select_option("50242004062")
    page.get_by_label("How many").fill("2")
    page.get_by_label("Lot number").fill("FX362P")
    page.get_by_text("Neither JW nor JZ can be said yet").wait_for()
    looks_right(page, "close-out-contradiction")
    page.get_by_label("Discarded amount").fill("75")
    page.get_by_role("cell", name="JW").wait_for()
    page.get_by_label("Injection sites").fill("left upper arm")
    page.get_by_label("Observed from").fill("10:05")
    page.get_by_label("Observed until").fill("12:05")
    save(page)
    assert heading(page) == "The dose is closed out"
    assert page.locator(".app-lines code").all_inner_texts() == ["J2357 x 45", "J2357-JW x 15"]
    looks_right(page, "close-out-saved")
    assert len(site.ehr.of("MedicationAdministration")) == 2


def test_the_note_is_copied_and_printed_without_anything_from_elsewhere(opened: Opened) -> None:
    page, site = opened(EDMUND, "documentation", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("textbox", name="Total IgE").fill("350")
    page.get_by_role("combobox", name="Unit of Total IgE").select_option("kU/L")
    page.get_by_label("Day the blood was drawn").fill("2026-01-10")
    save(page)
    page.get_by_role("button", name="Copy the note").click()
    page.get_by_text("Copied.").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "350 kU/L" in copied and copied == page.input_value("#note")
    page.emulate_media(media="print")
    printed = page.locator(".app-printed")
    assert printed.is_visible() and "Edmund Larkwhistle" in printed.inner_text()
    assert not page.get_by_role("button", name="Print").is_visible()


def test_both_screens_work_without_script(opened: Opened) -> None:
    page, site = opened(TWO_VIALS, "close-out", java_script_enabled=False)
    page.get_by_label("Day of the injection").fill("2026-11-24")
    page.get_by_label("Dose given").fill("225")
    page.get_by_role("combobox", name="Container").select_option("50242004062")
    page.get_by_label("How many").fill("2")
    page.get_by_label("Discarded amount").fill("75")
    page.get_by_role("button", name="Show the claim").last.click()
    assert page.get_by_role("cell", name="JW").is_visible()
    save(page)
    assert heading(page) == "The dose is closed out"


def test_the_form_is_filled_and_saved_by_keyboard_alone(opened: Opened) -> None:
    page, site = opened(EDMUND, "documentation")
    page.keyboard.press("Tab")
    for _ in range(40):
        if page.evaluate("document.activeElement.id") == "total-ige-0-value":
            break
        page.keyboard.press("Tab")
    page.keyboard.type("350")
    page.keyboard.press("Tab")
    page.keyboard.type("kU/L")
    page.keyboard.press("Tab")
    page.keyboard.type("01102026")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="The documentation is saved").wait_for()
    assert site.ehr.of("Observation")[0]["valueQuantity"]["code"] == "kU/L"


def test_what_was_typed_is_back_after_the_window_ended(opened: Opened) -> None:
    page, site = opened(EDMUND, "documentation")
    page.get_by_role("textbox", name="Total IgE").fill("350")
    page.get_by_label("Laboratory, as the report names it").fill("Hilltop")
    page.get_by_role("textbox", name="Total IgE").press("Tab")
    page.get_by_text("It is not saved in the EHR yet").wait_for()
    site.store.end(WINDOW)
    save(page)
    assert "What you typed is kept" in page.inner_text("main")
    site.open("pat-edmund-larkwhistle", id_="00112233445566ff")
    name = session._name(session.KIND_WINDOW, "00112233445566ff", False)
    base = page.url.partition("/w/")[0]
    page.context.add_cookies([{"name": name, "value": KEY, "url": base}])
    page.goto(f"{base}/w/00112233445566ff/documentation?order={site.order}")
    assert page.get_by_label("Laboratory, as the report names it").input_value() == "Hilltop"
    looks_right(page, "documentation-restored")
