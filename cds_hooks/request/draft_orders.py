"""The draft resources of a request, as a suggestion may touch them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from billing_rules.fhir.json.references import selected
from ehr_access.resources import AnotherPatient, about, is_anothers

Resource = Mapping[str, Any]


def check_patient(resources: Sequence[Resource], patient_id: str) -> None:
    """Raises AnotherPatient when a draft is for somebody else."""
    for resource in resources:
        draft = about(resource)
        if draft is not None and is_anothers(draft, patient_id):
            raise AnotherPatient("draftOrders")


def correctable(
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
