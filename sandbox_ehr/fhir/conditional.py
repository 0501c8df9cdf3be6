"""`If-None-Exist`: create only what is not there yet (FHIR R4, "http", 3.1.0.8.1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from sandbox_ehr.fhir import searching
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.served import Served
from sandbox_ehr.smart.access import Access

Resource = dict[str, Any]
_MOST_PARAMETERS = 200


def parameters(query: str) -> list[tuple[str, str]]:
    """The parameters of a query, in order. Raises FhirError (400) for too many."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        raise FhirError(400, "the query has too many parameters", "too-costly") from None


def already_there(served: Served, access: Access, kind: str, condition: str) -> Resource | None:
    """The one match of the condition. Raises FhirError (412) for several."""
    search = searching.read(kind, parameters(condition.removeprefix("?")), served.base)
    if not search.used or search.ignored:
        raise FhirError(412, "If-None-Exist names no parameter, or one this server does not know")
    found = [r for r in served.records.matching(search) if access.covers("s", r)]
    if len(found) > 1:
        raise FhirError(412, "If-None-Exist matches more than one", "multiple-matches")
    return found[0] if found else None
