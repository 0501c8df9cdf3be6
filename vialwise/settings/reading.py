"""Settings from command line, environment and file (TOML), with every problem at once.

A problem is one sentence that ends with the remedy, and never repeats a value: it could be secret.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from service_parts.setting_fields import REQUIRED, Setting, default_of, settings_of
from vialwise.settings.models import PLACES, ROOMS, TABLES, Place, ServeSettings

CONFIG_VARIABLE = "VIALWISE_CONFIG"
DEFAULT, FILE, ENVIRONMENT, OPTION = "default", "file", "environment", "command line"
# Set for the tests, or by Kubernetes for a service that is named vialwise.
_NOT_OURS = re.compile(r"VIALWISE_(TEST_.*|REFERENCE_DATA|CONFIG|SERVICE_.*|PORT_\d.*)")
_LARGEST_FILE = 1_000_000
_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text in quotes",
}


@dataclass
class Read:
    """`origins` says where each setting is from. Of those that are `wrong`, `settings` holds what
    stands in for them, so that what is wrong with the others can be found too."""

    settings: ServeSettings
    origins: dict[str, str] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)
    file: Path | None = None


def read(config: Path | None, environ: Mapping[str, str], options: Mapping[str, Any]) -> Read:
    """The settings. `options` are the command line's; those that are None were not given."""
    problems: list[str] = []
    file = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    written = _content_of(file, problems) if file else {}
    problems += _unknown_variables(environ)
    values: dict[str, dict[str, Any]] = {room: {} for room in ROOMS}
    origins, wrong = dict.fromkeys(PLACES, DEFAULT), set()
    for name, place in PLACES.items():
        reader, before, value = _Reader(place.table, file, problems), len(problems), REQUIRED
        if options.get(name) is not None:
            where = f"--{name.replace('_', '-')}"
            origin, value = OPTION, reader.text(name, options[name], where)
        elif environ.get(place.variable, "") != "":
            origin = ENVIRONMENT
            value = reader.text(name, environ[place.variable], place.variable)
        elif name in written and not place.known.secret:
            origin, value = FILE, reader.value(name, written[name], f"{file}: {name}")
        if value is not REQUIRED:
            values[place.room][name], origins[name] = value, origin
        if len(problems) > before:
            wrong.add(name)
    rooms = {room: ROOMS[room](**values[room]) for room in ROOMS if room}
    return Read(ServeSettings(**values[""], **rooms), origins, wrong, problems, file)


# ---------------------------------------------------------------- values


@dataclass(frozen=True, slots=True)
class _Reader:
    """Values of one room's or table's settings; what is wrong with them goes to `problems`."""

    table: type
    file: Path | None
    problems: list[str]

    def text(self, name: str, raw: Any, where: str) -> Any:
        """A value as the environment or the command line writes it; REQUIRED when it is wrong."""
        kind = _types_of(self.table)[name]
        if kind is bytes:
            return raw.encode()
        if kind == tuple[bytes, ...]:
            return tuple(part.encode() for part in raw.split())
        if get_origin(kind) in (tuple, frozenset):
            parts = [part.strip() for part in raw.split(",") if part.strip()]
            return self._converted(name, kind, parts, where, strict=False)
        return self._converted(name, kind, raw, where, strict=False)

    def value(self, name: str, raw: Any, where: str) -> Any:
        """A value as the file writes it; REQUIRED, and a problem, when it is wrong."""
        if name in TABLES:
            return self._tables(name, raw, where)
        found = self._converted(name, _types_of(self.table)[name], raw, where, strict=True)
        is_path = settings_of(self.table)[name].path and found and "://" not in str(found)
        if is_path and self.file and found is not REQUIRED:
            return str(self.file.absolute().parent / Path(found).expanduser())
        return found

    def _converted(self, name: str, kind: Any, raw: Any, where: str, *, strict: bool) -> Any:
        known = settings_of(self.table)[name]
        try:
            bounded = Annotated[kind, msgspec.Meta(**known.bounds)] if known.bounds else kind
            return msgspec.convert(raw, bounded, strict=strict)
        except (msgspec.ValidationError, ValueError):
            like = _like(known)
            self.problems.append(f"{where}: is not {_wanted(kind, known)}: {like}")
            return REQUIRED

    def _tables(self, name: str, raw: Any, where: str) -> Any:
        """A list of tables; what is wrong with them are problems."""
        if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
            self.problems.append(f"{where}: is not a list of tables: head each with [[{name}]]")
            return REQUIRED
        reader = _Reader(TABLES[name], self.file, self.problems)
        return tuple(reader.entry(entry, n, where) for n, entry in enumerate(raw, 1))

    def entry(self, written: Mapping[str, Any], number: int, where: str) -> Any:
        """The table. For what is wrong with it its default or example stands in, and for the name
        it goes by, which is its first setting, its number."""
        where = f"{where}, number {number}"
        names = settings_of(self.table)
        self.problems.extend(f"{where}: {fault}" for fault in _wrong_keys(written, names))
        values = {
            name: self.value(name, written[name], f"{where}: {name}")
            for name in names
            if name in written
        }
        for position, (name, known) in enumerate(names.items()):
            default = default_of(self.table, name)
            if name not in written and default is REQUIRED:
                self.problems.append(f"{where}: {name} is missing: {_like(known)}")
                values[name] = REQUIRED
            if values.get(name) is REQUIRED:
                example = known.example if position else f"number-{number}"
                says_nothing = default in (REQUIRED, "", ()) and not known.path
                values[name] = example if says_nothing else default
        return self.table(**values)


