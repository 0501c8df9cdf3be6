"""Every way a request can fail, as a page that says what to do and nothing else."""

from __future__ import annotations

import logging

from flask import Flask, Response, make_response, render_template, request
from werkzeug.exceptions import BadHost, HTTPException

from service_parts.database import StoreFailed
from service_parts.log_events import Event, fault
from smart_app.stops import (
    DATABASE_AWAY,
    NOT_FOUND,
    NOT_THAT_WAY,
    OWN_FAULT,
    TOO_LARGE,
    Stop,
    Stopped,
)

log = logging.getLogger("smart_app")

_TEXT = "text/plain; charset=utf-8"
_OF_STATUS = {404: NOT_FOUND, 405: NOT_THAT_WAY, 413: TOO_LARGE}


def install(app: Flask) -> None:
    app.register_error_handler(Stopped, _stopped)
    app.register_error_handler(StoreFailed, _store_failed)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _own_fault)


def _stopped(error: Stopped) -> Response:
    log.info(Event("stopped", {"outcome": error.stop.name, "endpoint": request.endpoint}))
    return _page(error.stop, error.detail)


def _store_failed(error: StoreFailed) -> Response:
    log.error(Event("database failed", {"kind": error.kind, "endpoint": request.endpoint}))
    return _page(DATABASE_AWAY)


def _http_error(error: HTTPException) -> Response:
    if isinstance(error, BadHost):  # no address can be made then, which every page has
        return Response("This is no address of the app.\n", 400, content_type=_TEXT)
    if error.code is not None and error.code < 400:  # a redirect of Flask's own
        return make_response(error.get_response())
    return _page(_OF_STATUS.get(error.code or 500, NOT_THAT_WAY), status=error.code)


def _own_fault(error: Exception) -> Response:
    log.error(Event("failed", {"fault": fault(error), "endpoint": request.endpoint}))
    return _page(OWN_FAULT)


def _page(stop: Stop, detail: str = "", status: int | None = None) -> Response:
    page = render_template("stopped.html", stop=stop, detail=detail)
    response = make_response(page, status or stop.status)
    if stop.again_after:
        response.headers["Retry-After"] = str(stop.again_after)
    if "HX-Request" in request.headers:
        # A part of a page was asked for: the page stays, with what was typed in it, and the reason
        # is shown above it (layout.html).
        response.headers["HX-Retarget"] = "#trouble"
        response.headers["HX-Reswap"] = "innerHTML show:window:top"
        response.headers["HX-Reselect"] = "#stopped"
    return response
