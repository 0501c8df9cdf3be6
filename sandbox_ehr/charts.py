"""The charts the practice EHR opens with, and how real EHRs differ from the book.

data/*.yaml holds the facts with their sources, a file for each EHR. They are what its public
documentation and its own capability statement say; a clinic's system may differ again."""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import yaml

import fixtures

# ----------------------------------------------------------------------
# How real EHRs differ from the book, so that the practice EHR can differ the same way.
#
# data/*.yaml holds the facts with their sources, a file for each EHR. They are what its public
# documentation and its own capability statement say; a clinic's system may differ again.


_FOLDER = Path(__file__).resolve().parent / "data"


class OneOf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A search needs one of these parameters; `code` is the EHR's own number for the error."""

    parameters: tuple[str, ...]
    code: str = ""


class DateForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A date parameter that has to have a prefix and a time of day."""

    parameter: str


class NothingFound(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The OperationOutcome that stands in a Bundle without matches."""

    system: str
    code: str
    text: str


class Quirks(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One EHR's ways. What is left out is as FHIR says.

    `absent`: types it does not have. `only_search`: the parameters it has for a type, where not
    all. `need_one_of`: what a search has to have. `timed_dates`: dates need a prefix and a time.
    `statuses`: those it can be searched by. `page_default`, `page_most`: resources on a page.
    `ids`: the shape of its ids. `nothing_found`: what an empty answer holds. `null_prefetch`: what
    is not found is sent as null to a CDS service. `strict`: parameters it does not know are errors.
    `contained_medications`: a drug stands inside what refers to it. `totals`: whether a Bundle says
    how many match. `sources`: where each of these facts is from.
    """

    name: str
    title: str
    sources: dict[str, str] = {}
    absent: frozenset[str] = frozenset()
    only_search: dict[str, tuple[str, ...]] = {}
    need_one_of: dict[str, OneOf] = {}
    timed_dates: dict[str, DateForm] = {}
    statuses: dict[str, tuple[str, ...]] = {}
    page_default: int = 100
    page_most: int = 1000
    ids: str = "as given"
    nothing_found: NothingFound | None = None
    null_prefetch: bool = False
    strict: bool = False
    contained_medications: bool = False
    totals: bool = True


PLAIN = Quirks(name="plain", title="FHIR as it is written")


def quirk_names() -> list[str]:
    """The EHRs this one can be like."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def quirks_of(name: str) -> Quirks:
    """The ways of one EHR. Raises KeyError for one that is not known."""
    if name not in quirk_names():
        raise KeyError(f"no EHR is called {name}: there are {', '.join(quirk_names())}")
    said: Any = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return msgspec.convert({"name": name, **said}, Quirks)


# ----------------------------------------------------------------------
# The resources the practice EHR opens with, and their ids: the invented charts shown current, or
# a folder's.


Resource = dict[str, Any]
_LARGEST_FILE = 200 * 1024 * 1024
_json = msgspec.json.Decoder(float_hook=Decimal)


class Unreadable(ValueError):
    """A folder or file that holds no resources. The message says which, and what to do."""


def invented(today: date, drafts: bool = True) -> list[Resource]:
    """The fixtures, moved so that what was new on the day they were written is new today."""
    days = (today - fixtures.WRITTEN_ON).days
    return [fixtures.moved(resource, days) for resource in fixtures.resources(drafts)]


def shaped_like(resources: Iterable[Resource], quirks: Quirks) -> list[Resource]:
    """The resources as the EHR of these quirks has them: its ids, and drugs where it puts them."""
    resources = list(resources)
    if quirks.contained_medications:
        drugs = {f"Medication/{r['id']}": r for r in resources if r["resourceType"] == "Medication"}
        resources = [_with_its_drug(r, drugs) for r in resources]
    return with_ids(resources, quirks.ids)


def _with_its_drug(resource: Resource, drugs: Mapping[str, Resource]) -> Resource:
    """The resource with the drug it refers to inside."""
    held = resource.get("medicationReference")
    if not isinstance(held, dict) or held.get("reference", "") not in drugs:
        return resource
    drug = drugs[held["reference"]]
    inside = {name: value for name, value in drug.items() if name != "meta"}
    contained = [*resource.get("contained", ()), {**inside, "id": "its-drug"}]
    return {
        **resource,
        "contained": contained,
        "medicationReference": {**held, "reference": "#its-drug"},
    }


def of_folder(folder: Path) -> list[Resource]:
    """The resources of every .json and .ndjson file below `folder`: single ones, or in Bundles.

    Raises Unreadable.
    """
    files = sorted(f for f in folder.rglob("*") if f.suffix in (".json", ".ndjson"))
    found = [resource for file in files for resource in _of_file(file)]
    if not found:
        raise Unreadable(f"{folder} holds no FHIR resources: name a folder with .json files")
    return found


def _of_file(file: Path) -> Iterator[Resource]:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise Unreadable(f"{file} is larger than 200 MB: split it")
        data = file.read_bytes()
        parts = [data] if file.suffix == ".json" else filter(bytes.strip, data.splitlines())
        values = [_json.decode(part) for part in parts]
    except OSError as error:
        raise Unreadable(f"{file} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, RecursionError):
        raise Unreadable(f"{file} is no JSON: mend it or take it out of the folder") from None
    for value in values:
        yield from _resources(value)


def _resources(value: Any) -> Iterator[Resource]:
    """A resource, or those of a Bundle; what has no type or no id is passed over."""
    if not isinstance(value, dict):
        return
    if value.get("resourceType") == "Bundle":
        entries = value.get("entry")
        for entry in entries if isinstance(entries, list) else ():
            yield from _resources(entry.get("resource") if isinstance(entry, dict) else None)
    elif isinstance(value.get("resourceType"), str) and isinstance(value.get("id"), str):
        yield value


# ---------------------------------------------------------------- ids


AS_GIVEN, LETTERS, DIGITS = "as given", "letters", "digits"
SHAPES = (AS_GIVEN, LETTERS, DIGITS)


def with_ids(resources: Iterable[Resource], shape: str) -> list[Resource]:
    """The resources with ids of this shape, references between them included."""
    resources = list(resources)
    if shape == AS_GIVEN:
        return resources
    names = {
        name: f"{r['resourceType']}/{shaped(name, shape)}"
        for r in resources
        if (name := _reference(r))
    }
    return [{**referring(r, names), "id": shaped(_reference(r), shape)} for r in resources]


def _reference(resource: Resource) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def new_ids(shape: str) -> Callable[[], str]:
    """What gives new resources their ids."""
    if shape == AS_GIVEN:
        return lambda: str(uuid.uuid4())
    return lambda: shaped(str(uuid.uuid4()), shape)


def shaped(name: str, shape: str) -> str:
    """The id of this shape that stands for `name`, always the same."""
    digest = hashlib.sha256(name.encode()).digest()
    if shape == DIGITS:
        return str(10_000_000 + int.from_bytes(digest[:6]) % 9_990_000_000)
    letters = base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
    return f"e{letters.replace('_', '.')}3"


def referring(node: Any, names: Mapping[str, str], key: str = "") -> Any:
    """A copy of a JSON tree in which every reference has its new name, if it has one."""
    if isinstance(node, dict):
        return {name: referring(value, names, name) for name, value in node.items()}
    if isinstance(node, list):
        return [referring(value, names, key) for value in node]
    return names.get(node, node) if key == "reference" and isinstance(node, str) else node
