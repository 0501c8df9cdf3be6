"""One worksheet an order entry, the steps from one to the next, and the hooks they fire.

order-select when a drug is chosen or its order changed, order-sign before it is signed,
patient-view when something was charted, encounter-discharge when the visit ends."""

from __future__ import annotations

import copy
import secrets
import threading
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec
from flask import Flask, current_app

from sandbox_ehr import cds_client
from sandbox_ehr.cds_client import (
    Action,
    Card,
    CdsClient,
    HookCall,
    Malformed,
    SigningKey,
    Suggestion,
)
from sandbox_ehr.desk import draft_forms
from sandbox_ehr.desk.draft_forms import Resource, reference
from sandbox_ehr.fhir import validation
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.records import Records, put
from sandbox_ehr.settings import EhrSettings, RegisteredApp
from sandbox_ehr.smart.tokens import Launches

# ----------------------------------------------------------------------
# What is on the desk: one worksheet an order entry, and what the desk works with.


_MOST = 200  # worksheets; the oldest go first

Stage = Literal["draft", "signed", "given", "ended"]


@dataclass(frozen=True, slots=True, repr=False)
class DeskCard:
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
    cards: tuple[DeskCard, ...] = ()
    malformed: tuple[Malformed, ...] = ()
    calls: tuple[HookCall, ...] = ()
    notes: tuple[str, ...] = ()
    charted: tuple[str, ...] = ()

    @property
    def open_cards(self) -> tuple[DeskCard, ...]:
        return tuple(card for card in self.cards if card.is_open)

    @property
    def answered_cards(self) -> tuple[DeskCard, ...]:
        return tuple(card for card in self.cards if not card.is_open)

    @property
    def asks_before_signing(self) -> bool:
        """Whether order-sign was answered with something that the user has not answered yet."""
        return self.checked == self.drafts and any(card.is_urgent for card in self.cards)

    def card(self, key: str) -> DeskCard | None:
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
    settings: EhrSettings
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


def apps_of_menu(desk: Desk, sheet: Worksheet) -> tuple[RegisteredApp, ...]:
    """The apps that can be opened without a card; one that an open card leads to is left out, so
    that there is one way to it."""
    links = (link for shown in sheet.open_cards for link in shown.card.links)
    linked = {c.id for x in links if x.type == "smart" and (c := desk.settings.app_at(x.url))}
    return tuple(c for c in desk.settings.clients if c.launch_url and c.id not in linked)


def launch_address(
    desk: Desk, sheet: Worksheet, app: RegisteredApp, url: str, app_context: str
) -> str:
    """The link with `iss` and a `launch` of its own, good once and for ten minutes."""
    context = (sheet.patient_id, sheet.encounter_id, sheet.user, app_context)
    launch = desk.launches.new(*context, client_id=app.id, need_patient_banner=False)
    parts = urlsplit(url)
    query = [(k, v) for k, v in parse_qsl(parts.query) if k not in ("iss", "launch")]
    query += [("iss", desk.settings.fhir_base), ("launch", launch)]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


# ----------------------------------------------------------------------
# The steps of an order entry, each from one worksheet to the next, and the hooks they fire.
#
# order-select when a drug is chosen or its order changed, order-sign before it is signed,
# patient-view when something was charted, encounter-discharge when the visit ends.


# ---------------------------------------------------------------- suggestions (CDS Hooks, "Action")

_ORDERS = ("MedicationRequest", "ServiceRequest", "ChargeItem", "Claim")


class SuggestionNotTaken(ValueError):
    """The suggestion cannot be taken; nothing was changed. The message says why."""


@dataclass(frozen=True, slots=True, repr=False)
class SuggestionResult:
    """The drafts after a suggestion, and what each changed one was before (None: nothing)."""

    drafts: tuple[Resource, ...]
    before: dict[str, Resource | None]
    removed: tuple[str, ...]


