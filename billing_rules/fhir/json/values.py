"""Texts, numbers and days as FHIR means them, and notes on what could not be read.

Nothing here raises for any JSON value. Numbers become Decimal, never float."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from billing_rules.fhir.json.shapes import Element, lost_of

SHOWN = 80  # characters of the chart that a sentence repeats
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?([eE][+-]?\d{1,2})?")
_DAY = re.compile(r"(\d{4}-\d{2}-\d{2})(T.*)?", re.ASCII | re.DOTALL)
_MOST_SENTENCES = 20  # kept of one resource
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
    if not isinstance(value, str) or not value:
        return None
    if len(value) == 10 and value[4] == value[7] == "-":  # a date, as most are written
        day = value
    elif match := _DAY.fullmatch(value.strip()):
        day = match[1]
    else:
        return None
    try:
        return date.fromisoformat(day)
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


# ---------------------------------------------------------------- what could not be read


class Notes:
    """Plain sentences on what of one resource was there but could not be read.

    An element is found by where it stands in the resource, or in one that was `also` read.
    """

    __slots__ = ("_roots", "sentences")

    def __init__(self, root: Element) -> None:
        self._roots: list[tuple[str, Element]] = [("", root)]
        lost = lost_of(root)
        self.sentences: list[str] = []
        for sentence in lost.sentences if lost else ():
            self.add(sentence)

    def also(self, path: str, root: Element) -> None:
        """Take up another resource that is read as a part of this one, as standing at `path`."""
        if any(root is known for _, known in self._roots):
            return
        self._roots.append((path, root))
        lost = lost_of(root)
        for sentence in lost.sentences if lost else ():
            self.add(f"{path}.{sentence}" if path else sentence)

    def of_a_part(self, path: str) -> Notes:
        """The notes so far for one entry of a list ("item[0]"), without those on its siblings."""
        siblings = path.partition("[")[0] + "["
        part = Notes.__new__(Notes)
        part._roots = self._roots
        part.sentences = [
            sentence
            for sentence in self.sentences
            if not sentence.startswith(siblings) or sentence.startswith((f"{path}.", f"{path} "))
        ]
        return part

    def add(self, sentence: str) -> None:
        if sentence not in self.sentences and len(self.sentences) < _MOST_SENTENCES:
            self.sentences.append(sentence)

    def unread(self, element: Element, key: str) -> None:
        self.add(f"{self.at(element, key)} could not be read")

    def at(self, element: Element, key: str) -> str:
        """The path of `key` of an element as an analyst writes it:
        "dosageInstruction[0].doseAndRate"."""
        for path, root in self._roots:
            found = _path(root, element)
            if found is not None:
                return ".".join(part for part in (path, found, key) if part)
        return key


def _path(root: Element, wanted: Element) -> str | None:
    lost = lost_of(wanted)
    waiting: list[tuple[str, Element]] = [("", root)]
    while waiting:
        path, element = waiting.pop()
        if element is wanted:
            return lost.path if lost else path
        for name in element.__struct_fields__:
            value = getattr(element, name)
            own = f"{path}.{name}" if path else name
            if isinstance(value, Element):
                waiting.append((own, value))
            elif isinstance(value, tuple):
                places = ((f"{own}[{i}]", v) for i, v in enumerate(value))
                waiting += [(place, v) for place, v in places if isinstance(v, Element)]
    return None
