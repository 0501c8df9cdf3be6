"""The container and claim plan, and what it would be with another dose, container, payer or day."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, request

from billing_rules.catalogue import Catalogue
from billing_rules.claims.alternatives import alternatives, changed
from billing_rules.claims.claim_form import claim_form, segments
from smart_app.forms.parameters import asked, fill_value
from smart_app.running import running
from smart_app.screens.order_page import no_order, open_order, page


def blueprint() -> Blueprint:
    made = Blueprint("claim", __name__)
    made.add_url_rule("/claim", view_func=show, endpoint="show")
    return made


def show() -> str:
    at = open_order()
    if at.order is None:
        return no_order(at)
    catalogue = running().catalogue
    question = asked(request.args, at.order.case, catalogue)
    case = (
        at.order.case if question.is_empty else changed(at.order.case, question.change, catalogue)
    )
    form = claim_form(case)
    return page(
        "claim.html",
        at,
        case=case,
        form=form,
        segments={line.number: segments(line) for line in form.lines},
        ways=alternatives(case),
        choices=alternatives(at.order.case),
        fill_value=fill_value,
        asked=question,
        payers=_payers(catalogue, case.order.date_of_service),
    )


def _payers(catalogue: Catalogue, on: date) -> list[tuple[str, str]]:
    named = [(id_, catalogue.payer(id_, on).name) for id_ in catalogue.payer_files]
    return sorted(named, key=lambda one: one[1].lower())
