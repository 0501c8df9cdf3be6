"""Every way a launch or a page can end early: a name for the log, a status, and a page that says
what to do (error_pages.yaml). Nothing an EHR or a browser sent is repeated on these pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

import msgspec
import yaml
from flask import Flask, Response, current_app, make_response, render_template, request
from flask.sansio.app import App
from werkzeug.exceptions import BadHost, HTTPException

from service_parts.database import StoreFailed
from service_parts.log_events import Event, fault
from smart_app.launch.store import StoredWindow

log = logging.getLogger("smart_app")


@dataclass(frozen=True, slots=True)
class Stop:
    """`name` stands in the log; title and sentences on the page."""

    name: str
    status: int
    title: str
    sentences: tuple[str, ...]
    again_after: int = 0  # seconds, where waiting helps (Retry-After)


class Stopped(Exception):
    """Ends the request with the page of `stop`. `detail` is one of our own sentences."""

    def __init__(self, stop: Stop, detail: str = "") -> None:
        super().__init__(stop.name)
        self.stop = stop
        self.detail = detail


def _read_stops() -> dict[str, Stop]:
    """What error_pages.yaml says, by name."""
    text = files("smart_app.launch").joinpath("error_pages.yaml").read_text(encoding="utf-8")
    pages = yaml.safe_load(text)
    return {name: msgspec.convert({"name": name, **page}, Stop) for name, page in pages.items()}


STOPS = _read_stops()
NO_LAUNCH = STOPS["launch-incomplete"]
UNKNOWN_EHR = STOPS["unknown-ehr"]
TOO_MANY_LAUNCHES = STOPS["too-many-launches"]
EHR_SILENT = STOPS["ehr-silent"]
EHR_UNSUITABLE = STOPS["ehr-unsuitable"]
FOREIGN_STATE = STOPS["foreign-state"]
REFUSED_BY_EHR = STOPS["refused-by-ehr"]
NOT_EXCHANGED = STOPS["not-exchanged"]
NO_PATIENT = STOPS["no-patient"]
NO_RIGHTS = STOPS["no-rights"]
NOT_IDENTIFIED = STOPS["not-identified"]
NOT_FOR_PATIENTS = STOPS["not-for-patients"]
NOT_AN_OWNER = STOPS["not-an-owner"]
NO_WINDOW = STOPS["no-window"]
WINDOW_ENDED = STOPS["window-ended"]
FORGED = STOPS["forged"]
NOT_FOUND = STOPS["not-found"]
NOT_THAT_WAY = STOPS["not-that-way"]
ANOTHER_PATIENT = STOPS["another-patient"]
TOO_LARGE = STOPS["too-large"]
DATABASE_AWAY = STOPS["database-away"]
OWN_FAULT = STOPS["failed"]

# ---------------------------------------------------------------- the pages

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
        return Response("This is not an address of the app.\n", 400, content_type=_TEXT)
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


# ---------------------------------------------------------------- what was typed is not lost
#
# A form that arrives in an ended window, from the browser that had it, is handed to the keepers
# that screens registered. They keep it under `owner_key`, which is the same again when the same
# user opens the same patient's chart in the same EHR anew.

_KEEPERS = "vialwise-app-rescue"
KEPT = "What you typed is kept: open the app again for this patient, and it is there."

# owner key, endpoint, its values, the form -> whether it is kept now
Keeper = Callable[[str, str, Mapping[str, object], Mapping[str, list[str]]], bool]


def keep_late_forms(app: App, keeper: Keeper) -> None:
    """Let `keeper` see forms that arrive too late."""
    app.extensions.setdefault(_KEEPERS, []).append(keeper)


def kept_late_form(window: StoredWindow) -> str:
    """The sentence that says so, once a keeper has taken this request's form; "" otherwise."""
    if request.method != "POST":
        return ""
    form = {name: values for name, values in request.form.lists() if name != "csrf_token"}
    keepers: list[Keeper] = current_app.extensions.get(_KEEPERS, [])
    endpoint, values = request.endpoint or "", request.view_args or {}
    taken = [keeper(window.owner_key, endpoint, values, form) for keeper in keepers]
    return KEPT if any(taken) else ""
