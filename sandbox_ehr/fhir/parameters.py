"""The search parameters of every type this server keeps, from search_parameters.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import yaml

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


def of(resource_type: str) -> dict[str, Parameter]:
    """Every parameter of a type by its name; none for a type that is not kept."""
    return dict(_OF_TYPE.get(resource_type, {}))
