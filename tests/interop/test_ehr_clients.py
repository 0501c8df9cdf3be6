"""FHIR clients that nobody here wrote, on the practice EHR over real HTTP.

fhirclient parses every answer into strict models and walks the whole launch; fhirpy is the client
of Beda and Aidbox. Both are locked in requirements/interop.txt: `pip install -r` it to run these.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from flask import Flask
from werkzeug.serving import make_server

from sandbox_ehr import charts
from sandbox_ehr.app import create_app
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.settings import EhrSettings
from tests.sandbox_ehr.conftest import ADA, BACK, PUBLIC, SECRET, TODAY, inside

fhirclient = pytest.importorskip(
    "fhirclient", reason="fhirclient is not installed: pip install -r requirements/interop.txt"
)
fhirpy = pytest.importorskip(
    "fhirpy", reason="fhirpy is not installed: pip install -r requirements/interop.txt"
)

from fhirclient import client, server
from fhirclient.models import (  # noqa: E402
    codeableconcept,
    fhirreference,
    medicationrequest,
    observation,
    patient,
)

pytestmark = pytest.mark.interop
MILO = "pat-milo-applegarth"


@pytest.fixture(scope="module")
def app() -> Iterator[Flask]:
    """The EHR on a loopback port, with the addresses it is really reached at."""
    running = make_server("127.0.0.1", 0, lambda environ, start: [], threaded=True)
    base = f"http://127.0.0.1:{running.server_port}"
    clients = (PUBLIC, replace(SECRET, scope=PUBLIC.scope))
    app = create_app(Records.of(charts.invented(TODAY)), EhrSettings(base, TODAY, clients))
    running.app = app
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield app
    running.shutdown()
    thread.join(10)
    running.server_close()


def base_of(app: Flask) -> str:
    return inside(app).settings.fhir_base


def token(app: Flask, scope: str = "user/*.cruds", of: str = "") -> str:
    return inside(app).tokens.issue("interop", scope, patient=of)


# ---------------------------------------------------------------- fhirclient


def launched(app: Flask, scope: str, secret: str | None = None) -> Any:
    """fhirclient's own EHR launch, the browser played by requests."""
    launch = inside(app).launches.new(ADA, user="Practitioner/prac-imogen-hartwell")
    smart = client.FHIRClient(
        settings={
            "app_id": SECRET.id if secret else PUBLIC.id,
            "app_secret": secret,
            "api_base": base_of(app),
            "redirect_uri": BACK,
            "launch_token": launch,
            "scope": scope,
        }
    )
    assert smart.prepare() is False  # it is not authorized yet
    sent = requests.get(smart.authorize_url, allow_redirects=False, timeout=10)
    assert sent.status_code == 302, sent.text
    smart.handle_callback(sent.headers["Location"])
    return smart


@pytest.mark.parametrize("secret", [None, SECRET.secret], ids=["public", "secret"])
def test_fhirclient_launches_and_reads_the_launchs_patient(app: Flask, secret: str | None) -> None:
    smart = launched(app, "launch patient/*.read openid fhirUser", secret)
    assert smart.ready and smart.patient_id == ADA
    assert smart.human_name(smart.patient.name[0]) == "Ada Winterbourne"


def test_fhirclient_is_told_of_another_patient_as_forbidden(app: Flask) -> None:
    smart = launched(app, "launch patient/*.read")
    with pytest.raises(server.FHIRPermissionDeniedException):
        patient.Patient.read(MILO, smart.server)
    with pytest.raises(server.FHIRNotFoundException):
        patient.Patient.read("nobody", smart.server)


def test_fhirclient_refreshes_its_token(app: Flask) -> None:
    smart = launched(app, "launch patient/*.read offline_access")
    before = smart.server.auth.access_token
    assert smart.reauthorize()
    assert smart.server.auth.access_token != before
    assert patient.Patient.read(ADA, smart.server).birthDate is not None


def test_fhirclient_parses_the_capability_statement(app: Flask) -> None:
    smart = launched(app, "launch patient/*.read")
    said = smart.server.capabilityStatement
    assert said.fhirVersion == "4.0.1"
    types = {resource.type for resource in said.rest[0].resource}
    assert {"Patient", "MedicationAdministration", "ClaimResponse"} <= types


