"""The pages outside of windows: the front page, signing out, and the app's public keys."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, redirect, render_template, url_for

from smart_app.launch import cookies, windows
from smart_app.launch.state import launch_services
from smart_app.launch.window import window

_KEYS_KEPT = 3600  # seconds that EHRs may keep the public keys; the next one is shown long before


def blueprint() -> Blueprint:
    made = Blueprint("pages", __name__)
    made.add_url_rule("/", view_func=front, endpoint="front")
    made.add_url_rule("/signed-out", view_func=signed_out, endpoint="signed_out")
    made.add_url_rule("/jwks.json", view_func=keys, endpoint="keys")
    return made


def in_window() -> Blueprint:
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
    windows.end(id_)
    response = redirect(url_for("pages.signed_out"), 303)
    assert isinstance(response, Response)
    cookies.remove(response, cookies.KIND_WINDOW, id_, launch_services().settings.secure)
    return response
