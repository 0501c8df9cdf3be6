"""What one launch gave one browser window: whose chart, who looks, with which rights.

Two launches in two windows are two windows: nothing is shared between them but the browser.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from flask import g

from ehr_access.client import EhrClient
from ehr_access.scopes import Scopes


class Role(Enum):
    """What a person may see. Patients and relatives see nothing (conformance B6.2, F2.6)."""

    CLINICIAN = "clinician"  # fhirUser is a Practitioner or PractitionerRole
    STAFF = "staff"  # signed in, and the EHR does not say as whom
    OWNER = "owner"  # a clinician or biller named in the settings: the feedback dashboard too


@dataclass(frozen=True, slots=True)
class User:
    """Who is signed in. `reference` is the fhirUser ("Practitioner/1"), "" when not known."""

    reference: str
    name: str
    role: Role


@dataclass(frozen=True, slots=True, repr=False)
class Window:
    """One launched window. `id` stands in its addresses and is not secret; the cookie is.

    `ehr` reads and writes with the window's token, which nothing else can get at. `order` is the
    reference of the order a card's link meant ("MedicationRequest/1") and `rules` the rules that
    spoke there; "" and () when the app was opened otherwise. `shows_banner`: whether the EHR wants
    the app to say whose chart this is (SMART App Launch 2.2, need_patient_banner). `owner_key`
    stands for this user with this patient at this EHR: a keyed hash, the same again after a new
    launch, so what somebody was typing is kept under it. `note` is a sentence to show once on top,
    as when a card's link could not be used. `together` are the orders that the card judged together
    with `order`.
    """

    id: str
    ehr_id: str
    ehr_name: str
    fhir_base: str
    ehr: EhrClient
    patient_id: str
    encounter_id: str
    user: User
    scopes: Scopes
    order: str = ""
    rules: tuple[str, ...] = ()
    shows_banner: bool = True
    owner_key: str = ""
    note: str = ""
    together: tuple[str, ...] = ()


def set_window(window: Window) -> None:
    """Make `window` that of this request (windows.require_window does, before every screen)."""
    g.vialwise_window = window


def signed_in() -> Window | None:
    """The window of this request, for pages that are also shown outside of one."""
    found: Window | None = g.get("vialwise_window")
    return found


def window() -> Window:
    """The window of this request."""
    found = g.vialwise_window
    assert isinstance(found, Window)
    return found
