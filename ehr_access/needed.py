"""The queries of billing_rules.data_needed, for one patient."""

from __future__ import annotations

from billing_rules.data_needed import DATA_NEEDED, DataNeed
from ehr_access.query import ID, Query


def query_for(need: DataNeed, patient_id: str, encounter_id: str) -> Query | None:
    """The query, or None when an id it needs is not known or is none."""
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