def with_suggestion(
    drafts: Sequence[Resource], suggestion: Suggestion, patient_id: str
) -> SuggestionResult:
    """The drafts with every action done. Raises NotTaken, and then none was done."""
    now = {reference(draft): copy.deepcopy(draft) for draft in drafts}
    before: dict[str, Resource | None] = {}
    removed: list[str] = []
    # "processed as a transaction: deletes, then creates, then updates" (CDS Hooks 3.0.0-ballot)
    order = ("delete", "create", "update")
    for action in sorted(suggestion.actions or (), key=lambda a: order.index(a.type)):
        ref = _target(action, patient_id)
        if action.type != "create" and ref not in now:
            raise SuggestionNotTaken(f"{ref} is none of these drafts")
        if action.type == "delete":
            del now[ref]
            removed.append(ref)
            continue
        before.setdefault(ref, now.get(ref))
        now[ref] = {**(action.resource or {}), "id": ref.partition("/")[2]}
    return SuggestionResult(tuple(now.values()), before, tuple(removed))


def _target(action: Action, patient_id: str) -> str:
    """What the action is about, as Type/id. Raises NotTaken for what this desk does not order."""
    if action.type == "delete":
        return action.resource_id
    resource = action.resource or {}
    if resource.get("resourceType") not in _ORDERS:
        raise SuggestionNotTaken(f"this desk cannot order a {resource.get('resourceType')}")
    about = [resource[name] for name in ("subject", "patient") if name in resource]
    patients = {str(a.get("reference")) if isinstance(a, dict) else "" for a in about}
    if patients != {f"Patient/{patient_id}"}:
        raise SuggestionNotTaken("it is for another patient")
    try:
        validation.check(resource)
    except FhirError as error:
        raise SuggestionNotTaken(f"what it would order is not valid FHIR: {error}") from None
    if action.type == "create":
        return f"{resource['resourceType']}/{uuid.uuid4()}"
    return reference(resource)


# ---------------------------------------------------------------- the steps

# What an order becomes when it is signed; a charge waits for its claim.
_SIGNED = {"ChargeItem": "billable"}
_LONGEST = 500  # characters of a field


def opened(
    desk: Desk,
    patient_id: str,
    encounter_id: str,
    user: str,
    drafts: Sequence[Resource],
    story: str = "",
) -> Worksheet:
    """A new worksheet; its drug is chosen, so order-select fires."""
    sheet = Worksheet(new_id(), patient_id, encounter_id, user, story, drafts=tuple(drafts))
    _keep_drafts(desk, (), sheet.drafts)
    return chosen(desk, sheet)


def _keep_drafts(desk: Desk, before: Sequence[Resource], now: Sequence[Resource]) -> None:
    """Drafts are in the chart too, as drafts, so that the app can open the very order."""
    with desk.records.all_or_nothing():
        for gone in {reference(d) for d in before} - {reference(d) for d in now}:
            desk.records.delete(*gone.split("/", 1))
        for draft in now:
            if draft not in before:
                desk.records.update(draft)


def chosen(desk: Desk, sheet: Worksheet) -> Worksheet:
    """order-select: the drafts were made or changed."""
    context = {**_order_context(sheet), "selections": [*map(reference, sheet.drafts)]}
    return replace(_fired(desk, sheet, "order-select", context), asked=sheet.drafts)


def with_drafts(desk: Desk, sheet: Worksheet, drafts: Sequence[Resource]) -> Worksheet:
    """The drafts as the user changed them."""
    changed = kept(desk, sheet, drafts)
    if changed.drafts == sheet.asked:
        return replace(changed, notes=())
    return chosen(desk, changed) if drafts else replace(changed, cards=(), malformed=())


def kept(desk: Desk, sheet: Worksheet, drafts: Sequence[Resource]) -> Worksheet:
    """The drafts as they are now, without asking anybody; nothing typed is outside them."""
    if tuple(drafts) == sheet.drafts:
        return replace(sheet, typed={})
    _keep_drafts(desk, sheet.drafts, drafts)
    return replace(sheet, drafts=tuple(drafts), before={}, typed={}, notes=())


