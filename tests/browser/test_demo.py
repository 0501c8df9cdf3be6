"""`vialwise demo` as a visitor meets it: a card opens the app in a frame beside the order."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import SHOTS
from tests.vialwise.test_demo import address_after, started

pytestmark = pytest.mark.browser


def test_a_cards_link_opens_the_app_beside_the_order(browser: Any) -> None:
    with started("demo", "--port", "0", "--stay") as process:
        ehr = address_after("Open ", process)
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        page.goto(ehr)
        page.locator("form[action$='/story-missing-ige-and-therapy'] button").click()
        page.locator(".card a.app-link").last.click()
        app = page.frame_locator("iframe")
        app.get_by_role("heading", name="Order worksheet").wait_for(timeout=20_000)
        assert "Total IgE" in app.locator("main").inner_text()
        page.screenshot(path=SHOTS / "desk-with-app-1200.png", full_page=True)
        page.get_by_role("button", name="Close the app").click()
        assert page.locator("iframe").count() == 0
        page.close()
