"""Raw resources to Nodes: slim structs keep the few elements that are read and pass over the rest.

Their fields take any JSON, so the tolerant walk that follows is the only reading there is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from typing import Any, TypedDict

import msgspec

from billing_rules.fhir.searchset import RawResource
from billing_rules.fhir.tolerant import Node
from billing_rules.states import State, Unknown

# An Unknown among the resources says why there may be more than these: a page that was not read.
Part = State[tuple[RawResource | Unknown, ...]]

WITHDRAWN = ("entered-in-error", "cancelled")


class Slim(msgspec.Struct):
    """The elements that any reader of a chart resource looks at."""

    resourceType: Any = None
    id: Any = None
    status: Any = None


def nodes(
    raw: Iterable[RawResource | Unknown],
    shape: type[Slim],
    withdrawn: tuple[str, ...] = WITHDRAWN,
) -> list[Node | None]:
    """Each resource as a Node, None for what could not be decoded; `withdrawn` ones left out."""
    read = (_node(entry, shape) for entry in raw)
    return [n for n in read if n is None or n.text("status").lower() not in withdrawn]


def of_type(read: Iterable[Node | None], *kinds: str) -> list[Node]:
    """The resources of these types; one that does not say its type is taken for the first."""
    return [n for n in read if n is not None and n.text("resourceType") in (*kinds, "")]


def reference(node: Node, kind: str) -> str:
    """`Type/id`, or "" without an id."""
    return f"{kind}/{node.text('id')}" if node.text("id") else ""


def _node(raw: RawResource | Unknown, shape: type[Slim]) -> Node | None:
    if isinstance(raw, Unknown):
        return None
    if isinstance(raw, dict):
        return Node(raw) if raw else None
    try:
        return Node(_decoder(shape).decode(raw))
    except (msgspec.MsgspecError, RecursionError):
        return _decoded_without_shape(bytes(raw))


@cache
def _decoder(shape: type[Slim]) -> msgspec.json.Decoder[dict[str, Any]]:
    """Decodes a slim struct's elements to a dict that holds those that are there."""
    elements = {name: Any for name in shape.__struct_encode_fields__}
    make: Any = TypedDict  # whose functional form type checkers accept with literals only
    only_these = make(shape.__name__, elements, total=False)
    return msgspec.json.Decoder(only_these)


def _decoded_without_shape(raw: bytes) -> Node | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return Node(value) if isinstance(value, dict) and value else None
