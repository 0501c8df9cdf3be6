"""The practice EHR as the demo runs it: beside the CDS service, and trusted by it.

Each knows the other as strangers do: the service has the EHR registered with the address of its
keys and of its FHIR server, the EHR the address of the service.
"""

from __future__ import annotations

from datetime import date

from flask import Flask

from cds_hooks.trusted_clients import Client
from sandbox_ehr import charts
from sandbox_ehr.app import create_app
from sandbox_ehr.desk.views import JWKS_PATH
from sandbox_ehr.records import Records
from sandbox_ehr.settings import CdsService, Settings
from sandbox_ehr.settings import Client as App

SERVICE_AT_EHR = "vialwise"  # the service's client id at the EHR
WORKERS = 1  # what it keeps is in its memory


def registration(url: str) -> Client:
    """The practice EHR at `url` as the service registers it."""
    return Client(
        iss=url,
        jku=f"{url}{JWKS_PATH}",
        fhir_bases=frozenset({f"{url}/fhir"}),
        subject=SERVICE_AT_EHR,
    )


def application(url: str, service_url: str, today: date, apps: tuple[App, ...] = ()) -> Flask:
    """The practice EHR at `url`, its charts current on `today`; `apps` can be opened from it."""
    settings = Settings(
        base_url=url,
        today=today,
        clients=apps,
        cds_services=(CdsService(service_url, "Vialwise", SERVICE_AT_EHR, trace=True),),
    )
    return create_app(Records.of(charts.invented(today)), settings)
