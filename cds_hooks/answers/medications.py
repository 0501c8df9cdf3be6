"""Medications that orders name by a reference to somewhere else (as Epic does)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from billing_rules.catalogue import Catalogue
from billing_rules.fhir.decoding import Part
from billing_rules.fhir.references import Resource, own_reference, resolver
from billing_rules.model import OrderLine
from billing_rules.recognise import concerns_catalogue
from billing_rules.states import Present, Unknown
from cds_hooks import exact_json
from ehr_access.query import Query

if TYPE_CHECKING:  # a request without a token is answered without requests
    from cds_hooks.fhir_authorization import EhrAccess

MOST = 20  # looked up for one request
_DEEPEST = 64
_ELEMENTS = ("medicationReference", "productReference")


def resources_of(part: Part | None) -> list[Resource]:
    """The resources of a part, decoded; what is no JSON object is left out."""
    raw = part.value if isinstance(part, Present) else ()
    return [r for one in raw if not isinstance(one, Unknown) if (r := _decoded(one)) is not None]


def _decoded(raw: bytes | dict[str, Any]) -> Resource | None:
    if isinstance(raw, dict):
        return raw
    try:
        value = exact_json.decode(raw, _DEEPEST)
    except exact_json.NotReadable:
        return None
    return value if isinstance(value, dict) else None


def is_nameless(line: OrderLine) -> bool:
    """Whether nothing says what the line is for, as long as its reference is not looked up."""
    return not line.codes and not line.names


def outside(
    resources: Iterable[Resource],
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


def queries(references: Iterable[str], ehr: EhrAccess | None) -> dict[str, Query]:
    """How to read them, by a key that no chart part has; empty without a token."""
    if ehr is None:
        return {}
    found = (ehr.query(reference) for reference in sorted(references))
    reads = [query for query in found if query and query.resource_type == "Medication"]
    return {f"Medication/{query.id}": query for query in reads[:MOST]}


def answers(asked: Mapping[str, Query], parts: Mapping[str, Part]) -> list[Resource]:
    """The Medications among `parts` that `asked` asked for."""
    return [resource for key in asked for resource in resources_of(parts.get(key))]
