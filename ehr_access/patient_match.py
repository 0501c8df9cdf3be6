"""Whether a resource is about the patient the request or window is for.

Data of another patient means that something upstream is badly wrong, so the whole answer is
refused (docs/threat-model.md): no card, or page, is better than one patient's on another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from billing_rules.fhir.decoding import Part
from billing_rules.states import Present, Unknown
from ehr_access import reasons

_ELEMENTS = ("subject", "patient", "beneficiary", "individual")


class AnotherPatient(Exception):
    """A resource is about somebody else. `where` names the part, not the person."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class About(msgspec.Struct):
    """The few elements that say what a resource is and whom it is about."""

    resourceType: Any = None  # noqa: N815 - FHIR's name
    id: Any = None
    subject: Any = None
    patient: Any = None
    beneficiary: Any = None
    individual: Any = None  # of a ResearchSubject


_ABOUT = msgspec.json.Decoder(About)


def about(resource: bytes | Mapping[str, Any]) -> About | None:
    """What `resource` says of itself, None when it is no JSON object."""
    if isinstance(resource, Mapping):
        return About(**{name: resource.get(name) for name in About.__struct_fields__})
    try:
        return _ABOUT.decode(resource)
    except (ValueError, RecursionError):
        return None


def is_anothers(resource: About, patient_id: str) -> bool:
    """True only when the resource names another Patient; one that names none proves nothing."""
    if resource.resourceType == "Patient":
        return isinstance(resource.id, str) and resource.id.strip() != patient_id
    for element in _ELEMENTS:
        value = getattr(resource, element)
        if value is not None and _patient_named(value) not in (None, patient_id):
            return True
    return False


def of_patient(part: Part, key: str, resource_type: str, patient_id: str) -> Part:
    """A fetched part, when it is of the right kind. Raises AnotherPatient."""
    if part == reasons.ANOTHER_RESOURCE and resource_type == "Patient":
        raise AnotherPatient(key)
    if not isinstance(part, Present):
        return part
    told = [about(resource) for resource in part.value if not isinstance(resource, Unknown)]
    if any(what is not None and is_anothers(what, patient_id) for what in told):
        raise AnotherPatient(key)
    right = any(what is not None and what.resourceType == resource_type for what in told)
    return part if right else reasons.SOMETHING_ELSE


def _patient_named(value: Any) -> str | None:
    """The id in a Reference to a Patient, relative or absolute, versioned or not; else None."""
    reference = value.get("reference") if isinstance(value, dict) else None
    if not isinstance(reference, str):
        return None
    parts = reference.strip().split("/_history/")[0].rstrip("/").split("/")
    return parts[-1] if len(parts) > 1 and parts[-2] == "Patient" else None
