"""JSON in and out with every number exactly as it was written.

A corrected order goes back whole, so 0.50 must not become 0.5: a trailing zero is a statement of
precision in FHIR (R4 datatypes, "decimal").
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec

_LONGEST_NUMBER = 40  # characters; FHIR asks for 18 digits
_LARGEST_EXPONENT = 30


class UnreadableJson(ValueError):
    """Bytes that are not JSON this service reads. The message never repeats them."""


def _number(text: str) -> Decimal:
    if len(text) > _LONGEST_NUMBER:
        raise UnreadableJson("a number has too many digits")
    number = Decimal(text)
    if abs(number.adjusted()) > _LARGEST_EXPONENT:
        raise UnreadableJson("a number is too large or too small")
    return number


_any = msgspec.json.Decoder(float_hook=_number)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_encoder = msgspec.json.Encoder(decimal_format="number")


def decode(body: bytes | msgspec.Raw, max_depth: int) -> Any:
    """The JSON value. Raises NotReadable when it is none, or nested deeper than `max_depth`."""
    try:
        value = _any.decode(body)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise UnreadableJson("the body is not JSON that can be read") from error
    if _brackets(bytes(body)) > max_depth and _deeper_than(max_depth, value):
        raise UnreadableJson("the JSON is nested too deeply")
    return value


def members(body: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The members of a JSON object, each still undecoded. Raises NotReadable."""
    try:
        return _members.decode(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableJson("the body is not a JSON object that can be read") from error


def encode(value: Any) -> bytes:
    """`value` as JSON."""
    return _encoder.encode(value)


def _brackets(body: bytes) -> int:
    """How deep it can be at most: most drafts have fewer brackets than may stand inside each
    other, so they need not be walked."""
    return body.count(b"{") + body.count(b"[")


def _deeper_than(limit: int, value: Any) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return any(isinstance(v, (dict, list)) for v in level)


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [v for v in value.values() if isinstance(v, (dict, list))]
    if isinstance(value, list):
        return [v for v in value if isinstance(v, (dict, list))]
    return []
