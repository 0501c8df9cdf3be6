"""The six stories in real Chromium, from the tour to the end of the visit, at two widths."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import Look
from tests.practice import Pair

pytestmark = pytest.mark.browser


def press(page: Any, button: Any) -> None:
    """A button, by its name or itself, up to the page that comes of it."""
    if isinstance(button, str):
        button = page.get_by_role("button", name=button, exact=True)
    with page.expect_navigation():
        button.click()


def open_story(page: Any, pair: Pair, request_name: str) -> None:
    page.goto(pair.ehr)
    press(page, page.locator(f"form[action='/stories/{request_name}'] button"))


def sign(page: Any) -> None:
    press(page, "Sign")


def sign_all_the_same(page: Any) -> None:
    sign(page)
    press(page, "Sign all the same")


def chart(page: Any, **typed: str) -> None:
    """Every injection of the order with lot, site and observation, and what is `typed`."""
    assert page.get_by_role("heading", name="Signed: chart the").is_visible()
    said = {"Lot": "FX900A", "Expires": "2028-04-30", "Observed until": "23:59", **typed}
    for label, value in said.items():
        for field in page.get_by_label(label).all():
            field.fill(value)
    for site in page.get_by_label("Site").all():
        site.select_option("left upper arm")
    press(page, "Chart as given")


def end(page: Any) -> None:
    press(page, "End the visit")
    assert page.get_by_role("heading", name="The visit has ended").is_visible()


def cards(page: Any) -> list[str]:
    return [heading.inner_text() for heading in page.locator("article.card h3").all()]


def test_the_tour_shows_six_stories(page: Any, pair: Pair, look: Look) -> None:
    page.goto(pair.ehr)
    assert page.locator(".stories article").count() == 6
    look(page, "desk-tour")


def test_story_1_another_drugs_code(page: Any, pair: Pair, look: Look) -> None:
    open_story(page, pair, "story-j2356-on-omalizumab")
    assert cards(page) == ["J2356 is not omalizumab: change it to J2357"]
    look(page, "desk-1-wrong-code")
    press(page, "Change J2356 to J2357")
    assert page.get_by_label("HCPCS code").input_value() == "J2357"
    assert page.get_by_text("was J2356").is_visible()
    look(page, "desk-1-changed")
    sign(page)
    chart(page)
    end(page)
    assert cards(page) == ["Omalizumab given: bill J2357-JZ x 60"]


def test_story_2_milligrams_as_units(page: Any, pair: Pair, look: Look) -> None:
    open_story(page, pair, "story-300-mg-typed-as-300-units")
    press(page, "Set 60 units")
    assert page.get_by_label("Billing units").input_value() == "60"
    sign(page)
    look(page, "desk-2-signed")
    chart(page)
    look(page, "desk-2-charted")


def test_story_3_two_vials_or_two_syringes(page: Any, pair: Pair, look: Look) -> None:
    open_story(page, pair, "story-225-mg-two-vials")
    sign_all_the_same(page)
    look(page, "desk-3-charting")
    chart(page, **{"Discarded (mg)": "75"})
    end(page)
    assert cards(page) == ["Omalizumab given: bill J2357 x 45 and J2357-JW x 15"]
    look(page, "desk-3-vials")
    press(page, "Compare: from two syringes")
    sign(page)
    chart(page)
    end(page)
    assert cards(page) == ["Omalizumab given: bill J2357-JZ x 45"]


def test_story_4_missing_documentation(page: Any, pair: Pair, look: Look) -> None:
    open_story(page, pair, "story-missing-ige-and-therapy")
    sign(page)
    assert page.get_by_text("Not signed yet").is_visible()
    warning = page.locator("article.card.warning")
    assert "No total IgE result is on file" in warning.inner_text()
    warning.get_by_text("Set this card aside").click()
    warning.get_by_label("Reason").select_option("documented-elsewhere")
    warning.get_by_label("Comment").fill("In the paper chart")
    look(page, "desk-4-setting-aside")
    press(page, warning.get_by_role("button", name="Set aside"))
    answered = page.locator("article.card.answered").inner_text()
    assert "Documented elsewhere: In the paper chart" in answered
    sign(page)
    assert page.get_by_role("heading", name="Signed: chart the injection").is_visible()


def test_story_5_dose_by_weight(page: Any, pair: Pair, look: Look) -> None:
    open_story(page, pair, "story-reslizumab-per-kg")
    assert "86.1 mg discarded" in " ".join(cards(page))
    look(page, "desk-5-by-weight")
    sign_all_the_same(page)
    press(page, "Chart as given")
    assert page.get_by_text("type how much was given").is_visible()  # nobody works it out here
    look(page, "desk-5-dose-asked")
    chart(page, **{"Dose given (mg)": "213.9", "Discarded (mg)": "86.1"})
    end(page)
    assert cards(page) == ["Reslizumab given: bill J2786 x 214 and J2786-JW x 86"]


def test_story_6_a_payer_that_denies_jw(page: Any, pair: Pair, look: Look) -> None:
    open_story(page, pair, "story-payer-denies-jw")
    assert "This payer denies JW lines" in " ".join(cards(page))
    look(page, "desk-6-denied")
    press(page, "Remove the JW line")
    assert not page.get_by_role("button", name="Remove line 2").count()
    answered = page.locator("article.card.answered")
    assert answered.get_by_text("Remove the JW line", exact=True).is_visible()
    look(page, "desk-6-removed")
    sign(page)
    chart(page, **{"Discarded (mg)": "75"})
    end(page)
    assert "this payer denies JW lines" in " ".join(cards(page))
    look(page, "desk-6-ended")


def test_the_developer_panel_opens_by_keyboard(page: Any, pair: Pair, look: Look) -> None:
    open_story(page, pair, "story-j2356-on-omalizumab")
    page.locator("details.developer > summary").focus()
    for what in ("", "Request", "Response", "Rule trace"):
        if what:
            page.keyboard.press("Tab")
            while page.evaluate("document.activeElement.innerText") != what:
                page.keyboard.press("Tab")
        page.keyboard.press("Enter")
    text = page.locator("details.developer").inner_text()
    assert '"hook": "order-select"' in text and "(not shown)" in text and "Wrong code" in text
    look(page, "desk-developer")


def test_an_order_is_written_by_keyboard_alone(page: Any, pair: Pair, look: Look) -> None:
    page.goto(f"{pair.ehr}/patients")
    look(page, "desk-patients")
    page.get_by_label("Name or record number").focus()
    page.keyboard.type("Milo")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_role("link", name="Milo Applegarth").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_label("Drug and container").focus()
    page.keyboard.type("Xolair 150 mg/mL")
    look(page, "desk-patient")
    page.get_by_role("button", name="Choose this drug").focus()
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.get_by_label("Dose", exact=True).focus()
    page.keyboard.type("150")
    page.get_by_label("Containers").focus()
    page.keyboard.type("1")
    with page.expect_navigation():
        page.keyboard.press("Enter")  # saves: it must not sign
    assert page.get_by_label("Dose", exact=True).input_value() == "150"
    assert page.get_by_role("heading", name="Order", exact=True).is_visible()
    look(page, "desk-own-order")


def test_reset_is_one_click(page: Any, pair: Pair, look: Look) -> None:
    open_story(page, pair, "story-j2356-on-omalizumab")
    press(page, "Reset demo data")
    assert page.get_by_text("The demo data is back at the start.").is_visible()
    look(page, "desk-reset")


def test_what_is_typed_and_not_saved_is_there_on_the_way_back(page: Any, pair: Pair) -> None:
    open_story(page, pair, "story-225-mg-two-vials")
    page.get_by_label("Dose", exact=True).fill("150")
    page.get_by_role("link", name="Tour").click()
    page.go_back()
    assert page.get_by_label("Dose", exact=True).input_value() == "150"
    page.get_by_label("Containers").fill("two")
    press(page, "Save changes")
    assert page.get_by_text("it stands below, marked").is_visible()
    page.goto(page.url.removesuffix("/drafts"))  # the page asked for anew
    assert page.get_by_label("Dose", exact=True).input_value() == "150"
    assert page.get_by_label("Containers").input_value() == "two"
