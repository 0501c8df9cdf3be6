"""What every screen about an order begins with: chart read, order found, the page around it, the
way from screen to screen. The list of orders is shown where none is looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, current_app, render_template, request, url_for

from billing_rules.catalogue import Catalogue
from billing_rules.model.findings import Topic
from billing_rules.rules import RULE_BY_ID
from billing_rules.rules.rule import Place
from smart_app.chart.chart_orders import FoundOrder
from smart_app.chart.patient_record import ROUNDS, PatientRecord, read
from smart_app.chart.requirements import documentation, requirements
from smart_app.launch.services import installation
from smart_app.launch.window import Role, Window, window
from smart_app.screens import words

# ----------------------------------------------------------------------
# The way from screen to screen, with the order that is looked at kept in the address.


@dataclass(frozen=True, slots=True)
class NavigationItem:
    label: str
    url: str
    is_here: bool = False


# (label, endpoint) of every screen about one order, in the order of work. A screen that this
# installation does not have is left out.
_ABOUT_AN_ORDER = (
    ("Worksheet", "worksheet.show"),
    ("Dosing", "dosing.show"),
    ("Claim", "claim.show"),
    ("Documentation", "documentation.show"),
    ("Close-out", "close_out.show"),
    ("History", "history.show"),
    ("Audit packet", "packet.show"),
)
# Where a requirement is corrected: the screen, and what it is opened for.
_SCREENS = {
    Place.DOSING_TABLE: ("dosing.show", "Look at the dosing table"),
    Place.CLAIM_PLAN: ("claim.show", "Look at the claim plan"),
    Place.CONTAINERS: ("claim.show", "Compare the containers"),
    Place.PAST_DOSES: ("history.show", "Look at the doses given"),
    Place.AUTHORIZATIONS: ("history.show", "Look at the authorizations"),
    Place.FORM: ("documentation.show", "Complete the documentation"),
    Place.CLOSE_OUT: ("close_out.show", "Close out the dose"),
}


def navigation_items(window: Window, order: str) -> list[NavigationItem]:
    """The navigation of a page about `order` ("" when none is looked at)."""
    here = request.endpoint or ""
    found = [
        # What a form leads to is of the form's screen.
        NavigationItem(
            label, url_for(name, order=order), here.partition(".")[0] == name.partition(".")[0]
        )
        for label, name in _ABOUT_AN_ORDER
        if order and name in current_app.view_functions
    ]
    found.append(NavigationItem("All orders", url_for("orders.show"), here == "orders.show"))
    feedback = installation().feedback
    if window.user.role is Role.OWNER and feedback:
        url = url_for(feedback, order=order or None)
        found.append(NavigationItem("Feedback", url, here == feedback))
    return found


def corrected_at(rule_id: str, is_documentation: bool, order: str) -> NavigationItem | None:
    """The screen where a requirement of the rule is corrected; None where it is the EHR's own
    order, or a screen that this installation does not have."""
    rule = RULE_BY_ID.get(rule_id)
    if rule is None:
        return None
    topic = rule.only_topic or (Topic.DOCUMENTATION if is_documentation else Topic.BILLING)
    endpoint, label = _SCREENS.get(rule.corrected_at[topic], ("", ""))
    if endpoint not in current_app.view_functions:
        return None
    return NavigationItem(label, url_for(endpoint, order=order))


# ----------------------------------------------------------------------
# What every screen about an order begins with: chart read, order found, the page around it.
#
# The address says which order (`order`) and how long the chart may be read (`round`): the first
# page is quick, and asks by itself for the next round while there is more.


@dataclass(frozen=True, slots=True, repr=False)
class OrderPage:
    """The window, its patient's record, and the order that the address or the card named.

    `reading_on` is the address of the same page with the next round, "" when there is nothing more
    to read; `today` the day it is where the clinic is; `catalogue` what this installation knows.
    """

    window: Window
    record: PatientRecord
    reference: str
    order: FoundOrder | None
    reading_on: str
    today: date
    catalogue: Catalogue


def open_order(must_be_whole: bool = False) -> OrderPage:
    """What the address of this request names. Raises Stopped when the page must not be shown.

    `must_be_whole`: the first round is left out, for what is printed and for files.
    """
    here, site = window(), installation()
    catalogue, today = site.catalogue, site.today()
    reference = request.args.get("order", "") or here.order
    text = request.args.get("round", "")
    number = int(text[:3]) if text.isascii() and text.isdecimal() else 0
    number = min(number, len(ROUNDS) - 1)
    limits = ROUNDS[-1] if must_be_whole else ROUNDS[number]
    record = read(here, catalogue, today, reference, limits)
    reading_on = ""
    if record.more_to_read:
        query = {**request.args.to_dict(), "round": str(number + 1)}
        reading_on = f"{request.script_root}{request.path}?{urlencode(query)}"
    return OrderPage(here, record, reference, record.order(reference), reading_on, today, catalogue)


def page(template: str, at: OrderPage, **values: Any) -> str:
    """The page, with the patient's banner, the navigation and what is still being read."""
    found = at.order
    reference = found.reference if found else ""
    return render_template(
        template,
        window=at.window,
        record=at.record,
        found=found,
        order=reference,
        banner=words.banner(at.record.patient, at.today) if at.window.shows_banner else None,
        navigation=navigation_items(at.window, reference),
        reading_on=at.reading_on,
        still_reading=[words.PARTS.get(name, name) for name in at.record.more_to_read],
        unread=words.unread_parts(at.record),
        today=at.today,
        words=words,
        **values,
    )


def no_order(at: OrderPage) -> str:
    """The page that is shown where no order is looked at: those there are, and why not that one."""
    return page("orders.html", at, asked_for=at.reference, rows=order_rows(at.record))


def order_rows(record: PatientRecord) -> list[dict[str, Any]]:
    return [
        {
            "found": found,
            "words": words.order_words(found),
            "stage": words.stage_words(found),
            "answer": documentation(requirements(found.review)),
        }
        for found in record.orders
    ]


# ----------------------------------------------------------------------
# The patient's orders of catalogued drugs, newest first.


def orders_blueprint() -> Blueprint:
    made = Blueprint("orders", __name__)
    made.add_url_rule("/orders", view_func=show_orders, endpoint="show")
    return made


def show_orders() -> str:
    at = open_order()
    listed = replace(at, reference="", order=None)
    return page("orders.html", listed, asked_for="", rows=order_rows(at.record))
