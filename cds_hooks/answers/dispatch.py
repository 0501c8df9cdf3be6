"""order-dispatch: signed orders on their way to a performer (CDS Hooks Library 1.0.1, 1.1).

The context holds references only. Each order is looked for among the prefetched medications and
read with the token otherwise. Nothing is suggested: a signed order is not ours to change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.fhir.decoding import Part
from billing_rules.fhir.references import Resource, resolver, same, unversioned
from billing_rules.findings import NotChecked
from billing_rules.review import OrderReview
from billing_rules.states import Unknown
from cds_hooks import prefetch
from cds_hooks.answers import drafted, medications
from cds_hooks.answers.call import Call, Reviewed
from cds_hooks.contexts import DispatchContext, bare_id
from cds_hooks.errors import unobtainable
from ehr_access.patient_match import AnotherPatient, about, is_anothers

# Types that can order a drug; a referral or a meal is none of our business.
_OURS = ("MedicationRequest", "ServiceRequest")
_PREFETCHED = tuple(need for need in DATA_NEEDED if need.key == "medications")


def reviewed(call: Call) -> Reviewed | None:
    """The dispatched orders that could be read; 412 when none that could be ours was."""
    context = call.hook.context
    assert isinstance(context, DispatchContext)
    _check_tasks(context)
    wanted = [reference for reference in context.orders if _kind(reference) in _OURS]
    if not wanted:
        return None
    read, why_not = _read(call, wanted)
    orders = drafted.Orders(tuple(read.values()), list(read.values()))
    found = drafted.reviews(_in_its_encounter(call, orders), orders, DATA_NEEDED)
    if found is None and why_not:
        raise unobtainable(f"A dispatched order could not be read: {next(iter(why_not.values()))}.")
    if found is None:
        return None
    named = frozenset(f"{r.get('resourceType')}/{r.get('id')}" for r in read.values())
    return Reviewed(tuple(_with_gaps(review, why_not) for review in found), named=named)


def _kind(reference: str) -> str:
    parts = unversioned(reference).split("/")
    return parts[-2] if len(parts) > 1 else ""


def _check_tasks(context: DispatchContext) -> None:
    """Raises AnotherPatient when a Task is for somebody else."""
    for task in context.tasks:
        told = about({**task, "subject": task.get("for")})
        if told and is_anothers(told, context.patient_id):
            raise AnotherPatient("fulfillmentTasks")


# ---------------------------------------------------------------- reading the orders


def _read(call: Call, wanted: list[str]) -> tuple[dict[str, Resource], dict[str, str]]:
    """The orders by reference, and why the others could not be read."""
    sent = prefetch.complete(call.hook, _PREFETCHED)
    read = dict(_among(wanted, sent.get("medications")))
    missing = [reference for reference in wanted if reference not in read]
    parts = _fetched(call, missing)
    for reference in missing:
        found = medications.resources_of(parts.get(reference))
        if found:
            read[reference] = found[0]
    return read, {r: _because(parts.get(r)) for r in missing if r not in read}


def _among(wanted: list[str], part: Part | None) -> Mapping[str, Resource]:
    resolve = resolver(medications.resources_of(part))
    found = ((reference, resolve(reference)) for reference in wanted)
    return {r: one for r, one in found if one and same(r, f"{_kind(r)}/{one.get('id')}")}


def _fetched(call: Call, references: list[str]) -> Mapping[str, Part]:
    if call.ehr is None:
        return {}
    asked = {r: query for r in references if (query := call.ehr.query(r))}
    return prefetch.complete(call.hook, (), call.ehr, asked)


def _because(part: Part | None) -> str:
    if part is None:
        return prefetch.NOT_SENT.because
    return part.because if isinstance(part, Unknown) else "the EHR has no such order"


def _in_its_encounter(call: Call, orders: drafted.Orders) -> Call:
    """The hook names no encounter, so the first order's own is taken."""
    if call.hook.context.encounter_id:
        return call
    named = (_reference(r.get("encounter")) for r in orders.resources)
    encounter = next(filter(None, named), "")
    context = replace(call.hook.context, encounter_id=bare_id(encounter, "Encounter"))
    return replace(call, hook=replace(call.hook, context=context))


def _reference(value: Any) -> str:
    reference = value.get("reference") if isinstance(value, dict) else None
    return unversioned(reference) if isinstance(reference, str) else ""


def _with_gaps(review: OrderReview, why_not: Mapping[str, str]) -> OrderReview:
    """The review with what could not be read of the same request."""
    gaps = tuple(
        NotChecked(f"one could not be read: {because}", rule="other_orders")
        for because in why_not.values()
    )
    return replace(review, outcomes=(*review.outcomes, *gaps))