def noted(sheet: Worksheet, form: Mapping[str, str]) -> Worksheet:
    """Everything the form sent, kept as typed until it is taken: the desk has no script, so every
    button brings the whole form along."""
    fields = {name: value for name, value in form.items() if name != "do"}
    cards = tuple(
        replace(
            card,
            reason=fields.pop(f"reason:{card.key}", "")[:_LONGEST],
            comment=fields.pop(f"comment:{card.key}", "")[:_LONGEST],
        )
        for card in sheet.cards
    )
    return replace(sheet, typed={k: v[:_LONGEST] for k, v in fields.items()}, cards=cards)


def signed(desk: Desk, sheet: Worksheet) -> Worksheet:
    """order-sign; then signed, unless a card asks something that is not answered yet.

    Signing the same drafts a second time is the user's answer to that.
    """
    if not sheet.asks_before_signing:
        sheet = _fired(desk, sheet, "order-sign", _order_context(sheet))
        sheet = replace(sheet, checked=sheet.drafts)
        if sheet.asks_before_signing:
            return replace(sheet, notes=(*sheet.notes, _ASKS))
    return _stored(desk, sheet)


_ASKS = "Not signed yet. Take a suggestion, set the card aside, or sign all the same."


def _stored(desk: Desk, sheet: Worksheet) -> Worksheet:
    orders = [copy.deepcopy(draft) for draft in sheet.drafts]
    for order in orders:
        order["status"] = _SIGNED.get(str(order["resourceType"]), "active")
    with desk.records.all_or_nothing():
        stored = tuple(desk.records.update(order) for order in orders)
    giving = draft_forms.giving(stored)
    note = f"Signed. The order is in the chart; chart the {giving} when it was given."
    return replace(sheet, stage="signed", drafts=stored, before={}, typed={}, notes=(note,))


def asked_anew(desk: Desk, sheet: Worksheet) -> Worksheet:
    """The cards of this step once more, for a chart that may have changed. An order has to be
    signed anew, because what order-sign said was of the chart as it was."""
    if sheet.stage == "draft" and sheet.drafts:
        sheet = chosen(desk, replace(sheet, checked=None))
    elif sheet.stage == "given":
        sheet = _fired(desk, sheet, "patient-view", _visit_context(sheet))
    else:
        return replace(sheet, notes=())
    return replace(sheet, notes=(*sheet.notes, "The chart was looked at again."))


# ---------------------------------------------------------------- cards


def accepted(desk: Desk, sheet: Worksheet, key: str, suggestion_uuid: str) -> Worksheet:
    """Take a suggestion: change the drafts, and tell the service."""
    shown = sheet.card(key)
    suggestion = shown.card.suggestion(suggestion_uuid) if shown and shown.is_open else None
    if shown is None or suggestion is None or sheet.stage != "draft":
        return replace(sheet, notes=("That suggestion is not on the desk any more.",))
    try:
        result = with_suggestion(sheet.drafts, suggestion, sheet.patient_id)
    except SuggestionNotTaken as error:
        return replace(sheet, notes=(f"The suggestion was not taken: {error}.",))
    _keep_drafts(desk, sheet.drafts, result.drafts)
    feedback = cds_client.accepted(shown.card.uuid, [suggestion_uuid])
    trouble = _tell(desk, shown, feedback)
    removed = tuple(f"{ref} was removed from the drafts." for ref in result.removed)
    return replace(
        sheet,
        drafts=result.drafts,
        before={**sheet.before, **result.before},
        asked=result.drafts,
        cards=_answered(sheet, key, "accepted", suggestion.label),
        notes=(f"Taken: {suggestion.label}. What changed is marked.", *removed, *trouble),
    )


def set_aside(desk: Desk, sheet: Worksheet, key: str, code: str, comment: str) -> Worksheet:
    """Override a card, with one of its reasons or none, and tell the service."""
    shown = sheet.card(key)
    if shown is None or not shown.is_open:
        return replace(sheet, notes=("That card is not on the desk any more.",))
    reason = next((r for r in shown.card.override_reasons if r.code == code), None)
    coding = msgspec.to_builtins(reason) if reason else None
    feedback = cds_client.overridden(shown.card.uuid, coding, comment)
    trouble = _tell(desk, shown, feedback)
    told = ": ".join(filter(None, [reason.display if reason else "no reason given", comment]))
    cards = _answered(sheet, key, "set aside", told)
    return replace(sheet, cards=cards, notes=("The card was set aside.", *trouble))


