"""The audit packet of one order, to print or to send: as a page and as a PDF, from one content."""

from __future__ import annotations

from flask import Blueprint, Response

from smart_app import words
from smart_app.order_page import OrderPage, no_order, open_order, page
from smart_app.packet import Packet, packet
from smart_app.packet_pdf import pdf
from smart_app.running import running


def blueprint() -> Blueprint:
    made = Blueprint("packet", __name__)
    made.add_url_rule("/packet", view_func=show, endpoint="show")
    made.add_url_rule("/packet.pdf", view_func=as_pdf, endpoint="as_pdf")
    return made


def show() -> str:
    at = open_order(must_be_whole=True)
    made = _packet(at)
    return no_order(at) if made is None else page("packet.html", at, packet=made)


def as_pdf() -> Response | str:
    at = open_order(must_be_whole=True)
    made = _packet(at)
    if made is None:
        return no_order(at)
    response = Response(pdf(made), content_type="application/pdf")
    # No name in the file's name: it ends up in download folders and in logs.
    response.headers["Content-Disposition"] = f'inline; filename="audit-packet-{made.made}.pdf"'
    return response


def _packet(at: OrderPage) -> Packet | None:
    """The packet names its patient whatever the EHR wants of the banner: it leaves the window."""
    if at.order is None:
        return None
    today = running().today()
    patient = words.banner(at.record.patient, today)
    by = words.brief(at.window.user.name, 80)
    unread = words.unread_parts(at.record)
    return packet(at.order, patient, unread, today, by, at.window.ehr_name)
