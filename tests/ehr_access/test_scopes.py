"""SMART scopes of both versions against the queries the service asks: conformance A5.4, B4."""

from __future__ import annotations

import pytest

from ehr_access.query import Query
from ehr_access.scopes import Allowed, Scopes

LAB = "http://terminology.hl7.org/CodeSystem/observation-category|laboratory"
READ = "Patient/1"
SEARCH = "Observation?patient=1&code=http://loinc.org|1"
LABS = f"Observation?patient=1&category={LAB}"
BOTH = "Observation?patient=1&category=laboratory,vital-signs"
ORDERS = "MedicationRequest?patient=1&intent=order,plan"
ALL, SOME, NONE = Allowed.ALL, Allowed.SOME, Allowed.NONE


@pytest.mark.parametrize(
    "scope, query, allowed",
    [
        # version 1
        ("patient/Patient.read", READ, ALL),
        ("patient/Observation.read", SEARCH, ALL),
        ("user/Observation.read", SEARCH, ALL),
        ("system/Observation.read", SEARCH, ALL),
        ("patient/*.read", SEARCH, ALL),
        ("patient/*.*", SEARCH, ALL),
        ("patient/Observation.*", SEARCH, ALL),
        ("patient/Observation.write", SEARCH, NONE),
        ("patient/*.write", READ, NONE),
        ("patient/Condition.read", SEARCH, NONE),
        # version 2
        ("patient/Observation.rs", SEARCH, ALL),
        ("patient/Observation.s", SEARCH, ALL),
        ("patient/Observation.cruds", SEARCH, ALL),
        ("patient/*.rs", SEARCH, ALL),
        ("patient/Patient.r", READ, ALL),
        ("patient/Observation.r", SEARCH, NONE),
        ("patient/Patient.s", READ, NONE),
        ("patient/Observation.cud", SEARCH, NONE),
        ("patient/Observation.sr", SEARCH, NONE),  # letters out of order are no scope
        ("patient/Observation.", SEARCH, NONE),
        ("patient/Observation.rsx", SEARCH, NONE),
        # granular
        (f"patient/Observation.rs?category={LAB}", SEARCH, SOME),
        (f"patient/Observation.rs?category={LAB}", LABS, ALL),
        ("patient/Observation.rs?category=laboratory", LABS, ALL),
        ("patient/Observation.rs?category=laboratory", BOTH, SOME),
        (f"patient/Observation.rs?category={LAB}", BOTH, SOME),
        ("patient/Observation.rs?category=laboratory,vital-signs", BOTH, ALL),
        (
            "patient/Observation.rs?category=laboratory "
            "patient/Observation.rs?category=vital-signs",
            BOTH,
            ALL,
        ),
        ("patient/Observation.rs?category=laboratory patient/Observation.rs", SEARCH, ALL),
        ("patient/Observation.rs?category=laboratory&status=final", LABS, SOME),
        ("patient/MedicationRequest.rs?intent=order", ORDERS, SOME),
        ("patient/Observation.r?category=laboratory", SEARCH, NONE),
        ("patient/Observation.rs?", SEARCH, NONE),
        # no scope on FHIR data, or none at all
        ("", SEARCH, NONE),
        ("openid fhirUser launch launch/patient offline_access", SEARCH, NONE),
        (
            "patient.Observation.read patient/observation.read Observation.read */*.read",
            SEARCH,
            NONE,
        ),
        ("patient/Observation.read\tpatient/Patient.read\nlaunch", READ, ALL),
        ("patient/ObservationX.read patient/Obs*.read", SEARCH, NONE),
    ],
)
def test_a_scope_allows_what_it_says(scope: str, query: str, allowed: Allowed) -> None:
    assert Scopes.parse(scope).allow(Query.parse(query)) is allowed
