"""Taking a suggestion: its actions, all or none, on the drafts (CDS Hooks 2.0.1, "Action")."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox_ehr.cds_answers import Action, Suggestion
from sandbox_ehr.desk.draft_forms import reference
from sandbox_ehr.desk.elements import Resource
from sandbox_ehr.fhir import validation
from sandbox_ehr.fhir.outcomes import FhirError

_PATIENT = ("subject", "patient")
_ORDERS = ("MedicationRequest", "ServiceRequest", "ChargeItem", "Claim")


class NotTaken(ValueError):
    """The suggestion cannot be taken; nothing was changed. The message says why."""


@dataclass(frozen=True, slots=True, repr=False)
class Taken:
    """The drafts after a suggestion, and what each changed one was before (None: nothing)."""

    drafts: tuple[Resource, ...]
    before: dict[str, Resource | None]
    removed: tuple[str, ...]


def taken(drafts: Sequence[Resource], suggestion: Suggestion, patient_id: str) -> Taken:
    """The drafts with every action done. Raises NotTaken, and then none was done."""
    now = {reference(draft): copy.deepcopy(draft) for draft in drafts}
    before: dict[str, Resource | None] = {}
    removed: list[str] = []
    # "processed as a transaction: deletes, then creates, then updates" (CDS Hooks 3.0.0-ballot)
    order = ("delete", "create", "update")
    for action in sorted(suggestion.actions or (), key=lambda a: order.index(a.type)):
        ref = _target(action, patient_id)
        if action.type != "create" and ref not in now:
            raise NotTaken(f"{ref} is none of these drafts")
        if action.type == "delete":
            del now[ref]
            removed.append(ref)
            continue
        before.setdefault(ref, now.get(ref))
        now[ref] = {**(action.resource or {}), "id": ref.partition("/")[2]}
    return Taken(tuple(now.values()), before, tuple(removed))


def _target(action: Action, patient_id: str) -> str:
    """What the action is about, as Type/id. Raises NotTaken for what this desk does not order."""
    if action.type == "delete":
        return action.resource_id
    resource = action.resource or {}
    if resource.get("resourceType") not in _ORDERS:
        raise NotTaken(f"this desk cannot order a {resource.get('resourceType')}")
    about = [resource.get(e) for e in _PATIENT if e in resource]
    if any(_reference(a) != f"Patient/{patient_id}" for a in about) or not about:
        raise NotTaken("it is for another patient")
    try:
        validation.check(resource)
    except FhirError as error:
        raise NotTaken(f"what it would order is not valid FHIR: {error}") from None
    if action.type == "create":
        return f"{resource['resourceType']}/{uuid.uuid4()}"
    return reference(resource)


def _reference(element: object) -> str:
    return str(element.get("reference", "")) if isinstance(element, dict) else ""
