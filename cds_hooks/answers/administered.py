"""patient-view and encounter-discharge: what was given, and the claim lines that come of it.

No standard hook fires when a drug is given or charged (conformance A11.3). Each visit is judged by
its own records alone, so that a dose is asked about once: on patient-view for a few days, on
encounter-discharge with its encounter.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date, timedelta

from billing_rules.assess import read_patient
from billing_rules.fhir.json.decoding import same
from billing_rules.fhir.read.therapies import Given, given
from billing_rules.model.entities import OrderLine
from billing_rules.model.findings import Severity
from billing_rules.model.states import Nothing, Present, Unknown
from billing_rules.orders.drug_orders import concerns_catalogue
from billing_rules.review import OrderReview
from cds_hooks import services
from cds_hooks.answers.order_review import (
    Basis,
    is_nameless,
    judged,
    medication_queries,
    medications_among,
    references_outside,
)
from cds_hooks.calls import prefetch
from cds_hooks.errors import unobtainable
from cds_hooks.request.hook_request import HookRequest
from ehr_access import limits
from ehr_access.resources import resources_of

log = logging.getLogger("cds_hooks")
PART = "administrations"
_NOT_OFFERED = limits.not_offered("MedicationAdministration")


def reviewed(hook: HookRequest, basis: Basis) -> tuple[OrderReview, ...] | None:
    """The doses given of late, or in the encounter that ends; Refused (412) when they cannot be
    had. What-ifs about the date of service do not count: what was given was given on its day."""
    service, catalogue, ehr = services.GIVEN, basis.catalogue, basis.ehr
    records = prefetch.complete(hook, [n for n in service.needs if n.key == PART], ehr)[PART]
    if records == _NOT_OFFERED:
        log.info("not assessable: the EHR has no MedicationAdministration")
        return None
    if isinstance(records, Unknown):
        raise unobtainable(f"The drugs given could not be read: {records.because}.")
    if isinstance(records, Nothing):
        return None
    lines = [g.line for g in given({PART: records}, catalogue.systems) if _is_due(g, hook, basis)]
    could_be = [
        line
        for line in lines
        if concerns_catalogue([line], catalogue) or (ehr and is_nameless(line))
    ]
    if not could_be:
        return None
    resources = resources_of(records)
    references = references_outside(resources, could_be, resources, catalogue)
    queries = medication_queries(references, ehr)
    rest = prefetch.complete(hook, [n for n in service.needs if n.key != PART], ehr, queries)
    beside = tuple(dict(found) for found in medications_among(queries, rest))
    parts = {**rest, PART: Present((*records.value, *beside))}
    patient = read_patient(parts, catalogue, basis.today)
    by_day: dict[date, list[OrderLine]] = {}
    for record in given(parts, catalogue.systems):
        if record.line.date_of_service and _is_due(record, hook, basis):
            by_day.setdefault(record.line.date_of_service, []).append(record.line)
    found = []
    for day in sorted(by_day, reverse=True):
        for review in judged(by_day[day], patient.with_administrations(by_day[day]), basis):
            kept = tuple(o for o in review.outcomes if o.rule in service.rules)
            found.append(replace(review, outcomes=kept))
    if hook.hook != "patient-view":
        return tuple(found)
    # A chart is opened many times a day, so patient-view speaks only for a warning.
    return tuple(r for r in found if any(f.severity is Severity.WARNING for f in r.findings))


def _is_due(record: Given, hook: HookRequest, basis: Basis) -> bool:
    """Whether a record is to be judged now: on encounter-discharge the encounter's own, and those
    of late that name none; on patient-view those of late."""
    day = record.line.date_of_service
    if day is None:
        return False
    if hook.hook == "encounter-discharge" and record.encounter:
        return same(record.encounter, f"Encounter/{hook.context.encounter_id}")
    first = basis.today - timedelta(days=max(basis.given_days, 1) - 1)
    return first <= day <= basis.today
