"""The fixtures as another server is given them: tagged, numbered, their dates moved to today."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import fixtures

Resource = dict[str, Any]

SYSTEM = "https://vialwise.example/fixtures"  # of the tag and of the identifiers
TAG = "vialwise-fixtures"


def chosen(everything: bool) -> list[Resource]:
    """The charts and orders of the stories, or every well-shaped fixture; what others refer to
    comes first."""
    if everything:
        return _referred_first(fixtures.resources(drafts=True))
    return _referred_first(fixtures.everything_about(story_patients().values(), drafts=True))


def story_patients() -> dict[str, str]:
    """Each story's hook request and its patient's id."""
    names = [name for name in fixtures.names("hook_requests") if name.startswith("story-")]
    return {name: fixtures.hook_request(name)["context"]["patientId"] for name in names}


def story_order(name: str) -> str:
    """The reference to the draft order of a story."""
    drafts = fixtures.hook_request(name)["context"]["draftOrders"]["entry"]
    return reference_to(drafts[0]["resource"])


def reference_to(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def prepared(resource: Resource, tag: str, today: date) -> Resource:
    """A copy with our tag, an identifier of ours, and every date moved by the same days, so that
    intervals stay."""
    moved = fixtures.moved(resource, days_since(today))
    meta = {**moved.get("meta", {}), "tag": [{"system": SYSTEM, "code": tag}]}
    ours = {"system": SYSTEM, "value": reference_to(resource)}
    return {**moved, "meta": meta, "identifier": [*moved.get("identifier", []), ours]}


def days_since(today: date) -> int:
    """How many days the dates are moved."""
    return (today - fixtures.WRITTEN_ON).days


def with_references(resource: Resource, new: dict[str, str]) -> Resource:
    """A copy whose references follow `new`, for a server that gave ids of its own."""

    def changed(node: Any) -> Any:
        if isinstance(node, dict):
            return {
                k: new.get(v, v) if k == "reference" and isinstance(v, str) else changed(v)
                for k, v in node.items()
            }
        return [changed(value) for value in node] if isinstance(node, list) else node

    copy: Resource = changed(resource)
    return copy


def is_tagged(resource: Resource, tag: str) -> bool:
    """Whether the resource itself carries our tag: a server may pass over `_tag` in a search."""
    meta = resource.get("meta")
    tags = meta.get("tag") if isinstance(meta, dict) else None
    return isinstance(tags, list) and any(
        isinstance(t, dict) and t.get("system") == SYSTEM and t.get("code") == tag for t in tags
    )


def types() -> tuple[str, ...]:
    """Every type of the fixtures; what refers to others comes first, for deleting."""
    return tuple(dict.fromkeys(r["resourceType"] for r in reversed(chosen(everything=True))))


def _referred_first(resources: Iterable[Resource]) -> list[Resource]:
    waiting = {reference_to(resource): resource for resource in resources}
    ordered: list[Resource] = []
    while waiting:
        ready = [
            key
            for key, resource in waiting.items()
            if not set(fixtures.references(resource)) & (set(waiting) - {key})
        ]
        for key in ready or list(waiting):  # resources that refer to each other go as they are
            ordered.append(waiting.pop(key))
    return ordered
