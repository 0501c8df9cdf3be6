"""Every way a launch or a page can end early: a name for the log, a status, and a page that says
what to do. Nothing an EHR or a browser sent is repeated on these pages.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Flask, Response, current_app, make_response, render_template, request
from flask.sansio.app import App
from werkzeug.exceptions import BadHost, HTTPException

from service_parts.database import StoreFailed
from service_parts.log_events import Event, fault
from smart_app.launch.store import KeptWindow

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


AGAIN = "Open the app again from the patient's chart in the EHR."
TELL = "If that does not help, tell whoever looks after Vialwise at your site"

NO_LAUNCH = Stop(
    "launch-incomplete",
    400,
    "The EHR did not say what to open",
    ("The address of the launch lacks the EHR or its launch code.", AGAIN),
)
UNKNOWN_EHR = Stop(
    "unknown-ehr",
    400,
    "This EHR is not registered here",
    (
        "The app opens only for EHRs that your site has registered, so nothing was asked of it.",
        "Ask whoever looks after Vialwise at your site to register the EHR's FHIR address, letter "
        "by letter.",
    ),
)
TOO_MANY_LAUNCHES = Stop(
    "too-many-launches",
    429,
    "The app was opened too often",
    (
        "From this network it was opened more often than the app lets in at once.",
        "Wait a minute. " + AGAIN,
        TELL + ".",
    ),
    again_after=60,
)
EHR_SILENT = Stop(
    "ehr-silent",
    502,
    "The EHR does not answer",
    ("Its sign-in settings could not be read now.", "Wait a minute. " + AGAIN),
)
EHR_UNSUITABLE = Stop(
    "ehr-unsuitable",
    502,
    "The EHR's sign-in settings cannot be used",
    (
        "The EHR was reached, but what it says about signing in does not fit this app.",
        "Tell whoever looks after Vialwise at your site the sentence below.",
    ),
)
FOREIGN_STATE = Stop(
    "foreign-state",
    400,
    "This sign-in was not begun here",
    (
        "It was begun in another browser or window, was used before, "
        "or took longer than ten minutes.",
        "If the browser blocks cookies for this site, allow them.",
        AGAIN,
    ),
)
REFUSED_BY_EHR = Stop(
    "refused-by-ehr",
    403,
    "The EHR did not let the app in",
    ("The EHR ended the sign-in.", AGAIN),
)
NOT_EXCHANGED = Stop(
    "not-exchanged",
    502,
    "The EHR did not finish the sign-in",
    ("The EHR let you in, but did not give the app access to the chart.", AGAIN, TELL + "."),
)
NO_PATIENT = Stop(
    "no-patient",
    400,
    "No patient is open",
    (
        "The EHR opened the app without a patient.",
        "Open a patient's chart first, and the app from there.",
    ),
)
NO_RIGHTS = Stop(
    "no-rights",
    403,
    "The EHR gave the app no access to the chart",
    (
        "The EHR granted nothing that the app could show.",
        "Open it again and allow access; if nothing was asked, the EHR's own settings forbid it.",
    ),
)
NOT_IDENTIFIED = Stop(
    "not-identified",
    403,
    "The EHR's statement of who you are could not be verified",
    ("Nobody may see a chart unless the EHR says reliably who looks.", AGAIN, TELL + "."),
)
NOT_FOR_PATIENTS = Stop(
    "not-for-patients",
    403,
    "This app is for staff",
    (
        "The EHR says that you are signed in as a patient or a relative.",
        "The app shows billing details to clinicians and billers only. For questions about a bill, "
        "ask your clinic.",
    ),
)
NOT_AN_OWNER = Stop(
    "not-an-owner",
    403,
    "This page is for the site's owners",
    (
        "It counts the cards of the whole site. Its owners are named in the settings.",
        "Go back to the order, or ask whoever looks after Vialwise at your site.",
    ),
)
NO_WINDOW = Stop(
    "no-window",
    401,
    "This window is not open in this browser",
    (
        "It was opened in another browser, was closed, or the browser does not keep this site's "
        "cookies.",
        AGAIN,
    ),
)
WINDOW_ENDED = Stop(
    "window-ended",
    401,
    "This window has ended",
    (
        "It was signed out, or nothing was done in it for a while.",
        AGAIN + " It then shows the same patient.",
    ),
)
FORGED = Stop(
    "forged",
    400,
    "This form was not sent from the app's own page",
    ("Nothing was changed.", "Go back, reload the page and send the form again."),
)
NOT_FOUND = Stop(
    "not-found",
    404,
    "There is no such page",
    ("Check the address.", AGAIN),
)
NOT_THAT_WAY = Stop(
    "not-that-way",
    405,
    "This page cannot be used that way",
    ("Nothing was changed.", "Go back and use the page's own links and buttons."),
)
ANOTHER_PATIENT = Stop(
    "another-patient",
    502,
    "The EHR sent data of another patient",
    (
        "Nothing is shown, because what was read is not only of the patient whose chart is open.",
        "Close this window and " + AGAIN[0].lower() + AGAIN[1:],
        TELL + ": its FHIR server mixes patients up.",
    ),
)
TOO_LARGE = Stop(
    "too-large",
    413,
    "What was sent is too large",
    ("Nothing was changed.", "Go back and send less."),
)
DATABASE_AWAY = Stop(
    "database-away",
    503,
    "The app cannot work at the moment",
    ("Its database does not answer. Nothing was changed.", "Wait a minute, then try again."),
    again_after=60,
)
OWN_FAULT = Stop(
    "failed",
    500,
    "The app failed",
    (
        "This is a fault of the app; nothing more can be said here.",
        "Go back and try again. " + TELL + " when it happened.",
    ),
)

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


def kept_late_form(window: KeptWindow) -> str:
    """The sentence that says so, once a keeper has taken this request's form; "" otherwise."""
    if request.method != "POST":
        return ""
    form = {name: values for name, values in request.form.lists() if name != "csrf_token"}
    keepers: list[Keeper] = current_app.extensions.get(_KEEPERS, [])
    endpoint, values = request.endpoint or "", request.view_args or {}
    taken = [keeper(window.owner_key, endpoint, values, form) for keeper in keepers]
    return KEPT if any(taken) else ""
