"""Claim: each item is a line of its own; the NDC and its quantity stand in the item's details."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from billing_rules.fhir import quantities
from billing_rules.fhir.codes import CodeSystems, Concept, concept, joined, modifiers_in
from billing_rules.fhir.drafts import Draft, reason, references
from billing_rules.fhir.lenient import Notes
from billing_rules.fhir.shapes import ClaimDetail, ClaimItem, ClaimResource, unreadable
from billing_rules.fhir.timing import day, day_of
from billing_rules.fhir.tolerant import absent, as_number
from billing_rules.model import Code, NamedCount, OrderLine
from billing_rules.states import Present, Unknown

# Codes and references of each diagnosis, by its sequence.
_Diagnoses = Mapping[str, tuple[tuple[Code, ...], tuple[str, ...]]]


def read(draft: Draft) -> tuple[OrderLine, ...]:
    """A line for each Claim.item; null items are passed over, places count them all the same."""
    claim: ClaimResource = draft.resource
    notes = draft.notes
    coverages = references([one.coverage for one in claim.insurance])
    period = claim.billablePeriod
    start, end = day(period, "start", notes), day(period, "end", notes)
    only_day = start if start == end else None  # a longer period dates no single item
    diagnoses = {
        str(as_number(one.sequence)): (
            reason(concept(one.diagnosisCodeableConcept, draft.systems, notes)),
            references([one.diagnosisReference]),
        )
        for one in claim.diagnosis
    }
    lines = tuple(
        _line(draft, place, item, (coverages, only_day), diagnoses)
        for place, item in enumerate(claim.item)
        if item is not None
    )
    if lines:
        return lines
    notes.add("the claim has no item that could be read")
    return (OrderLine(draft.reference, draft.kind, unread=draft.unread),)


def _line(
    draft: Draft,
    place: int,
    item: ClaimItem,
    header: tuple[tuple[str, ...], date | None],
    diagnoses: _Diagnoses,
) -> OrderLine:
    """One item, with the coverages and the day of the whole claim."""
    systems, notes = draft.systems, draft.notes.of_a_part(f"item[{place}]")
    modifiers = [m for one in item.modifier for m in modifiers_in(one.coding, one.text, notes)]
    said = joined(
        [
            concept(item.productOrService, systems, notes),
            Concept(modifiers=tuple(modifiers)),
            *(concept(detail.productOrService, systems, notes) for detail in item.detail),
        ]
    )
    by_ndc = _by_ndc(item.detail, systems)
    supply = quantities.Supply() if by_ndc else _supply(item.detail, notes)
    billed = quantities.billed(item, "quantity", notes)
    codes, conditions = _reasons(item, diagnoses)
    served = day_of(item, "serviced", notes)
    if not said.codes and not said.names:
        broken = unreadable(item, "")
        why = "could not be read" if broken else "names nothing that could be read"
        notes.add(f"item[{place}] {why}")
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
        date_of_service=served or header[1],
        reasons=codes,
        reason_references=conditions,
        coverages=header[0],
        unread=tuple(notes.sentences),
    )


def _by_ndc(details: Sequence[ClaimDetail], systems: CodeSystems) -> tuple[NamedCount, ...]:
    """Each detail's NDC with its count, when several details all say both; otherwise none."""
    counts = []
    for detail in details if len(details) > 1 else ():
        codes = concept(detail.productOrService, systems).codes
        ndcs = [code.code for code in codes if code.system == "ndc"]
        containers = quantities.of_an_ndc(detail, "quantity").containers
        if len(ndcs) == 1 and isinstance(containers, Present):
            counts.append(NamedCount(ndcs[0], containers.value))
    return tuple(counts) if len(counts) == len(details) else ()


def _supply(details: Sequence[ClaimDetail], notes: Notes) -> quantities.Supply:
    """The NDC quantity of the one detail that has one; without its own NDC none can be told."""
    found = [quantities.of_an_ndc(detail, "quantity", notes) for detail in details]
    silent = quantities.Supply()
    stated = [one for one in found if one != silent]
    if len(stated) > 1:
        doubt = Unknown("the claim item has several details with a quantity")
        return quantities.Supply(containers=doubt, supplied=doubt)
    return stated[0] if stated else silent


def _reasons(item: ClaimItem, diagnoses: _Diagnoses) -> tuple[tuple[Code, ...], tuple[str, ...]]:
    """The diagnoses an item points at; all of the claim's where it points at none."""
    raw = item.diagnosisSequence
    pointed = [str(n) for n in (raw if isinstance(raw, list) else [raw]) if not absent(n)]
    known = [diagnoses[n] for n in pointed or diagnoses if n in diagnoses]
    return (
        tuple(dict.fromkeys(code for codes, _ in known for code in codes)),
        tuple(dict.fromkeys(text for _, texts in known for text in texts)),
    )
