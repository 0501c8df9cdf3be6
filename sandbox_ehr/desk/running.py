"""What the order desk works with, held by the Flask application alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app

from sandbox_ehr.cds_client import CdsClient
from sandbox_ehr.cds_keys import SigningKey
from sandbox_ehr.desk.elements import Resource
from sandbox_ehr.desk.worksheets import Worksheets
from sandbox_ehr.launches import Launches
from sandbox_ehr.records import Records

_KEY = "sandbox-ehr-desk"


@dataclass(frozen=True, slots=True)
class App:
    """The app that smart links open: where it is launched, and its client id here."""

    launch_url: str
    client_id: str
    name: str


@dataclass(frozen=True, slots=True, repr=False)
class Desk:
    """`start` gives every resource as it was in the beginning; `current` moves the dates of a
    fixture as those were moved."""

    records: Records
    services: tuple[CdsClient, ...]
    key: SigningKey
    launches: Launches
    fhir_base: str
    name: str
    start: Callable[[], list[Resource]]
    current: Callable[[Any], Any]
    app: App | None = None
    worksheets: Worksheets = field(default_factory=Worksheets)


def set_desk(app: Flask, desk: Desk) -> None:
    app.extensions[_KEY] = desk


def desk() -> Desk:
    """That of the application which answers the current request."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, Desk)
    return found
