"""What the app runs and launches with, made once and held by the Flask application alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from flask import Flask, current_app

from billing_rules.catalogue import Catalogue
from ehr_access.server_metadata import Capabilities
from ehr_access.transport import Transport
from service_parts.web import Buckets
from smart_app.launch.authorization_server import Discovery
from smart_app.launch.identity import IssuerKeys
from smart_app.launch.registration import AppKeys
from smart_app.launch.store import WindowStore
from smart_app.settings import AppSettings

# ----------------------------------------------------------------------
# What the app runs with, handed in once and held by the Flask application alone.


_RUNNING_KEY = "vialwise-app"


@dataclass(frozen=True, slots=True)
class Installation:
    """`today` answers with the day it is where the clinic is. `feedback` is the endpoint of the
    page where the site's owner sees what became of cards, "" where there is none."""

    catalogue: Catalogue
    today: Callable[[], date]
    feedback: str = ""


def set_installation(app: Flask, running: Installation) -> None:
    app.extensions[_RUNNING_KEY] = running


def installation() -> Installation:
    """What the application of this request runs with."""
    found = current_app.extensions[_RUNNING_KEY]
    assert isinstance(found, Installation)
    return found


# ----------------------------------------------------------------------
# What launches and windows work with, made once and held by the Flask application alone.


_STATE_KEY = "vialwise-app-launching"


@dataclass(frozen=True, slots=True)
class LaunchServices:
    settings: AppSettings
    store: WindowStore
    transport: Transport
    capabilities: Capabilities
    discovery: Discovery
    issuer_keys: IssuerKeys
    app_keys: AppKeys
    callers: Buckets


def services_of(settings: AppSettings, store: WindowStore) -> LaunchServices:
    transport = Transport()
    return LaunchServices(
        settings,
        store,
        transport,
        Capabilities(transport),
        Discovery(transport),
        IssuerKeys(),
        AppKeys.read(settings.app_keys) if settings.app_keys else AppKeys(),
        Buckets(settings.launches_per_minute),
    )


def set_launch_services(app: Flask, services: LaunchServices) -> None:
    app.extensions[_STATE_KEY] = services


def launch_services() -> LaunchServices:
    """What the application of this request launches with."""
    found = current_app.extensions[_STATE_KEY]
    assert isinstance(found, LaunchServices)
    return found
