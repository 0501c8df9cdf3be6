"""What templates may do with a value: cut it to fit, name its record, make an address of it."""

from __future__ import annotations

import re

from flask import Blueprint

from billing_rules.model.entities import CERTAINTY
from billing_rules.rules.common import capital
from ehr_access.query import ID
from smart_app.screens.words import brief, quoted

_RECORD = re.compile(r"(?:.*/)?([A-Z][A-Za-z]{2,63})/([^/\s]+?)(?:/_history/.*)?(?: item \d+)?")


def add_to(blueprint: Blueprint) -> None:
    """Give all templates of the app these filters."""
    for filter_ in (brief, capital, quoted, record_of, web_address):
        blueprint.add_app_template_filter(filter_)
    blueprint.add_app_template_global(lambda: CERTAINTY, "certainties")


def record_of(reference: str, patient_id: str) -> tuple[str, str] | None:
    """Type and id of the record that a finding's evidence names; None where it names none that
    can be asked for."""
    if reference == "Patient":
        return "Patient", patient_id
    match = _RECORD.fullmatch(reference)
    if match is None or not ID.fullmatch(match[2]):
        return None
    return match[1], match[2]


def web_address(url: str) -> str:
    """A link's address: http(s), or nothing. A site's own file could hold anything."""
    return url if url.startswith(("https://", "http://")) else ""