def _answered(sheet: Worksheet, key: str, outcome: Any, told: str) -> tuple[DeskCard, ...]:
    return tuple(
        replace(card, outcome=outcome, told=told) if card.key == key else card
        for card in sheet.cards
    )


def _tell(desk: Desk, shown: DeskCard, entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Feedback goes out at once; a card without an id gets none (CDS Hooks 2.0.1, "Feedback")."""
    service = next((s for s in desk.services if shown.service_url.startswith(s.base)), None)
    if not shown.card.uuid or service is None:
        return ()
    trouble = service.feedback(shown.service_url, [entry])
    return (trouble,) if trouble else ()


# ---------------------------------------------------------------- after the dose


def charted(desk: Desk, sheet: Worksheet, records: Iterable[Resource]) -> Worksheet:
    """Keep what was given; the chart is looked at again, so patient-view fires."""
    with desk.records.all_or_nothing():
        stored = [desk.records.update(record) for record in records]
    references = tuple(reference(record) for record in stored)
    told = (*sheet.charted, *references)
    sheet = replace(sheet, stage="given", charted=told, typed={}, cards=())
    sheet = _fired(desk, sheet, "patient-view", _visit_context(sheet))
    return replace(sheet, notes=("Charted. End the visit when the patient leaves.",))


def ended(desk: Desk, sheet: Worksheet) -> Worksheet:
    """The patient leaves: encounter-discharge fires, and the visit is finished."""
    sheet = _fired(desk, sheet, "encounter-discharge", _visit_context(sheet))
    visit = desk.records.read("Encounter", sheet.encounter_id)
    if visit:
        desk.records.update({**visit, "status": "finished"})
    return replace(sheet, stage="ended", notes=("The visit has ended.",))


# ---------------------------------------------------------------- firing hooks


def _visit_context(sheet: Worksheet) -> dict[str, Any]:
    context = {"userId": sheet.user, "patientId": sheet.patient_id}
    return {**context, "encounterId": sheet.encounter_id} if sheet.encounter_id else context


def _order_context(sheet: Worksheet) -> dict[str, Any]:
    entries = [{"resource": draft} for draft in sheet.drafts]
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    return {**_visit_context(sheet), "draftOrders": drafts}


def _fired(desk: Desk, sheet: Worksheet, hook: str, context: Mapping[str, Any]) -> Worksheet:
    calls = tuple(call for service in desk.services for call in service.fire(hook, context))
    malformed = tuple(bad for call in calls for bad in call.answer.malformed)
    notes = tuple(call.answer.problem for call in calls if call.answer.problem)
    notes = notes if calls else (_NOBODY,)
    cards = reduce(_replaced, calls, sheet.cards)
    return replace(sheet, cards=cards, malformed=malformed, calls=calls, notes=notes)


_NOBODY = "No decision support answered for this step. Ordering works without it."


def _replaced(cards: tuple[DeskCard, ...], call: HookCall) -> tuple[DeskCard, ...]:
    """A service's newer cards take the place of its older ones (CDS Hooks 2.0.1, "Update stale
    guidance"); what the user has set aside word for word is not asked again."""
    if call.answer.problem:
        return cards
    others = tuple(c for c in cards if c.service_url != call.url)
    same = {c.card.summary: c for c in cards if c.service_url == call.url}

    def shown(card: Card) -> DeskCard:
        key, earlier = card.uuid or str(uuid.uuid4()), same.get(card.summary)
        if earlier is None or earlier.outcome == "accepted":
            return DeskCard(key, call.url, call.hook, card)
        return replace(earlier, key=key, hook=call.hook, card=card)

    return (*others, *map(shown, call.answer.cards))
