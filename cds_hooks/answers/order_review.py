"""order-select and order-sign: drafts before they are signed (CDS Hooks Library 1.0.1).

`orders_reviewed` is also the middle of order-dispatch and appointment-book. An order that is not
ours is passed over after a look at the orders alone: no chart part is read and the EHR is not
asked. Only when nothing but a reference says what an order is for, that reference is looked up
first.

order-select speaks of what was just selected, with the other drafts in view, and softly. Decision
support should focus on the selected orders; the others are there to be taken into account. So two
syringes of one dose are judged together, but a fault of the draft that was not selected waits for
order-sign. Documentation is expected later in the workflow, so what is missing is information there
(Da Vinci CRD 2.2.1, hook-19).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date

from msgspec import structs

from billing_rules.assess import read_orders, read_patient
from billing_rules.data_needed import DataNeed
from billing_rules.fhir import reading
from billing_rules.fhir.json.decoding import Part
from billing_rules.fhir.json.references import JsonObject, selected
from billing_rules.model.findings import Finding, Outcome, Severity, Topic
from billing_rules.orders.recognise import concerns_catalogue
from billing_rules.review import OrderReview
from billing_rules.rules import DOCUMENTATION_NAMES
from cds_hooks import services
from cds_hooks.answers.basis import (
    Basis,
    is_nameless,
    judged,
    medication_queries,
    medications_among,
    references_outside,
)
from cds_hooks.calls import prefetch
from cds_hooks.errors import unobtainable
from cds_hooks.request import draft_orders
from cds_hooks.request.hook_request import Context, HookRequest, OrderContext

NO_DRUG = (
    "An order names its drug by a reference alone, and that could be neither found in the request "
    "nor read from the FHIR server."
)


def reviewed(hook: HookRequest, basis: Basis) -> tuple[OrderReview, ...] | None:
    """The drafts that are meant, with all that the chart says of them."""
    context = hook.context
    assert isinstance(context, OrderContext)
    resources = list(reading.entries(context.draft_orders))
    found = orders_reviewed(
        hook,
        basis,
        services.ORDERS.needs,
        resources,
        within=context.draft_orders,
        selections=context.selections,
        on=basis.on,
    )
    if found is None or context.selections is None:
        return found
    asks_for_documentation = basis.documentation_at_select
    return tuple(
        replace(
            review, outcomes=tuple(_at_select(review, context.selections, asks_for_documentation))
        )
        for review in found
        if any(selected(reference, context.selections) for reference in review.order.references)
    )


def correctable(context: Context) -> dict[str, JsonObject]:
    """The drafts of a request that a suggestion may touch, by `Type/id`; only those are ours to
    change, never a signed order."""
    if not isinstance(context, OrderContext):
        return {}
    resources = list(reading.entries(context.draft_orders))
    return draft_orders.correctable(resources, context.selections)


def orders_reviewed(
    hook: HookRequest,
    basis: Basis,
    needs: Iterable[DataNeed],
    resources: list[JsonObject],
    *,
    within: object = None,
    selections: frozenset[str] | None = None,
    parts: Mapping[str, Part] | None = None,
    on: date | None = None,
    drug_must_be_known: bool = True,
) -> tuple[OrderReview, ...] | None:
    """The reviews of the orders `resources`, None when none that is meant is for a catalogued drug.

    `within` is the Bundle or list they stand in, if they are not all of it; `selections` those that
    are meant (None: all); `parts` those of the chart that are there already; `on` a date of service
    for all of them. Raises AnotherPatient, and with `drug_must_be_known` Refused (412) when not
    even the drug of an order can be told.
    """
    catalogue, ehr = basis.catalogue, basis.ehr
    bundle = resources if within is None else within
    named = reading.named_by_themselves(resources, catalogue.systems)
    if named is not None:
        spoken_of = (line for line in named if selected(line.reference, selections))
        if not concerns_catalogue(spoken_of, catalogue):
            return None
    lines = read_orders(resources, catalogue, [bundle])
    meant = [line for line in lines if selected(line.reference, selections)]
    looked_up: list[JsonObject] = []
    if not concerns_catalogue(meant, catalogue):
        # Only a reference may say what an order is for: then that is looked up before all else.
        nameless = [line for line in meant if is_nameless(line)]
        references = references_outside(resources, nameless, bundle, catalogue)
        if not references:
            return None
        queries = medication_queries(references, ehr)
        looked_up = medications_among(queries, ehr.fetch(queries)) if ehr and queries else []
        lines = read_orders(resources, catalogue, [bundle, looked_up])
        meant = [line for line in lines if selected(line.reference, selections)]
        if not concerns_catalogue(meant, catalogue):
            if drug_must_be_known and len(looked_up) < len(references):
                raise unobtainable(NO_DRUG)
            return None
    draft_orders.check_patient(resources, hook.context.patient_id)
    queries = {}
    if not looked_up:
        references = references_outside(resources, lines, bundle, catalogue)
        queries = medication_queries(references, ehr)
    fetched = prefetch.complete(hook, needs, ehr, queries)
    if found := medications_among(queries, fetched):
        lines = read_orders(resources, catalogue, [bundle, found])
    if on is not None:
        lines = tuple(replace(line, date_of_service=on) for line in lines)
    patient = read_patient({**fetched, **(parts or {})}, catalogue, basis.today)
    return judged(lines, patient, basis)


# ---------------------------------------------------------------- order-select


def _at_select(
    review: OrderReview, selections: frozenset[str], asks_for_documentation: bool
) -> Iterator[Outcome]:
    """What is said of an order at order-select: nothing of other drafts alone, documentation as
    information or, where the site does not ask for it before signing, not at all."""
    own = set(review.order.references)
    for outcome in review.outcomes:
        if outcome.rule in DOCUMENTATION_NAMES and not asks_for_documentation:
            continue
        if not isinstance(outcome, Finding):
            yield outcome
            continue
        about = _drafts_of(outcome) & own
        if about and not any(selected(reference, selections) for reference in about):
            continue
        documentation = outcome.topic is Topic.DOCUMENTATION
        yield structs.replace(outcome, severity=Severity.INFO) if documentation else outcome


def _drafts_of(finding: Finding) -> set[str]:
    """The resources a finding saw or would change; "Claim/1 item 2" is Claim/1."""
    seen = {evidence.reference.partition(" item ")[0] for evidence in finding.basis}
    return seen | {correction.reference for correction in finding.corrections}
