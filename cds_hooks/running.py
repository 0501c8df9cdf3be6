"""What one running application works with. Nothing of any request is ever kept here.

It is handed to every view when the application is made: no view looks it up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from billing_rules.catalogue import Catalogue
from cds_hooks.record.entries import CodeSets
from cds_hooks.record.store import Store
from cds_hooks.settings import Settings

if TYPE_CHECKING:  # a service that counts nothing starts without prometheus_client
    from cds_hooks.calls.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Running:
    """The catalogue and the settings of an application, its store, and its metrics (None counts
    nothing). `code_sets` are the catalogue's."""

    catalogue: Catalogue
    settings: Settings
    store: Store
    metrics: Metrics | None = None
    code_sets: CodeSets = CodeSets()
