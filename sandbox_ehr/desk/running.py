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
from sandbox_ehr.settings import Settings

_KEY = "sandbox-ehr-desk"


@dataclass(frozen=True, slots=True, repr=False)
class Desk:
    """`start` is every resource as it was in the beginning; `current` moves the dates of a fixture
    as those of the charts were moved."""

    records: Records
    settings: Settings
    launches: Launches
    services: tuple[CdsClient, ...]
    key: SigningKey
    start: tuple[Resource, ...]
    current: Callable[[Any], Any]
    worksheets: Worksheets = field(default_factory=Worksheets)


def set_desk(app: Flask, desk: Desk) -> None:
    app.extensions[_KEY] = desk


def desk() -> Desk:
    """That of the application which answers the current request."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, Desk)
    return found
