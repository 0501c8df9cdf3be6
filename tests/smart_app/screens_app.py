"""The reading screens behind a window that is given, without a launch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

from flask import Flask
from werkzeug.serving import make_server

import smart_app
from smart_app import app as http_headers
from smart_app import app as pages
from smart_app.launch import error_pages, session
from smart_app.launch.services import Installation, set_installation
from smart_app.launch.window import Window, set_window, signed_in
from smart_app.screens import SCREENS


def screens_app(running: Installation, window: Callable[[], Window]) -> Flask:
    """An app of all screens, with the real layout, errors and Content-Security-Policy."""
    app = Flask("smart_app", root_path=str(next(iter(smart_app.__path__))))
    no_form = {"csrf_field": lambda: "", "csrf_token": lambda: ""}
    app.jinja_env.globals |= {**no_form, "signed_in": signed_in}
    set_installation(app, running)
    session.install_windows(app)
    http_headers.version_static_files(app)
    error_pages.install(app)

    @app.after_request
    def protected(response):  # type: ignore[no-untyped-def]
        response.headers["Content-Security-Policy"] = http_headers.policy(())
        return response

    for made in (pages.session_blueprint, *SCREENS):
        screen = made()
        screen.before_request(lambda: set_window(window()))
        app.register_blueprint(screen, url_prefix="/w/<window_id>")
    return app


@contextmanager
def served(app: Flask, port: int = 0) -> Iterator[str]:
    """The app on that loopback port, or a free one; its address."""
    server = make_server("127.0.0.1", port, app, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
