"""What is on the desk: one worksheet an order entry, and what the desk works with."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from flask import Flask, current_app

from sandbox_ehr.cds_answers import Card, Malformed
from sandbox_ehr.cds_client import CdsClient, HookCall, SigningKey
from sandbox_ehr.desk.draft_elements import Resource
from sandbox_ehr.records import Records, put
from sandbox_ehr.settings import Client, Settings
from sandbox_ehr.smart.sessions import Launches

_MOST = 200  # worksheets; the oldest go first

Stage = Literal["draft", "signed", "given", "ended"]


@dataclass(frozen=True, slots=True, repr=False)
class ShownCard:
    """A card on the desk, and what the user made of it ("" while nothing). `reason` and `comment`
    are what was typed to set it aside and not sent yet."""

    key: str
    service_url: str
    hook: str
    card: Card
    outcome: Literal["", "accepted", "set aside"] = ""
    told: str = ""
    reason: str = ""
    comment: str = ""

    @property
    def is_open(self) -> bool:
        return not self.outcome

    @property
    def is_urgent(self) -> bool:
        return self.is_open and self.card.indicator != "info"


@dataclass(frozen=True, slots=True, repr=False)
class Worksheet:
    """One order entry from the first draft to the end of the visit.

    `before` holds what a draft was before a suggestion changed it. `asked` are the drafts that the
    cards are about, `checked` those that order-sign saw last. `typed` is what was typed into the
    drafts or the charting and is not in the records yet, by field. `charted` are references of what
    was recorded as given.
    """

    id: str
    patient_id: str
    encounter_id: str
    user: str
    story: str = ""
    stage: Stage = "draft"
    drafts: tuple[Resource, ...] = ()
    before: Mapping[str, Resource | None] = field(default_factory=dict)
    asked: tuple[Resource, ...] = ()
    checked: tuple[Resource, ...] | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
    cards: tuple[ShownCard, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    calls: tuple[HookCall, ...] = ()
    notes: tuple[str, ...] = ()
    charted: tuple[str, ...] = ()

    @property
    def open_cards(self) -> tuple[ShownCard, ...]:
        return tuple(card for card in self.cards if card.is_open)

    @property
    def answered_cards(self) -> tuple[ShownCard, ...]:
        return tuple(card for card in self.cards if not card.is_open)

    @property
    def asks_before_signing(self) -> bool:
        """Whether order-sign was answered with something that the user has not answered yet."""
        return self.checked == self.drafts and any(card.is_urgent for card in self.cards)

    def card(self, key: str) -> ShownCard | None:
        return next((card for card in self.cards if card.key == key), None)


def new_id() -> str:
    return secrets.token_urlsafe(12)


class Worksheets:
    """All worksheets of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_id: dict[str, Worksheet] = {}

    def get(self, id_: str) -> Worksheet | None:
        with self._lock:
            return self._by_id.get(id_)

    def put(self, worksheet: Worksheet) -> Worksheet:
        with self._lock:
            self._by_id.pop(worksheet.id, None)
            put(self._by_id, worksheet.id, worksheet, _MOST)
        return worksheet

    def clear(self) -> None:
        with self._lock:
            self._by_id.clear()


# ---------------------------------------------------------------- the desk

DESK_KEY = "sandbox-ehr-desk"


@dataclass(frozen=True, slots=True, repr=False)
class Desk:
    """`start` is every resource as it was in the beginning; `current` moves the dates of a fixture
    as those of the charts were moved."""

    records: Records
    settings: Settings
    launches: Launches
    services: tuple[CdsClient, ...]
    key: SigningKey
    start: tuple[Resource, ...]
    current: Callable[[Any], Any]
    worksheets: Worksheets = field(default_factory=Worksheets)


def set_desk(app: Flask, desk: Desk) -> None:
    app.extensions[DESK_KEY] = desk


def desk() -> Desk:
    """That of the application which answers the current request."""
    found = current_app.extensions[DESK_KEY]
    assert isinstance(found, Desk)
    return found


# ---------------------------------------------------------------- smart links


def apps_of_menu(desk: Desk, sheet: Worksheet) -> tuple[Client, ...]:
    """The apps that can be opened without a card; one that an open card leads to is left out, so
    that there is one way to it."""
    links = (link for shown in sheet.open_cards for link in shown.card.links)
    linked = {c.id for x in links if x.type == "smart" and (c := desk.settings.app_at(x.url))}
    return tuple(c for c in desk.settings.clients if c.launch_url and c.id not in linked)


def launch_address(desk: Desk, sheet: Worksheet, app: Client, url: str, app_context: str) -> str:
    """The link with `iss` and a `launch` of its own, good once and for ten minutes."""
    context = (sheet.patient_id, sheet.encounter_id, sheet.user, app_context)
    launch = desk.launches.new(*context, client_id=app.id, need_patient_banner=False)
    parts = urlsplit(url)
    query = [(k, v) for k, v in parse_qsl(parts.query) if k not in ("iss", "launch")]
    query += [("iss", desk.settings.fhir_base), ("launch", launch)]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))
