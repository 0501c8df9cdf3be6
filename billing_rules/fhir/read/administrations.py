"""What was given, with the encounter it belongs to and the containers that were opened for it.

R4 has no element for the containers on an administration. They stand on the dispense that filled
it: the one its supportingInformation names, or the only one of the same prescription and day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from billing_rules.fhir.json import quantities
from billing_rules.fhir.json.codes import CodeSystems
from billing_rules.fhir.json.decoding import Part, of_part, of_types
from billing_rules.fhir.json.references import same
from billing_rules.fhir.json.shapes import (
    MedicationAdministrationResource,
    MedicationDispenseResource,
    Medicine,
)
from billing_rules.fhir.read import orders
from billing_rules.fhir.read.dosage import day
from billing_rules.fhir.read.medications import Draft, product, references
from billing_rules.fhir.read.therapies import draft_of, medications_among
from billing_rules.model.chart import NOT_ASKED
from billing_rules.model.entities import Code, Counted, OrderLine
from billing_rules.model.states import Nothing, Present, State, Unknown

_HANDED_OVER = ("completed", "")


@dataclass(frozen=True, slots=True)
class Given:
    """One administration as a line, and `Encounter/id` where it names one."""

    line: OrderLine
    encounter: str = ""


@dataclass(frozen=True, slots=True)
class _Opened:
    """What one dispense handed over."""

    reference: str
    requests: tuple[str, ...]
    day: date | None
    codes: tuple[Code, ...]
    containers: State[Counted]


def given(parts: Mapping[str, Part], systems: Mapping[str, str]) -> tuple[Given, ...]:
    """The administrations of the part of that name, nothing twice. Never raises for JSON.

    `parts` is as chart.py reads it. Where dispenses could not be read, containers
    that no record names are not known: one of those dispenses may say them.
    """
    known = CodeSystems(systems)
    filled = list(_dispenses(parts, known))
    gap = _gap(parts.get("dispenses", NOT_ASKED))
    found: dict[str, Given] = {}
    records = _drafts(parts, "administrations", MedicationAdministrationResource, known)
    for draft in records:
        read = _given(draft, filled, gap)
        found.setdefault(read.line.reference or f"#{len(found)}", read)
    return tuple(found.values())


def _drafts(
    parts: Mapping[str, Part], name: str, shape: type[Medicine], systems: CodeSystems
) -> Iterator[Draft]:
    found = [one for one in of_part(parts, name, shape.__name__.removesuffix("Resource")) if one]
    along = medications_among(found)
    return (draft_of(one, systems, along) for one in of_types(found, shape))


def _gap(part: Part) -> Unknown | None:
    """Why not all dispenses are known, or None."""
    if isinstance(part, Unknown):
        return Unknown(f"the dispenses could not be read: {part.because}")
    unread = [r for r in part.value if isinstance(r, Unknown)] if isinstance(part, Present) else []
    return Unknown(f"not all dispenses could be read: {unread[0].because}") if unread else None


def _given(draft: Draft, filled: list[_Opened], gap: Unknown | None) -> Given:
    (line,) = orders.read_medication_administration(draft)
    opened = None if line.not_given else _opened_for(draft, line, filled)
    if opened:
        filled.remove(opened)  # one dispense fills one record: it is not counted twice
        line = _with(line, opened)
    elif gap and not line.not_given and isinstance(line.containers, Nothing):
        line = replace(line, containers=gap)
    named = references([draft.resource.context])
    return Given(line, named[0] if named else "")


def _opened_for(draft: Draft, line: OrderLine, filled: Sequence[_Opened]) -> _Opened | None:
    named = references(draft.resource.supportingInformation)
    linked = [one for one in filled if _any_same(named, (one.reference,))]
    if linked:
        return linked[0]
    requests = references([draft.resource.request])
    that_day = [one for one in filled if one.day and one.day == line.date_of_service]
    ordered = [one for one in that_day if _any_same(requests, one.requests)]
    return ordered[0] if len(ordered) == 1 else None


def _any_same(some: Iterable[str], others: Sequence[str]) -> bool:
    return any(same(one, other) for one in some for other in others)


def _with(line: OrderLine, opened: _Opened) -> OrderLine:
    """The line with the dispense's containers, and its NDC where the record names none."""
    codes = line.codes if line.codes_of("ndc") else (*line.codes, *opened.codes)
    unsaid = isinstance(line.containers, Nothing)
    return replace(line, codes=codes, containers=opened.containers if unsaid else line.containers)


def _dispenses(parts: Mapping[str, Part], systems: CodeSystems) -> Iterator[_Opened]:
    for draft in _drafts(parts, "dispenses", MedicationDispenseResource, systems):
        dispense: MedicationDispenseResource = draft.resource
        if dispense.status.strip().lower() not in _HANDED_OVER:
            continue
        coded = product(draft, "medication").concept.codes
        yield _Opened(
            draft.reference,
            references(dispense.authorizingPrescription),
            day(dispense, "whenHandedOver"),
            tuple(code for code in coded if code.system == "ndc"),
            quantities.dispensed(dispense, "quantity", coded_in_hcpcs=False).containers,
        )
