"""The six pictures of docs/images, taken anew: `.venv/bin/python -m tests.browser.pictures`.

Run it when a screen that they show has changed, and look at each before it is committed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, ROOT
from tests.browser.test_order_desk import chart, press, sign, sign_all_the_same
from tests.browser.test_whole import MISSING, VIALS, WAIT, app_from_card
from tests.vialwise.test_demo import address_after, started

IMAGES = ROOT / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"
SETTLES = 800  # milliseconds until htmx has read on


def main() -> None:
    with started("demo", "--port", "0", "--stay") as demo, sync_playwright() as playwright:
        ehr = address_after("Open ", demo)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))

        def opened(story: str, width: int = 1000, height: int = 760) -> Any:
            page = browser.new_page(viewport={"width": width, "height": height})
            page.set_default_timeout(WAIT)
            page.goto(ehr)
            press(page, page.locator(f"form[action$='/{story}'] button"))
            return page

        taken(opened("story-j2356-on-omalizumab"), "desk-card", ".steps")
        page = opened(MISSING)
        sign(page)
        app_from_card(page)
        taken(page, "app-beside-order", ".desk-grid")
        alone(page)
        page.get_by_role("link", name="Complete the documentation").first.click()
        taken(page, "app-documentation")
        page = opened(VIALS)
        app_from_card(page)
        alone(page)
        taken(page, "app-worksheet")
        page.get_by_role("link", name="Dosing", exact=True).click()
        taken(page, "app-dosing")
        page = opened(VIALS, 1060, 700)
        sign_all_the_same(page)
        chart(page)
        app_from_card(page)
        alone(page)
        page.get_by_role("link", name="Close-out", exact=True).click()
        page.get_by_label("Discarded amount").fill("75")
        page.get_by_role("cell", name="JW").wait_for()
        taken(page, "app-close-out", "label[for='opened-0-count']")
        browser.close()


def alone(page: Any) -> None:
    """The app of the frame as a page of its own."""
    page.goto(next(frame.url for frame in page.frames if "/app/w/" in frame.url))


def taken(page: Any, name: str, top: str = "body") -> None:
    """What is seen with the element `top` at the upper edge."""
    page.wait_for_timeout(SETTLES)
    page.locator(top).first.evaluate("e => e.scrollIntoView()")
    file: Path = IMAGES / f"{name}.png"
    page.screenshot(path=file)
    print(file.relative_to(ROOT))


if __name__ == "__main__":
    main()
