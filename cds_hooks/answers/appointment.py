"""appointment-book: is the way clear for the injection that is being booked?

The code of what will be done is not known yet, so the patient's active orders are asked about, for
the day of the appointment: authorization and documentation only, and as information.
"""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from billing_rules.fhir import reading
from billing_rules.fhir.json.values import as_day, as_objects
from billing_rules.model.findings import Finding, Outcome, Severity, Topic
from billing_rules.model.states import Unknown
from billing_rules.review import OrderReview
from cds_hooks import services
from cds_hooks.answers.order_review import Basis, orders_reviewed
from cds_hooks.calls import prefetch
from cds_hooks.errors import unobtainable
from cds_hooks.request.hook_request import AppointmentContext, HookRequest
from ehr_access.resources import AnotherPatient, about, is_anothers, resources_of

PART = "medications"
_NOT_ORDERED = ("proposal", "plan", "option")


def reviewed(hook: HookRequest, basis: Basis) -> tuple[OrderReview, ...] | None:
    """The active orders for catalogued drugs; Refused (412) when the orders cannot be had."""
    context, service = hook.context, services.APPOINTMENT
    assert isinstance(context, AppointmentContext)
    appointments = list(reading.entries(context.appointments))
    for appointment in appointments:
        for participant in as_objects(appointment.get("participant")):
            patient = about({"subject": participant.get("actor")})
            if patient and is_anothers(patient, context.patient_id):
                raise AnotherPatient("appointments")
    first = [need for need in service.needs if need.key == PART]
    parts = prefetch.complete(hook, first, basis.ehr)
    if isinstance(why := parts[PART], Unknown):
        raise unobtainable(f"The patient's orders could not be read: {why.because}.")
    everything = resources_of(parts[PART])
    active = [
        resource
        for resource in everything
        if resource.get("resourceType") == "MedicationRequest"
        and resource.get("status") == "active"
        and resource.get("intent") not in _NOT_ORDERED
    ]
    proposed = (as_day(appointment.get("start")) for appointment in appointments)
    day = min((day for day in proposed if day and day >= basis.today), default=basis.today)
    found = orders_reviewed(
        hook,
        basis,
        [need for need in service.needs if need.key != PART],
        active,
        within=everything,
        parts=parts,
        on=basis.on or day,
        drug_must_be_known=False,
    )
    if found is None:
        return None
    return tuple(
        replace(
            review,
            outcomes=tuple(
                _as_info(outcome)
                for outcome in review.outcomes
                if outcome.rule in service.rules and _is_prompt(outcome)
            ),
        )
        for review in found
    )


def _is_prompt(outcome: Outcome) -> bool:
    """What the chart lacks; how the dose is billed is not asked about before it is given."""
    return not isinstance(outcome, Finding) or outcome.topic is Topic.DOCUMENTATION


def _as_info(outcome: Outcome) -> Outcome:
    """The injection is still to come, so nothing is a warning yet."""
    if not isinstance(outcome, Finding):
        return outcome
    return structs.replace(outcome, severity=Severity.INFO)
