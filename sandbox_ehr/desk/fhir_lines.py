"""A draft as FHIR JSON, line by line, with what a suggestion changed marked."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import msgspec

from sandbox_ehr.desk.elements import Resource

_json = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class Line:
    """`change` is "added", "removed" or ""."""

    text: str
    change: str = ""


def marked(resource: Resource, before: Resource | None) -> list[Line]:
    """The resource's lines, and those of `before` that are gone."""
    old, new = _lines(before), _lines(resource)
    if old == new:
        return [Line(text) for text in new]
    words = {"+ ": "added", "- ": "removed", "  ": ""}
    compared = difflib.ndiff(old, new)
    return [Line(line[2:], words[line[:2]]) for line in compared if line[:2] in words]


def _lines(resource: Resource | None) -> list[str]:
    if resource is None:
        return []
    return msgspec.json.format(_json.encode(resource), indent=2).decode().splitlines()
