"""The order worksheet: how to bill the order, whether the chart shows what that needs, and why."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Blueprint

from smart_app.chart.requirements import Requirement, State, billing, documentation, requirements
from smart_app.screens import order_page, words
from smart_app.screens.order_page import OrderPage, no_order, open_order, page


def blueprint() -> Blueprint:
    made = Blueprint("worksheet", __name__)
    words.add_filters(made)
    made.add_url_rule("/", view_func=show, endpoint="show")
    return made


def show() -> str:
    """The order that the card's link or the address names; the list of orders where none is."""
    at = open_order()
    if at.order is None:
        return no_order(at)
    found = requirements(at.order.review)
    reference = at.order.reference
    return page(
        "worksheet.html",
        at,
        review=at.order.review,
        plan=at.order.review.plan,
        billing=billing(found, at.order.review.plan),
        documentation=documentation(found),
        applying=[r for r in found if r.state is not State.OFF],
        not_applying=[r for r in found if r.state is State.OFF],
        spoken=at.window.rules,
        not_seen=_not_seen(found, at),
        corrected_at=lambda r: order_page.corrected_at(r.rule, r.is_documentation, reference),
    )


def _not_seen(found: Iterable[Requirement], at: OrderPage) -> list[str]:
    """What the card spoke of and this page does not: drafts go to the service with each call, and
    few EHRs keep them where an app can read them."""
    if at.reference != at.window.order:
        return []
    quiet = (State.MET, State.OFF)
    return [r.record.name for r in found if r.rule in at.window.rules and r.state in quiet]
