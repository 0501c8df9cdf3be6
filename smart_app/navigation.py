"""The way from screen to screen, with the order that is looked at kept in the address."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import current_app, request, url_for

from smart_app.running import running
from smart_app.window import Role, Window


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
# Where a requirement is mended, by rule; documentation is, where it is not listed.
_MENDED_AT = {
    "labelled_dose": ("dosing.show", "Look at the dosing table"),
    "waste_modifier": ("claim.show", "Look at the claim plan"),
    "container_mix": ("claim.show", "Compare the containers"),
    "smallest_container": ("claim.show", "Compare the containers"),
    "billed_units": ("claim.show", "Look at the claim plan"),
    "past_administrations": ("history.show", "Look at the doses given"),
    "past_waste": ("history.show", "Look at the doses given"),
    "dose_interval": ("history.show", "Look at the doses given"),
    "prior_authorization": ("history.show", "Look at the authorizations"),
    "reauthorization": ("history.show", "Look at the authorizations"),
}
_DOCUMENTATION = ("documentation.show", "Complete the documentation")
# The rest of a dose that was given is no question of the documentation form: it is closed out.
_TO_CHART_AT = {"waste_modifier": ("close_out.show", "Close out the dose")}


def items(window: Window, order: str) -> list[Item]:
    """The navigation of a page about `order` ("" when none is looked at)."""
    found = list(_screens(order)) if order else []
    found.append(Item("All orders", url_for("orders.show"), request.endpoint == "orders.show"))
    feedback = running().feedback
    if window.user.role is Role.OWNER and feedback:
        url = url_for(feedback, order=order or None)
        found.append(Item("Feedback", url, request.endpoint == feedback))
    return found


def _screens(order: str) -> Iterator[Item]:
    for label, endpoint in _ABOUT_AN_ORDER:
        if endpoint in current_app.view_functions:
            yield Item(label, url_for(endpoint, order=order), _is_here(endpoint))


def _is_here(endpoint: str) -> bool:
    """Whether this page is of that screen: what a form leads to is of the form's screen."""
    return (request.endpoint or "").partition(".")[0] == endpoint.partition(".")[0]


def mended_at(rule: str, is_documentation: bool, order: str) -> Item | None:
    """The screen where a requirement of `rule` is mended; None where it is the EHR's own order."""
    to_chart = _TO_CHART_AT.get(rule) if is_documentation else None
    fallback = _DOCUMENTATION if is_documentation else None
    endpoint, label = to_chart or _MENDED_AT.get(rule) or fallback or ("", "")
    if endpoint not in current_app.view_functions:
        return None
    return Item(label, url_for(endpoint, order=order))
