"""A FHIR read or search, written the way prefetch templates are: `Observation?patient=1&code=2`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote, urlencode

from billing_rules.data_needed import DATA_NEEDED, DataNeed

# No '&' or '/' fits through, so an id cannot change the query it is put into.
# FHIR says 64 characters of A-Z a-z 0-9 - and '.'; real servers send longer ones, with _ and ~.
ID = re.compile(r"[A-Za-z0-9._~-]{1,256}")
_TYPE = re.compile(r"[A-Z][A-Za-z]{2,63}")


class QueryRefused(ValueError):
    """A query that must not be sent. The message does not repeat what it was about."""


@dataclass(frozen=True, slots=True, repr=False)
class Query:
    """A read (`id` given) or a search (`params`). Its repr hides whom it is about.

    `newest_first`: the search is sorted and counted, so its first page with a match is a whole
    answer; an empty page that names a next one proves nothing.
    `each_counts`: every resource is evidence by itself, so what was found is kept when the rest
    could not be had (billing_rules.data_needed.DataNeed).
    `begin_at`: a next link that somebody else was given; the search goes on from there.
    """

    resource_type: str
    id: str = ""
    params: tuple[tuple[str, str], ...] = ()
    newest_first: bool = False
    each_counts: bool = False
    begin_at: str = ""

    def __post_init__(self) -> None:
        if not _TYPE.fullmatch(self.resource_type):
            raise QueryRefused("the query names no FHIR resource type")
        if self.id and (not ID.fullmatch(self.id) or set(self.id) == {"."}):
            raise QueryRefused("the query holds an id that no FHIR server gives")

    def __repr__(self) -> str:
        return f"<Query {self.resource_type}>"

    @classmethod
    def parse(cls, text: str, newest_first: bool = False, each_counts: bool = False) -> Query:
        """`Patient/123` or `Observation?patient=123&code=...`. Raises QueryRefused."""
        path, mark, parameters = text.partition("?")
        resource_type, _, id_ = path.partition("/")
        if bool(mark) == bool(id_):
            raise QueryRefused("a query is either Type/id or Type?name=value")
        params = tuple(parse_qsl(parameters, keep_blank_values=True))
        return cls(resource_type, id_, params, newest_first, each_counts)

    @property
    def relative_url(self) -> str:
        if self.id:
            return f"{self.resource_type}/{quote(self.id, safe='')}"
        # Token bars and lists stay readable: some servers compare them before decoding. Slashes do
        # not: a proxy that makes one of two (the SMART launcher's does) would turn the code system
        # http://loinc.org into another, and the search into one that finds nothing.
        return f"{self.resource_type}?{urlencode(self.params, safe=',|:')}"

    def names(self) -> frozenset[str]:
        """The search parameters, without their modifiers."""
        return frozenset(name.partition(":")[0] for name, _ in self.params)

    def without(self, unwanted: frozenset[str]) -> Query:
        kept = tuple(p for p in self.params if p[0].partition(":")[0] not in unwanted)
        return replace(self, params=kept)

    def plus(self, name: str, value: str) -> Query:
        return replace(self, params=(*self.params, (name, value)))


# ----------------------------------------------------------------------
# A search asked again with every status named, for servers that answer 400 to one without.
#
# US Core, "Search Criteria": a server may require `status`; then naming them all asks the same.
# The codes are those of FHIR R4's required value sets, from each type's `status` element.


_OF_GIVING = "completed entered-in-error in-progress not-done on-hold stopped unknown"
_OF_FINANCES = "active cancelled draft entered-in-error"
STATUSES = {
    "ClaimResponse": _OF_FINANCES,
    "Coverage": _OF_FINANCES,
    "MedicationAdministration": _OF_GIVING,
    "MedicationDispense": "cancelled completed declined entered-in-error in-progress on-hold "
    "preparation stopped unknown",
    "MedicationRequest": "active cancelled completed draft entered-in-error on-hold stopped "
    "unknown",
    "MedicationStatement": "active completed entered-in-error intended not-taken on-hold stopped "
    "unknown",
    "Observation": "amended cancelled corrected entered-in-error final preliminary registered "
    "unknown",
    "Procedure": f"{_OF_GIVING} preparation",
    "ResearchSubject": "candidate eligible follow-up ineligible not-registered off-study on-study "
    "on-study-intervention on-study-observation pending-on-study potential-candidate screening "
    "withdrawn",
}


def with_every_status(query: Query) -> Query | None:
    """`query` with each status of its type; None when it names one already, or its type has none,
    or it is a further page."""
    statuses = STATUSES.get(query.resource_type, "")
    if not statuses or query.begin_at or "status" in query.names():
        return None
    return query.plus("status", ",".join(statuses.split()))


# ----------------------------------------------------------------------
# The queries of billing_rules.data_needed, for one patient.


def query_for(need: DataNeed, patient_id: str, encounter_id: str) -> Query | None:
    """The query, or None when an id it needs is not known or not one."""
    text = need.template
    for token, id_ in (("patientId", patient_id), ("encounterId", encounter_id)):
        token = f"{{{{context.{token}}}}}"
        if token in text and not ID.fullmatch(id_):
            return None
        text = text.replace(token, id_)
    return Query.parse(text, need.newest_first, need.each_counts)


def queries_for(patient_id: str, encounter_id: str) -> dict[str, Query]:
    """The queries for everything the rules live on, by key; one that lacks an id is left out."""
    found = {need.key: query_for(need, patient_id, encounter_id) for need in DATA_NEEDED}
    return {key: query for key, query in found.items() if query is not None}
