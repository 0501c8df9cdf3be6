"""Charts of the practice EHR, and a window on one patient of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import DATA_NEEDED
from ehr_access.base import FhirBase
from ehr_access.client import EhrClient
from ehr_access.scopes import Scopes
from ehr_access.server_metadata import Capabilities
from ehr_access.transport import Transport
from sandbox_ehr.moods import small_pages
from smart_app.chart.patient_record import ORDER_TYPES
from smart_app.launch.services import Installation
from smart_app.launch.window import Role, User, Window
from tests.practice_ehr import Ehr

TODAY = date(2026, 11, 24)
TYPES = tuple(
    dict.fromkeys([*(n.resource_type for n in DATA_NEEDED), *ORDER_TYPES, "Medication", "Claim"])
)
Resource = dict[str, Any]


def serve(ehr: Ehr, resources: Iterable[Resource], page: int = 1000) -> None:
    """These charts and no others, `page` resources of a search at a time."""
    ehr.hold(resources)
    ehr.be(small_pages(page))


def chart_of(patient_id: str, *orders: str) -> list[Resource]:
    """A patient's chart with the named draft orders in it."""
    return [*fixtures.patient_everything(patient_id), *(fixtures.order(name) for name in orders)]


def window_on(ehr: Ehr, patient_id: str, scopes: str = "patient/*.rs", **changes: Any) -> Window:
    """A launched window on `patient_id` of the practice EHR."""
    transport, base = Transport(), FhirBase.parse(ehr.url)
    window = Window(
        id="w1",
        ehr_id="practice",
        ehr_name="Practice EHR",
        fhir_base=ehr.url,
        ehr=EhrClient(base, transport, Capabilities(transport)),
        patient_id=patient_id,
        encounter_id="",
        user=User("Practitioner/prac-imogen-hartwell", "Dr. Imogen Hartwell", Role.CLINICIAN),
        scopes=Scopes.parse(scopes),
    )
    return replace(window, **changes)


def running_with(catalogue: Catalogue) -> Installation:
    return Installation(catalogue, today=lambda: TODAY)
