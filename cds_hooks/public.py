"""Answers that anyone may read and keep for a while: they hold nothing of any patient."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request

from cds_hooks import exact_json
from cds_hooks.http_headers import PAGE_POLICY

CACHEABLE = "public, max-age=3600"
JSON, HTML = "application/json", "text/html"


def as_json(body: object, content_type: str = JSON) -> Response:
    """`body` as JSON that may be cached."""
    return cacheable(Response(exact_json.encode(body), content_type=content_type))


def page(template: str, root: str, status: int = 200, **values: Any) -> Response:
    """A page from its template. `root` leads from its address to the front page ("../"), so that
    pages also work behind a prefix."""
    text = render_template(template, root=root, **values)
    response = Response(text, status, content_type=f"{HTML}; charset=utf-8")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


def cacheable(response: Response) -> Response:
    """The answer with an ETag; 304 where the caller has it already."""
    response.headers["Cache-Control"] = CACHEABLE
    response.add_etag()
    response.make_conditional(request)
    return response


def wants_json() -> bool:
    """Whether the caller would rather have JSON than a page."""
    return request.accept_mimetypes.best_match([HTML, JSON]) == JSON
