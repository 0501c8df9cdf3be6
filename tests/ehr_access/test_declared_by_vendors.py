"""What is asked of servers that declare what the vendors' public servers did (conformance D7)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.model.states import Unknown
from ehr_access import limits
from ehr_access.client import EhrClient
from ehr_access.query import query_for
from sandbox_ehr.moods import Reply
from tests.practice_ehr import Ehr, bundle, declares

# type -> its search parameters; types of the four of which docs/conformance.md lists no parameter
# are searched by patient
COMMON = {
    "Patient": "_id",
    "Encounter": "_id patient",
    "MedicationRequest": "patient intent status",
    "AllergyIntolerance": "patient",
    "Procedure": "patient",
}
VENDORS = {
    "Epic": {
        **COMMON,
        "MedicationAdministration": "patient effective-time status context request performer",
        "Medication": "_id",
        "Condition": "patient category clinical-status code",
        "Observation": "patient category code date",
        "Coverage": "patient status",
    },
    "Oracle": {
        **COMMON,
        "MedicationAdministration": "patient _id status performer effective-time",
        "Condition": "patient category clinical-status encounter",
        "Observation": "patient category code date",
        "Coverage": "patient",
    },
    "MEDITECH": {
        **COMMON,
        "Medication": "_id",
        "Condition": "patient category clinical-status code",
        "Observation": "patient category code date",
        "Coverage": "patient",
    },
    "eClinicalWorks": {
        **COMMON,
        "MedicationAdministration": "_id patient context status",
        "Medication": "_id",
        "Condition": "patient category encounter",
        "Observation": "patient category code date",
        "Coverage": "patient",
    },
}
RESULTS = {"_sort", "_count", "_include", "_id"}  # no search parameters of a type


@pytest.mark.parametrize("vendor", VENDORS)
def test_d7_only_what_a_vendor_declares_is_asked(ehr: Ehr, client: EhrClient, vendor: str) -> None:
    declared = VENDORS[vendor]
    declares(ehr, **declared)
    for kind in declared:
        ehr.replies[f"/fhir/{kind}"] = Reply(bundle())
    queries = {need.key: query_for(need, "1", "2") for need in DATA_NEEDED}
    answers = client.fetch({key: query for key, query in queries.items() if query})
    for path in ehr.asked:
        parts = urlsplit(path)
        kind = parts.path.split("/")[2]
        asked = set(parse_qs(parts.query))
        assert kind == "metadata" or asked <= set(declared[kind].split()) | RESULTS, path
        assert not asked or "patient" in asked, "never a search of everybody"
    for need in DATA_NEEDED:
        if need.resource_type not in declared:
            assert answers[need.key] == limits.not_offered(need.resource_type)


def test_d7_without_administrations_nothing_is_called_missing(ehr: Ehr, client: EhrClient) -> None:
    declares(ehr, **VENDORS["MEDITECH"])
    need = next(n for n in DATA_NEEDED if n.resource_type == "MedicationAdministration")
    answer = client.one(query_for(need, "1", "2"))
    assert isinstance(answer, Unknown) and "does not offer" in answer.because
