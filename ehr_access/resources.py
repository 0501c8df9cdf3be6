"""What a part of an answer holds, as decoded JSON objects, and what these refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from billing_rules.fhir.decoding import Part, RawResource, as_dict
from billing_rules.fhir.references import Resource
from billing_rules.states import Present, Unknown
from ehr_access.query import ID


def resources_of(part: Part | None) -> list[Resource]:
    """The resources of a part, decoded; what is no JSON object is left out."""
    raw = part.value if isinstance(part, Present) else ()
    return [r for one in raw if not isinstance(one, Unknown) if (r := decoded(one)) is not None]


def decoded(raw: RawResource) -> Resource | None:
    """One resource, its decimals exact; None when it is no JSON object."""
    return as_dict(raw)


def references(resource: Resource, elements: Iterable[str]) -> Iterator[str]:
    """The references under `elements` of a resource, as written there."""
    for element in elements:
        value = resource.get(element)
        reference = value.get("reference") if isinstance(value, dict) else None
        if isinstance(reference, str) and reference.strip():
            yield reference.strip()


def encounter_id(resource: Resource) -> str:
    """The id of the encounter a resource belongs to; "" when it names none that could be read."""
    named = next(references(resource, ("encounter", "context")), "").split("/_history/")[0]
    kind, _, id_ = named.rpartition("/")
    fits = kind.rpartition("/")[2] == "Encounter" and ID.fullmatch(id_)
    return id_ if fits else ""
