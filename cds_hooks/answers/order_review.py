"""order-select and order-sign: drafts before they are signed (CDS Hooks Library 1.0.1).

`Basis` and `judged` are what all answers share; `orders_reviewed` is also the middle of
order-dispatch and appointment-book. An order that is not ours is passed over after a look at the
orders alone: no chart part is read and the EHR is not asked. Only when nothing but a reference says
what an order is for, that reference is looked up first.

order-select speaks of what was just selected, with the other drafts in view, and softly. Decision
support should focus on the selected orders; the others are there to be taken into account. So two
syringes of one dose are judged together, but a fault of the draft that was not selected waits for
order-sign. Documentation is expected later in the workflow, so what is missing is information there
(Da Vinci CRD 2.2.1, hook-19).
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from msgspec import structs

from billing_rules.assess import PatientChart, assess, read_orders, read_patient
from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import DataNeed
from billing_rules.fhir import reading
from billing_rules.fhir.json.decoding import JsonObject, Part, own_reference, resolver, selected
from billing_rules.model.entities import OrderLine
from billing_rules.model.findings import Finding, Outcome, Severity, Topic
from billing_rules.orders.drug_orders import concerns_catalogue
from billing_rules.review import OrderReview
from billing_rules.rules import DOCUMENTATION_NAMES
from cds_hooks import services
from cds_hooks.calls import prefetch
from cds_hooks.errors import RequestRefused, unobtainable
from cds_hooks.request.hook_request import Context, HookRequest, OrderContext
from ehr_access.query import Query
from ehr_access.resources import AnotherPatient, about, is_anothers, resources_of
from service_parts.log_events import fault

# ----------------------------------------------------------------------
# The draft resources of a request, as a suggestion may touch them.


Resource = Mapping[str, Any]


def check_patient(resources: Sequence[Resource], patient_id: str) -> None:
    """Raises AnotherPatient when a draft is for somebody else."""
    for resource in resources:
        draft = about(resource)
        if draft is not None and is_anothers(draft, patient_id):
            raise AnotherPatient("draftOrders")


def correctable_drafts(
    resources: Sequence[Resource], selections: frozenset[str] | None
) -> dict[str, Resource]:
    """The drafts a suggestion may update or delete, by `Type/id`.

    Only drafts of this request, of the selection where there is one, whose reference means one
    resource (CDS Hooks 2.0.1, "Action").
    """
    named = [(_reference(resource), resource) for resource in resources]
    counts = Counter(reference for reference, _ in named)
    return {
        reference: resource
        for reference, resource in named
        if reference and counts[reference] == 1 and selected(reference, selections)
    }


def _reference(resource: Resource) -> str:
    kind, id_ = resource.get("resourceType"), resource.get("id")
    if not isinstance(kind, str) or not isinstance(id_, str) or not kind or not id_.strip():
        return ""
    return f"{kind}/{id_.strip()}"


# ----------------------------------------------------------------------
# What all answers share: what they judge on, the judging, and Medications named elsewhere.
#
# A fault of the program in one rule silences no other: the rule is said on the card as not
# checked, and logged by its name and the kind of fault alone.


if TYPE_CHECKING:  # the command line has no EHR to ask, and starts without requests
    from cds_hooks.calls.fhir_authorization import EhrAccess

log = logging.getLogger("cds_hooks")

MOST_LINES = 200  # an 837P claim has 50 at most
TOO_MANY = f"More than {MOST_LINES} lines are for drugs that are checked here: send fewer at once."
MOST_MEDICATIONS = 20  # looked up for one request
_ELEMENTS = ("medicationReference", "productReference")


@dataclass(frozen=True, slots=True, repr=False)
class Basis:
    """What a request is judged on: `today` is the day it is where the clinic is. `ehr` is None
    without a usable token. `given_days` and `documentation_at_select` are settings of the service.

    The command line may ask "what if": `payer_id` is taken for the payer, and `on` for the date of
    service of whatever was not given yet. It has no settings, and stands on their defaults for
    `given_days` and `documentation_at_select`.
    """

    catalogue: Catalogue
    today: date
    ehr: EhrAccess | None = None
    given_days: int = 3
    documentation_at_select: bool = True
    payer_id: str | None = None
    on: date | None = None


def judged(
    lines: Sequence[OrderLine], patient: PatientChart, basis: Basis
) -> tuple[OrderReview, ...]:
    """Every order for a catalogued drug among `lines`, reviewed. Raises Refused (413) for more
    of them than anybody writes: each is compared with every other."""
    if len(lines) > MOST_LINES:
        ours = sum(concerns_catalogue([line], basis.catalogue) for line in lines)
        if ours > MOST_LINES:
            raise RequestRefused(413, TOO_MANY, issue="too-costly")
    return assess(lines, patient, payer_id=basis.payer_id, failed=_log_fault)


def _log_fault(what: str, error: Exception) -> None:
    log.error("%s: %s", what, fault(error))


# ---------------------------------------------------------------- Medications named elsewhere


def is_nameless(line: OrderLine) -> bool:
    """Whether nothing says what the line is for, as long as its reference is not looked up."""
    return not line.codes and not line.names


def references_outside(
    resources: Iterable[JsonObject],
    lines: Iterable[OrderLine],
    bundle: object,
    catalogue: Catalogue,
) -> frozenset[str]:
    """The references to look up: of `lines` that are for a catalogued drug, or could be, and not
    among `resources` or in the `bundle` they stand in."""
    wanted = {
        line.reference
        for line in lines
        if is_nameless(line) or concerns_catalogue([line], catalogue)
    }
    if not wanted:
        return frozenset()
    everything = list(resources)
    inside, in_bundle = resolver(everything), resolver(bundle)
    found: set[str] = set()
    for position, resource in enumerate(everything):
        if own_reference(resource, position) not in wanted:
            continue
        for element in _ELEMENTS:
            value = resource.get(element)
            reference = value.get("reference") if isinstance(value, dict) else None
            if not isinstance(reference, str) or not reference.strip():
                continue
            known = inside(reference) or in_bundle(reference.strip())
            if not reference.startswith("#") and known is None:
                found.add(reference.strip())
    return frozenset(found)


def medication_queries(references: Iterable[str], ehr: EhrAccess | None) -> dict[str, Query]:
    """How to read them, by a key that no chart part has; empty without a token."""
    if ehr is None:
        return {}
    found = (ehr.query(reference) for reference in sorted(references))
    reads = [query for query in found if query and query.resource_type == "Medication"]
    return {f"Medication/{query.id}": query for query in reads[:MOST_MEDICATIONS]}


def medications_among(asked: Mapping[str, Query], parts: Mapping[str, Part]) -> list[JsonObject]:
    """The Medications among `parts` that `asked` asked for."""
    return [resource for key in asked for resource in resources_of(parts.get(key))]


# ----------------------------------------------------------------------
# order-select and order-sign: drafts before they are signed (CDS Hooks Library 1.0.1).
#
# `orders_reviewed` is also the middle of order-dispatch and appointment-book. An order that is
# not ours is passed over after a look at the orders alone: no chart part is read and the EHR is
# not asked. Only when nothing but a reference says what an order is for, that reference is looked
# up first.
#
# order-select speaks of what was just selected, with the other drafts in view, and softly.
# Decision support should focus on the selected orders; the others are there to be taken into
# account. So two syringes of one dose are judged together, but a fault of the draft that was not
# selected waits for order-sign. Documentation is expected later in the workflow, so what is
# missing is information there (Da Vinci CRD 2.2.1, hook-19).


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
    return tuple(
        replace(
            review,
            outcomes=tuple(_at_select(review, context.selections, basis.documentation_at_select)),
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
    return correctable_drafts(resources, context.selections)


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
    check_patient(resources, hook.context.patient_id)
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
