"""Practice EHR, CDS service and app together, as `vialwise demo` starts them and a user meets them.

Each test walks one way from a card through the app and back to the desk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.browser.conftest import WIDTHS, Look
from tests.browser.test_order_desk import cards, chart, end, sign, sign_all_the_same
from tests.vialwise.test_demo import address_after, started, url_in

pytestmark = pytest.mark.browser
MISSING = "story-missing-ige-and-therapy"
VIALS, SYRINGES = "story-225-mg-two-vials", "story-225-mg-two-syringes"
WAIT = 40_000


@dataclass(frozen=True, slots=True)
class Demo:
    """`cds` and `ehr` are addresses."""

    cds: str
    ehr: str


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with started("demo", "--port", "0", "--stay") as process:
        yield Demo(url_in(process), address_after("Open ", process))


Opens = Callable[..., Any]


@pytest.fixture
def opens(browser: Any, demo: Demo) -> Iterator[Opens]:
    """Opens a story in a browser of its own; what the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_(request_name: str = "", width: int = 1200) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}))
        page = contexts[-1].new_page()
        page.set_default_timeout(WAIT)
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(demo.ehr)
        if request_name:
            page.locator(f"form[action$='/{request_name}'] button").click()
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not complaints


def app_from_card(page: Any) -> Any:
    """The app in its frame, opened by the first card's smart link."""
    page.locator(".card .app-link").first.click()
    app = page.frame_locator("iframe")
    app.get_by_role("heading", name="Order worksheet").wait_for()
    return app


def close_app(page: Any) -> None:
    page.get_by_role("button", name="Close the app").click()
    page.locator("iframe").wait_for(state="detached")


def heading(app: Any, name: str) -> None:
    app.get_by_role("heading", level=1, name=name, exact=True).wait_for()


def enter_total_ige(app: Any) -> None:
    app.get_by_role("textbox", name="Total IgE").fill("150")
    app.get_by_role("combobox", name="Unit of Total IgE").select_option("kU/L")
    app.get_by_label("Day the blood was drawn").fill("2026-01-10")


def enter_prior_therapy(app: Any) -> None:
    app.get_by_label("Drug and strength").fill("Budesonide 400 mcg inhaled, twice a day")
    app.get_by_label("Taken from").fill("2025-02-01")
    app.get_by_role("combobox", name="Outcome").select_option("Disease not controlled")


def enter_skin_test(app: Any) -> None:
    app.get_by_role("combobox", name="Kind of test").select_option("Skin test")
    app.get_by_role("combobox", name="Allergen *", exact=True).select_option("Cat dander")
    app.get_by_role("combobox", name="Result").select_option("Positive")
    app.get_by_label("Day of the test").fill("2026-02-11")


def save(app: Any) -> None:
    app.get_by_role("button", name="Save", exact=True).click()


def state(app: Any, rule: str) -> str:
    """How a requirement of the worksheet stands."""
    return str(app.locator(f"#{rule} .app-state").inner_text())


# ---------------------------------------------------------------- from the card and back


def test_what_a_card_misses_is_entered_in_the_app_and_gone_from_the_card(
    opens: Opens, look: Look
) -> None:
    page = opens(MISSING)
    sign(page)
    assert "No total IgE result is on file" in cards(page)[0]
    app = app_from_card(page)
    assert state(app, "total_ige") == "missing"
    look(page, "whole-worksheet")
    app.get_by_role("link", name="Complete the documentation").first.click()
    heading(app, "Complete the documentation")
    enter_total_ige(app)
    enter_prior_therapy(app)
    enter_skin_test(app)
    look(page, "whole-entered")
    save(app)
    heading(app, "The documentation is saved")
    for part in ("Total IgE", "Prior therapy", "Test for a perennial allergen"):
        assert "On file" in app.get_by_role("row", name=part).inner_text()
    look(page, "whole-saved")
    app.get_by_role("link", name="Back to the worksheet").click()
    heading(app, "Order worksheet")
    assert state(app, "total_ige") == "met"
    assert state(app, "labelled_dose") == "met"  # what could not be checked without it
    assert "150 kU/L" in app.locator("#total_ige").inner_text()
    for rule in ("prior_therapy", "sensitisation"):
        assert state(app, rule) == "met"
        assert "entered in Vialwise's form on" in app.locator(f"#{rule}").inner_text()
    look(page, "whole-worksheet-green")
    app.get_by_role("link", name="Documentation", exact=True).click()
    heading(app, "Complete the documentation")
    assert app.get_by_text("Entered in this form before.").count()
    look(page, "whole-entered-again")
    close_app(page)
    sign(page)
    asked = ("total IgE", "Chart prior", "positive test")
    assert not [said for said in cards(page) if any(words in said for words in asked)]
    look(page, "whole-signed-again")


