"""The tour: stories, each one click to a desk with everything filled in, and starting over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

import fixtures
from sandbox_ehr.desk.draft_forms import Resource
from sandbox_ehr.fhir.access import patients_of
from sandbox_ehr.fhir.records import Records


@dataclass(frozen=True, slots=True)
class Variant:
    """One way the story goes: a bundled hook request, of which only the order is used."""

    request: str
    label: str


@dataclass(frozen=True, slots=True)
class TourStory:
    """`happened`, `click` and `look` are the three lines that the tour shows."""

    name: str
    title: str
    happened: str
    click: str
    look: str
    variants: tuple[Variant, ...]


def _stories() -> tuple[TourStory, ...]:
    text = Path(__file__).with_name("stories.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.safe_load(text), tuple[TourStory, ...])


STORIES = _stories()


@dataclass(frozen=True, slots=True, repr=False)
class Opening:
    """What a story puts on the desk."""

    patient_id: str
    encounter_id: str
    user: str
    drafts: tuple[dict[str, Any], ...]


def find(request: str) -> tuple[TourStory, Variant] | None:
    """The story and the variant that open this bundled request."""
    return next(((s, v) for s in STORIES for v in s.variants if v.request == request), None)


def opening(request: str, current: Callable[[Any], Any]) -> Opening:
    """The order of a bundled request; `current` moves its dates as the charts' were moved."""
    context = fixtures.hook_request(request)["context"]
    drafts = tuple(current(entry["resource"]) for entry in context["draftOrders"]["entry"])
    return Opening(context["patientId"], context.get("encounterId", ""), context["userId"], drafts)


# ---------------------------------------------------------------- starting over


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
