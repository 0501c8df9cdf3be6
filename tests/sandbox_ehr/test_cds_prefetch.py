"""Prefetch templates filled from the records: present, null, left out, and a first page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cds_hooks.services import ORDERS
from sandbox_ehr import charts
from sandbox_ehr.cds_client import filled, from_chart, with_tokens
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.fhir.requests import FhirServer, Pages
from tests.sandbox_ehr.conftest import ADA, FHIR

CONTEXT = {
    "patientId": ADA,
    "encounterId": "enc-ada-winterbourne",
    "userId": "Practitioner/prac-imogen-hartwell",
}
TEMPLATES = {need.key: need.template for need in ORDERS.needs}


@pytest.fixture
def chart(loaded: list[dict[str, Any]]) -> FhirServer:
    return FhirServer(Records.of(loaded), Pages(), charts.PLAIN, FHIR)


@pytest.mark.parametrize(
    ("template", "query"),
    [
        ("Patient/{{context.patientId}}", f"Patient/{ADA}"),
        ("Practitioner/{{userPractitionerId}}", "Practitioner/prac-imogen-hartwell"),
        ("{{context.userId}}", "Practitioner/prac-imogen-hartwell"),
        ("Patient/{{userPatientId}}", None),
        ("PractitionerRole/{{userPractitionerRoleId}}", None),
        ("Encounter/{{context.nothing}}", None),
        ("X?y={{context.draftOrders.entry.resource.id}}", None),
        ("Observation?date=ge{{today() - 90 days}}", None),
        ("Location/1", "Location/1"),
    ],
)
def test_tokens_of_2_0_are_filled_and_others_leave_the_key_out(
    template: str, query: str | None
) -> None:
    assert with_tokens(template, CONTEXT) == query


def test_every_key_of_our_service_is_filled(chart: FhirServer) -> None:
    found = filled(TEMPLATES, CONTEXT, from_chart(chart))
    assert set(found) == set(TEMPLATES)
    patient, coverage = found["patient"], found["coverage"]
    assert patient and patient["id"] == ADA
    assert coverage and coverage["type"] == "searchset" and coverage["entry"]
    weights = found["weight"]
    assert weights and weights["entry"][0]["resource"]["code"]["coding"][0]["code"] == "29463-7"


def test_what_is_not_there_is_an_empty_bundle_or_null(chart: FhirServer) -> None:
    query = {"studies": TEMPLATES["studies"], "gone": "Patient/nobody"}
    found = filled(query, CONTEXT, from_chart(chart))
    assert found["studies"] is not None and "entry" not in found["studies"]
    assert found["gone"] is None
    nulls = replace(chart, quirks=charts.Quirks(name="x", title="x", null_prefetch=True))
    assert filled(query, CONTEXT, from_chart(nulls))["studies"] is None


def test_what_the_ehr_does_not_have_is_left_out(chart: FhirServer) -> None:
    lacks = charts.Quirks(name="x", title="x", absent=frozenset({"MedicationAdministration"}))
    found = filled(TEMPLATES, CONTEXT, from_chart(replace(chart, quirks=lacks)))
    assert "administrations" not in found and "patient" in found


def test_a_small_page_comes_with_a_link_to_the_next(chart: FhirServer) -> None:
    small = charts.Quirks(name="x", title="x", page_default=1)
    found = filled(TEMPLATES, CONTEXT, from_chart(replace(chart, quirks=small)))
    dispenses = found["dispenses"]
    assert dispenses and len(dispenses["entry"]) == 1
    assert any(link["relation"] == "next" for link in dispenses["link"])
