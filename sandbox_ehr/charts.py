"""The resources the practice EHR opens with: the invented charts shown current, or a folder's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

import fixtures
from sandbox_ehr import ids
from sandbox_ehr.quirks import Quirks

Resource = dict[str, Any]
_LARGEST_FILE = 200 * 1024 * 1024
_json = msgspec.json.Decoder(float_hook=Decimal)


class Unreadable(ValueError):
    """A folder or file that holds no resources. The message says which, and what to do."""


def invented(today: date, drafts: bool = True) -> list[Resource]:
    """The fixtures, moved so that what was new on the day they were written is new today."""
    days = (today - fixtures.WRITTEN_ON).days
    return [fixtures.moved(resource, days) for resource in fixtures.resources(drafts)]


def like(resources: Iterable[Resource], quirks: Quirks) -> list[Resource]:
    """The resources as the EHR of these quirks has them: its ids, and drugs where it puts them."""
    resources = list(resources)
    if quirks.contained_medications:
        drugs = {f"Medication/{r['id']}": r for r in resources if r["resourceType"] == "Medication"}
        resources = [_with_its_drug(r, drugs) for r in resources]
    return ids.renamed(resources, quirks.ids)


def _with_its_drug(resource: Resource, drugs: Mapping[str, Resource]) -> Resource:
    """The resource with the drug it refers to inside."""
    held = resource.get("medicationReference")
    drug = drugs.get(held.get("reference", "")) if isinstance(held, dict) else None
    if drug is None:
        return resource
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
        values = [_json.decode(data)] if file.suffix == ".json" else _lines(data)
    except OSError as error:
        raise Unreadable(f"{file} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, RecursionError):
        raise Unreadable(f"{file} is no JSON: mend it or take it out of the folder") from None
    for value in values:
        yield from _resources(value)


def _lines(data: bytes) -> Iterable[Any]:
    return [_json.decode(line) for line in data.splitlines() if line.strip()]


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
