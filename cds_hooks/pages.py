"""What anyone may read: discovery, the front page, the override reasons, the health check."""

from __future__ import annotations

from html import escape

from flask import Blueprint, Response, request

from cds_hooks import exact_json, services
from cds_hooks.override_reasons import CODE_SYSTEM_PATH, REASONS
from cds_hooks.running import running

_CACHEABLE = "public, max-age=3600"


def blueprint() -> Blueprint:
    """Addresses that hold nothing of any patient."""
    pages = Blueprint("pages", __name__)
    pages.add_url_rule("/cds-services", view_func=discovery)
    pages.add_url_rule(CODE_SYSTEM_PATH, view_func=override_reason_codes)
    pages.add_url_rule("/healthz", view_func=health)
    pages.add_url_rule("/", view_func=front)
    return pages


def discovery() -> Response:
    """GET /cds-services (CDS Hooks 2.0.1, "Discovery"): the same for everyone, so cacheable."""
    return _cacheable(services.discovery())


def override_reason_codes() -> Response:
    """The code system of the override reasons as FHIR, at the URL their Codings name."""
    url = running().settings.url(CODE_SYSTEM_PATH)
    concepts = [{"code": code, "display": display} for code, display in REASONS.items()]
    return _cacheable(
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


def _cacheable(body: object) -> Response:
    response = Response(exact_json.encode(body), content_type="application/json")
    response.headers["Cache-Control"] = _CACHEABLE
    response.add_etag()
    response.make_conditional(request)
    return response


def health() -> Response:
    """200 while the process answers."""
    return Response(b'{"status":"ok"}', content_type="application/json")


def front() -> Response:
    """A plain page that says what runs here and where its services are."""
    settings = running().settings
    rows = "".join(
        f"<li><code>{escape(hook)}</code>: POST <code>"
        f"{escape(settings.url(f'/cds-services/{service.id}'))}</code><br>"
        f"{escape(service.description)}</li>"
        for service in services.SERVICES.values()
        for hook in service.hooks
    )
    warning = (
        "<p><strong>Open for development: callers are not authenticated. "
        "Use invented patients only.</strong></p>"
        if settings.open
        else ""
    )
    discovery_url = escape(settings.url("/cds-services"))
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Vialwise</title></head>'
        f"<body><h1>Vialwise</h1><p>A CDS Hooks {services.SPECIFICATION} service that checks draft "
        "orders for drugs billed by the unit. It advises on billing; it gives no legal or clinical "
        f'advice.</p>{warning}<h2>Services</h2><p>Discovery: <a href="/cds-services">'
        f"{discovery_url}</a></p><ul>{rows}</ul></body></html>"
    )
    return Response(page, content_type="text/html; charset=utf-8")
