"""ClaimResponse to authorizations: what a payer answered when it was asked first.

Whether it was granted is in the payer's words (disposition, adjudication), or in the code of a
Da Vinci PAS review action (X12 306: A1 certified, A6 modified, A3 not certified, A4 pended). An
outcome "complete" only says that the request was processed. A number that a Claim cites
(insurance.preAuthRef) is on file, but not whether and until when it was granted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from billing_rules.chart import Authorization
from billing_rules.fhir.codes import (
    CodeSystems,
    Concept,
    concept,
    concepts,
    extended,
    extension_values,
    joined,
)
from billing_rules.fhir.decoding import Slim, of_type, reference
from billing_rules.fhir.references import contained, unversioned
from billing_rules.fhir.timing import earliest, latest
from billing_rules.fhir.tolerant import Node, shown

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


class SlimClaimResponse(Slim):
    use: Any = None
    created: Any = None
    insurer: Any = None
    request: Any = None
    outcome: Any = None
    disposition: Any = None
    preAuthRef: Any = None
    preAuthPeriod: Any = None
    item: Any = None
    addItem: Any = None
    adjudication: Any = None
    contained: Any = None
    insurance: Any = None  # of a Claim
    extension: Any = None


def authorizations(nodes: Sequence[Node], systems: CodeSystems) -> Iterator[Authorization]:
    """One for every answer; one more for each item that was answered in its own way."""
    for node in of_type(nodes, "ClaimResponse", "Claim"):
        if node.text("resourceType") == "Claim":
            yield from _cited(node, systems)
        elif node.text("use").lower() in ("preauthorization", ""):
            yield from _answers(node, systems)


def _answers(node: Node, systems: CodeSystems) -> Iterator[Authorization]:
    items = [*node.objs("addItem"), *node.objs("item")]
    if any(_verdict(item, systems) or _own_period(item) for item in items):
        for item in items:
            yield _authorization(node, [item], systems)
    else:
        yield _authorization(node, items, systems)


def _authorization(node: Node, items: Sequence[Node], systems: CodeSystems) -> Authorization:
    named = joined([_named(node, item, systems) for item in items] or [_requested(node, systems)])
    period = _period(node, items)
    cancelled = node.text("status").lower() == "cancelled"
    return Authorization(
        reference=reference(node, "ClaimResponse"),
        number=shown(_number(items) or node.text("preAuthRef")),
        granted=False if cancelled else _granted(node, items, systems),
        codes=named.codes,
        text=shown(" ".join([*named.names, node.text("disposition")])),
        insurer=shown(_insurer(node)),
        start=earliest(period.text("start")),
        end=latest(period.text("end")),
        on=node.day("created"),
    )


def _cited(claim: Node, systems: CodeSystems) -> Iterator[Authorization]:
    """The authorization numbers that a Claim cites."""
    named = joined(concept(item.obj("productOrService"), systems) for item in claim.objs("item"))
    for number in (n for i in claim.objs("insurance") for n in _texts(i, "preAuthRef")):
        yield Authorization(
            reference=reference(claim, "Claim"),
            number=shown(number),
            granted=None,
            codes=named.codes,
            text=shown(" ".join(named.names)),
            insurer=shown(_insurer(claim)),
            start=None,
            end=None,
            on=claim.day("created"),
        )


# ---------------------------------------------------------------- the answer


def _granted(node: Node, items: Sequence[Node], systems: CodeSystems) -> bool | None:
    """The items' own answer, else that of the whole."""
    if node.text("outcome").lower() in ("queued", "error"):
        return None
    found = (_verdict(place, systems) for place in (*items, node))
    return {"granted": True, "denied": False}.get(next(filter(None, found), ""))


def _verdict(node: Node, systems: CodeSystems) -> str:
    """ "granted", "denied" or "pending"; "" where nothing says so."""
    adjudications = node.objs("adjudication")
    for review in (r for place in (node, *adjudications) for r in _reviews(place)):
        if review in _REVIEWED:
            return _REVIEWED[review]
    said = [node.text("disposition")]
    for adjudication in adjudications:
        said += concepts(adjudication, "reason", systems).names
        said += _words(concept(adjudication.obj("category"), systems))
    return _in_words(" | ".join(said).lower())


def _reviews(node: Node) -> Iterator[str]:
    """The X12 codes of PAS review actions on a node."""
    for extension in extension_values(node, _REVIEW):
        if extension.text("url").endswith(_REVIEW_CODE):
            coded = extension.obj("valueCodeableConcept")
            yield from (c.text("code").upper() for c in coded.objs("coding"))
            yield extension.text("valueCode").upper()


def _words(said: Concept) -> tuple[str, ...]:
    return (*said.names, *(code.code for code in said.codes))


def _in_words(said: str) -> str:
    if _DENIED.search(said):
        return "denied"
    if _PENDING.search(said):
        return "pending"
    return "granted" if _GRANTED.search(said) else ""


# ---------------------------------------------------------------- what it is for


def _named(node: Node, item: Node, systems: CodeSystems) -> Concept:
    """What an item is for: its own code, else that of the requested item it answers."""
    own = concept(item.obj("productOrService"), systems) + extended(item, systems, _ITEM_DETAIL)
    if own.codes or own.texts:
        return own
    return _requested(node, systems, item.number("itemSequence"))


def _requested(node: Node, systems: CodeSystems, sequence: object = None) -> Concept:
    """The codes of the contained request, of one of its items when `sequence` names it."""
    target = node.obj("request").text("reference")
    claim = contained(node, target) if target.startswith("#") else Node({})
    return joined(
        concept(item.obj("productOrService"), systems)
        for item in claim.objs("item")
        if sequence is None or item.number("sequence") == sequence
    )


def _own_period(item: Node) -> Node:
    """The period that PAS states for one item."""
    extension = next(extension_values(item, _ITEM_PERIOD), Node({}))
    return extension.obj("valuePeriod")


def _period(node: Node, items: Sequence[Node]) -> Node:
    """The items' own period, else that of the whole, else when the items may be served."""
    serviced = [item.obj("servicedPeriod") for item in items]
    found = (*map(_own_period, items), node.obj("preAuthPeriod"), *serviced)
    return next(filter(None, found), Node({}))


def _number(items: Sequence[Node]) -> str:
    """An item's own number: beside its review action in PAS, or in an extension of its own."""
    places = [place for item in items for place in (item, *item.objs("adjudication"))]
    found = [
        *(e for place in places for e in extension_values(place, _NUMBER)),
        *(e for p in places for e in extension_values(p, _REVIEW) if e.text("url") == "number"),
    ]
    return next((number for e in found if (number := e.text("valueString"))), "")


def _insurer(node: Node) -> str:
    insurer = node.obj("insurer")
    target = insurer.text("reference")
    name = contained(node, target).text("name") if target.startswith("#") else ""
    return insurer.text("display") or name or unversioned(target)


def _texts(node: Node, key: str) -> list[str]:
    value = node.value.get(key)
    values = value if isinstance(value, list) else [value]
    return [text.strip() for text in values if isinstance(text, str) and text.strip()]
