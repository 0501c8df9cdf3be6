"""What all answers share: what they judge on, the judging, and Medications named elsewhere.

A fault of the program in one rule silences no other: the rule is said on the card as not checked,
and logged by its name and the kind of fault alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from billing_rules.assess import PatientChart, assess
from billing_rules.catalogue import Catalogue
from billing_rules.fhir.json.decoding import Part
from billing_rules.fhir.json.references import JsonObject, own_reference, resolver
from billing_rules.model.entities import OrderLine
from billing_rules.orders.recognise import concerns_catalogue
from billing_rules.review import OrderReview
from cds_hooks.errors import Refused
from ehr_access.query import Query
from ehr_access.resources import resources_of
from service_parts.log_events import fault

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
    without a usable token.

    The command line may ask "what if": `payer_id` is taken for the payer, and `on` for the date of
    service of whatever was not given yet. It has no settings, and stands on their defaults for
    `given_days` and `documentation_at_select`.
    """

    catalogue: Catalogue
    today: date
    given_days: int = 3
    documentation_at_select: bool = True
    ehr: EhrAccess | None = None
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
            raise Refused(413, TOO_MANY, issue="too-costly")
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
