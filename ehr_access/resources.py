"""What a part of an answer holds, as decoded JSON objects, and what these refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from billing_rules.fhir.json.decoding import (
    JsonObject,
    Part,
    RawResource,
    as_dict,
    decoded,
    unversioned,
)
from billing_rules.fhir.json.shapes import PatientResource, Reference, Resource
from billing_rules.model.states import Present, Unknown
from ehr_access import limits
from ehr_access.query import ID


def resources_of(part: Part | None) -> list[JsonObject]:
    """The resources of a part, decoded; what is not a JSON object is left out."""
    raw = part.value if isinstance(part, Present) else ()
    return [
        r for one in raw if not isinstance(one, Unknown) if (r := decoded_resource(one)) is not None
    ]


def decoded_resource(raw: RawResource) -> JsonObject | None:
    """One resource, its decimals exact; None when it is not a JSON object."""
    return as_dict(raw)


def references(resource: JsonObject, elements: Iterable[str]) -> Iterator[str]:
    """The references under `elements` of a resource, as written there."""
    for element in elements:
        value = resource.get(element)
        reference = value.get("reference") if isinstance(value, dict) else None
        if isinstance(reference, str) and reference.strip():
            yield reference.strip()


def encounter_id(resource: JsonObject) -> str:
    """The id of the encounter a resource belongs to; "" when it names none that could be read."""
    named = next(references(resource, ("encounter", "context")), "").split("/_history/")[0]
    kind, _, id_ = named.rpartition("/")
    fits = kind.rpartition("/")[2] == "Encounter" and ID.fullmatch(id_)
    return id_ if fits else ""


# ----------------------------------------------------------------------
# Whether a resource is about the patient the request or window is for.
#
# Data of another patient means that something upstream is badly wrong, so the whole answer is
# refused (docs/threat-model.md): no card, or page, is better than one patient's on another.


class AnotherPatient(Exception):
    """A resource is about somebody else. `where` names the part, not the person."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


def about(resource: RawResource | Mapping[str, Any]) -> Resource | None:
    """The resource as it says what and whose it is, None when it is not a JSON object."""
    return decoded(dict(resource) if isinstance(resource, Mapping) else resource)


def is_anothers(resource: Resource, patient_id: str) -> bool:
    """True only when the resource names another Patient; one that names none proves nothing."""
    if isinstance(resource, PatientResource):
        return resource.id.strip() not in ("", patient_id)
    own = f"Patient/{patient_id}"  # as nearly every resource writes it
    for named in (resource.subject, resource.patient, resource.beneficiary, resource.individual):
        if named is None or named.reference == own:
            continue
        if _patient_named(named) not in (None, patient_id):
            return True
    return False


def of_patient(part: Part, key: str, resource_type: str, patient_id: str) -> Part:
    """A fetched part, when it is of the right kind. Raises AnotherPatient."""
    if part == limits.ANOTHER_RESOURCE and resource_type == "Patient":
        raise AnotherPatient(key)
    if not isinstance(part, Present):
        return part
    read = [about(resource) for resource in part.value if not isinstance(resource, Unknown)]
    known = [resource for resource in read if resource is not None]
    if any(is_anothers(resource, patient_id) for resource in known):
        raise AnotherPatient(key)
    right = any(resource.kind == resource_type for resource in known)
    return part if right else limits.SOMETHING_ELSE


def _patient_named(named: Reference) -> str | None:
    """The id in a Reference to a Patient, relative or absolute, versioned or not; else None."""
    parts = unversioned(named.reference).split("/")
    return parts[-1] if len(parts) > 1 and parts[-2] == "Patient" else None
