"""One resource of the chart, as it was sent: in a table that anyone can read, and as JSON."""

from __future__ import annotations

import json

from flask import Blueprint, Response, render_template, request

from billing_rules.fhir.json.decoding import JsonObject
from billing_rules.model.states import Nothing, Present, Unknown
from ehr_access.client import fetch_allowed
from ehr_access.limits import Deadline
from ehr_access.query import Query, QueryRefused
from ehr_access.resources import AnotherPatient, of_patient
from smart_app.chart.patient_record import ROUNDS, refused
from smart_app.launch.error_pages import NOT_FOUND, Stop, Stopped
from smart_app.launch.window import window
from smart_app.screens import words

_NOT_READ = Stop(
    "resource-not-read",
    502,
    "The EHR did not give this record",
    ("It is named in the chart, but could not be read by itself.", "Go back and try again."),
)


def blueprint() -> Blueprint:
    made = Blueprint("resource", __name__)
    made.add_url_rule("/resource/<kind>/<id_>", view_func=show, endpoint="show")
    made.add_url_rule("/resource/<kind>/<id_>/json", view_func=as_json, endpoint="as_json")
    return made


def show(kind: str, id_: str) -> str:
    raw = _read(kind, id_)
    return render_template(
        "resource.html",
        window=window(),
        reference=f"{kind}/{id_}",
        rows=words.flattened(_exact(raw)),
        order=request.args.get("order", ""),
    )


def as_json(kind: str, id_: str) -> Response:
    """The resource byte for byte as the EHR sent it."""
    return Response(_read(kind, id_), content_type="application/fhir+json; charset=utf-8")


def _exact(raw: bytes) -> JsonObject:
    """Every number as it is written there: 0.50 stays 0.50."""
    value = json.loads(raw, parse_float=str, parse_int=str)
    return value if isinstance(value, dict) else {}


def _read(kind: str, id_: str) -> bytes:
    """The resource's bytes. Raises Stopped."""
    here = window()
    try:
        query = Query(kind, id_)
    except QueryRefused:
        raise Stopped(NOT_FOUND) from None
    until = Deadline.after(ROUNDS[1].seconds)
    part = fetch_allowed(here.ehr, here.scopes, {"": query}, until)[""]
    try:
        part = of_patient(part, kind, kind, here.patient_id)
    except AnotherPatient as error:
        raise refused(error) from None
    if isinstance(part, Nothing):
        raise Stopped(NOT_FOUND)
    if isinstance(part, Unknown):
        raise Stopped(_NOT_READ, f"The reason: {part.because}.")
    assert isinstance(part, Present)
    raw = part.value[0]
    assert isinstance(raw, bytes)
    return raw
