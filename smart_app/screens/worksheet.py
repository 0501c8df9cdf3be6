"""The order worksheet: how to bill the order, whether the chart shows what that needs, and why."""

from __future__ import annotations

from flask import Blueprint

from billing_rules.model import Stage
from smart_app import filters, navigation
from smart_app.looked_at import looked_at, no_order, page
from smart_app.requirements import State, billing, documentation, requirements


def blueprint() -> Blueprint:
    made = Blueprint("worksheet", __name__)
    filters.add_to(made)
    made.add_url_rule("/", view_func=show, endpoint="show")
    return made


def show() -> str:
    """The order that the card's link or the address names; the list of orders where none is."""
    at = looked_at()
    if at.order is None:
        return no_order(at)
    found = requirements(at.order.review)
    reference = at.order.reference
    is_given = at.order.review.order.stage is Stage.GIVEN
    return page(
        "worksheet.html",
        at,
        review=at.order.review,
        plan=at.order.review.plan,
        billing=billing(found),
        documentation=documentation(found),
        applying=[r for r in found if r.state is not State.OFF],
        not_applying=[r for r in found if r.state is State.OFF],
        spoken=at.window.rules,
        mended_at=lambda r: navigation.mended_at(
            r.rule, r.is_documentation, is_given, reference
        ),
    )
