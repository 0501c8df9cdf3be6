"""The container and claim plan, and what it would be with another dose, container, payer or day."""

from __future__ import annotations

from flask import Blueprint, request

from billing_rules.claims.alternatives import alternatives, changed
from billing_rules.claims.claim_form import claim_form, segments
from smart_app.forms.parameters import fill_value, what_if
from smart_app.screens.order_page import no_order, open_order, page


def blueprint() -> Blueprint:
    made = Blueprint("claim", __name__)
    made.add_url_rule("/claim", view_func=show, endpoint="show")
    return made


def show() -> str:
    at = open_order()
    if at.order is None:
        return no_order(at)
    ordered, catalogue = at.order.case, at.catalogue
    form_sent = what_if(request.args, ordered, catalogue)
    case = ordered if form_sent.is_empty else changed(ordered, form_sent.change, catalogue)
    form, on = claim_form(case), case.order.date_of_service
    payers = [(id_, catalogue.payer(id_, on).name) for id_ in catalogue.payer_files]
    return page(
        "claim.html",
        at,
        case=case,
        form=form,
        segments={line.number: segments(line) for line in form.lines},
        ways=alternatives(case),
        choices=alternatives(ordered),
        fill_value=fill_value,
        what_if=form_sent,
        payers=sorted(payers, key=lambda payer: payer[1].lower()),
    )
