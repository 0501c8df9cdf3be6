"""The order desk put into the application of the practice EHR."""

from __future__ import annotations

from typing import Any

from flask import Flask

import fixtures
from sandbox_ehr import cds_access, cds_keys, cds_prefetch
from sandbox_ehr.cds_client import CdsClient
from sandbox_ehr.desk import views
from sandbox_ehr.desk.running import Desk, set_desk
from sandbox_ehr.desk.starting_over import everything
from sandbox_ehr.fhir.served import Served
from sandbox_ehr.moods import Mood
from sandbox_ehr.running import Running


def install(app: Flask, running: Running) -> None:
    """What the addresses of the desk work with, and a key of its own for CDS services."""
    settings = running.settings
    jku = f"{settings.base_url}{views.JWKS_PATH}"
    key = cds_keys.new_key(settings.base_url, jku)
    served = Served(running.records, running.pages, settings.quirks, settings.fhir_base)
    services = tuple(
        CdsClient(
            base=service.base_url,
            fhir_server="" if Mood.NO_FHIR_SERVER in settings.moods else settings.fhir_base,
            key=key,
            look_up=cds_prefetch.from_chart(served),
            lend=cds_access.lender(running.tokens, service.client_id),
            trace=service.trace,
        )
        for service in settings.cds_services
    )
    days = (settings.today - fixtures.WRITTEN_ON).days

    def current(resource: Any) -> Any:
        return fixtures.moved(resource, days)

    desk = Desk(
        records=running.records,
        settings=settings,
        launches=running.launches,
        services=services,
        key=key,
        start=everything(running.records),
        current=current,
    )
    set_desk(app, desk)
