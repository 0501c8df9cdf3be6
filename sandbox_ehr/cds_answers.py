"""What a CDS service answered, read strictly (CDS Hooks 2.0.1, "CDS Service Response").

An EHR shows what it can stand for: a card that breaks the specification is not shown as advice,
but named with what is wrong, and the other cards stand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

Text = Annotated[str, Meta(min_length=1, pattern=r"\S")]
Summary = Annotated[str, Meta(min_length=1, max_length=139, pattern=r"\S")]
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Coding(Struct, frozen=True):
    code: Text
    system: str = ""
    display: str = ""


class Source(Struct, frozen=True):
    label: Text
    url: str = ""
    icon: str = ""
    topic: Coding | None = None


class Action(Struct, frozen=True, rename="camel"):
    type: Literal["create", "update", "delete"]
    description: Text
    resource: dict[str, Any] | None = None
    resource_id: str = ""


class Suggestion(Struct, frozen=True, rename="camel"):
    label: Text
    uuid: str = ""
    is_recommended: bool = False
    actions: tuple[Action, ...] | None = None


class Link(Struct, frozen=True, rename="camel"):
    label: Text
    url: Text
    type: Literal["absolute", "smart"]
    app_context: str = ""


class Card(Struct, frozen=True, rename="camel"):
    summary: Summary
    indicator: Literal["info", "warning", "critical"]
    source: Source
    uuid: str = ""
    detail: str = ""
    suggestions: tuple[Suggestion, ...] = ()
    selection_behavior: Literal["at-most-one", "any", ""] = ""
    override_reasons: tuple[Coding, ...] = ()
    links: tuple[Link, ...] = ()

    def suggestion(self, uuid: str) -> Suggestion | None:
        return next((s for s in self.suggestions if s.uuid and s.uuid == uuid), None)


@dataclass(frozen=True, slots=True)
class Malformed:
    """A card that breaks the specification: where it stands in the answer, and what is wrong."""

    place: int
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """The cards of an answer, those that are none, and what is wrong with the whole of it."""

    cards: tuple[Card, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    problem: str = ""
    system_actions: int = 0


def read(body: bytes) -> Answer:
    """The answer in `body`; whatever it holds, this raises nothing."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return Answer(problem="The answer is not JSON.")
    if not isinstance(said, dict) or not isinstance(said.get("cards"), list):
        return Answer(problem="The answer has no list of cards.")
    read_cards = [_card(card, place) for place, card in enumerate(said["cards"], 1)]
    actions = said.get("systemActions")
    return Answer(
        cards=tuple(c for c in read_cards if isinstance(c, Card)),
        malformed=tuple(c for c in read_cards if isinstance(c, Malformed)),
        system_actions=len(actions) if isinstance(actions, list) else 0,
    )


def _card(body: Any, place: int) -> Card | Malformed:
    try:
        card = msgspec.convert(body, Card, strict=True)
        faults = tuple(_faults(card))
    except (msgspec.ValidationError, RecursionError) as error:
        # msgspec's sentence, with the path as the specification names it.
        what, _, path = str(error).partition(" - at `$")
        words = f"{path.rstrip('`').lstrip('.') or 'the card'}: {what.replace('`', '')}"
        return Malformed(place, (words,))
    return Malformed(place, faults) if faults else card


def _faults(card: Card) -> Iterator[str]:
    """What the types cannot say (CDS Hooks 2.0.1, "Card Attributes", "Suggestion", "Action")."""
    if card.suggestions and not card.selection_behavior:
        yield "selectionBehavior: it is required where there are suggestions"
    recommended = sum(s.is_recommended for s in card.suggestions)
    if card.selection_behavior == "at-most-one" and recommended > 1:
        yield "suggestions: at most one may be recommended"
    for suggestion in card.suggestions:
        if suggestion.actions == ():
            yield "suggestions: actions is empty"
        for action in suggestion.actions or ():
            yield from _action_faults(action)
    for reason in card.override_reasons:
        if not reason.display or not reason.system:
            yield "overrideReasons: a reason needs code, system and display"
    yield from _address_faults(card)


def _action_faults(action: Action) -> Iterator[str]:
    if action.type == "delete":
        if "/" not in action.resource_id:
            yield "actions: a delete needs resourceId, as Type/id"
    elif not action.resource or not isinstance(action.resource.get("resourceType"), str):
        yield f"actions: {action.type} needs a resource"
    elif action.type == "update" and not action.resource.get("id"):
        yield "actions: update needs the id of the resource"


def _address_faults(card: Card) -> Iterator[str]:
    for link in card.links:
        if not is_web_address(link.url):
            yield "links: url is no web address"
        if link.app_context and link.type != "smart":
            yield "links: appContext goes with smart links only"
    for address in (card.source.url, card.source.icon):
        if address and not is_web_address(address):
            yield "source: no web address"


def is_web_address(url: str) -> bool:
    """Whether a user may be sent there: https, or this machine itself."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if parts.username or any(c <= " " for c in url):
        return False
    return (parts.scheme == "https" and bool(parts.hostname)) or (
        parts.scheme == "http" and parts.hostname in LOOPBACK
    )
