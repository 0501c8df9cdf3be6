"""A search, read from its parameters into one question that is asked of every resource.

What cannot be understood raises FhirError; what this server does not know is left out and named
(`ignored`), and it is for the caller to be strict (FHIR R4, "Prefer: handling").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sandbox_ehr.fhir import intervals, parameters
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.parameters import Kind, Parameter

Resource = dict[str, Any]
Asked = list[tuple[str, str]]
Test = Callable[[Resource], bool]

# Parameters that say how the answer is given, not what is looked for.
_HOW = "_count _sort _include _summary _elements _total _format _pretty"
HOW = frozenset(_HOW.split())
MODIFIERS = {
    Kind.TOKEN: ("", "not", "missing", "text"),
    Kind.REFERENCE: ("", "missing"),
    Kind.DATE: ("", "missing"),
    Kind.STRING: ("", "exact", "contains", "missing"),
    Kind.URI: ("", "missing"),
}
_MOST_VALUES = 1000
_ANY: Any = object()  # any system, any code
_ESCAPED = re.compile(r"\\([,$|\\])")


@dataclass(frozen=True, slots=True)
class Search:
    """`tests` must all hold; `sort` are (parameter, descending), the first counting most."""

    resource_type: str
    tests: tuple[Test, ...]
    sort: tuple[tuple[Parameter, bool], ...]
    used: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]

    def matches(self, resource: Resource) -> bool:
        return all(test(resource) for test in self.tests)

    def sorted(self, found: Iterable[Resource]) -> list[Resource]:
        """In the order asked for; what has no value comes last either way."""
        result = list(found)
        for parameter, descending in reversed(self.sort):
            keyed = [(key, r) for r in result if (key := _sort_key(parameter, r)) is not None]
            keyed.sort(key=lambda pair: pair[0], reverse=descending)
            held = {id(r) for _, r in keyed}
            result = [r for _, r in keyed] + [r for r in result if id(r) not in held]
        return result


def read(resource_type: str, asked: Asked, base_url: str = "") -> Search:
    """The search that `asked` means. Raises FhirError (400) for a value that cannot be read."""
    known = parameters.of(resource_type)
    tests, used, ignored = [], [], []
    for name, value in asked:
        plain, _, modifier = name.partition(":")
        if plain in HOW or value == "":
            continue
        if plain not in known:
            ignored.append(name)
            continue
        tests.append(_test(name, known[plain], modifier, value, base_url))
        used.append((name, value))
    names = [n for key, text in asked if key == "_sort" for n in text.split(",") if n]
    sort = [(known[n.lstrip("-")], n.startswith("-")) for n in names if n.lstrip("-") in known]
    ignored += [f"_sort={n}" for n in names if n.lstrip("-") not in known]
    return Search(resource_type, tuple(tests), tuple(sort), tuple(used), tuple(ignored))


def values(resource: Resource, path: str) -> list[Any]:
    """Everything a dotted path leads to, through every list on its way."""
    first, *further = path.split(".")
    nodes = _step(resource, first)
    for step in further:
        nodes = [inner for node in nodes for inner in _step(node, step)]
    return nodes


def _step(node: Any, name: str) -> list[Any]:
    inner = node.get(name) if isinstance(node, dict) else None
    if inner is None:
        return []
    return [value for value in inner if value is not None] if isinstance(inner, list) else [inner]


def _held(resource: Resource, parameter: Parameter) -> list[Any]:
    return [value for path in parameter.paths for value in values(resource, path)]


# ---------------------------------------------------------------- one parameter


def _test(name: str, parameter: Parameter, modifier: str, text: str, base_url: str) -> Test:
    if modifier == "missing":
        if text not in ("true", "false"):
            raise FhirError(400, f"'{name}' takes true or false")
        return lambda r: (not _held(r, parameter)) is (text == "true")
    if parameter.kind is Kind.REFERENCE and modifier in parameters.TYPES:
        typed = (v if "/" in v else f"{modifier}/{v}" for v in _choices(text))
        text, modifier = ",".join(typed), ""
    if modifier not in MODIFIERS[parameter.kind]:
        raise FhirError(400, f"the modifier of '{name}' is not supported", "not-supported")
    choices = _choices(text)
    if len(choices) > _MOST_VALUES:
        raise FhirError(400, f"'{name}' lists more than {_MOST_VALUES} values", "too-costly")
    if parameter.kind is Kind.TOKEN and modifier != "text":
        any_of = [_any_token(choices)]
    else:
        any_of = [_one(name, parameter, modifier, choice, base_url) for choice in choices]
    if modifier == "not":
        return lambda r: not any(fits(v) for v in _held(r, parameter) for fits in any_of)
    if len(any_of) == 1:
        return lambda r: any(map(any_of[0], _held(r, parameter)))
    return lambda r: any(fits(v) for v in _held(r, parameter) for fits in any_of)


def _one(
    name: str, parameter: Parameter, modifier: str, text: str, base_url: str
) -> Callable[[Any], bool]:
    """Whether one value of a resource is the one asked for."""
    match parameter.kind:
        case Kind.DATE:
            return _date(name, text)
        case Kind.REFERENCE:
            return _reference(parameter, text, base_url)
        case Kind.STRING:
            return _string(modifier, _unescaped(text))
        case Kind.URI:
            return lambda held: isinstance(held, str) and held.partition("|")[0] == text
    return _text(text)


def _any_token(choices: Iterable[str]) -> Callable[[Any], bool]:
    """One of `code`, `system|code`, `|code` (without a system) and `system|` (any code of it).

    Looked up, not compared one by one: a search for 30 codes among 5,000 results is common.
    """
    wanted: set[tuple[Any, Any]] = set()
    for choice in choices:
        system, bar, code = choice.rpartition("|")
        system, code = _unescaped(system), _unescaped(code) or _ANY
        wanted |= {(system, code), (None, code)} if bar else {(_ANY, code)}

    def fits(held: Any) -> bool:
        return any(
            not wanted.isdisjoint(((system, code), (system, _ANY), (_ANY, code)))
            for system, code in _codings(held)
        )

    return fits


def _codings(held: Any) -> Iterator[tuple[str | None, str]]:
    """System and code of what a token may look at. None: the element is a code without a system
    of its own, whose system is fixed by its binding, so that any is taken for it."""
    if isinstance(held, bool):
        yield None, str(held).lower()
    elif isinstance(held, str):
        yield None, held
    elif isinstance(held, dict):
        for coding in held["coding"] if isinstance(held.get("coding"), list) else [held]:
            if isinstance(coding, dict):
                code = coding.get("code", coding.get("value"))
                if isinstance(code, str):
                    yield str(coding.get("system", "")), code


def _text(text: str) -> Callable[[Any], bool]:
    wanted = text.casefold()

    def fits(held: Any) -> bool:
        if not isinstance(held, dict):
            return False
        shown = [held.get("text"), held.get("display")]
        codings = held.get("coding")
        shown += [c.get("display") for c in codings or () if isinstance(c, dict)]
        return any(isinstance(s, str) and s.casefold().startswith(wanted) for s in shown)

    return fits


def _reference(parameter: Parameter, text: str, base_url: str) -> Callable[[Any], bool]:
    """`1`, `Patient/1`, or the whole address of one here."""
    wanted = text.removeprefix(f"{base_url}/") if base_url else text
    known = {wanted} if "/" in wanted else {f"{kind}/{wanted}" for kind in parameter.targets}

    def fits(held: Any) -> bool:
        reference = held.get("reference") if isinstance(held, dict) else None
        if not isinstance(reference, str):
            return False
        if base_url:
            reference = reference.removeprefix(f"{base_url}/")
        return reference.partition("/_history/")[0] in known

    return fits


def _date(name: str, text: str) -> Callable[[Any], bool]:
    prefix = text[:2] if text[:2] in intervals.PREFIXES else "eq"
    # A "+" that nobody escaped arrives as a space.
    wanted = text.removeprefix(prefix).replace(" ", "+")
    try:
        asked = intervals.read(wanted)
    except ValueError:
        raise FhirError(
            400, f"'{name}' takes a date like 2026-08 or ge2026-08-31T10:00:00Z"
        ) from None

    def fits(held: Any) -> bool:
        interval = _interval(held)
        return interval is not None and intervals.matches(prefix, asked, interval)

    return fits


def _interval(held: Any) -> intervals.Interval | None:
    """The interval of a date or a Period; None for what is neither."""
    try:
        if isinstance(held, str):
            return intervals.read(held)
        if isinstance(held, dict) and ("start" in held or "end" in held):
            return intervals.between(held.get("start"), held.get("end"))
    except (ValueError, TypeError):
        pass
    return None


def _string(modifier: str, text: str) -> Callable[[Any], bool]:
    def fits(held: Any) -> bool:
        if not isinstance(held, str):
            return False
        if modifier == "exact":
            return held == text
        found = held.casefold().find(text.casefold())
        return found >= 0 if modifier == "contains" else found == 0

    return fits


def _choices(text: str) -> list[str]:
    """Split at commas that are not escaped (FHIR R4, "Escaping Search Parameters")."""
    return [part for part in re.split(r"(?<!\\),", text) if part]


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(r"\1", text)


# ---------------------------------------------------------------- the order


def _sort_key(parameter: Parameter, resource: Resource) -> Any:
    held = _held(resource, parameter)
    match parameter.kind:
        case Kind.DATE:
            found = [i for value in held if (i := _interval(value)) is not None]
            return min((i.beside(i)[0].low for i in found), default=None)
        case Kind.TOKEN:
            return min((code for value in held for _, code in _codings(value)), default=None)
        case Kind.REFERENCE:
            held = [v.get("reference") for v in held if isinstance(v, dict)]
    return min((value.casefold() for value in held if isinstance(value, str)), default=None)
