"""A service call from top to bottom: the way of a request, one hop a line."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from billing_rules.fhir.json.references import same
from billing_rules.review import OrderReview
from cds_hooks import answers, exact_json, recording, services
from cds_hooks.answers import order_review
from cds_hooks.auth import client_auth
from cds_hooks.calls import call_log
from cds_hooks.calls.call_log import CallNote
from cds_hooks.cards import app_link, writing
from cds_hooks.cards import plan as card_plan
from cds_hooks.cards.app_link import AppLink
from cds_hooks.cards.plan import HeldBack
from cds_hooks.cards.suggestions import CodeSystemUris
from cds_hooks.errors import Refused
from cds_hooks.fhir_trust import trust_of_request
from cds_hooks.request import hook_request
from cds_hooks.request import hook_request as request_body
from cds_hooks.request.hook_request import DispatchContext, HookRequest
from cds_hooks.running import Running, running
from cds_hooks.settings import Settings
from ehr_access.limits import Deadline
from ehr_access.resources import AnotherPatient

if TYPE_CHECKING:  # a service that is lent no token starts without requests
    from cds_hooks.calls.fhir_authorization import EhrAccess

log = logging.getLogger("cds_hooks")

Cards = Sequence[Mapping[str, Any]]


def blueprint() -> Blueprint:
    """The addresses that take patient data. Who registers them states who may call."""
    calls = Blueprint("calls", __name__)
    calls.add_url_rule("/cds-services/<service_id>", view_func=call, methods=["POST"])
    return calls


def call(service_id: str) -> Response:
    """POST /cds-services/{id} (CDS Hooks 2.0.1, "Calling a CDS Service")."""
    here, note = running(), call_log.of_request()
    until = Deadline.after(here.settings.fetch_seconds)
    service = services.SERVICES.get(service_id)
    if service is None:
        raise Refused(404, "There is no service of that id.")
    with note.hop("parse"):
        note.body = request_body.read_body(here.settings.max_body_bytes)
        hook = hook_request.parse(note.body, service, here.settings.max_json_depth)
    note.parsed(hook)
    try:
        answer = _cards(hook, service, here, until, note)
    except AnotherPatient as error:
        log.warning("security: %s is of another patient; answered without cards", error.where)
        note.outcome, answer = call_log.ANOTHER_PATIENT, []
    return Response(exact_json.encode({"cards": answer}), content_type="application/json")


def _cards(
    hook: HookRequest, service: services.Service, here: Running, until: Deadline, note: CallNote
) -> Cards:
    if not hook.context.user_is_staff:
        return note.passed_over(call_log.NOT_STAFF)
    settings, catalogue = here.settings, here.catalogue
    with note.hop("review"):
        basis = basis_of(hook, here, until, note)
        found = answers.ANSWERS[service.id](hook, basis)
    if found is None:
        return note.passed_over(call_log.NOT_OURS)
    with note.hop("store"):
        found = tuple(recording.unrepeated(found, hook, here, note))
    with note.hop("cards"):
        plan, held = card_plan.planned(found, hook.hook, settings, note.client, note.tenant)
        drafts = order_review.correctable(hook.context)
        written = writing.written(
            plan,
            drafts,
            CodeSystemUris(catalogue.systems, catalogue.preferred_uri),
            settings,
            writing.moment(basis.today, settings.clock()),
            named=_named(hook, found, drafts),
            app=_app(hook, settings),
            left_out=card_plan.left_out(held),
        )
    unseen = client_auth.unseen_because()
    if unseen:
        note.shows((), written, (*held, HeldBack(unseen, tuple(plan))))
    else:
        note.shows(plan, written, held)
    with note.hop("store"):
        recording.record(plan, written, held, hook, service, here, note, unseen)
    return written


def basis_of(hook: HookRequest, here: Running, until: Deadline, note: CallNote) -> answers.Basis:
    """What the request is judged on, with the EHR whose token it lends, if it may be used."""
    ehr: EhrAccess | None = None
    if hook.authorization is not None:
        from cds_hooks.calls import (
            fhir_authorization,  # requests is loaded only where a token is lent
        )

        trust, servers = trust_of_request(here.settings), fhir_authorization.servers()
        ehr = fhir_authorization.ehr_of(hook, trust, here.settings, servers, until, note)
    settings = here.settings
    return answers.Basis(
        here.catalogue,
        settings.today(),
        ehr,
        settings.given_days,
        settings.documentation_at_select,
    )


def _app(hook: HookRequest, settings: Settings) -> AppLink | None:
    """What the cards link to, where there is an app."""
    if not settings.app_launch_url:
        return None
    return app_link.of_answer(hook, settings, client_auth.caller(), trust_of_request(settings))


def _named(
    hook: HookRequest, found: Sequence[OrderReview], drafts: Mapping[str, Any]
) -> frozenset[str]:
    """The references of the request that a card may name as what it is about."""
    if not isinstance(hook.context, DispatchContext):
        return frozenset(drafts)
    orders = hook.context.orders
    judged = (reference for review in found for reference in review.order.references)
    return frozenset(ref for ref in judged if any(same(ref, order) for order in orders))
