"""order-dispatch: signed orders on their way to a performer (CDS Hooks Library 1.0.1, 1.1).

The context holds references only. Each order is looked for among the prefetched medications and
read with the token otherwise. Nothing is suggested: a signed order is not ours to change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.fhir.json.decoding import JsonObject, Part, resolver, same, unversioned
from billing_rules.model.findings import NotChecked
from billing_rules.model.states import Unknown
from billing_rules.review import OrderReview
from cds_hooks.answers.order_review import Basis, orders_reviewed
from cds_hooks.calls import prefetch
from cds_hooks.errors import unobtainable
from cds_hooks.request.hook_request import DispatchContext, HookRequest, bare_id
from ehr_access.resources import AnotherPatient, about, is_anothers, resources_of

# Types that can order a drug; a referral or a meal is none of our business.
_OURS = ("MedicationRequest", "ServiceRequest")
_PREFETCHED = tuple(need for need in DATA_NEEDED if need.key == "medications")


def reviewed(hook: HookRequest, basis: Basis) -> tuple[OrderReview, ...] | None:
    """The dispatched orders that could be read; Refused (412) when none that could be ours was."""
    context = hook.context
    assert isinstance(context, DispatchContext)
    for task in context.tasks:
        patient = about({**task, "subject": task.get("for")})
        if patient and is_anothers(patient, context.patient_id):
            raise AnotherPatient("fulfillmentTasks")
    wanted = [reference for reference in context.orders if _kind(reference) in _OURS]
    if not wanted:
        return None
    read, why_not = _read(hook, basis, wanted)
    orders = list(read.values())
    if not context.encounter_id:  # the hook names none, so the first order's own is taken
        named = (_reference(order.get("encounter")) for order in orders)
        encounter = bare_id(next(filter(None, named), ""), "Encounter")
        hook = replace(hook, context=replace(context, encounter_id=encounter))
    found = orders_reviewed(hook, basis, DATA_NEEDED, orders, on=basis.on)
    if found is None and why_not:
        raise unobtainable(f"A dispatched order could not be read: {next(iter(why_not.values()))}.")
    if found is None:
        return None
    gaps = tuple(
        NotChecked(f"one could not be read: {because}", rule="other_orders")
        for because in why_not.values()
    )
    return tuple(replace(review, outcomes=(*review.outcomes, *gaps)) for review in found)


def _read(
    hook: HookRequest, basis: Basis, wanted: list[str]
) -> tuple[dict[str, JsonObject], dict[str, str]]:
    """The orders by reference, and why the others could not be read."""
    sent = prefetch.complete(hook, _PREFETCHED)
    resolve = resolver(resources_of(sent.get("medications")))
    found = ((reference, resolve(reference)) for reference in wanted)
    read = {r: one for r, one in found if one and same(r, f"{_kind(r)}/{one.get('id')}")}
    missing = [reference for reference in wanted if reference not in read]
    parts: dict[str, Part] = {}
    if basis.ehr is not None:
        queries = {r: query for r in missing if (query := basis.ehr.query(r))}
        parts = prefetch.complete(hook, (), basis.ehr, queries)
    why_not = {}
    for reference in missing:
        part = parts.get(reference)
        if resources := resources_of(part):
            read[reference] = resources[0]
        elif part is None:
            why_not[reference] = prefetch.NOT_SENT.because
        else:
            none = "the EHR has no such order"
            why_not[reference] = part.because if isinstance(part, Unknown) else none
    return read, why_not


def _kind(reference: str) -> str:
    parts = unversioned(reference).split("/")
    return parts[-2] if len(parts) > 1 else ""


def _reference(value: Any) -> str:
    reference = value.get("reference") if isinstance(value, dict) else None
    return unversioned(reference) if isinstance(reference, str) else ""
