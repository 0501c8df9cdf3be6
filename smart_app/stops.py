"""Every way a launch or a page can end early: a name for the log, a status, and words that say what
to do. Nothing an EHR or a browser sent is repeated on these pages.
"""

from __future__ import annotations

from dataclasses import dataclass


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
