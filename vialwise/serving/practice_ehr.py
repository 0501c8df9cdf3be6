"""The practice EHR as the demo runs it: beside the CDS service and the app, and trusted by them.

They know each other as strangers do: the service has the EHR registered with the addresses of its
keys and of its FHIR server, the EHR has the app registered with its launch and redirect addresses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from flask import Flask

from cds_hooks.settings import Client
from sandbox_ehr import charts
from sandbox_ehr.app import create_app
from sandbox_ehr.desk.new_orders import PHYSICIAN_REFERENCE
from sandbox_ehr.desk.views import JWKS_PATH
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.settings import CdsService, EhrSettings
from sandbox_ehr.settings import RegisteredApp as App
from smart_app.settings import WRITABLE, RegisteredEhr
from vialwise.settings.models import APP

SERVICE_AT_EHR = "vialwise"  # the service's client id at the EHR
APP_AT_EHR = "vialwise-app"
WORKERS = 1  # what it keeps is in its memory


def registration(url: str) -> Client:
    """The practice EHR at `url` as the service registers it."""
    return Client(
        iss=url,
        jku=f"{url}{JWKS_PATH}",
        fhir_base=f"{url}/fhir",
        subject=SERVICE_AT_EHR,
    )


def app_at(service_url: str) -> App:
    """Vialwise's app as it is registered at the EHR."""
    own = f"{service_url}{APP}"
    return App(
        APP_AT_EHR, "Vialwise", redirect_uris=(f"{own}/callback",), launch_url=f"{own}/launch"
    )


def ehr_at(url: str) -> RegisteredEhr:
    """The practice EHR at `url` as the app registers it."""
    return RegisteredEhr(
        id="practice",
        name="Practice EHR",
        fhir_base=f"{url}/fhir",
        client_id=APP_AT_EHR,
        frame_ancestors=(url,),
        writes=WRITABLE,
        owners=frozenset({PHYSICIAN_REFERENCE}),
    )


def application(
    url: str,
    service_url: str,
    today: date,
    apps: tuple[App, ...] = (),
    more: Sequence[Mapping[str, Any]] = (),
) -> Flask:
    """The practice EHR at `url`, its charts current on `today`; `apps` can be opened from it, and
    `more` resources stand in its charts.

    The charts hold no drafts: the desk writes those of its own, and others of the same visit would
    count as one dose with them.
    """
    settings = EhrSettings(
        base_url=url,
        today=today,
        clients=apps,
        cds_services=(CdsService(service_url, "Vialwise", SERVICE_AT_EHR, trace=True),),
    )
    kept = Records.of([*charts.invented(today, drafts=False), *map(dict, more)])
    return create_app(kept, settings)
