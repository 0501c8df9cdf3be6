"""What the interactions work on."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox_ehr.fhir.pages import Pages
from sandbox_ehr.quirks import Quirks
from sandbox_ehr.records import Records


@dataclass(frozen=True, slots=True)
class Served:
    """`base` is the address of the FHIR server, without a slash at its end."""

    records: Records
    pages: Pages
    quirks: Quirks
    base: str
