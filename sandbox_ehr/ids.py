"""Ids in the shape an EHR gives them, so that nobody comes to rely on the fixtures' readable ones.

The same resource gets the same id on every start.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterable, Mapping
from typing import Any

Resource = dict[str, Any]

AS_GIVEN, LETTERS, DIGITS = "as given", "letters", "digits"
SHAPES = (AS_GIVEN, LETTERS, DIGITS)


def renamed(resources: Iterable[Resource], shape: str) -> list[Resource]:
    """The resources with ids of this shape, references between them included."""
    resources = list(resources)
    if shape == AS_GIVEN:
        return resources
    names = {
        name: f"{r['resourceType']}/{shaped(name, shape)}" for r in resources if (name := _name(r))
    }
    return [{**referring(r, names), "id": shaped(_name(r), shape)} for r in resources]


def _name(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def new(shape: str) -> Callable[[], str]:
    """What gives new resources their ids."""
    if shape == AS_GIVEN:
        return lambda: str(uuid.uuid4())
    return lambda: shaped(str(uuid.uuid4()), shape)


def shaped(name: str, shape: str) -> str:
    """The id of this shape that stands for `name`, always the same."""
    digest = hashlib.sha256(name.encode()).digest()
    if shape == DIGITS:
        return str(10_000_000 + int.from_bytes(digest[:6]) % 9_990_000_000)
    letters = base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
    return f"e{letters.replace('_', '.')}3"


def referring(node: Any, names: Mapping[str, str], key: str = "") -> Any:
    """A copy of a JSON tree in which every reference has its new name, if it has one."""
    if isinstance(node, dict):
        return {name: referring(value, names, name) for name, value in node.items()}
    if isinstance(node, list):
        return [referring(value, names, key) for value in node]
    return names.get(node, node) if key == "reference" and isinstance(node, str) else node