def test_fhirclient_walks_every_page_and_parses_every_chart(app: Flask) -> None:
    smart = launched(app, "launch user/*.read")
    for kind, name in (
        (observation.Observation, "Observation"),
        (medicationrequest.MedicationRequest, "MedicationRequest"),
    ):
        search = kind.where(struct={"_count": "20", "_sort": "_id"})
        found = [resource.id for resource in search.perform_resources_iter(smart.server)]
        held = [r["id"] for r in inside(app).records.search(name)]
        assert sorted(found) == sorted(held) and len(found) > 20


def test_fhirclient_writes_changes_and_deletes(app: Flask) -> None:
    smart = launched(app, "launch patient/Observation.*")
    weight = observation.Observation()
    weight.status = "final"
    weight.code = codeableconcept.CodeableConcept({"text": "weight"})
    weight.subject = fhirreference.FHIRReference({"reference": f"Patient/{ADA}"})
    made = weight.create(smart.server)
    kept = observation.Observation.read(made["id"], smart.server)
    assert kept.meta.versionId == "1"
    kept.status = "amended"
    assert kept.update(smart.server)["meta"]["versionId"] == "2"
    kept.delete()
    with pytest.raises(Exception, match="410"):
        observation.Observation.read(made["id"], smart.server)


# ---------------------------------------------------------------- fhirpy


def beda(app: Flask, scope: str = "user/*.cruds", of: str = "") -> Any:
    return fhirpy.SyncFHIRClient(base_of(app), authorization=f"Bearer {token(app, scope, of)}")


def test_fhirpy_searches_sorts_counts_and_pages(app: Flask) -> None:
    search = beda(app).resources("Observation").search(patient=ADA).sort("-date")
    newest = [o["effectiveDateTime"] for o in search.fetch()]
    assert newest == sorted(newest, reverse=True) and len(newest) > 2
    assert search.count() == len(newest)
    assert len(search.limit(1).fetch()) == 1
    assert len(search.limit(2).fetch_all()) == len(newest)
    first = search.first()
    assert first["effectiveDateTime"] == newest[0]


def test_fhirpy_includes_what_is_referred_to(app: Flask) -> None:
    found = beda(app).resources("Coverage").search(patient=ADA).include("Coverage", "payor")
    kinds = [entry.resource["resourceType"] for entry in found.fetch_raw().entry]
    assert kinds == ["Coverage", "Organization"]


def test_fhirpy_creates_updates_and_deletes(app: Flask) -> None:
    clinic = beda(app)
    made = clinic.resource(
        "Observation", status="final", code={"text": "x"}, subject={"reference": f"Patient/{ADA}"}
    )
    made.save()
    assert made["id"] and made["meta"]["versionId"] == "1"
    made["status"] = "amended"
    made.save()
    assert clinic.reference("Observation", made["id"]).to_resource()["status"] == "amended"
    made.delete()
    with pytest.raises(fhirpy.base.exceptions.ResourceNotFound):
        clinic.reference("Observation", made["id"]).to_resource()


def test_fhirpy_is_refused_what_its_token_does_not_allow(app: Flask) -> None:
    narrow = beda(app, "patient/Condition.rs", ADA)
    assert narrow.resources("Condition").search(patient=ADA).fetch()
    for asked in (
        narrow.resources("Observation").search(patient=ADA),
        narrow.resources("Condition").search(patient=MILO),
    ):
        with pytest.raises(fhirpy.base.exceptions.ForbiddenError):
            asked.fetch()


def test_the_launchs_parameters_reach_the_apps_address(app: Flask) -> None:
    """The address a browser is sent to, without a client library in between."""
    sent = requests.get(
        f"{inside(app).settings.base_url}/auth/launch",
        params={"client_id": PUBLIC.id, "patient": ADA},
        allow_redirects=False,
        timeout=10,
    )
    said = dict(parse_qsl(urlsplit(sent.headers["Location"]).query))
    assert said["iss"] == base_of(app) and said["launch"]
