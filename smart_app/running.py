"""What the app runs with, handed in once and held by the Flask application alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from flask import Flask, current_app

from billing_rules.catalogue import Catalogue

_KEY = "vialwise-app"


@dataclass(frozen=True, slots=True)
class Running:
    """`today` answers with the day it is where the clinic is. `feedback` is the endpoint of the
    page where the site's owner sees what became of cards, "" where there is none."""

    catalogue: Catalogue
    today: Callable[[], date]
    feedback: str = ""


def set_running(app: Flask, running: Running) -> None:
    app.extensions[_KEY] = running


def running() -> Running:
    """What the application of this request runs with."""
    found = current_app.extensions[_KEY]
    assert isinstance(found, Running)
    return found
