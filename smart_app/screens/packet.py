"""The audit packet of one order, to print or to save as a PDF from the browser."""

from __future__ import annotations

from flask import Blueprint

from smart_app.screens import words
from smart_app.screens.order_page import no_order, open_order, page
from smart_app.screens.packet_content import packet


def blueprint() -> Blueprint:
    made = Blueprint("packet", __name__)
    made.add_url_rule("/packet", view_func=show, endpoint="show")
    return made


def show() -> str:
    """The packet names its patient whatever the EHR wants of the banner: it leaves the window."""
    at = open_order(must_be_whole=True)
    if at.order is None:
        return no_order(at)
    patient = words.banner(at.record.patient, at.today)
    by = words.brief(at.window.user.name, 80)
    unread = words.unread_parts(at.record)
    content = packet(at.order, patient, unread, at.today, by, at.window.ehr_name)
    return page("packet.html", at, packet=content)
