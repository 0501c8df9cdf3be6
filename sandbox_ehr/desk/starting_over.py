"""The demo's charts back to the start: all of them, or one patient's."""

from __future__ import annotations

from collections.abc import Iterable

from sandbox_ehr.desk.elements import Resource
from sandbox_ehr.records import Records
from sandbox_ehr.smart.access import patients_of


def everything(records: Records) -> tuple[Resource, ...]:
    """All that is kept now."""
    return tuple(r for kind in records.types() for r in records.search(kind))


def start_over(records: Records, start: Iterable[Resource], patient_id: str = "") -> None:
    """What came since is deleted, what was changed is as it was; at once, or not at all."""
    wanted = {_key(r): r for r in start if _is_of(r, patient_id)}
    with records.all_or_nothing():
        for resource in everything(records):
            if _is_of(resource, patient_id) and _key(resource) not in wanted:
                records.delete(*_key(resource))
        for key, resource in wanted.items():
            if _content(records.read(*key)) != _content(resource):
                records.update(resource)


def _is_of(resource: Resource, patient_id: str) -> bool:
    return not patient_id or f"Patient/{patient_id}" in set(patients_of(resource))


def _key(resource: Resource) -> tuple[str, str]:
    return resource["resourceType"], resource["id"]


def _content(resource: Resource | None) -> Resource:
    return {k: v for k, v in (resource or {}).items() if k != "meta"}
