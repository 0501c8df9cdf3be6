"""What launches and windows work with, made once and held by the Flask application alone."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Flask, current_app

from ehr_access.capability import Capabilities
from ehr_access.transport import Transport
from service_parts.web import Buckets
from smart_app.launch.app_keys import AppKeys
from smart_app.launch.discovery import Discovery
from smart_app.launch.identity import IssuerKeys
from smart_app.launch.store import Store
from smart_app.settings import Settings

_KEY = "vialwise-app-launching"


@dataclass(frozen=True, slots=True)
class LaunchServices:
    settings: Settings
    store: Store
    transport: Transport
    capabilities: Capabilities
    discovery: Discovery
    issuer_keys: IssuerKeys
    app_keys: AppKeys
    callers: Buckets


def made(settings: Settings, store: Store) -> LaunchServices:
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
    app.extensions[_KEY] = services


def launch_services() -> LaunchServices:
    """What the application of this request launches with."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, LaunchServices)
    return found
