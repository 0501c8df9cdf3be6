"""Settings from command line, environment and file (TOML), with every problem at once.

A problem is one sentence that ends with the remedy, and never repeats a value: it could be secret.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from vialwise import settings
from vialwise.settings import ClientTable, EhrTable, LinkTable, QuietTable, ServeSettings, Table

CONFIG_VARIABLE = "VIALWISE_CONFIG"
DEFAULT, FILE, ENVIRONMENT, OPTION = "default", "file", "environment", "command line"
TABLES: Mapping[str, Table] = {
    "clients": ClientTable,
    "links": LinkTable,
    "ehrs": EhrTable,
    "quiet": QuietTable,
}
# Set for the tests, or by Kubernetes for a service that is named vialwise.
_NOT_OURS = re.compile(r"VIALWISE_(TEST_.*|REFERENCE_DATA|CONFIG|SERVICE_.*|PORT_\d.*)")
_LARGEST_FILE = 1_000_000


@dataclass
class Read:
    """`settings` holds defaults where there are problems; `origins` says where each is from."""

    settings: ServeSettings
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    file: Path | None = None


def read(config: Path | None, environ: Mapping[str, str], options: Mapping[str, Any]) -> Read:
    """The settings. `options` are the command line's; those that are None were not given."""
    problems: list[str] = []
    file = config or (Path(environ[CONFIG_VARIABLE]) if environ.get(CONFIG_VARIABLE) else None)
    said = _said_in(file, problems) if file else {}
    problems += _unknown_variables(environ)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for name in settings.names(ServeSettings):
        origins[name] = DEFAULT
        for origin, place, raw in _sources(name, said, environ, options, file):
            found = _value(name, raw, place, origin, file, problems)
            if found is not msgspec.UNSET:
                values[name], origins[name] = found, origin
            break
    return Read(ServeSettings(**values), origins, problems, file)


def _sources(
    name: str,
    said: Mapping[str, Any],
    environ: Mapping[str, str],
    options: Mapping[str, Any],
    file: Path | None,
) -> Iterator[tuple[str, str, Any]]:
    """Where the setting stands, the most particular first: origin, its name there, its value."""
    if options.get(name) is not None:
        yield OPTION, f"--{name.replace('_', '-')}", options[name]
    variable = settings.variable(name)
    if settings.in_environment(name) and environ.get(variable, "") != "":
        yield ENVIRONMENT, variable, environ[variable]
    if name in said:
        yield FILE, f"{file}: {name}", said[name]


# ---------------------------------------------------------------- the file


def _said_in(file: Path, problems: list[str]) -> Mapping[str, Any]:
    """What the file says, without the keys that no setting has."""
    try:
        content = file.read_bytes()[:_LARGEST_FILE]
        said = tomllib.loads(content.decode())
    except OSError as error:
        problems.append(f"{file}: cannot be read ({error.strerror}): check the path")
        return {}
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at [^)]*\)", str(error))
        problems.append(f"{file}: is not TOML {where[0] if where else ''}: mend that place")
        return {}
    except UnicodeDecodeError:
        problems.append(f"{file}: is not UTF-8: save it as UTF-8")
        return {}
    problems += [f"{file}: {fault}" for fault in _wrong_keys(said, ServeSettings)]
    known = settings.names(ServeSettings)
    return {k: v for k, v in said.items() if k in known and k not in settings.ENVIRONMENT_ONLY}


def _wrong_keys(said: Mapping[str, Any], table: Table) -> Iterator[str]:
    known = settings.names(table)
    for key in said:
        if key == "open" and table is ServeSettings:
            yield "open is no setting: development without authentication is the option --open"
        elif key in settings.ENVIRONMENT_ONLY:
            yield f"{key} does not belong into a file with settings: use {key}_file"
        elif key not in known and key in settings.names(ServeSettings):
            yield f"{key} stands below a [[...]] line: write it above the first of them"
        elif key not in known:
            yield f"'{_plain(key)}' is no setting: {_nearest(key, known)}"


def _nearest(key: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    return f"write {near[0]}, or remove it" if near else "remove it"


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = [
        settings.variable(n) for n in settings.names(ServeSettings) if settings.in_environment(n)
    ]
    for name in sorted(environ):
        ours = name.startswith(settings.PREFIX) and not _NOT_OURS.fullmatch(name)
        if ours and name not in known:
            yield f"{_plain(name)} is no setting: {_nearest(name, tuple(known))}"


# ---------------------------------------------------------------- values


def _value(
    name: str, raw: Any, place: str, origin: str, file: Path | None, problems: list[str]
) -> Any:
    """`raw` as the setting's type; UNSET, and a problem, when it is none."""
    if name in TABLES:
        return _tables(TABLES[name], raw, place, file, problems)
    if origin == ENVIRONMENT and isinstance(settings.default(ServeSettings, name), tuple):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    value = _converted(ServeSettings, name, raw, place, origin != FILE, problems)
    return _located(name, value, file) if origin == FILE else value


def _converted(
    table: Table, name: str, raw: Any, place: str, lax: bool, problems: list[str]
) -> Any:
    try:
        return msgspec.convert(raw, settings.type_of(table, name), strict=not lax)
    except (msgspec.ValidationError, ValueError) as error:
        problems.append(f"{place}: {_why(error)}: {_written(table, name)}")
        return msgspec.UNSET


def _why(error: Exception) -> str:
    """msgspec's own words, which name types and bounds and never the value."""
    if not isinstance(error, msgspec.ValidationError):
        return "cannot be read"
    why = str(error).partition(" - at ")[0].replace("`", "")
    return why[:1].lower() + why[1:]


def _written(table: Table, name: str) -> str:
    examples = settings.meta(table, name).examples
    return f"write it like {toml(examples[0])}" if examples else "see docs/settings.md"


def _tables(
    table: Table, raw: Any, place: str, file: Path | None, problems: list[str]
) -> tuple[Any, ...]:
    """Those of a list of tables that are right; the others are problems."""
    name = place.rpartition(" ")[2]
    if not isinstance(raw, list) or not all(isinstance(entry, dict) for entry in raw):
        problems.append(f"{place}: is no list of tables: head each with [[{name}]]")
        return ()
    made = (
        _table(table, entry, f"{place}, number {n}", file, problems)
        for n, entry in enumerate(raw, 1)
    )
    return tuple(entry for entry in made if entry is not None)


def _table(
    table: Table, said: Mapping[str, Any], place: str, file: Path | None, problems: list[str]
) -> Any:
    """The table; None, and problems, when there is anything wrong with it."""
    before = len(problems)
    problems += [f"{place}: {fault}" for fault in _wrong_keys(said, table)]
    values = {
        name: _located(
            name, _converted(table, name, said[name], f"{place}: {name}", False, problems), file
        )
        for name in settings.names(table)
        if name in said
    }
    for name in settings.names(table):
        if name not in said and settings.default(table, name) is msgspec.NODEFAULT:
            problems.append(f"{place}: {name} is missing: {_written(table, name)}")
    return table(**values) if len(problems) == before else None


def _located(name: str, value: Any, file: Path | None) -> Any:
    """A path in a file is relative to that file; a database may be an address instead."""
    is_path = name in settings.PATHS or (name == "database" and "://" not in str(value))
    if is_path and isinstance(value, str) and value and file:
        return str(file.absolute().parent / Path(value).expanduser())
    return value


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(toml, value))}]"
    return msgspec.json.encode(value).decode()


def _plain(key: str) -> str:
    """A key that is no setting, for a message: short, and without what a terminal acts on."""
    return "".join(c for c in key if c.isprintable())[:40]
