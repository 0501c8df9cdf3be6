"""Walking FHIR JSON of any shape: what is not as FHIR says counts as absent and is noted.

Orders come from many EHRs, drafts are often half filled, and one bad element must not void the
rest. Nothing here raises for any JSON value. Numbers become Decimal, never float.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

SHOWN = 80  # characters of the chart that a sentence repeats
_NOTES = 20  # sentences kept per resource
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


_ABSENT: Mapping[str, object] = {}
# A path, or the place above, the element, and its position in a list.
Place = str | tuple["Place", str, int | None]


def _spelled_out(place: Place) -> str:
    """ "dosageInstruction[0].doseAndRate" """
    if isinstance(place, str):
        return place
    above, key, position = place
    path = _spelled_out(above)
    own = key if position is None else f"{key}[{position}]"
    return f"{path}.{own}" if path else own


class Node:
    """One JSON object and where it stands. What is there but unreadable is noted in `unread`.

    A Node over {} stands for an absent object, so that walks need no checks. All nodes of one
    resource share one list of notes.
    """

    __slots__ = ("_place", "unread", "value")

    def __init__(
        self, value: Mapping[str, object], place: Place = "", unread: list[str] | None = None
    ) -> None:
        self.value = value
        self._place = place
        self.unread = [] if unread is None else unread

    def __bool__(self) -> bool:
        return bool(self.value)

    @property
    def path(self) -> str:
        """Where it stands; spelled out only where a note says so."""
        return _spelled_out(self._place)

    def note(self, sentence: str) -> None:
        """Add a plain sentence on something that was there but could not be read."""
        if sentence not in self.unread and len(self.unread) < _NOTES:
            self.unread.append(sentence)

    def at(self, key: str) -> str:
        """The path of `key` as an analyst writes it: "dosageInstruction[0].doseAndRate"."""
        return _spelled_out((self._place, key, None))

    def has(self, key: str) -> bool:
        return not absent(self.value.get(key))

    def broken(self, key: str) -> bool:
        """Whether `key` holds something that is no object and no list of objects."""
        value = self.value.get(key)
        values = value if isinstance(value, list) else [value]
        return any(not absent(v) and not isinstance(v, dict) for v in values)

    def objs(self, key: str) -> list[Node]:
        """The objects under `key`; one object counts as a list of one, null entries are none."""
        value = self.value.get(key)
        if value is None:
            return []
        if isinstance(value, dict):
            return [Node(value, (self._place, key, None), self.unread)] if value else []
        values = value if isinstance(value, list) else [value]
        found = [
            Node(v, (self._place, key, i), self.unread)
            for i, v in enumerate(values)
            if isinstance(v, dict) and v
        ]
        if len(found) < len(values) and self.broken(key):
            self._unreadable(key)
        return found

    def obj(self, key: str) -> Node:
        """The one object under `key`, also when it stands in a list of one; else an empty Node."""
        value = self.value.get(key)
        place = (self._place, key, None)
        if value is None:
            return Node(_ABSENT, place, self.unread)
        if isinstance(value, dict):
            return Node(value or _ABSENT, place, self.unread)
        found = self.objs(key)
        if len(found) > 1:
            self._unreadable(key)
        return found[0] if len(found) == 1 else Node(_ABSENT, place, self.unread)

    def text(self, key: str) -> str:
        value = self.value.get(key)
        if isinstance(value, str):
            return value.strip()
        if value is not None and not absent(value):
            self._unreadable(key)
        return ""

    def number(self, key: str) -> Decimal | None:
        value = self.value.get(key)
        number = as_number(value)
        if number is None and not absent(value):
            self._unreadable(key)
        return number

    def day(self, key: str) -> date | None:
        value = self.value.get(key)
        if value is None:
            return None
        day = as_day(value)
        if day is None and not absent(value):
            if isinstance(value, str):
                self.note(f"{self.at(key)} '{shown(value)}' is no full date")
            else:
                self._unreadable(key)
        return day

    def days(self, key: str) -> Iterator[date]:
        """The full dates in a list under `key`; one date counts as a list of one."""
        value = self.value.get(key)
        for single in value if isinstance(value, list) else [value]:
            day = as_day(single)
            if day is not None:
                yield day
            elif not absent(single):
                self._unreadable(key)

    def _unreadable(self, key: str) -> None:
        self.note(f"{self.at(key)} could not be read")