def test_two_vials_are_closed_out_with_jw(opens: Opens, look: Look) -> None:
    page = opens(VIALS)
    sign_all_the_same(page)
    chart(page)
    assert cards(page) == ["Chart the discarded amount: until then neither JW nor JZ can be billed"]
    app = app_from_card(page)
    assert state(app, "waste_modifier") == "to do"
    app.get_by_role("link", name="Close out the dose").click()
    heading(app, "Close-out after the injection")
    look(page, "whole-close-out")
    app.get_by_label("Discarded amount").fill("75")
    app.get_by_role("cell", name="JW").wait_for()
    save(app)
    heading(app, "The dose is closed out")
    assert app.locator(".app-lines code").all_inner_texts() == ["J2357 x 45", "J2357-JW x 15"]
    assert "the EHR's own records give the same claim lines" in app.locator("main").inner_text()
    look(page, "whole-closed-out")
    close_app(page)
    assert not cards(page)
    in_chart = page.locator("details.chart")
    in_chart.locator("summary").click()
    assert "75 mg" in in_chart.inner_text()
    end(page)
    assert cards(page) == ["Omalizumab given: bill J2357 x 45 and J2357-JW x 15"]
    assert not page.locator("article.card.warning").count()


def test_opening_and_closing_the_app_loses_nothing_that_is_typed(opens: Opens, look: Look) -> None:
    page = opens(VIALS)
    dose = page.get_by_label("Dose", exact=True)
    dose.fill("two hundred")
    page.get_by_label("Containers").fill("3")
    app_from_card(page)
    assert page.get_by_text("it stands below, marked").is_visible()
    look(page, "whole-unsaved-beside-the-app")
    close_app(page)
    assert dose.input_value() == "two hundred"
    dose.fill("225")
    page.get_by_label("Containers").fill("2")
    sign_all_the_same(page)
    typed = {"Lot": "FX900A", "Discarded (mg)": "75", "Given at": "09:05"}
    for label, value in typed.items():
        page.get_by_label(label).fill(value)
    page.get_by_label("Site").select_option("left thigh")
    app_from_card(page)
    look(page, "whole-charting-beside-the-app")
    page.reload()
    heading(page.frame_locator("iframe"), "Order worksheet")
    close_app(page)
    page.reload()
    said = {label: page.get_by_label(label).input_value() for label in typed}
    assert said == typed and page.get_by_label("Site").input_value() == "left thigh"


def test_two_syringes_are_closed_out_with_jz(opens: Opens, look: Look) -> None:
    page = opens(SYRINGES)
    sign(page)
    chart(page)
    page.get_by_role("button", name="Open Vialwise").click()
    app = page.frame_locator("iframe")
    heading(app, "Orders")
    app.get_by_role("link", name="Omalizumab").first.click()
    app.get_by_role("link", name="Close-out").click()
    heading(app, "Close-out after the injection")
    app.get_by_label("Discarded amount").fill("0")
    app.get_by_role("cell", name="JZ").wait_for()
    save(app)
    heading(app, "The dose is closed out")
    assert app.locator(".app-lines code").all_inner_texts() == ["J2357-JZ x 45"]
    look(page, "whole-closed-out-jz")
    close_app(page)
    end(page)
    assert cards(page) == ["Omalizumab given: bill J2357-JZ x 45"]


# ---------------------------------------------------------------- by keyboard alone


def focused(page: Any) -> Any:
    """What has the focus: in the app, when the focus is in its frame."""
    found = page.evaluate_handle("document.activeElement").as_element()
    frame = found.content_frame()
    return frame.evaluate_handle("document.activeElement").as_element() if frame else found


SEEN = """e => {
    const s = getComputedStyle(e);
    return parseFloat(s.outlineWidth) > 0 && s.outlineStyle !== "none" || s.boxShadow !== "none";
}"""


def tab_to(page: Any, name: str, steps: int = 80) -> None:
    """Tab on until the control of that name has the focus, which must be seen at every step."""
    for _ in range(steps):
        page.keyboard.press("Tab")
        now = focused(page)
        if now.evaluate("e => e === document.body"):  # the browser's own controls
            continue
        says = now.evaluate("e => (e.getAttribute('aria-label') || e.innerText || '').trim()")
        labels = now.evaluate("e => [...(e.labels || [])].map(l => l.innerText).join(' ')")
        assert now.evaluate(SEEN), f"the focus is not seen on {says or labels}"
        if f"{says} {labels}".strip().startswith(name):
            return
    raise AssertionError(f"{name} was not reached in {steps} steps")


