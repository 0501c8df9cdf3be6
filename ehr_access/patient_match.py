"""Whether a resource is about the patient the request or window is for.

Data of another patient means that something upstream is badly wrong, so the whole answer is
refused (docs/threat-model.md): no card, or page, is better than one patient's on another.
"""

from __future__ import annotations

from billing_rules.fhir.decoding import Part, RawResource, decoded
from billing_rules.fhir.references import unversioned
from billing_rules.fhir.shapes import PatientResource, Reference, Resource
from billing_rules.states import Present, Unknown
from ehr_access import reasons


class AnotherPatient(Exception):
    """A resource is about somebody else. `where` names the part, not the person."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


def about(resource: RawResource) -> Resource | None:
    """The resource as it says what and whose it is, None when it is no JSON object."""
    return decoded(resource)


def is_anothers(resource: Resource, patient_id: str) -> bool:
    """True only when the resource names another Patient; one that names none proves nothing."""
    if isinstance(resource, PatientResource):
        said = resource.id.strip()
        return bool(said) and said != patient_id
    own = f"Patient/{patient_id}"  # as nearly every resource writes it
    for named in (resource.subject, resource.patient, resource.beneficiary, resource.individual):
        if named is None or named.reference == own:
            continue
        if _patient_named(named) not in (None, patient_id):
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
    right = any(what is not None and what.kind == resource_type for what in told)
    return part if right else reasons.SOMETHING_ELSE


def _patient_named(named: Reference) -> str | None:
    """The id in a Reference to a Patient, relative or absolute, versioned or not; else None."""
    parts = unversioned(named.reference).split("/")
    return parts[-1] if len(parts) > 1 and parts[-2] == "Patient" else None
