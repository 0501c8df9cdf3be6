"""How real EHRs differ from the book, so that the practice EHR can differ the same way.

data/*.yaml holds the facts with their sources, a file for each EHR. They are what its public
documentation and its own capability statement say; a clinic's system may differ again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

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


def names() -> list[str]:
    """The EHRs this one can be like."""
    return sorted(file.stem for file in _FOLDER.glob("*.yaml"))


def like(name: str) -> Quirks:
    """The ways of one EHR. Raises KeyError for one that is not known."""
    if name not in names():
        raise KeyError(f"no EHR is called {name}: there are {', '.join(names())}")
    said: Any = yaml.safe_load((_FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return msgspec.convert({"name": name, **said}, Quirks)