def test_the_way_from_card_to_signed_order_needs_no_mouse(opens: Opens) -> None:
    page = opens()
    page.keyboard.press("Tab")
    assert focused(page).inner_text() == "Skip to the page"
    page.keyboard.press("Enter")
    assert focused(page).get_attribute("id") == "main"
    form = page.locator(f"form[action$='/{MISSING}'] button")
    while not form.evaluate("e => e === document.activeElement"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/orders/*")
    tab_to(page, "Sign")
    page.keyboard.press("Space")
    page.get_by_text("Not signed yet").wait_for()
    tab_to(page, "Open in Vialwise")
    page.keyboard.press("Enter")
    app = page.frame_locator("iframe")
    heading(app, "Order worksheet")
    tab_to(page, "Skip to the main part")
    page.keyboard.press("Enter")
    tab_to(page, "Complete the documentation")
    page.keyboard.press("Enter")
    heading(app, "Complete the documentation")
    page.wait_for_load_state("networkidle")
    tab_to(page, "Total IgE, as the report has it")
    page.keyboard.type("150")
    tab_to(page, "Unit of Total IgE")
    page.keyboard.type("kU")
    assert focused(page).input_value() == "kU/L"
    tab_to(page, "Day the blood was drawn")
    page.keyboard.type("01102026")
    assert focused(page).input_value() == "2026-01-10"
    page.keyboard.press("Enter")
    heading(app, "The documentation is saved")
    tab_to(page, "Back to the worksheet")
    page.keyboard.press("Enter")
    heading(app, "Order worksheet")
    assert state(app, "total_ige") == "met"
    for _ in range(400):  # out of the frame at its end: it is no trap
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") != "IFRAME":
            break
    assert page.evaluate("document.activeElement.tagName") != "IFRAME"
    back_to(page, "Close the app")
    page.keyboard.press("Enter")
    page.locator("iframe").wait_for(state="detached")
    tab_to(page, "Sign")
    page.keyboard.press("Space")
    page.get_by_text("Chart prior inhaled corticosteroid").first.wait_for()
    assert not [said for said in cards(page) if "total IgE" in said]


def back_to(page: Any, name: str, steps: int = 400) -> None:
    for _ in range(steps):
        page.keyboard.press("Shift+Tab")
        if focused(page).inner_text() == name:
            return
    raise AssertionError(f"{name} was not reached backwards in {steps} steps")


# ---------------------------------------------------------------- every screen in its frame


@pytest.mark.parametrize("width", WIDTHS)
def test_every_screen_of_the_app_fits_its_frame(opens: Opens, look: Look, width: int) -> None:
    """Beside the order the frame is some 500 pixels wide, below it on a telephone some 290."""
    page = opens(VIALS, width)
    app = app_from_card(page)
    assert app.locator(".app-lines").inner_text().split("\n") == ["J2357 x 45", "J2357-JW x 15"]
    names = app.locator("nav a").all_inner_texts()
    assert len(names) == 9
    for name in names:
        app.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        if name == "Feedback":
            heading(app, "What became of the cards")
            look(page, "whole-feedback")
            continue
        app.locator("nav a[aria-current]", has_text=name).wait_for()
        app.locator("#reading [hx-get]").wait_for(state="detached")
        look(page, f"whole-{name.lower().replace(' ', '-')}")


# ---------------------------------------------------------------- two patients at once


def test_two_windows_with_two_patients_do_not_mix(opens: Opens) -> None:
    first = opens(MISSING)
    second = first.context.new_page()
    second.goto(first.url.partition("/orders/")[0])
    second.locator(f"form[action$='/{VIALS}'] button").click()
    dorothea, bartholomew = app_from_card(first), app_from_card(second)
    own_orders = ((dorothea, "(Xolair) 300 mg, every 4"), (bartholomew, "(Xolair) 225 mg, every 2"))
    for _ in range(2):  # one after the other, each in its own window
        for app, dose in own_orders:
            app.get_by_role("link", name="All orders").click()
            heading(app, "Orders")
            rows = app.locator(".app-orders > li")
            assert rows.count() == 1 and dose in rows.inner_text()
            app.get_by_role("link", name="Omalizumab").click()
            heading(app, "Order worksheet")
            assert dose in app.locator(".app-order").inner_text()
    app_url = [f.url for f in second.frames if "/app/w/" in f.url][0]
    dorothea.get_by_role("link", name="Complete the documentation").first.click()
    enter_total_ige(dorothea)
    save(dorothea)
    heading(dorothea, "The documentation is saved")
    second.goto(app_url)
    assert "150 kU/L" not in second.locator("main").inner_text()


# ---------------------------------------------------------------- the owner's page


def tally(app: Any) -> dict[str, int]:
    names, counts = (app.locator(f".total {tag}").all_inner_texts() for tag in ("dt", "dd"))
    return dict(zip(names, map(int, counts), strict=True))


def feedback(page: Any) -> Any:
    app = app_from_card(page)
    app.get_by_role("link", name="Feedback").click()
    heading(app, "What became of the cards")
    return app


def test_the_owner_sees_what_became_of_the_cards(opens: Opens, look: Look) -> None:
    page = opens(MISSING)
    before = tally(feedback(page))
    close_app(page)
    sign(page)
    card = page.locator("article.card.warning")
    card.get_by_text("Set this card aside").click()
    card.get_by_label("Reason").select_option("documented-elsewhere")
    card.get_by_role("button", name="Set aside").click()
    page.locator("article.card.answered").wait_for()
    app = feedback(page)
    after = tally(app)
    assert after["Overridden"] == before["Overridden"] + 1
    assert after["Shown"] >= before["Shown"] + 2
    assert "Documented elsewhere" in app.locator("main").inner_text()
    look(page, "whole-feedback-overridden")
    app.get_by_role("link", name="All orders").click()
    app.locator(".app-orders").wait_for()
