"""The copy of an order that corrections change, and what its places are called in errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from billing_rules.fhir.codes import CodeSystems
from billing_rules.fhir.references import own_reference
from billing_rules.fhir.tolerant import as_objects

Json = dict[str, Any]


class NotCorrectable(ValueError):
    """A correction whose place is not in this resource. The message says which, in a clause."""


class DraftCopy:
    """The copy being changed, with the original Claim items by their place."""

    def __init__(
        self, resource: Json, preferred_uri: Mapping[str, str], systems: CodeSystems | None
    ) -> None:
        self.resource = resource
        self.kind = resource.get("resourceType")
        self.systems = systems
        self._preferred_uri = preferred_uri
        items = resource.get("item")
        self.items: list[Any] = items.copy() if isinstance(items, list) else [items]

    def uri(self, system: str) -> str:
        if system not in self._preferred_uri:
            raise NotCorrectable(f"no URI is known to write the code system '{system}' with")
        return self._preferred_uri[system]

    def check_reference(self, reference: str) -> None:
        """Raise unless the correction is for this resource; one without id goes by its type."""
        own = own_reference(self.resource, 0)
        fits = own == reference or (own.endswith("/#0") and reference.startswith(own[:-1]))
        if not fits:
            raise NotCorrectable(f"the correction is for {reference}, not for {own}")

    def item(self, place: int | None) -> Json:
        """The Claim item at `place` of the original."""
        if self.kind != "Claim" or place is None:
            raise NotCorrectable(f"a {self.kind} has no items")
        if not 0 <= place < len(self.items) or not isinstance(self.items[place], dict):
            raise NotCorrectable(f"the claim has no item {place + 1}")
        item: Json = self.items[place]
        return item


def as_dicts(value: object) -> list[Json]:
    """The objects in `value` to change in place: of a list its objects, of an object itself."""
    return [found for found in as_objects(value) if isinstance(found, dict)]
