"""JSON of any shape to the structs of shapes.py, and the notes that come of it.

Orders come from many EHRs, drafts are often half filled, and one bad element must not void the
rest. What fits is kept; one object stands for a list of one, and a list of one for an object;
null, "", [] and {} are absent; numbers may stand in texts. What was there and fits in no way
counts as absent, is remembered on the struct (`unreadable`) and noted in a plain sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from msgspec.structs import fields, force_setattr

from billing_rules.fhir.json.shapes import Element, Lost, lost_of
from billing_rules.fhir.json.values import absent, as_number

T = TypeVar("T", bound=Element)
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
    """A list whose places count: None for what is absent, nothing in what is not an object."""

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
