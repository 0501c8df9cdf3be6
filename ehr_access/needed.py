"""The queries of billing_rules.data_needed, for one patient."""

from __future__ import annotations

from billing_rules.data_needed import DataNeed
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
