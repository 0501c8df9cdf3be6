"""Settings from command line, environment and file (TOML), with every problem at once.

pydantic-settings reads and checks them. Here its errors become sentences that end with the remedy
and never repeat a value, which could be secret.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined
from pydantic_settings import EnvSettingsSource, InitSettingsSource, TomlConfigSettingsSource

from service_parts.setting_fields import example_of, is_secret, names_file, settings_of
from vialwise.settings.models import PREFIX, SETTINGS, TABLES, VARIABLES, ServeSettings

CONFIG_VARIABLE = f"{PREFIX}CONFIG"
DEFAULT, FILE, ENVIRONMENT, OPTION = "default", "file", "environment", "command line"
# Set for the tests, or by Kubernetes for a service that is named vialwise.
_NOT_OURS = re.compile(PREFIX + r"(TEST_.*|REFERENCE_DATA|CONFIG|SERVICE_.*|PORT_\d.*)")
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


def read(config: Path | None, options: Mapping[str, Any]) -> Read:
    """The settings. `options` are the command line's; those that are None were not given."""
    file = config or (
        Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None
    )
    found = Read(ServeSettings(), dict.fromkeys(SETTINGS, DEFAULT), file=file)
    given = {name: value for name, value in options.items() if value is not None}
    sources = {
        FILE: _content_of(file, found) if file else {},
        ENVIRONMENT: _Environment(ServeSettings)(),
        OPTION: InitSettingsSource(ServeSettings, given)(),
    }
    found.problems += _unknown_variables(os.environ)
    values: dict[str, Any] = {}
    for origin, written in sources.items():  # the later one wins
        values |= written
        found.origins |= dict.fromkeys(written, origin)
    while True:
        try:
            found.settings = ServeSettings(**values)
            return found
        except ValidationError as error:
            sentences = [_fault_of(fault, values, found) for fault in error.errors()]
            found.problems += dict.fromkeys(sentences)  # a list is named once


# ---------------------------------------------------------------- sources


class _Environment(EnvSettingsSource):
    """The environment writes lists with commas, secrets of one list with spaces."""

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool
    ) -> Any:
        if value is None or field_name not in VARIABLES:
            return None
        of = get_args(field.annotation)
        if of and get_origin(field.annotation) is not Literal:
            separated = value.split() if of[0] is bytes else value.split(",")
            return [part.strip() for part in separated if part.strip()]
        try:
            return TypeAdapter(field.annotation).validate_python(value)
        except ValidationError:
            return value  # the model says what is wrong with it


def _content_of(file: Path, found: Read) -> dict[str, Any]:
    """What stands in the file; what cannot stand there is a problem."""
    try:
        file.open("rb").close()  # the source passes over a file that is not there
        written = TomlConfigSettingsSource(ServeSettings, file)()
    except OSError as error:
        found.problems.append(f"{file}: cannot be read ({error.strerror}): check the path")
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"\(at [^)]*\)", str(error))
        found.problems.append(
            f"{file}: is not TOML {where[0] if where else ''}: correct that place"
        )
    except UnicodeDecodeError:
        found.problems.append(f"{file}: is not UTF-8: save it as UTF-8")
    else:
        return _cleaned(written, SETTINGS, f"{file}: ", "", found)
    return {}


def _cleaned(
    written: Mapping[str, Any], known: Mapping[str, FieldInfo], where: str, table: str, found: Read
) -> dict[str, Any]:
    """What is written without what is not a setting there, and paths as seen from here."""
    assert found.file
    cleaned = dict(written)
    for key, value in written.items():
        if key not in known or is_secret(known[key]):
            found.problems.append(f"{where}{_not_a_setting(key, known)}")
            found.wrong |= {table} - {""}
            del cleaned[key]
        elif key in TABLES and known is SETTINGS and isinstance(value, list):
            own = settings_of(TABLES[key])
            cleaned[key] = [
                _cleaned(entry, own, f"{where}{key}, number {n}: ", key, found)
                if isinstance(entry, dict)
                else entry
                for n, entry in enumerate(value, 1)
            ]
        elif names_file(known[key]) and isinstance(value, str) and value and "://" not in value:
            cleaned[key] = str(found.file.absolute().parent / Path(value).expanduser())
    return cleaned


