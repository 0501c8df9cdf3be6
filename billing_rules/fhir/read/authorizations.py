"""ClaimResponse to authorizations: what a payer answered when it was asked first.

Whether it was granted is in the payer's words (disposition, adjudication), or in the code of a
Da Vinci PAS review action (X12 306: A1 certified, A6 modified, A3 not certified, A4 pended). An
outcome "complete" only says that the request was processed. A number that a Claim cites
(insurance.preAuthRef) is on file, but not whether and until when it was granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from billing_rules.fhir.json.decoding import contained, reference, unversioned
from billing_rules.fhir.json.shapes import (
    Adjudication,
    ClaimResource,
    ClaimResponseItem,
    ClaimResponseResource,
    OrganizationResource,
    Period,
    Reference,
    Resource,
)
from billing_rules.fhir.json.values import (
    CodeSystems,
    Concept,
    as_day,
    as_number,
    concept,
    extended,
    extension_values,
    joined,
    shown,
)
from billing_rules.fhir.read.medications import earliest, latest
from billing_rules.model.chart import Authorization

_USES = ("preauthorization", "")
WITHDRAWN = ("entered-in-error", "draft")
_REVIEWED = {
    "A1": "granted",
    "A2": "granted",
    "A6": "granted",
    "A3": "denied",
    "C": "denied",
    "A4": "pending",
    "CT": "pending",
}
_REVIEW, _REVIEW_CODE = "extension-reviewAction", "reviewActionCode"
_ITEM_DETAIL = "extension-itemAuthorizedDetail"
_ITEM_PERIOD = "extension-itemPreAuthPeriod"
_NUMBER = "extension-authorizationNumber"
_PENDING = re.compile(r"\b(pend\w*|in review|under review|in process|more information)\b")
_DENIED = re.compile(
    r"\b(den(y|ied|ial)|not (approved|authori[sz]ed|certified|granted|covered|medically)"
    r"|non-?certified|reject\w*|refus\w*|disapproved|cancel\w*|void\w*|withdrawn)\b"
)
_GRANTED = re.compile(r"\b(approv\w+|authori[sz]ed|certified|granted|accepted)\b")


_Adjudicated = ClaimResponseResource | ClaimResponseItem


def authorizations(found: Sequence[Resource], systems: CodeSystems) -> Iterator[Authorization]:
    """One for every answer; one more for each item that was answered in its own way."""
    for one in found:
        if isinstance(one, ClaimResource):
            yield from _cited(one, systems)
        elif isinstance(one, ClaimResponseResource) and one.use.strip().lower() in _USES:
            yield from _answers(one, systems)


def _answers(answer: ClaimResponseResource, systems: CodeSystems) -> Iterator[Authorization]:
    items = (*answer.addItem, *answer.item)
    if any(_verdict(item, systems) or _own_period(item) for item in items):
        for item in items:
            yield _authorization(answer, [item], systems)
    else:
        yield _authorization(answer, items, systems)


def _authorization(
    answer: ClaimResponseResource, items: Sequence[ClaimResponseItem], systems: CodeSystems
) -> Authorization:
    each = [_named(answer, item, systems) for item in items]
    named = joined(each or [_requested(answer, systems)])
    # the items' own period, else that of the whole, else when the items may be served
    serviced = [item.servicedPeriod for item in items]
    periods = (*map(_own_period, items), answer.preAuthPeriod, *serviced)
    period = next(filter(None, periods), Period())
    cancelled = answer.status.strip().lower() == "cancelled"
    return Authorization(
        reference=reference(answer),
        number=shown(_number(items) or answer.preAuthRef.strip()),
        granted=False if cancelled else _granted(answer, items, systems),
        codes=named.codes,
        text=shown(" ".join([*named.names, answer.disposition.strip()])),
        insurer=shown(_insurer(answer)),
        start=earliest(period.start.strip()),
        end=latest(period.end.strip()),
        on=as_day(answer.created),
    )


def _cited(claim: ClaimResource, systems: CodeSystems) -> Iterator[Authorization]:
    """The authorization numbers that a Claim cites."""
    items = [item for item in claim.item if item]
    named = joined(concept(item.productOrService, systems) for item in items)
    for cited in (insurance.preAuthRef for insurance in claim.insurance):
        for number in cited if isinstance(cited, list) else [cited]:
            if not isinstance(number, str) or not number.strip():
                continue
            yield Authorization(
                reference=reference(claim),
                number=shown(number.strip()),
                granted=None,
                codes=named.codes,
                text=shown(" ".join(named.names)),
                insurer=shown(_insurer(claim)),
                start=None,
                end=None,
                on=as_day(claim.created),
            )


# ---------------------------------------------------------------- the answer


def _granted(
    answer: ClaimResponseResource, items: Sequence[ClaimResponseItem], systems: CodeSystems
) -> bool | None:
    """The items' own answer, else that of the whole."""
    if answer.outcome.strip().lower() in ("queued", "error"):
        return None
    places: list[_Adjudicated] = [*items, answer]
    found = (_verdict(place, systems) for place in places)
    return {"granted": True, "denied": False}.get(next(filter(None, found), ""))


