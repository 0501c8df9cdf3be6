"""What one running application works with. Nothing of any request is ever kept here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from billing_rules.catalogue import Catalogue
from cds_hooks.settings import Settings

_KEY = "cds_hooks"


@dataclass(frozen=True, slots=True)
class Running:
    """The catalogue and the settings of an application."""

    catalogue: Catalogue
    settings: Settings


def set_running(app: Flask, value: Running) -> None:
    app.extensions[_KEY] = value


def running() -> Running:
    """Those of the application that answers the current request."""
    return cast(Running, current_app.extensions[_KEY])