# ---------------------------------------------------------------- names


def _not_a_setting(key: str, known: Mapping[str, FieldInfo]) -> str:
    if key == "open" and known is SETTINGS:
        return "open is not a setting: development without authentication is the option --open"
    if key in SETTINGS and is_secret(SETTINGS[key]):
        return f"{key} does not belong into a file with settings: use {key}_file"
    if key in SETTINGS:
        return f"{key} stands below a [[...]] line: write it above the first of them"
    return f"'{_plain(key)}' is not a setting: {_nearest(key, known)}"


def _nearest(key: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    return f"write {near[0]}, or remove it" if near else "remove it"


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = VARIABLES.values()
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in known and not _NOT_OURS.fullmatch(name):
            yield f"{_plain(name)} is not a setting: {_nearest(name, known)}"


def _plain(key: str) -> str:
    """A key that is not a setting, for a message: short, and nothing that a terminal acts on."""
    return "".join(c for c in key if c.isprintable())[:40]


# ---------------------------------------------------------------- faults


def _fault_of(fault: ErrorDetails, values: dict[str, Any], found: Read) -> str:
    """A sentence for what pydantic found. In `values` something is put in its place that can be
    used, and hides no other fault: the example, or the default where that says something."""
    name, *rest = fault["loc"]
    assert isinstance(name, str)
    found.wrong.add(name)
    where = {
        OPTION: f"--{name.replace('_', '-')}",
        ENVIRONMENT: VARIABLES.get(name, ""),
        FILE: f"{found.file}: {name}",
    }[found.origins[name]]
    if name not in TABLES:
        values.pop(name, None)
        return f"{where}: is not {_wanted(SETTINGS[name])}: {_like(SETTINGS[name])}"
    if not rest or fault["type"] == "model_type" or name not in values:
        values.pop(name, None)
        return f"{where}: is not a list of tables: head each with [[{name}]]"
    table, position = TABLES[name], int(rest[0])
    entry, where = values[name][position], f"{where}, number {position + 1}"
    if len(rest) == 1:  # its settings do not go together, each of them is right
        values[name][position] = table.model_construct(**entry)
        return f"{where}: {fault['ctx']['error']}"
    key = str(rest[1])
    field = table.model_fields[key]
    if key == next(iter(table.model_fields)):  # what the table goes by in other sentences
        entry[key] = f"number-{position + 1}"
    elif field.default in (PydanticUndefined, "", ()) and not names_file(field):
        entry[key] = example_of(field)
    else:
        entry.pop(key, None)
    if fault["type"] == "missing":
        return f"{where}: {key} is missing: {_like(field)}"
    return f"{where}: {key}: is not {_wanted(field)}: {_like(field)}"


def _wanted(field: FieldInfo) -> str:
    """What a value has to be, in words."""
    if field.title:
        return field.title
    kind, of = field.annotation, get_args(field.annotation)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(of)
    if of:
        return f"a list of {'texts' if of[0] is str else ', '.join(get_args(of[0]))}"
    limits = ("ge", "le", "gt", "min_length", "max_length")
    bounds = {n: getattr(of, n) for of in field.metadata for n in limits if hasattr(of, n)}
    if "min_length" in bounds:
        longest = bounds.get("max_length")
        return f"text of 1 to {longest} characters" if longest else "text that says something"
    if "gt" in bounds:
        return f"{_WORDS[kind]} above {bounds['gt']}, up to {bounds['le']:g}"
    within = f" from {bounds['ge']} to {bounds['le']}" if "ge" in bounds else ""
    return f"{_WORDS[kind]}{within}"


def _like(field: FieldInfo) -> str:
    example = example_of(field)
    return "see docs/settings.md" if example is None else f"write it like {toml(example)}"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, frozenset):
        value = sorted(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(toml, value))}]"
    return msgspec.json.encode(value).decode()
