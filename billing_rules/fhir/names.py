"""What a chart resource is called, read before anything else of it is.

A name can be passed over only when it is all there is to know what the resource is: one with
components, contained or referenced parts, modifiers or extensions of its name is always kept, as
is one whose name could not be read.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import msgspec

from billing_rules.fhir.codes import CodeSystems, Concept, concept
from billing_rules.fhir.plain import PlainConcept, as_node
from billing_rules.fhir.searchset import RawResource
from billing_rules.fhir.tolerant import Node

Wanted = Callable[[Concept], bool]

_UNSET = msgspec.UNSET
_Raw = msgspec.Raw | msgspec.UnsetType


class _Named(msgspec.Struct):
    """The elements that name a resource, and those that make it more than its name."""

    resourceType: Any = None
    code: _Raw = _UNSET
    medicationCodeableConcept: _Raw = _UNSET
    medicationReference: _Raw = _UNSET
    medication: _Raw = _UNSET
    component: _Raw = _UNSET
    hasMember: _Raw = _UNSET
    contained: _Raw = _UNSET


_NAMED = msgspec.json.Decoder(_Named)
_ANY = msgspec.json.Decoder()


class Names:
    """Tells the resources to read from those to pass over; each name is judged once.

    It remembers names for one chart only, and must end with it.
    """

    __slots__ = ("_judged", "_systems", "_wanted")

    def __init__(self, systems: CodeSystems, wanted: Wanted) -> None:
        self._systems = systems
        self._wanted = wanted
        self._judged: dict[Hashable, bool] = {}

    def wants(self, raw: RawResource) -> bool:
        """Whether `raw` must be read. Only JSON that is sound as a whole is passed over."""
        if isinstance(raw, dict):
            return True
        try:
            named = _NAMED.decode(raw)
        except (ValueError, RecursionError):
            return True
        name = _only_name(named)
        if name is None:
            return True
        if name not in self._judged:
            self._judged[name] = self._is_wanted(name)
        return self._judged[name]

    def wants_named(self, name: PlainConcept) -> bool:
        """Whether a plain resource of this name must be read."""
        key = name.all_it_says()
        if key not in self._judged:
            self._judged[key] = self._is_wanted_node(as_node(name))
        return self._judged[key]

    def _is_wanted(self, name: bytes) -> bool:
        try:
            value = _ANY.decode(name)
        except (ValueError, RecursionError):
            return True
        if not isinstance(value, dict) or "extension" in value:
            return True
        return self._is_wanted_node(Node(value))

    def _is_wanted_node(self, node: Node) -> bool:
        said = concept(node, self._systems)
        return not said or bool(node.unread) or bool(said.modifiers) or self._wanted(said)


def _only_name(named: _Named) -> bytes | None:
    """The one CodeableConcept that names the resource, None when there is more to it."""
    more = (named.medicationReference, named.medication, named.component, named.hasMember)
    if named.contained is not _UNSET or any(one is not _UNSET for one in more):
        return None
    names = [n for n in (named.code, named.medicationCodeableConcept) if n is not _UNSET]
    return bytes(names[0]) if len(names) == 1 and named.resourceType else None
