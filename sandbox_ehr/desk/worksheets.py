"""What is on the desk: one worksheet an order entry, kept in memory until it is pushed out."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sandbox_ehr.cds_answers import Card, Malformed
from sandbox_ehr.cds_client import Call
from sandbox_ehr.desk.elements import Resource

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
    calls: tuple[Call, ...] = ()
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
        self._kept: OrderedDict[str, Worksheet] = OrderedDict()

    def get(self, id_: str) -> Worksheet | None:
        with self._lock:
            return self._kept.get(id_)

    def put(self, worksheet: Worksheet) -> Worksheet:
        with self._lock:
            self._kept[worksheet.id] = worksheet
            self._kept.move_to_end(worksheet.id)
            while len(self._kept) > _MOST:
                self._kept.popitem(last=False)
        return worksheet

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
