"""Another patient's data is seen, at a glance or one by one; both say the same of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_hooks.patient_match import about, is_anothers, names_nobody_else

REFERENCES = st.sampled_from([
    "Patient/me", "Patient/other", "Patient/me2", "Patient/me/_history/2", "Patient/other/",
    "https://ehr.example/fhir/Patient/other", "https://ehr.example/fhir/Patient/me", " Patient/x ",
    "Patient/", "Patient", "Group/me", "Patient//other", "OldPatient/other", 'Patient/m"e', "",
])  # fmt: skip
SUBJECT = st.fixed_dictionaries({"reference": REFERENCES}) | st.none() | st.text(max_size=3)
RESOURCE = st.fixed_dictionaries(
    {"resourceType": st.sampled_from(["Observation", "Patient", "Group"]), "id": REFERENCES},
    optional=dict.fromkeys(("subject", "patient", "beneficiary", "individual", "x"), SUBJECT),
)


def written(resource: Any, escape: int) -> bytes:
    """As JSON, which may hide a slash or a letter behind an escape."""
    text = json.dumps(resource)
    hidden = (text, text.replace("/", "\\/"), text.replace("Patient", "P\\u0061tient"))
    return hidden[escape].encode()


@given(RESOURCE, st.integers(0, 2))
def test_what_passes_at_a_glance_is_nobody_elses(resource: Any, escape: int) -> None:
    raw = written(resource, escape)
    told = about(raw)
    assert told is not None
    if names_nobody_else(raw, "me"):
        assert not is_anothers(told, "me")


@pytest.mark.parametrize("reference", ["Patient/me", "https://ehr.example/fhir/Patient/me"])
def test_the_patients_own_data_passes_at_a_glance(reference: str) -> None:
    raw = written({"resourceType": "Observation", "subject": {"reference": reference}}, 0)
    assert names_nobody_else(raw, "me")


@pytest.mark.parametrize("escape", [0, 1, 2])
def test_another_patient_does_not(escape: int) -> None:
    raw = written({"resourceType": "Observation", "subject": {"reference": "Patient/you"}}, escape)
    assert not names_nobody_else(raw, "me")


def test_a_patient_record_is_always_looked_at() -> None:
    assert not names_nobody_else(written({"resourceType": "Patient", "id": "you"}, 0), "me")