def _verdict(place: _Adjudicated, systems: CodeSystems) -> str:
    """ "granted", "denied" or "pending"; "" where nothing says so."""
    for review in (r for one in (place, *place.adjudication) for r in _reviews(one)):
        if review in _REVIEWED:
            return _REVIEWED[review]
    said = [place.disposition.strip()]
    for adjudication in place.adjudication:
        said += concept(adjudication.reason, systems).names
        said += _words(concept(adjudication.category, systems))
    return _in_words(" | ".join(said).lower())


def _reviews(place: _Adjudicated | Adjudication) -> Iterator[str]:
    """The X12 codes of the PAS review actions there."""
    for extension in extension_values(place.extension, _REVIEW):
        if extension.url.strip().endswith(_REVIEW_CODE):
            coded = extension.valueCodeableConcept
            yield from (c.code.strip().upper() for c in (coded.coding if coded else ()))
            yield extension.valueCode.strip().upper()


def _words(said: Concept) -> tuple[str, ...]:
    return (*said.names, *(code.code for code in said.codes))


def _in_words(said: str) -> str:
    if _DENIED.search(said):
        return "denied"
    if _PENDING.search(said):
        return "pending"
    return "granted" if _GRANTED.search(said) else ""


# ---------------------------------------------------------------- what it is for


def _named(answer: ClaimResponseResource, item: ClaimResponseItem, systems: CodeSystems) -> Concept:
    """What an item is for: its own code, else that of the requested item it answers."""
    own = concept(item.productOrService, systems) + extended(item.extension, systems, _ITEM_DETAIL)
    if own.codes or own.texts:
        return own
    return _requested(answer, systems, as_number(item.itemSequence))


def _requested(
    answer: ClaimResponseResource, systems: CodeSystems, sequence: Decimal | None = None
) -> Concept:
    """The codes of the contained request, of one of its items when `sequence` names it."""
    target = answer.request.reference.strip() if answer.request else ""
    claim = contained(answer, target, assumed="Claim") if target.startswith("#") else None
    items = claim.item if isinstance(claim, ClaimResource) else ()
    return joined(
        concept(item.productOrService, systems)
        for item in items
        if item and (sequence is None or as_number(item.sequence) == sequence)
    )


def _own_period(item: ClaimResponseItem) -> Period | None:
    """The period that PAS states for one item."""
    extension = next(extension_values(item.extension, _ITEM_PERIOD), None)
    return extension.valuePeriod if extension else None


def _number(items: Sequence[ClaimResponseItem]) -> str:
    """An item's own number: beside its review action in PAS, or in an extension of its own."""
    places: list[ClaimResponseItem | Adjudication] = []
    for item in items:
        places += [item, *item.adjudication]
    found = [
        *(e for place in places for e in extension_values(place.extension, _NUMBER)),
        *(
            e
            for place in places
            for e in extension_values(place.extension, _REVIEW)
            if e.url.strip() == "number"
        ),
    ]
    return next((number for e in found if (number := e.valueString.strip())), "")


def _insurer(said: ClaimResponseResource | ClaimResource) -> str:
    insurer = said.insurer or Reference()
    target = insurer.reference.strip()
    inside = target.startswith("#")
    found = contained(said, target, assumed="Organization") if inside else None
    name = found.name.strip() if isinstance(found, OrganizationResource) else ""
    return insurer.display.strip() or name or unversioned(target)
