"""What anyone may read: discovery, the front page, the override reasons."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from flask import Blueprint, Response, render_template

from cds_hooks import services
from cds_hooks.cards.override_reasons import CODE_SYSTEM_PATH, REASONS
from cds_hooks.cards.writing import ICON_PATH
from cds_hooks.pages.responses import as_json, cacheable, page
from cds_hooks.settings import Settings

_ICON = Path(__file__).parent / "icon.png"


def blueprint(settings: Settings) -> Blueprint:
    """Addresses that hold nothing of any patient."""
    pages = Blueprint("pages", __name__)
    pages.add_url_rule("/cds-services", view_func=discovery)
    codes = partial(override_reason_codes, settings)
    pages.add_url_rule(CODE_SYSTEM_PATH, "override_reason_codes", codes)
    pages.add_url_rule("/", "front", partial(front, settings))
    pages.add_url_rule("/style.css", view_func=style)
    pages.add_url_rule(ICON_PATH, view_func=icon)
    return pages


def discovery() -> Response:
    """GET /cds-services (CDS Hooks 2.0.1, "Discovery"): the same for everyone, so cacheable."""
    return as_json(services.discovery())


def override_reason_codes(settings: Settings) -> Response:
    """The code system of the override reasons as FHIR, at the URL their Codings name."""
    url = settings.url(CODE_SYSTEM_PATH)
    concepts = [{"code": code, "display": display} for code, display in REASONS.items()]
    return as_json(
        {
            "resourceType": "CodeSystem",
            "url": url,
            "name": "VialwiseOverrideReason",
            "title": "Why a Vialwise card was set aside",
            "status": "active",
            "content": "complete",
            "caseSensitive": True,
            "concept": concepts,
        }
    )


def front(settings: Settings) -> Response:
    """A plain page that says what runs here and where its services are."""
    services_here = [
        (hook, settings.url(f"/cds-services/{service.id}"), service.description)
        for service in services.SERVICES.values()
        for hook in service.hooks
    ]
    return page(
        "front.html",
        root="./",
        specification=services.SPECIFICATION,
        open=settings.open,
        discovery=settings.url("/cds-services"),
        services=services_here,
    )


def style() -> Response:
    """The style sheet of every page."""
    return cacheable(Response(render_template("style.css"), content_type="text/css; charset=utf-8"))


def icon() -> Response:
    """The icon of a card's source: a PNG of 100 x 100, nothing of it transparent (CDS Hooks 2.0.1,
    "Source")."""
    return cacheable(Response(_ICON.read_bytes(), content_type="image/png"))
