"""Claim: each item is a line of its own; the NDC and its quantity stand in the item's details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from billing_rules.fhir import quantities
from billing_rules.fhir.codes import CodeSystems, Concept, concept, concepts, joined, modifiers_in
from billing_rules.fhir.drafts import Draft, reason, references
from billing_rules.fhir.timing import day_of
from billing_rules.fhir.tolerant import Node, absent
from billing_rules.model import Code, NamedCount, OrderLine
from billing_rules.states import Nothing, Present, Unknown


@dataclass(frozen=True, slots=True)
class _Header:
    """What all items of one Claim share."""

    draft: Draft
    coverages: tuple[str, ...]
    day: date | None
    diagnoses: dict[str, tuple[tuple[Code, ...], tuple[str, ...]]]


def read(draft: Draft) -> tuple[OrderLine, ...]:
    """A line for each Claim.item; null items are passed over, places count them all the same."""
    header = _header(draft)
    raw = draft.node.value.get("item")
    items = raw if isinstance(raw, list) else [raw]
    lines = tuple(
        _line(header, place, value) for place, value in enumerate(items) if not absent(value)
    )
    if lines:
        return lines
    draft.node.note("the claim has no item that could be read")
    return (OrderLine(draft.reference, draft.kind, unread=draft.unread),)


def _header(draft: Draft) -> _Header:
    coverages = references([n.obj("coverage") for n in draft.node.objs("insurance")])
    return _Header(draft, coverages, _only_day(draft.node), _diagnoses(draft))


def _only_day(claim: Node) -> date | None:
    """The billable period's day, when it is one day; a longer period dates no single item."""
    period = claim.obj("billablePeriod")
    start, end = period.day("start"), period.day("end")
    return start if start == end else None


def _diagnoses(draft: Draft) -> dict[str, tuple[tuple[Code, ...], tuple[str, ...]]]:
    found = {}
    for node in draft.node.objs("diagnosis"):
        codes = reason(concept(node.obj("diagnosisCodeableConcept"), draft.systems))
        found[str(node.number("sequence"))] = codes, references([node.obj("diagnosisReference")])
    return found


def _line(header: _Header, place: int, value: object) -> OrderLine:
    draft = header.draft
    item = Node(value if isinstance(value, dict) else {}, f"item[{place}]", list(draft.unread))
    details = item.objs("detail")
    said = joined(
        [
            concept(item.obj("productOrService"), draft.systems),
            Concept(modifiers=_modifiers(item)),
            *(concepts(detail, "productOrService", draft.systems) for detail in details),
        ]
    )
    by_ndc = _by_ndc(details, draft.systems)
    supply = quantities.Supply() if by_ndc else _supply(details)
    billed = quantities.billed(item, "quantity")
    day = day_of(item, "serviced") or header.day
    codes, conditions = _reasons(header, item)
    if not said.codes and not said.names:
        item.note(f"item[{place}] {_names_nothing(item)}")
    return OrderLine(
        draft.reference,
        draft.kind,
        item=place,
        codes=said.codes,
        names=said.names,
        billed=billed,
        containers=supply.containers,
        containers_by_ndc=by_ndc,
        supplied=supply.supplied,
        modifiers=said.modifiers,
        date_of_service=day,
        reasons=codes,
        reason_references=conditions,
        coverages=header.coverages,
        unread=tuple(item.unread),
    )


def _names_nothing(item: Node) -> str:
    return "names nothing that could be read" if item else "could not be read"


def _modifiers(item: Node) -> tuple[str, ...]:
    return tuple(modifier for node in item.objs("modifier") for modifier in modifiers_in(node))


def _by_ndc(details: Sequence[Node], systems: CodeSystems) -> tuple[NamedCount, ...]:
    """Each detail's NDC with its count, when several details all say both; otherwise none."""
    counts = tuple(count for detail in details if (count := _named_count(detail, systems)))
    return counts if len(counts) == len(details) > 1 else ()


def _named_count(detail: Node, systems: CodeSystems) -> NamedCount | None:
    codes = concept(detail.obj("productOrService"), systems).codes
    ndcs = [code.code for code in codes if code.system == "ndc"]
    containers = quantities.of_an_ndc(Node(detail.value), "quantity").containers
    if len(ndcs) != 1 or not isinstance(containers, Present):
        return None
    return NamedCount(ndcs[0], containers.value)


def _supply(details: Sequence[Node]) -> quantities.Supply:
    """The NDC quantity of the one detail that has one; without its own NDC none can be told."""
    found = [quantities.of_an_ndc(detail, "quantity") for detail in details]
    stated = [s for s in found if not _silent(s)]
    if len(stated) > 1:
        doubt = Unknown("the claim item has several details with a quantity")
        return quantities.Supply(containers=doubt, supplied=doubt)
    return stated[0] if stated else quantities.Supply()


def _silent(supply: quantities.Supply) -> bool:
    return isinstance(supply.containers, Nothing) and isinstance(supply.supplied, Nothing)


def _reasons(header: _Header, item: Node) -> tuple[tuple[Code, ...], tuple[str, ...]]:
    """The diagnoses an item points at; all of the claim's where it points at none."""
    raw = item.value.get("diagnosisSequence")
    pointed = [str(n) for n in (raw if isinstance(raw, list) else [raw]) if not absent(n)]
    known = [header.diagnoses[n] for n in pointed or header.diagnoses if n in header.diagnoses]
    return (
        tuple(dict.fromkeys(code for codes, _ in known for code in codes)),
        tuple(dict.fromkeys(text for _, texts in known for text in texts)),
    )
