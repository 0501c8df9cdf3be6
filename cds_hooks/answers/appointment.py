"""appointment-book: is the way clear for the injection that is being booked?

The code of what will be done is not known yet, so the patient's active orders are asked about, for
the day of the appointment: authorization and documentation only, and as information.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from msgspec import structs

from billing_rules.fhir import reading
from billing_rules.fhir.tolerant import as_day, as_objects
from billing_rules.findings import Finding, Outcome, Severity, Topic
from billing_rules.review import OrderReview
from billing_rules.states import Unknown
from cds_hooks import prefetch
from cds_hooks.answers import drafted, medications
from cds_hooks.answers.call import Call, Reviewed
from cds_hooks.contexts import AppointmentContext
from cds_hooks.errors import unobtainable
from ehr_access.patient_match import AnotherPatient, about, is_anothers

PART = "medications"
_NOT_ORDERED = ("proposal", "plan", "option")


def reviewed(call: Call) -> Reviewed | None:
    """The active orders for catalogued drugs; 412 when the orders cannot be had."""
    context = call.hook.context
    assert isinstance(context, AppointmentContext)
    appointments = list(reading.entries(context.appointments))
    _check_patient(appointments, context.patient_id)
    first = tuple(need for need in call.service.needs if need.key == PART)
    parts = prefetch.complete(call.hook, first, call.ehr)
    if isinstance(why := parts[PART], Unknown):
        raise unobtainable(f"The patient's orders could not be read: {why.because}.")
    everything = medications.resources_of(parts[PART])
    orders = drafted.Orders(tuple(r for r in everything if _is_active_order(r)), everything)
    day = _day(appointments, call.today)
    needs = tuple(need for need in call.service.needs if need.key != PART)
    found = drafted.reviews(
        call, orders, needs, parts, lambda line: replace(line, date_of_service=day), False
    )
    if found is None:
        return None
    return Reviewed(tuple(_prompts(review, call) for review in found), plans=False)


def _check_patient(appointments: list[Mapping[str, Any]], patient_id: str) -> None:
    """Raises AnotherPatient when an appointment is for somebody else."""
    for appointment in appointments:
        for participant in as_objects(appointment.get("participant")):
            told = about({"subject": participant.get("actor")})
            if told and is_anothers(told, patient_id):
                raise AnotherPatient("appointments")


def _is_active_order(resource: Mapping[str, Any]) -> bool:
    return (
        resource.get("resourceType") == "MedicationRequest"
        and resource.get("status") == "active"
        and resource.get("intent") not in _NOT_ORDERED
    )


def _day(appointments: list[Mapping[str, Any]], today: date) -> date:
    """The first proposed day; today when none is proposed, or it has passed."""
    days = [day for one in appointments if (day := as_day(one.get("start"))) and day >= today]
    return min(days, default=today)


def _prompts(review: OrderReview, call: Call) -> OrderReview:
    """What the chart lacks, as information: the injection is still to come."""
    kept = (o for o in review.outcomes if o.rule in call.service.rules)
    return replace(review, outcomes=tuple(_as_info(o) for o in kept if _is_prompt(o)))


def _is_prompt(outcome: Outcome) -> bool:
    return not isinstance(outcome, Finding) or outcome.topic is Topic.DOCUMENTATION


def _as_info(outcome: Outcome) -> Outcome:
    if not isinstance(outcome, Finding):
        return outcome
    return structs.replace(outcome, severity=Severity.INFO)
