"""What the practice EHR runs with, held by the Flask application alone."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from sandbox_ehr.fhir.calls import Pages
from sandbox_ehr.moods import Moods
from sandbox_ehr.records import Records
from sandbox_ehr.settings import Settings
from sandbox_ehr.smart.authorization import SmartServer
from sandbox_ehr.smart.sessions import Launches
from sandbox_ehr.smart.tokens import Tokens

KEY = "sandbox-ehr"


@dataclass(frozen=True, slots=True)
class Running:
    """`tokens.issue(...)` gives a CDS service the access token of a `fhirAuthorization`."""

    records: Records
    settings: Settings
    launches: Launches
    tokens: Tokens
    pages: Pages
    smart: SmartServer
    moods: Moods


def set_running(app: Flask, running: Running) -> None:
    app.extensions[KEY] = running


def running() -> Running:
    """What the application of this request runs with."""
    found = current_app.extensions[KEY]
    assert isinstance(found, Running)
    return found
