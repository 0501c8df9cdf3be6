"""A service call from top to bottom: the way of a request, one hop a line."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

from flask import Blueprint, Response

from billing_rules.data_needed import ASKED_BY_CODE
from billing_rules.fhir import reading
from billing_rules.fhir.references import selected
from billing_rules.recognise import concerns_catalogue
from cds_hooks import (
    cards,
    drafts,
    exact_json,
    hook_request,
    prefetch,
    recording,
    request_body,
    reviewing,
    selection,
    services,
)
from cds_hooks.errors import Refused
from cds_hooks.hook_request import HookRequest
from cds_hooks.patient_match import AnotherPatient
from cds_hooks.running import Running, running
from cds_hooks.suggestions import CodeSystemUris

log = logging.getLogger("cds_hooks")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

Cards = Sequence[Mapping[str, Any]]


def blueprint() -> Blueprint:
    """The addresses that take patient data. Who registers them states who may call."""
    calls = Blueprint("calls", __name__)
    calls.add_url_rule("/cds-services/<service_id>", view_func=call, methods=["POST"])
    return calls


def call(service_id: str) -> Response:
    """POST /cds-services/{id} (CDS Hooks 2.0.1, "Calling a CDS Service")."""
    started, here = perf_counter(), running()
    service = services.SERVICES.get(service_id)
    if service is None:
        raise Refused(404, "There is no service of that id.")
    body = request_body.read(here.settings.max_body_bytes)
    hook = hook_request.parse(body, service, here.settings.max_json_depth)
    try:
        answer = _cards(hook, service, here)
    except AnotherPatient as error:
        log.warning("security: %s is of another patient; answered without cards", error.where)
        answer = []
    _log(hook, service_id, len(answer), perf_counter() - started)
    return Response(exact_json.encode({"cards": answer}), content_type="application/json")


def _cards(hook: HookRequest, service: services.Service, here: Running) -> Cards:
    catalogue, today = here.catalogue, here.settings.today()
    if not hook.context.user_is_staff:
        return []
    resources = tuple(reading.entries(hook.context.draft_orders))
    resolve = reading.resolver(hook.context.draft_orders)
    lines = reading.draft_orders(resources, catalogue.systems, resolve)
    meant = [line for line in lines if selected(line.reference, hook.context.selections)]
    if not concerns_catalogue(meant, catalogue):
        return []
    drafts.check_patient(resources, hook.context.patient_id)
    parts = prefetch.complete(hook, service.needs)
    chart = reading.chart(parts, catalogue.systems, today, ASKED_BY_CODE)
    reviewed = reviewing.reviews(lines, chart, catalogue, today)
    spoken = selection.spoken_of(reviewed, hook.context.selections)
    correctable = drafts.correctable(resources, hook.context.selections)
    uris = CodeSystemUris(catalogue.systems, catalogue.preferred_uri)
    plan = cards.planned(recording.unrepeated(spoken, hook, here), here.settings)
    written = cards.written(plan, correctable, uris, here.settings, today)
    recording.record(plan, written, hook, service, here)
    return written


def _log(hook: HookRequest, service_id: str, shown: int, seconds: float) -> None:
    """One line a call, without anything of the patient, the user or the order."""
    instance = hook.instance if _UUID.fullmatch(hook.instance) else "-"
    log.info(
        "%s %s instance=%s cards=%d ms=%.1f", service_id, hook.hook, instance, shown, seconds * 1000
    )
