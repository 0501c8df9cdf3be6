"""The SMART app as a WSGI application: what stands before it, its pages outside of windows, and
every blueprint."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from flask import (
    Blueprint,
    Flask,
    Response,
    g,
    jsonify,
    redirect,
    render_template,
    request,
    url_for,
)

from service_parts.web import path_of
from smart_app.launch import error_pages, flow, services, session
from smart_app.launch.services import Installation, launch_services, set_installation
from smart_app.launch.store import WindowStore
from smart_app.launch.window import signed_in, window
from smart_app.screens import SCREENS
from smart_app.settings import AppSettings

# ----------------------------------------------------------------------
# Headers every answer of the app carries, and addresses of static files that change with their
# content, so that browsers keep them long.
#
# A page shows a chart, so nobody keeps it, it loads and runs only what the app itself serves, and
# only the EHRs that were registered may show it in a frame.


_STATIC_KEPT = 365 * 24 * 3600  # seconds; addresses of static files change with their content
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'"
)
_NOBODY = "'none'"


def install_headers(app: Flask) -> None:
    app.after_request(_complete)
    version_static_files(app)


def policy(ancestors: Iterable[str]) -> str:
    """The Content-Security-Policy of a page that those origins may show."""
    return f"{_POLICY}; frame-ancestors {' '.join(ancestors) or _NOBODY}"


def _complete(response: Response) -> Response:
    settings = launch_services().settings
    if response.status_code == 308:  # Flask's own: a slash is missing, or there are two
        response.location = path_of(response.location or "")
    if request.endpoint == "static" and response.status_code == 200:
        response.headers["Cache-Control"] = f"public, max-age={_STATIC_KEPT}, immutable"
    else:
        response.headers.setdefault("Cache-Control", "no-store")
    ehr = g.get("vialwise_ehr")
    ancestors = ehr.frame_ancestors if ehr else tuple(settings.frame_ancestors())
    response.headers.setdefault("Content-Security-Policy", policy(ancestors))
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
    if settings.secure:
        response.headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response


# ---------------------------------------------------------------- static files

_FOLDER = Path(__file__).parent / "static"


def version_static_files(app: Flask) -> None:
    """Let `url_for("static", ...)` name the version of the file."""
    app.url_defaults(_with_version)


def _with_version(endpoint: str, values: dict[str, object]) -> None:
    if endpoint == "static" and "filename" in values:
        values.setdefault("v", _version(str(values["filename"])))


@lru_cache(maxsize=256)
def _version(filename: str) -> str | None:
    """A few characters of the file's hash; None, and so left out, where there is no such file."""
    file = (_FOLDER / filename).resolve()
    if not file.is_relative_to(_FOLDER) or not file.is_file():
        return None
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]


# ----------------------------------------------------------------------
# The pages outside of windows: the front page, signing out, and the app's public keys.


_KEYS_KEPT = 3600  # seconds that EHRs may keep the public keys; the next one is shown long before


def pages_blueprint() -> Blueprint:
    made = Blueprint("pages", __name__)
    made.add_url_rule("/", view_func=front, endpoint="front")
    made.add_url_rule("/signed-out", view_func=signed_out, endpoint="signed_out")
    made.add_url_rule("/jwks.json", view_func=keys, endpoint="keys")
    return made


def session_blueprint() -> Blueprint:
    """What every window has besides its screens."""
    made = Blueprint("session", __name__)
    made.add_url_rule("/sign-out", view_func=sign_out, endpoint="sign_out", methods=["POST"])
    return made


def front() -> str:
    """The registered EHRs, one of which can be picked to open the app without its own menu."""
    return render_template("front.html", ehrs=launch_services().settings.ehrs)


def signed_out() -> str:
    return render_template("signed_out.html")


def keys() -> Response:
    """The public parts of the app's keys (SMART App Launch 2.2, "Client Authentication:
    Asymmetric")."""
    response = jsonify(launch_services().app_keys.published())
    response.headers["Cache-Control"] = f"public, max-age={_KEYS_KEPT}"
    return response


def sign_out() -> Response:
    """End the window: its tokens are given back and forgotten, its cookie goes."""
    id_ = window().id
    session.end_window(id_)
    response = redirect(url_for("pages.signed_out"), 303)
    assert isinstance(response, Response)
    session.remove_cookie(response, session.KIND_WINDOW, id_, launch_services().settings.secure)
    return response


# ----------------------------------------------------------------------
# The SMART app as a WSGI application: every blueprint, and what stands before it.


_IN_WINDOW = "/w/<window_id>"
_LARGEST_FORM = 1024 * 1024


def create_app(
    running: Installation,
    settings: AppSettings,
    store: WindowStore,
    screens: Sequence[Callable[[], Blueprint]] = SCREENS,
) -> Flask:
    """The app. `store` keeps launches and windows for all workers."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_FORM
    app.jinja_env.globals |= {
        "csrf_field": session.csrf_field,
        "csrf_token": session.csrf_token,
        "signed_in": signed_in,
    }
    set_installation(app, running)
    services.set_launch_services(app, services.services_of(settings, store))
    session.install_windows(app)
    error_pages.install(app)
    install_headers(app)

    for page in (pages_blueprint(), flow.blueprint()):
        app.register_blueprint(page)  # before anybody is known: nothing of a chart
    for made in (session_blueprint, *screens):
        screen = made()
        screen.before_request(session.require_window)
        app.register_blueprint(screen, url_prefix=_IN_WINDOW)
    # What a launch opens; one of the screens answers there.
    app.add_url_rule(f"{_IN_WINDOW}/", endpoint="launch.window", build_only=True)
    return app


def compile_templates(app: Flask) -> None:
    """Of an app with all its screens, before the server forks its workers: each of them would else
    do so while somebody waits for its first page."""
    for name in app.jinja_env.list_templates(extensions=("html",)):
        app.jinja_env.get_template(name)
