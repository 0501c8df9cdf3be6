"""One interaction as it is asked and as it is answered, without HTTP: a request, or an entry of a
batch; and what it works on."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from sandbox_ehr.charts import Quirks
from sandbox_ehr.fhir import searching
from sandbox_ehr.fhir.access import Access
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.records import Records, put

# ---------------------------------------------------------------- further pages

_MOST_SEARCHES = 500


@dataclass(frozen=True, slots=True)
class OpenSearch:
    """The search that is under way: the ids of its matches, the query it came from, and what
    whoever began it may see."""

    resource_type: str
    params: tuple[tuple[str, str], ...]
    matches: tuple[str, ...]
    access: Access


class Pages:
    """Searches under way, by their names."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, OpenSearch] = {}

    def keep(self, rest: OpenSearch) -> str:
        name = secrets.token_urlsafe(18)
        with self._lock:
            put(self._kept, name, rest, _MOST_SEARCHES)
        return name

    def find(self, name: str) -> OpenSearch | None:
        with self._lock:
            return self._kept.get(name)


# ---------------------------------------------------------------- what calls work on


@dataclass(frozen=True, slots=True)
class FhirServer:
    """`base` is the address of the FHIR server, without a slash at its end."""

    records: Records
    pages: Pages
    quirks: Quirks
    base: str


# ---------------------------------------------------------------- a call and its answer

Resource = dict[str, Any]


@dataclass(frozen=True, slots=True)
class FhirRequest:
    """`path` is relative to the FHIR base, in its parts; header names are in lower case.

    `new_id`: what a resource that is created will be called, when that was settled before.
    """

    method: str
    path: tuple[str, ...]
    access: Access
    params: tuple[tuple[str, str], ...] = ()
    body: Resource | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    new_id: str = ""


@dataclass(frozen=True, slots=True)
class FhirResponse:
    """`resource` is the body; None for an answer without one."""

    status: int
    resource: Resource | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def preferred(call: FhirRequest, name: str) -> str:
    """What the caller prefers (RFC 7240): "strict" for `Prefer: handling=strict`."""
    for part in call.headers.get("prefer", "").replace(";", ",").split(","):
        key, _, value = part.strip().partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"').lower()
    return ""


# ---------------------------------------------------------------- If-None-Exist (FHIR R4)

_MOST_PARAMETERS = 200


def query_parameters(query: str) -> list[tuple[str, str]]:
    """The parameters of a query, in order. Raises FhirError (400) for too many."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise FhirError(400, "the query has too many parameters", "too-costly") from None


def already_there(served: FhirServer, access: Access, kind: str, condition: str) -> Resource | None:
    """The one match of the condition. Raises FhirError (412) for several."""
    search = searching.read_search(kind, query_parameters(condition.removeprefix("?")), served.base)
    if not search.used or search.ignored:
        raise FhirError(412, "If-None-Exist names no parameter, or one this server does not know")
    found = [r for r in served.records.matching(search) if access.covers("s", r)]
    if len(found) > 1:
        raise FhirError(412, "If-None-Exist matches more than one", "multiple-matches")
    return found[0] if found else None
