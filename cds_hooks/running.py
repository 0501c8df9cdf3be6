"""What one running application works with. Nothing of any request is ever kept here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from flask import Flask, current_app

from billing_rules.catalogue import Catalogue
from cds_hooks.code_sets import CodeSets
from cds_hooks.record.store import Store
from cds_hooks.settings import Settings

if TYPE_CHECKING:  # a service that counts nothing starts without prometheus_client
    from cds_hooks.calls.metrics import Metrics

_KEY = "cds_hooks"


@dataclass(frozen=True, slots=True)
class Running:
    """The catalogue and the settings of an application, its store, and its metrics (None counts
    nothing). `code_sets` are the catalogue's."""

    catalogue: Catalogue
    settings: Settings
    store: Store
    metrics: Metrics | None = None
    code_sets: CodeSets = CodeSets()


def set_running(app: Flask, value: Running) -> None:
    app.extensions[_KEY] = value


def running() -> Running:
    """Those of the application that answers the current request."""
    return cast(Running, current_app.extensions[_KEY])
