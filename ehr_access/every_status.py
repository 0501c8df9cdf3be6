"""A search asked again with every status named, for servers that answer 400 to one without.

US Core, "Search Criteria": a server may require `status`; then naming them all asks the same. The
codes are those of FHIR R4's required value sets, from each type's `status` element.
"""

from __future__ import annotations

from ehr_access.query import Query

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
