"""What one caller may see and write: its token's scopes, and the patient of its launch.

This is asked of every resource that is read, found, included or written, because public sandboxes
do not ask it, and an app that was never refused anything breaks where it first is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox_ehr.smart.scopes import Scope

Resource = dict[str, Any]

# Types that are nobody's chart: a token for one patient may read them too, and not write them.
OF_NO_PATIENT = frozenset(
    {
        "Location",
        "Medication",
        "Organization",
        "Practitioner",
        "PractitionerRole",
        "Questionnaire",
        "ResearchStudy",
    }
)
_OWNERS = ("subject", "patient", "beneficiary", "individual", "for", "target")


@dataclass(frozen=True, slots=True)
class Access:
    """`scopes` of the caller's token, `patient` the id its launch was for.

    `everything`: no token was sent, and this EHR is open.
    """

    scopes: tuple[Scope, ...] = ()
    patient: str = ""
    everything: bool = False

    def may(self, action: str, resource_type: str) -> bool:
        """Whether any resource of the type may be read, found, ...: `action` is one of cruds."""
        if self.everything:
            return True
        return any(scope.concerns(action, resource_type) for scope in self.scopes)

    def covers(self, action: str, resource: Resource) -> bool:
        """Whether this very resource may be."""
        if self.everything:
            return True
        kind = resource["resourceType"]
        fitting = [scope for scope in self.scopes if scope.concerns(action, kind)]
        return any(self._in_reach(s, action, resource) and s.holds(resource) for s in fitting)

    def only_of_its_patient(self, action: str, resource_type: str) -> bool:
        """Whether nothing but the launch's own patient is in reach."""
        fitting = [scope for scope in self.scopes if scope.concerns(action, resource_type)]
        return not self.everything and all(scope.level == "patient" for scope in fitting)

    def _in_reach(self, scope: Scope, action: str, resource: Resource) -> bool:
        if scope.level != "patient":
            return True
        if action in "rs" and resource["resourceType"] in OF_NO_PATIENT:
            return True
        return bool(self.patient) and f"Patient/{self.patient}" in set(patients_of(resource))


def patients_of(resource: Resource) -> Iterator[str]:
    """References to the patients a resource is about, itself when it is one."""
    if resource["resourceType"] == "Patient":
        yield f"Patient/{resource.get('id')}"
        return
    for element in _OWNERS:
        held = resource.get(element)
        for value in held if isinstance(held, list) else [held]:
            reference = value.get("reference") if isinstance(value, dict) else None
            if isinstance(reference, str) and "Patient/" in reference:
                kind, _, id_ = reference.partition("/_history/")[0].rpartition("/")
                if kind.rpartition("/")[2] == "Patient":
                    yield f"Patient/{id_}"
