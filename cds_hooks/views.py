"""A service call from top to bottom: the way of a request, one hop a line."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from billing_rules.fhir.json.decoding import same
from cds_hooks import answers, exact_json, recording, services
from cds_hooks.answers import order_review
from cds_hooks.auth import client_auth
from cds_hooks.calls import call_log
from cds_hooks.calls.call_log import CallNote
from cds_hooks.cards import app_link, writing
from cds_hooks.cards import plan as card_plan
from cds_hooks.cards.app_link import AppLink
from cds_hooks.cards.plan import HeldBack
from cds_hooks.cards.writing import CodeSystemUris
from cds_hooks.errors import RequestRefused
from cds_hooks.request import hook_request
from cds_hooks.request.hook_request import DispatchContext, HookRequest
from cds_hooks.running import Running
from ehr_access.limits import Deadline
from ehr_access.resources import AnotherPatient

if TYPE_CHECKING:  # a service that gets no token starts without requests
    from cds_hooks.calls import fhir_authorization

log = logging.getLogger("cds_hooks")

Cards = Sequence[Mapping[str, Any]]


def blueprint(here: Running) -> Blueprint:
    """The addresses that take patient data. Who registers them states who may call."""
    calls = Blueprint("calls", __name__)
    path = "/cds-services/<service_id>"
    calls.add_url_rule(path, "call", partial(call, here), methods=["POST"])
    return calls


def call(here: Running, service_id: str) -> Response:
    """POST /cds-services/{id} (CDS Hooks 2.0.1, "Calling a CDS Service")."""
    note = call_log.of_request()
    until = Deadline.after(here.settings.fetch_seconds)
    service = services.SERVICES.get(service_id)
    if service is None:
        raise RequestRefused(404, "There is no service of that id.")
    with note.hop("parse"):
        note.body = hook_request.read_body(here.settings.max_body_bytes)
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
    settings, catalogue, context = here.settings, here.catalogue, hook.context
    with note.hop("review"):
        basis = basis_of(hook, here, until, note.hop)
        found = answers.ANSWERS[service.id](hook, basis)
    if found is None:
        return note.passed_over(call_log.NOT_OURS)
    with note.hop("store"):
        found = tuple(recording.unrepeated(found, hook, here, note))
    with note.hop("cards"):
        plan, held = card_plan.planned(found, hook.hook, settings, note.client, note.tenant)
        drafts = order_review.correctable(context)
        named: Collection[str] = drafts  # what a card may name as what it is about
        if isinstance(context, DispatchContext):
            judged = (reference for review in found for reference in review.order.references)
            named = {ref for ref in judged if any(same(ref, order) for order in context.orders)}
        app: AppLink | None = None
        if settings.app_launch_url:
            trust = client_auth.trust_of_request(settings)
            app = app_link.of_answer(hook, settings, client_auth.caller(), trust)
        cards = writing.written(
            plan,
            drafts,
            CodeSystemUris(catalogue.systems, catalogue.preferred_uri),
            settings,
            f"{basis.today} at {(now := settings.clock()):%H:%M} {now:%Z}".rstrip(),
            named=named,
            app=app,
            left_out=sum(len(p.cards) for p in held if p.because == card_plan.OVER_LIMIT),
        )
    unseen = client_auth.unseen_because()
    if unseen:
        note.shows((), cards, (*held, HeldBack(unseen, tuple(plan))))
    else:
        note.shows(plan, cards, held)
    with note.hop("store"):
        recording.record(plan, cards, held, hook, service, here, note, unseen)
    return cards


def basis_of(
    hook: HookRequest, here: Running, until: Deadline, timed: fhir_authorization.Timed
) -> answers.Basis:
    """What the request is judged on, with the EHR whose token it brings, if that may be used."""
    ehr: fhir_authorization.EhrAccess | None = None
    if hook.authorization is not None:
        from cds_hooks.calls import fhir_authorization  # requests is loaded with the first token

        trust, servers = client_auth.trust_of_request(here.settings), fhir_authorization.servers()
        ehr = fhir_authorization.ehr_of(hook, trust, here.settings, servers, until, timed)
    settings = here.settings
    return answers.Basis(
        here.catalogue,
        settings.today(),
        ehr,
        settings.given_days,
        settings.documentation_at_select,
    )
