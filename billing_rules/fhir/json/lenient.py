"""JSON values of any shape as the texts, numbers and days that FHIR means by them.

Nothing here raises for any JSON value. Numbers become Decimal, never float."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec.structs import fields, force_setattr

from billing_rules.fhir.json.shapes import Element, Lost, lost_of

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


# ----------------------------------------------------------------------
# JSON of any shape to the structs of billing_rules.fhir.shapes, and the notes that come of it.
#
# Orders come from many EHRs, drafts are often half filled, and one bad element must not void the
# rest. What fits is kept; one object stands for a list of one, and a list of one for an object;
# null, "", [] and {} are absent; numbers may stand in texts. What was there and fits in no way
# counts as absent, is remembered on the struct (`unreadable`) and noted in a plain sentence.


T = TypeVar("T", bound=Element)
_MOST_SENTENCES = 20  # kept of one resource
# Elements that say nothing of what is ordered, or that only the chart's readers look at.
_NOT_NOTED = frozenset(
    (
        "id",
        "subject",
        "patient",
        "beneficiary",
        "individual",
        "encounter",
        "contained",
        "intent",
        "authoredOn",
        "validityPeriod",
        "expectedSupplyDuration",
        "numberOfRepeatsAllowed",
        "insurer",
        "created",
        "use",
        "preAuthRef",
    )
)
_UNIONS = (Union, type(int | None))  # typing.Union[...] and X | Y
_DEEPEST = 40  # elements inside each other; FHIR has no resource as deep
_BROKEN = object()
# (value, path of the value, all sentences) to what fits, and whether that is all: None where there
# is something and it says nothing, which is not worth a sentence
_Read = Callable[[object, str, list[str]], tuple[Any, bool | None]]


class Notes:
    """Plain sentences on what of one resource was there but could not be read.

    An element is found by where it stands in the resource, or in one that was `also` read.
    """

    __slots__ = ("_roots", "sentences")

    def __init__(self, root: Element) -> None:
        self.sentences: list[str] = []
        self._roots: list[tuple[str, Element]] = []
        self.also("", root)

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


def converted(value: dict[str, Any], shape: type[T]) -> T:
    """All of a JSON object that fits `shape`. Never raises for JSON of a sane depth."""
    sentences: list[str] = []
    found: T = _element(value, shape, "", sentences)
    lost = lost_of(found)
    if lost:
        lost.sentences = sentences
    return found


def _element(value: dict[str, Any], shape: type[T], path: str, sentences: list[str]) -> T:
    kept: dict[str, Any] = {}
    lost = Lost(path)
    deep = path.count(".") > _DEEPEST
    for name, key, read in _plan(shape):
        if deep or key not in value:
            continue
        own = f"{path}.{key}" if path else key
        said: list[str] = [] if name in _NOT_NOTED else sentences
        found, whole = read(value[key], own, said)
        if found is not _BROKEN:
            kept[name] = found
        if not whole:
            lost.keys.add(name)
        if whole is False:
            said.append(f"{own} could not be read")
    element = shape(**kept)
    force_setattr(element, "lost", lost)
    return element


@cache
def _plan(shape: type[Element]) -> tuple[tuple[str, str, _Read], ...]:
    """Each element's name here and in FHIR, and how its JSON is read."""
    hints = get_type_hints(shape)
    return tuple(
        (one.name, one.encode_name, _reader(hints[one.name]))
        for one in fields(shape)
        if one.name not in ("lost", "type_name")
    )


def _reader(kind: Any) -> _Read:
    if kind is Any:
        return lambda value, path, sentences: (value, True)
    if kind is str:
        return _text
    if get_origin(kind) is tuple:
        return _list_reader(get_args(kind)[0])
    some = [one for one in _alternatives(kind) if one is not type(None)]
    if some == [Decimal]:
        return _number
    (shape,) = (one for one in some if isinstance(one, type) and issubclass(one, Element))
    if str not in some:
        return lambda value, path, sentences: _object(value, shape, path, sentences)
    return lambda value, path, sentences: (
        (value, True) if isinstance(value, str) else _object(value, shape, path, sentences)
    )


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in _UNIONS else (kind,)


def _text(value: object, path: str, sentences: list[str]) -> tuple[Any, bool]:
    if isinstance(value, str):
        return value, True
    return _BROKEN, absent(value)


def _number(value: object, path: str, sentences: list[str]) -> tuple[Any, bool]:
    number = as_number(value)
    return (_BROKEN, absent(value)) if number is None else (number, True)


def _object(
    value: object, shape: type[Element], path: str, sentences: list[str]
) -> tuple[Any, bool | None]:
    """One object, also when it stands in a list of one."""
    if isinstance(value, dict):
        return (_element(value, shape, path, sentences), True) if value else (_BROKEN, True)
    found, whole = _objects(value, shape, path, sentences)
    if len(found) == 1:
        return found[0], whole
    if found or not whole:
        return _BROKEN, False
    return _BROKEN, True if absent(value) else None


def _objects(
    value: object, shape: type[Element], path: str, sentences: list[str]
) -> tuple[list[Any], bool]:
    """The objects in a list; null and empty ones are none."""
    values = value if isinstance(value, list) else [value]
    found = [
        _element(one, shape, f"{path}[{i}]", sentences)
        for i, one in enumerate(values)
        if isinstance(one, dict) and one
    ]
    return found, all(isinstance(one, dict) or absent(one) for one in values)


def _list_reader(kind: Any) -> _Read:
    some = _alternatives(kind)
    shapes = [one for one in some if isinstance(one, type) and issubclass(one, Element)]
    if not shapes:
        return _texts if kind is str else _anything
    if type(None) in some:
        return lambda value, path, sentences: _places(value, shapes[0], path, sentences)

    def read(value: object, path: str, sentences: list[str]) -> tuple[Any, bool]:
        if isinstance(value, dict):
            return ((_element(value, shapes[0], path, sentences),) if value else ()), True
        found, whole = _objects(value, shapes[0], path, sentences)
        return tuple(found), whole

    return read


def _places(
    value: object, shape: type[Element], path: str, sentences: list[str]
) -> tuple[Any, bool]:
    """A list whose places count: None for what is absent; what is no object has nothing in it."""

    def each(values: Iterable[object]) -> Iterator[Element | None]:
        for place, one in enumerate(values):
            if isinstance(one, dict) and one:
                yield _element(one, shape, f"{path}[{place}]", sentences)
            elif absent(one):
                yield None
            else:
                broken = shape()
                force_setattr(broken, "lost", Lost(f"{path}[{place}]", {""}))
                yield broken

    return tuple(each(value if isinstance(value, list) else [value])), True


def _texts(value: object, path: str, sentences: list[str]) -> tuple[Any, bool]:
    values = value if isinstance(value, list) else [value]
    found = tuple(one for one in values if isinstance(one, str))
    return found, all(isinstance(one, str) or absent(one) for one in values)


def _anything(value: object, path: str, sentences: list[str]) -> tuple[Any, bool]:
    values = value if isinstance(value, list) else [value]
    found = tuple(one for one in values if isinstance(one, dict) and one)
    return found, all(isinstance(one, dict) or absent(one) for one in values)
