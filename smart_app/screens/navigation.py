"""The way from screen to screen, with the order that is looked at kept in the address."""

from __future__ import annotations

from dataclasses import dataclass

from flask import current_app, request, url_for

from billing_rules.model.findings import Topic
from billing_rules.rules import RULE_BY_ID
from billing_rules.rules.rule import Place
from smart_app.launch.window import Role, Window
from smart_app.running import running


@dataclass(frozen=True, slots=True)
class Item:
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


def items(window: Window, order: str) -> list[Item]:
    """The navigation of a page about `order` ("" when none is looked at)."""
    here = request.endpoint or ""
    found = [
        # What a form leads to is of the form's screen.
        Item(label, url_for(name, order=order), here.partition(".")[0] == name.partition(".")[0])
        for label, name in _ABOUT_AN_ORDER
        if order and name in current_app.view_functions
    ]
    found.append(Item("All orders", url_for("orders.show"), here == "orders.show"))
    feedback = running().feedback
    if window.user.role is Role.OWNER and feedback:
        url = url_for(feedback, order=order or None)
        found.append(Item("Feedback", url, here == feedback))
    return found


def corrected_at(rule_id: str, is_documentation: bool, order: str) -> Item | None:
    """The screen where a requirement of the rule is corrected; None where it is the EHR's own
    order, or a screen that this installation does not have."""
    rule = RULE_BY_ID.get(rule_id)
    if rule is None:
        return None
    topic = rule.only_topic or (Topic.DOCUMENTATION if is_documentation else Topic.BILLING)
    endpoint, label = _SCREENS.get(rule.corrected_at[topic], ("", ""))
    if endpoint not in current_app.view_functions:
        return None
    return Item(label, url_for(endpoint, order=order))
