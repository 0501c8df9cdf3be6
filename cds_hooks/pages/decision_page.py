"""What every rule saw of a request, for developers: POST /cds-services/{id}/trace.

It takes the body of a service call and answers how each rule ended instead of cards. The address
exists in open and development mode alone, asks of a caller what the service asks, and keeps
nothing.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, Response

from billing_rules.model.findings import Outcome
from billing_rules.review import OrderReview
from billing_rules.rule_records import explained, rule_heading
from cds_hooks import answers, exact_json, services, views
from cds_hooks.calls import call_log
from cds_hooks.errors import RequestRefused
from cds_hooks.request import hook_request
from cds_hooks.running import Running
from ehr_access.limits import Deadline
from ehr_access.resources import AnotherPatient


def blueprint(here: Running) -> Blueprint:
    """The address of the trace. Who registers it states who may call."""
    calls = Blueprint("trace", __name__)
    path = "/cds-services/<service_id>/trace"
    calls.add_url_rule(path, "trace", partial(trace, here), methods=["POST"])
    return calls


def trace(here: Running, service_id: str) -> Response:
    """One entry a reviewed order, one a rule; none where the service would be silent."""
    until = Deadline.after(here.settings.fetch_seconds)
    service = services.SERVICES.get(service_id)
    if service is None:
        raise RequestRefused(404, "There is no service of that id.")
    body = hook_request.read_body(here.settings.max_body_bytes)
    hook = hook_request.parse(body, service, here.settings.max_json_depth)
    try:
        basis = views.basis_of(hook, here, until, call_log.of_request().hop)
        staff = hook.context.user_is_staff
        found = answers.ANSWERS[service.id](hook, basis) if staff else None
    except AnotherPatient:
        found = None
    reviews = [_review(review) for review in found or ()]
    return Response(exact_json.encode({"reviews": reviews}), content_type="application/json")


def _review(review: OrderReview) -> dict[str, Any]:
    order = review.order
    return {
        "order": ", ".join(order.references),
        "drug": review.drug.name,
        "payer": review.payer.name,
        "dateOfService": str(order.date_of_service),
        "rules": [_rule(outcome) for outcome in review.outcomes],
    }


def _rule(outcome: Outcome) -> dict[str, str]:
    state, why = explained(outcome)
    return {"rule": rule_heading(outcome.rule), "state": state, "why": why}
