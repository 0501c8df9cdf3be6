"""The CDS service as the command line starts it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask

from billing_rules.catalogue import Catalogue
from cds_hooks import Settings, create_app
from cds_hooks.services import ORDERS
from cds_hooks.store import Store
from vialwise import clock, versions

if TYPE_CHECKING:  # the demo counts nothing
    from cds_hooks.metrics import Metrics


def application(
    catalogue: Catalogue,
    url: str,
    *,
    open_: bool,
    billing_plan: bool = False,
    timezone: str | None = None,
    site: Path | None = None,
    store: Store,
    metrics: Metrics | None = None,
    **more: Any,
) -> Flask:
    """The WSGI application, reached under `url`. `site` is the file that `catalogue` was read
    with; `more` are other members of Settings. Raises Problem for an unknown time zone."""
    clock.today(timezone)
    settings = Settings(
        public_base_url=url,
        today=lambda: clock.today(timezone),
        clock=lambda: clock.now(timezone),
        open=open_,
        show_billing_plan=billing_plan,
        rule_set=versions.rule_set(site),
        **more,
    )
    return create_app(catalogue, settings, store, metrics)


def orders_url(url: str) -> str:
    """Where draft orders are posted."""
    return f"{url}/cds-services/{ORDERS.id}"
