"""Medications that orders name by a reference to somewhere else (Epic, standards.md A6.4)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from billing_rules.catalogue import Catalogue
from billing_rules.fhir.decoding import Part
from billing_rules.fhir.references import Resolve, own_reference, resolver
from billing_rules.model import OrderLine
from billing_rules.recognise import concerns_catalogue
from cds_hooks.answers.call import Call
from ehr_access.query import Query
from ehr_access.resources import resources_of

__all__ = ["answers", "nameless", "outside", "queries", "resources_of"]

MOST = 20  # looked up for one request
_ELEMENTS = ("medicationReference", "productReference")
Resource = Mapping[str, Any]


def nameless(line: OrderLine) -> bool:
    """Whether nothing says what the line is for, as long as its reference is not looked up."""
    return not line.codes and not line.names


def outside(
    resources: Iterable[Resource], lines: Iterable[OrderLine], catalogue: Catalogue
) -> frozenset[str]:
    """The references to look up: of `lines` that are for a catalogued drug, or could be."""
    everything = list(resources)
    inside = resolver(everything)
    wanted = {
        line.reference for line in lines if nameless(line) or concerns_catalogue([line], catalogue)
    }
    found = (
        reference
        for position, resource in enumerate(everything)
        if own_reference(resource, position) in wanted
        for reference in _references(resource, inside)
    )
    return frozenset(found)


def _references(resource: Resource, inside: Resolve) -> Iterator[str]:
    for element in _ELEMENTS:
        value = resource.get(element)
        reference = value.get("reference") if isinstance(value, dict) else None
        if not isinstance(reference, str) or not reference.strip():
            continue
        if not reference.startswith("#") and inside(reference) is None:
            yield reference.strip()


def queries(references: Iterable[str], call: Call) -> dict[str, Query]:
    """How to read them, by a key that no chart part has; empty without a token."""
    if call.ehr is None:
        return {}
    found = (call.ehr.query(reference) for reference in sorted(references))
    reads = [query for query in found if query and query.resource_type == "Medication"]
    return {f"Medication/{query.id}": query for query in reads[:MOST]}


def answers(asked: Mapping[str, Query], parts: Mapping[str, Part]) -> list[Resource]:
    """The Medications among `parts` that `asked` asked for."""
    return [resource for key in asked for resource in resources_of(parts.get(key))]
