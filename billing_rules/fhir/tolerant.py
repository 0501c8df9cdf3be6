"""JSON values of any shape as the texts, numbers and days that FHIR means by them.

Nothing here raises for any JSON value. Numbers become Decimal, never float.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

SHOWN = 80  # characters of the chart that a sentence repeats
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?")
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(T.*)?", re.ASCII | re.DOTALL)
_LARGEST, _SMALLEST = 12, -9  # powers of ten a quantity of a drug can have


def absent(value: object) -> bool:
    """Whether a JSON value says nothing: null, "", blank text, [] or {}."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == [] or value == {}


def as_objects(value: object) -> list[Mapping[str, object]]:
    """The objects in `value`: of a list its non-empty objects, of an object itself."""
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, dict) and v]


def as_number(value: object) -> Decimal | None:
    """A finite number of sane size as Decimal, from an int, float, Decimal or numeric text.

    None for bool, NaN, infinity and anything at or beyond 10^13, or closer to 0 than 10^-9.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal, str)):
        return None
    if isinstance(value, int) and abs(value) >= 10 ** (_LARGEST + 1):
        return None
    text = str(value).strip()
    if not text.isascii() or not _NUMBER.fullmatch(text):
        return None
    number = Decimal(text)
    if number == 0:
        return Decimal(0)
    return number if _SMALLEST <= number.adjusted() <= _LARGEST else None


def as_day(value: object) -> date | None:
    """The calendar day of a FHIR date or dateTime as written there, or None for partial dates.

    The day is taken in the time zone the value is written in: nothing is shifted.
    """
    match = _DAY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return None
    try:
        return date.fromisoformat(match[1])
    except ValueError:
        return None


def shown(text: str, limit: int = SHOWN) -> str:
    """`text` fit to stand in a sentence: one line, printable, at most `limit` characters."""
    if len(text) <= limit and text.isprintable() and "  " not in text:
        return text.strip()  # nearly every text; the rest is for the others
    start = text[: limit * 4]
    if not start.isprintable():
        start = "".join(c if c.isprintable() else " " for c in start)
    line = " ".join(start.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def copied(value: object) -> Any:
    """A deep copy of a JSON value, however deeply nested."""
    root = [value]
    waiting: list[Any] = [root]
    while waiting:
        parent = waiting.pop()
        for place, child in list(parent.items() if isinstance(parent, dict) else enumerate(parent)):
            if isinstance(child, (dict, list)):
                parent[place] = child.copy()
                waiting.append(parent[place])
    return root[0]
