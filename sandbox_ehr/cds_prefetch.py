"""Prefetch templates, filled as an EHR fills them (CDS Hooks 2.0.1, "Prefetch Template").

A key whose tokens cannot be filled is left out, as the CDS Hooks Sandbox does; the service then
fetches it, or does without.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from sandbox_ehr.fhir import interactions
from sandbox_ehr.fhir.call import Call
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.served import Served
from sandbox_ehr.smart.access import Access

Resource = dict[str, Any]
# A relative FHIR query ("Patient/1", "Coverage?patient=1") -> what it found; None for nothing.
# Raises LookupError for what this EHR does not answer: the key is then left out.
LookUp = Callable[[str], Resource | None]

_TOKEN = re.compile(r"\{\{\s*([^{}]*?)\s*\}\}")
_USERS = {
    "userPractitionerId": "Practitioner",
    "userPractitionerRoleId": "PractitionerRole",
    "userPatientId": "Patient",
    "userRelatedPersonId": "RelatedPerson",
}


def filled(
    templates: Mapping[str, str], context: Mapping[str, Any], look_up: LookUp
) -> dict[str, Resource | None]:
    """The prefetch of one request: `null` where the EHR looked and found nothing."""
    found: dict[str, Resource | None] = {}
    for key, template in templates.items():
        query = with_tokens(template, context)
        if query is None:
            continue
        try:
            found[key] = look_up(query)
        except LookupError:
            continue
    return found


def with_tokens(template: str, context: Mapping[str, Any]) -> str | None:
    """The query, or None when it names something that a 2.0 client cannot fill."""
    values = {token: _value(token, context) for token in _TOKEN.findall(template)}
    if None in values.values():
        return None
    return _TOKEN.sub(lambda found: str(values[found[1]]), template)


def _value(token: str, context: Mapping[str, Any]) -> str | None:
    """Tokens are the context's own texts and the user's id by type, and nothing else."""
    if token.startswith("context."):
        value = context.get(token.removeprefix("context."))
        return value if isinstance(value, str) and value else None
    kind, _, id_ = str(context.get("userId", "")).partition("/")
    return id_ if id_ and _USERS.get(token) == kind else None


def from_chart(served: Served) -> LookUp:
    """Queries answered as this EHR's own FHIR server answers them, quirks included."""

    def look_up(query: str) -> Resource | None:
        path, _, params = query.partition("?")
        asked = tuple(parse_qsl(params, keep_blank_values=True))
        call = Call("GET", tuple(path.split("/")), Access(everything=True), asked)
        try:
            found = interactions.answer(served, call).resource
        except FhirError as error:
            if error.status in (404, 410) and "?" not in query:
                return None
            raise LookupError(query) from None
        empty = found is not None and "?" in query and not found.get("entry")
        return None if empty and served.quirks.null_prefetch else found

    return look_up
