"""What somebody typed is not lost when their window has ended meanwhile.

A form that arrives in an ended window, from the browser that had it, is handed to the keepers that
screens registered. They keep it under `owner_key`, which is the same again when the same user
opens the same patient's chart in the same EHR anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Flask, current_app, request

from smart_app.records import KeptWindow

_KEY = "vialwise-app-rescue"
KEPT = "What you typed is kept: open the app again for this patient, and it is there."

# owner key, endpoint, its values, the form -> whether it is kept now
Keeper = Callable[[str, str, Mapping[str, object], Mapping[str, list[str]]], bool]


def register(app: Flask, keeper: Keeper) -> None:
    """Let `keeper` see forms that arrive too late."""
    app.extensions.setdefault(_KEY, []).append(keeper)


def kept(window: KeptWindow) -> str:
    """The sentence that says so, once a keeper has taken this request's form; "" otherwise."""
    if request.method != "POST":
        return ""
    form = {name: values for name, values in request.form.lists() if name != "csrf_token"}
    keepers: list[Keeper] = current_app.extensions.get(_KEY, [])
    endpoint, values = request.endpoint or "", request.view_args or {}
    taken = [keeper(window.owner_key, endpoint, values, form) for keeper in keepers]
    return KEPT if any(taken) else ""
