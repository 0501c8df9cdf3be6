"""A service call from top to bottom: the way of a request, one hop a line."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response

from cds_hooks import (
    app_link,
    call_note,
    cards,
    client_auth,
    detail,
    exact_json,
    held_back,
    hook_request,
    recording,
    request_body,
    services,
)
from cds_hooks.answers import ANSWERS, Call, Reviewed
from cds_hooks.call_note import CallNote
from cds_hooks.errors import Refused
from cds_hooks.held_back import HeldBack
from cds_hooks.hook_request import HookRequest
from cds_hooks.running import Running, running
from cds_hooks.suggestions import CodeSystemUris
from cds_hooks.trust import trust_of_request
from ehr_access.limits import Deadline
from ehr_access.patient_match import AnotherPatient

if TYPE_CHECKING:  # a service that is lent no token starts without requests
    from cds_hooks.lent import Ehr

log = logging.getLogger("cds_hooks")

Cards = Sequence[Mapping[str, Any]]


def blueprint() -> Blueprint:
    """The addresses that take patient data. Who registers them states who may call."""
    calls = Blueprint("calls", __name__)
    calls.add_url_rule("/cds-services/<service_id>", view_func=call, methods=["POST"])
    return calls


def call(service_id: str) -> Response:
    """POST /cds-services/{id} (CDS Hooks 2.0.1, "Calling a CDS Service")."""
    here, note = running(), call_note.of_request()
    until = Deadline.after(here.settings.fetch_deadline)
    service = services.SERVICES.get(service_id)
    if service is None:
        raise Refused(404, "There is no service of that id.")
    with note.hop("parse"):
        note.body = request_body.read(here.settings.max_body_bytes)
        hook = hook_request.parse(note.body, service, here.settings.max_json_depth)
    note.parsed(hook)
    try:
        answer = _cards(hook, service, here, until, note)
    except AnotherPatient as error:
        log.warning("security: %s is of another patient; answered without cards", error.where)
        note.outcome, answer = call_note.ANOTHER_PATIENT, []
    return Response(exact_json.encode({"cards": answer}), content_type="application/json")


def _cards(
    hook: HookRequest, service: services.Service, here: Running, until: Deadline, note: CallNote
) -> Cards:
    catalogue, settings, today = here.catalogue, here.settings, here.settings.today()
    if not hook.context.user_is_staff:
        return note.passed_over(call_note.NOT_STAFF)
    with note.hop("review"):
        found = reviewed(hook, service, here, until)
    if found is None:
        return note.passed_over(call_note.NOT_OURS)
    settings = settings if found.plans else replace(settings, billing_plan=False)
    uris = CodeSystemUris(catalogue.systems, catalogue.preferred_uri)
    with note.hop("store"):
        reviews = recording.unrepeated(found.reviews, hook, here)
    with note.hop("cards"):
        plan, held = held_back.planned(reviews, settings, note.client, note.tenant, cards.planned)
        checked = detail.moment(today, settings.clock())
        written = cards.written(plan, found.drafts, uris, settings, checked, named=found.named)
        held_back.tell_of_more(written, held)
        app_link.add(written, plan, hook, settings)
    unseen = client_auth.unseen_because()
    if unseen:
        note.shows((), written, (*held, HeldBack(unseen, tuple(plan))))
    else:
        note.shows(plan, written, held)
    with note.hop("store"):
        recording.record(plan, written, held, hook, service, here, unseen)
    return written


def reviewed(
    hook: HookRequest, service: services.Service, here: Running, until: Deadline
) -> Reviewed | None:
    """What the service makes of the request; None when there is nothing of ours in it."""
    today, ehr = here.settings.today(), _ehr(hook, here, until)
    return ANSWERS[service.id](Call(hook, service, here.catalogue, here.settings, today, ehr))


def _ehr(hook: HookRequest, here: Running, until: Deadline) -> Ehr | None:
    """The EHR with the token the request lends; None when it lends none that may be used."""
    if hook.authorization is None:
        return None
    from cds_hooks import lent  # requests is loaded only where a token is lent

    trust = trust_of_request(here.settings)
    return lent.ehr_of(hook, trust, here.settings, lent.servers(), until)
