"""A search: the parameters of every type (search_parameters.yaml), dates as intervals, and one
question that is asked of every resource.

What cannot be understood raises FhirError; what this server does not know is left out and
named (`ignored`), and it is for the caller to be strict (FHIR R4, "Prefer: handling")."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from sandbox_ehr.fhir.outcomes import FhirError

# ----------------------------------------------------------------------
# The search parameters of every type this server keeps, from search_parameters.yaml.


_WRITTEN = re.compile(r"(?P<kind>\w+)(\((?P<targets>[\w|]+)\))? (?P<paths>.+)", re.ASCII)


class Kind(Enum):
    """How a value is compared (FHIR R4, "Search Parameter Types")."""

    TOKEN = "token"
    REFERENCE = "reference"
    DATE = "date"
    STRING = "string"
    URI = "uri"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A search parameter: the elements it looks at, as dotted paths.

    `targets` are the types a reference may be written without: `patient=1` is `Patient/1`.
    """

    kind: Kind
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()


def _parameter(text: str) -> Parameter:
    """`token code`, or `reference(Patient|Group) subject`. Raises ValueError for anything else."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a search parameter")
    targets = tuple(match["targets"].split("|")) if match["targets"] else ()
    return Parameter(Kind(match["kind"]), tuple(match["paths"].split()), targets)


def _table() -> dict[str, Mapping[str, Parameter]]:
    """Every type's parameters by name, those that every type has among them."""
    file = Path(__file__).with_name("search_parameters.yaml")
    said = yaml.load(
        file.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    read = {
        kind: {name: _parameter(text) for name, text in parameters.items()}
        for kind, parameters in said.items()
    }
    every = read.pop("every type")
    return {kind: {**every, **parameters} for kind, parameters in read.items()}


_OF_TYPE = _table()
TYPES = tuple(_OF_TYPE)


def parameters_of(resource_type: str) -> dict[str, Parameter]:
    """Every parameter of a type by its name; none for a type that is not kept."""
    return dict(_OF_TYPE.get(resource_type, {}))


# ----------------------------------------------------------------------
# Dates as searches compare them: a date is the interval it names (FHIR R4, "date").
#
# `2024-05` is all of May. Where one of the two sides has no time zone, the clocks on the wall are
# compared: a chart's `2026-08-31T22:05:00-06:00` lies on 2026-08-31, where the clinic is.


DATE_PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap")
_TEXT = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{2})(-(?P<day>\d{2})"
    r"(T(?P<hour>\d{2}):(?P<minute>\d{2})(:(?P<second>\d{2})(\.(?P<fraction>\d{1,9}))?)?"
    r"(?P<zone>Z|[+-]\d{2}:\d{2})?)?)?)?",
    re.ASCII,
)
_FIRST, _LAST = datetime.min, datetime.max


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` up to but not including `high`, as a wall clock shows them; `zone` when known."""

    low: datetime
    high: datetime
    zone: timezone | None = None

    def beside(self, other: Interval) -> tuple[Interval, Interval]:
        """Both on one clock: that of the world when both know theirs, else that on the wall."""
        if self.zone is None or other.zone is None:
            return self, other
        return self._in_utc(), other._in_utc()

    def _in_utc(self) -> Interval:
        assert self.zone is not None
        offset = self.zone.utcoffset(None)
        return Interval(_less(self.low, offset), _less(self.high, offset), UTC)


def read_date(text: str) -> Interval:
    """The interval a date or dateTime names. Raises ValueError for anything else."""
    match = _TEXT.fullmatch(text)
    if match is None:
        raise ValueError("no FHIR date")
    names = ("year", "month", "day", "hour", "minute", "second")
    defaults = (1, 1, 1, 0, 0, 0)
    parts = (int(match[name] or default) for name, default in zip(names, defaults, strict=True))
    year, month, day, hour, minute, second = parts
    fraction = (match["fraction"] or "")[:6].ljust(6, "0")
    low = datetime(year, month, day, hour, minute, second, int(fraction))
    zone = match["zone"]
    if zone and zone != "Z":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
        return Interval(low, _end(low, match), timezone(offset if zone[0] == "+" else -offset))
    return Interval(low, _end(low, match), UTC if zone else None)


def read_period(start: str | None, end: str | None) -> Interval:
    """The interval of a Period; a side that is not said lies in no bounds. Raises ValueError."""
    first = read_date(start) if start else None
    last = read_date(end) if end else None
    zone = (first.zone if first else None) or (last.zone if last else None)
    return Interval(first.low if first else _FIRST, last.high if last else _LAST, zone)


def date_matches(prefix: str, asked: Interval, held: Interval) -> bool:
    """Whether what is held stands to what was asked as the prefix says (FHIR R4, "Prefixes")."""
    a, h = asked.beside(held)
    within = a.low <= h.low and h.high <= a.high
    answers = {
        "eq": within,
        "ne": not within,
        "gt": h.high > a.high,
        "lt": h.low < a.low,
        "ge": h.high > a.high or within,
        "le": h.low < a.low or within,
        "sa": h.low >= a.high,
        "eb": h.high <= a.low,
        "ap": h.low < _plus(a.high, _ABOUT) and h.high > _less(a.low, _ABOUT),
    }
    return answers[prefix]


_ABOUT = timedelta(days=1)


def _end(low: datetime, match: re.Match[str]) -> datetime:
    """The first moment after what the text names."""
    try:
        if match["month"] is None:
            return low.replace(year=low.year + 1)
        if match["day"] is None:
            return low + timedelta(days=calendar.monthrange(low.year, low.month)[1])
        if match["hour"] is None:
            return low + timedelta(days=1)
        if match["second"] is None:
            return low + timedelta(minutes=1)
        return low + (timedelta(milliseconds=1) if match["fraction"] else timedelta(seconds=1))
    except (ValueError, OverflowError):
        return _LAST


def _less(moment: datetime, by: timedelta | None) -> datetime:
    return _plus(moment, -(by or timedelta()))


def _plus(moment: datetime, by: timedelta) -> datetime:
    """`moment` moved; what has no bounds keeps none, and nothing leaves the calendar."""
    if moment in (_FIRST, _LAST):
        return moment
    try:
        return moment + by
    except OverflowError:
        return _LAST if by > timedelta() else _FIRST


# ----------------------------------------------------------------------
# A search, read from its parameters into one question that is asked of every resource.
#
# What cannot be understood raises FhirError; what this server does not know is left out and named
# (`ignored`), and it is for the caller to be strict (FHIR R4, "Prefer: handling").


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
class FhirSearch:
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


def read_search(resource_type: str, asked: Asked, base_url: str = "") -> FhirSearch:
    """The search that `asked` means. Raises FhirError (400) for a value that cannot be read."""
    known = parameters_of(resource_type)
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
    return FhirSearch(resource_type, tuple(tests), tuple(sort), tuple(used), tuple(ignored))


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
    if parameter.kind is Kind.REFERENCE and modifier in TYPES:
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
    prefix = text[:2] if text[:2] in DATE_PREFIXES else "eq"
    # A "+" that nobody escaped arrives as a space.
    wanted = text.removeprefix(prefix).replace(" ", "+")
    try:
        asked = read_date(wanted)
    except ValueError:
        raise FhirError(
            400, f"'{name}' takes a date like 2026-08 or ge2026-08-31T10:00:00Z"
        ) from None

    def fits(held: Any) -> bool:
        interval = _interval(held)
        return interval is not None and date_matches(prefix, asked, interval)

    return fits


def _interval(held: Any) -> Interval | None:
    """The interval of a date or a Period; None for what is neither."""
    try:
        if isinstance(held, str):
            return read_date(held)
        if isinstance(held, dict) and ("start" in held or "end" in held):
            return read_period(held.get("start"), held.get("end"))
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
