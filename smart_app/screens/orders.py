"""The patient's orders of catalogued drugs, newest first."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint

from smart_app.screens.order_page import open_order, order_rows, page


def blueprint() -> Blueprint:
    made = Blueprint("orders", __name__)
    made.add_url_rule("/orders", view_func=show, endpoint="show")
    return made


def show() -> str:
    at = open_order()
    listed = replace(at, reference="", order=None)
    return page("orders.html", listed, asked_for="", rows=order_rows(at.record))
