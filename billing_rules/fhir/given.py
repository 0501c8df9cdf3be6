"""What was given, with the encounter it belongs to and the containers that were opened for it.

R4 has no element for the containers on an administration. They stand on the dispense that filled
it: the one its supportingInformation names, or the only one of the same prescription and day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from billing_rules.chart import NOT_ASKED
from billing_rules.fhir import medication_administration, quantities
from billing_rules.fhir.codes import CodeSystems
from billing_rules.fhir.decoding import Part, nodes, of_type, reference
from billing_rules.fhir.drafts import Draft, references
from billing_rules.fhir.medications import product
from billing_rules.fhir.references import resolver, same
from billing_rules.fhir.therapies import SlimMedicine
from billing_rules.fhir.tolerant import Node
from billing_rules.model import Code, Counted, OrderLine
from billing_rules.states import Nothing, Present, State, Unknown

_HANDED_OVER = ("completed", "")


class _Administration(SlimMedicine):
    context: Any = None
    request: Any = None


class _Dispense(SlimMedicine):
    authorizingPrescription: Any = None
    quantity: Any = None


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

    `parts` is as billing_rules.fhir.chart reads it. Where dispenses could not be read, containers
    that no record names are not known: one of those dispenses may say them.
    """
    known = CodeSystems(systems)
    filled = list(_dispenses(_read(parts, "dispenses", _Dispense), known))
    gap = _gap(parts.get("dispenses", NOT_ASKED))
    found: dict[str, Given] = {}
    for draft in _drafts(_read(parts, "administrations", _Administration), known, _ADMINISTRATION):
        read = _given(draft, filled, gap)
        found.setdefault(read.line.reference or f"#{len(found)}", read)
    return tuple(found.values())


_ADMINISTRATION = "MedicationAdministration"
_DISPENSE = "MedicationDispense"


def _read(parts: Mapping[str, Part], name: str, shape: type[SlimMedicine]) -> list[Node]:
    part = parts.get(name)
    raw = part.value if isinstance(part, Present) else ()
    return [n for n in nodes((r for r in raw if not isinstance(r, Unknown)), shape) if n]


def _drafts(found: Sequence[Node], systems: CodeSystems, kind: str) -> Iterator[Draft]:
    along = resolver([n.value for n in found if n.text("resourceType") == "Medication"])
    for node in of_type(found, kind):
        typed = Node({**node.value, "resourceType": kind})
        yield Draft(typed, reference(node, kind), systems, along)


def _gap(part: Part) -> Unknown | None:
    """Why not all dispenses are known, or None."""
    if isinstance(part, Unknown):
        return Unknown(f"the dispenses could not be read: {part.because}")
    unread = [r for r in part.value if isinstance(r, Unknown)] if isinstance(part, Present) else []
    return Unknown(f"not all dispenses could be read: {unread[0].because}") if unread else None


def _given(draft: Draft, filled: list[_Opened], gap: Unknown | None) -> Given:
    (line,) = medication_administration.read(draft)
    opened = None if line.not_given else _opened_for(draft, line, filled)
    if opened:
        filled.remove(opened)  # one dispense fills one record: it is not counted twice
        line = _with(line, opened)
    elif gap and not line.not_given and isinstance(line.containers, Nothing):
        line = replace(line, containers=gap)
    named = references(draft.node.objs("context"))
    return Given(line, named[0] if named else "")


def _opened_for(draft: Draft, line: OrderLine, filled: Sequence[_Opened]) -> _Opened | None:
    named = references(draft.node.objs("supportingInformation"))
    linked = [one for one in filled if _any_same(named, (one.reference,))]
    if linked:
        return linked[0]
    requests = references(draft.node.objs("request"))
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


def _dispenses(found: Sequence[Node], systems: CodeSystems) -> Iterator[_Opened]:
    for draft in _drafts(found, systems, _DISPENSE):
        if draft.node.text("status").lower() not in _HANDED_OVER:
            continue
        coded = product(draft, "medication").concept.codes
        yield _Opened(
            draft.reference,
            references(draft.node.objs("authorizingPrescription")),
            draft.node.day("whenHandedOver"),
            tuple(code for code in coded if code.system == "ndc"),
            quantities.dispensed(draft.node, "quantity", coded_in_hcpcs=False).containers,
        )
