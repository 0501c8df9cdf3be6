"""The SMART app as a WSGI application: every blueprint, and what stands before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flask import Blueprint, Flask

from smart_app import http_headers, pages
from smart_app.launch import csrf, error_pages, flow, state, windows
from smart_app.launch.store import Store
from smart_app.launch.window import signed_in
from smart_app.running import Running, set_running
from smart_app.screens import SCREENS
from smart_app.settings import Settings

_IN_WINDOW = "/w/<window_id>"
_LARGEST_FORM = 1024 * 1024


def create_app(
    running: Running,
    settings: Settings,
    store: Store,
    screens: Sequence[Callable[[], Blueprint]] = SCREENS,
) -> Flask:
    """The app. `store` keeps launches and windows for all workers."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _LARGEST_FORM
    app.jinja_env.globals |= {
        "csrf_field": csrf.csrf_field,
        "csrf_token": csrf.csrf_token,
        "signed_in": signed_in,
    }
    set_running(app, running)
    state.set_launch_services(app, state.made(settings, store))
    windows.install(app)
    error_pages.install(app)
    http_headers.install(app)

    for page in (pages.blueprint(), flow.blueprint()):
        app.register_blueprint(page)  # before anybody is known: nothing of a chart
    for made in (pages.in_window, *screens):
        screen = made()
        screen.before_request(windows.require_window)
        app.register_blueprint(screen, url_prefix=_IN_WINDOW)
    # What a launch opens; one of the screens answers there.
    app.add_url_rule(f"{_IN_WINDOW}/", endpoint="launch.window", build_only=True)
    return app


def compile_templates(app: Flask) -> None:
    """Of an app with all its screens, before the server forks its workers: each of them would else
    do so while somebody waits for its first page."""
    for name in app.jinja_env.list_templates(extensions=("html",)):
        app.jinja_env.get_template(name)
