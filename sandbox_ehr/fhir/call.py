"""One interaction as it is asked and as it is answered, without HTTP: a request, or an entry of a
batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox_ehr.smart.access import Access

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """`path` is relative to the FHIR base, in its parts; header names are in lower case.

    `new_id`: what a resource that is created will be called, when that was settled before.
    """

    method: str
    path: tuple[str, ...]
    access: Access
    params: tuple[tuple[str, str], ...] = ()
    body: Resource | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    new_id: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`resource` is the body; None for an answer without one."""

    status: int
    resource: Resource | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def preferred(call: Call, name: str) -> str:
    """What the caller prefers (RFC 7240): "strict" for `Prefer: handling=strict`."""
    for part in call.headers.get("prefer", "").replace(";", ",").split(","):
        key, _, value = part.strip().partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"').lower()
    return ""
