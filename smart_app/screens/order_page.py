"""What every screen about an order begins with: chart read, order found, the page around it.

The address says which order (`order`) and how long the chart may be read (`round`): the first page
is quick, and asks by itself for the next round while there is more.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode

from flask import render_template, request

from billing_rules.catalogue import Catalogue
from smart_app.chart.chart_orders import FoundOrder
from smart_app.chart.patient_record import ROUNDS, PatientRecord, read
from smart_app.chart.requirements import documentation, requirements
from smart_app.launch.window import Window, window
from smart_app.running import running
from smart_app.screens import navigation, words


@dataclass(frozen=True, slots=True, repr=False)
class OrderPage:
    """The window, its patient's record, and the order that the address or the card named.

    `reading_on` is the address of the same page with the next round, "" when there is nothing more
    to read; `today` the day it is where the clinic is; `catalogue` what this installation knows.
    """

    window: Window
    record: PatientRecord
    reference: str
    order: FoundOrder | None
    reading_on: str
    today: date
    catalogue: Catalogue


def open_order(must_be_whole: bool = False) -> OrderPage:
    """What the address of this request names. Raises Stopped when the page must not be shown.

    `must_be_whole`: the first round is left out, for what is printed and for files.
    """
    here, site = window(), running()
    catalogue, today = site.catalogue, site.today()
    reference = request.args.get("order", "") or here.order
    text = request.args.get("round", "")
    number = int(text[:3]) if text.isascii() and text.isdecimal() else 0
    number = min(number, len(ROUNDS) - 1)
    limits = ROUNDS[-1] if must_be_whole else ROUNDS[number]
    record = read(here, catalogue, today, reference, limits)
    reading_on = ""
    if record.more_to_read:
        query = {**request.args.to_dict(), "round": str(number + 1)}
        reading_on = f"{request.script_root}{request.path}?{urlencode(query)}"
    return OrderPage(here, record, reference, record.order(reference), reading_on, today, catalogue)


def page(template: str, at: OrderPage, **values: Any) -> str:
    """The page, with the patient's banner, the navigation and what is still being read."""
    found = at.order
    reference = found.reference if found else ""
    return render_template(
        template,
        window=at.window,
        record=at.record,
        found=found,
        order=reference,
        banner=words.banner(at.record.patient, at.today) if at.window.shows_banner else None,
        navigation=navigation.items(at.window, reference),
        reading_on=at.reading_on,
        still_reading=[words.PARTS.get(name, name) for name in at.record.more_to_read],
        unread=words.unread_parts(at.record),
        today=at.today,
        words=words,
        **values,
    )


def no_order(at: OrderPage) -> str:
    """The page that is shown where no order is looked at: those there are, and why not that one."""
    return page("orders.html", at, asked_for=at.reference, rows=order_rows(at.record))


def order_rows(record: PatientRecord) -> list[dict[str, Any]]:
    return [
        {
            "found": found,
            "words": words.order_words(found),
            "stage": words.stage_words(found),
            "answer": documentation(requirements(found.review)),
        }
        for found in record.orders
    ]