@cache
def _types_of(table: type) -> dict[str, Any]:
    return get_type_hints(table)


def _wanted(kind: Any, known: Setting) -> str:
    """What a value has to be, in words."""
    if known.wanted:
        return known.wanted
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) in (tuple, frozenset):
        of = get_args(kind)[0]
        each = "texts" if of is str else ", ".join(get_args(of))
        return f"a list of {each}"
    least, most = known.bounds.get("ge"), known.bounds.get("le")
    if "min_length" in known.bounds:
        longest = known.bounds.get("max_length", "")
        return f"text of 1 to {longest} characters" if longest else "text that says something"
    if "gt" in known.bounds:
        return f"{_WORDS[kind]} above {known.bounds['gt']}, up to {most:g}"
    bounds = f" from {least} to {most}" if least is not None else ""
    return f"{_WORDS[kind]}{bounds}"


def _like(known: Setting) -> str:
    return (
        "see docs/settings.md" if known.example is None else f"write it like {toml(known.example)}"
    )


# ---------------------------------------------------------------- names


def _content_of(file: Path, problems: list[str]) -> Mapping[str, Any]:
    """What stands in the file; names that are wrong are problems."""
    try:
        written = tomllib.loads(file.read_bytes()[:_LARGEST_FILE].decode())
    except OSError as error:
        problems.append(f"{file}: cannot be read ({error.strerror}): check the path")
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at [^)]*\)", str(error))
        problems.append(f"{file}: is not TOML {where[0] if where else ''}: correct that place")
    except UnicodeDecodeError:
        problems.append(f"{file}: is not UTF-8: save it as UTF-8")
    else:
        problems += [f"{file}: {fault}" for fault in _wrong_keys(written, PLACES)]
        return written
    return {}


def _wrong_keys(
    written: Mapping[str, Any], known: Mapping[str, Setting] | Mapping[str, Place]
) -> Iterator[str]:
    at_top = known is PLACES
    for key in written:
        if key == "open" and at_top:
            yield "open is not a setting: development without authentication is the option --open"
        elif key in PLACES and PLACES[key].known.secret:
            yield f"{key} does not belong into a file with settings: use {key}_file"
        elif key not in known and key in PLACES:
            yield f"{key} stands below a [[...]] line: write it above the first of them"
        elif key not in known:
            yield f"'{_plain(key)}' is not a setting: {_nearest(key, known)}"


def _nearest(key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    return f"write {near[0]}, or remove it" if near else "remove it"


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = [place.variable for place in PLACES.values() if place.variable]
    for name in sorted(environ):
        if name.startswith("VIALWISE_") and name not in known and not _NOT_OURS.fullmatch(name):
            yield f"{_plain(name)} is not a setting: {_nearest(name, known)}"


def _plain(key: str) -> str:
    """A key that is not a setting, for a message: short, and nothing that a terminal acts on."""
    return "".join(c for c in key if c.isprintable())[:40]


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, frozenset):
        value = sorted(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(toml, value))}]"
    return msgspec.json.encode(value).decode()
