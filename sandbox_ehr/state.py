"""What the practice EHR runs with, held by the Flask application alone."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from sandbox_ehr.fhir.records import Records
from sandbox_ehr.fhir.requests import Pages
from sandbox_ehr.moods import Moods
from sandbox_ehr.settings import EhrSettings
from sandbox_ehr.smart.authorization import SmartServer
from sandbox_ehr.smart.tokens import IssuedTokens, Launches

KEY = "sandbox-ehr"


@dataclass(frozen=True, slots=True)
class RunningEhr:
    """`tokens.issue(...)` gives a CDS service the access token of a `fhirAuthorization`."""

    records: Records
    settings: EhrSettings
    launches: Launches
    tokens: IssuedTokens
    pages: Pages
    smart: SmartServer
    moods: Moods


def set_running(app: Flask, running: RunningEhr) -> None:
    app.extensions[KEY] = running


def running() -> RunningEhr:
    """What the application of this request runs with."""
    found = current_app.extensions[KEY]
    assert isinstance(found, RunningEhr)
    return found
