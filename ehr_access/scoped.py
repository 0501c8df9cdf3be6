"""Queries a token's scope allows are asked, the others are not; and the query a reference means."""

from __future__ import annotations

from collections.abc import Mapping

from billing_rules.fhir.json.decoding import Part
from billing_rules.model.states import Nothing, Present, Unknown
from ehr_access import limits
from ehr_access.base import AddressRefused, FhirBase
from ehr_access.client import EhrClient
from ehr_access.limits import Deadline
from ehr_access.query import Query, QueryRefused
from ehr_access.scopes import Allowed, Scopes


def fetch(
    client: EhrClient, scopes: Scopes, queries: Mapping[str, Query], deadline: Deadline
) -> dict[str, Part]:
    """Every query's answer by its key; what `scopes` do not allow is unknown without asking."""
    allowed = {key: scopes.allow(query) for key, query in queries.items()}
    askable = {k: q for k, q in queries.items() if allowed[k] is not Allowed.NONE}
    answers = client.fetch(askable, deadline) if askable else {}
    return {
        key: _judged(answers.get(key, limits.NOT_IN_SCOPE), queries[key], allowed[key])
        for key in queries
    }


def query_of(reference: str, base: FhirBase) -> Query | None:
    """The read that a reference means: relative, or absolute inside `base`."""
    try:
        relative = base.resolve(reference)[len(base.url) :]
        kind, _, id_ = relative.partition("/_history/")[0].strip("/").partition("/")
        return Query(kind, id_) if id_ and "#" not in reference else None
    except (AddressRefused, QueryRefused):
        return None


def _judged(answer: Part, query: Query, allowed: Allowed) -> Part:
    """Of a granular scope what was found counts, and what was not found proves nothing."""
    if allowed is not Allowed.SOME or isinstance(answer, Unknown):
        return answer
    if isinstance(answer, Nothing) or not (query.each_counts or query.newest_first):
        return limits.PART_IN_SCOPE
    return Present((*answer.value, limits.PART_IN_SCOPE))
