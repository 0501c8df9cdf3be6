"""The chart's parts, each a set of resources or the reason it is not known, to a Chart.

Hot path: bytes are decoded into slim structs, which keep the few elements that are read and pass
over the rest (narrative, extensions, metadata). An entry that could not be decoded is never taken
for one that is not there: a coverage then names no payer, a part that has nothing else is unknown,
and what may be more than was read stands in `Chart.incomplete`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, TypeVar

from billing_rules.chart import Chart, Coverage, Measured
from billing_rules.data_needed import OLDER_LEFT
from billing_rules.fhir import plain
from billing_rules.fhir.authorizations import WITHDRAWN, SlimClaimResponse, authorizations
from billing_rules.fhir.codes import CodeSystems, Concept
from billing_rules.fhir.conditions import (
    SlimAllergy,
    SlimCondition,
    SlimProcedure,
    allergies,
    conditions,
    procedures,
)
from billing_rules.fhir.coverages import coverage, organisations
from billing_rules.fhir.decoding import Part, Slim, nodes, of_type, reference
from billing_rules.fhir.form_responses import SlimResponse, form_answers
from billing_rules.fhir.names import Names
from billing_rules.fhir.observations import (
    SlimObservation,
    as_weight,
    exact,
    is_weight,
    measured,
    newest_first,
    plain_result,
    results,
)
from billing_rules.fhir.parts import Known, ReadPlainly, resources, together
from billing_rules.fhir.plain import PlainObservation
from billing_rules.fhir.searchset import RawResource, SearchPage, bundle_resources
from billing_rules.fhir.studies import SlimSubject, studies
from billing_rules.fhir.therapies import SlimMedicine, administrations, therapies
from billing_rules.fhir.tolerant import Node, shown
from billing_rules.interest import Interest
from billing_rules.model import Code
from billing_rules.states import NOTHING, Present, State, Unknown

__all__ = ["Part", "RawResource", "SearchPage", "bundle_resources", "chart"]

T = TypeVar("T")
Raw = tuple[RawResource | Unknown, ...]
_INPATIENT = ("imp", "acute", "nonac")
# Part -> the type of a resource there that does not say its type. Each is a query of its own.
_MEDICINES = {
    "medications": "MedicationRequest",
    "statements": "MedicationStatement",
    "dispenses": "MedicationDispense",
    "administrations": "MedicationAdministration",
}


_PLAIN = {"medications": plain.request}  # the others are few in a chart


class _Patient(Slim):
    birthDate: Any = None


class _Encounter(Slim, rename={"class_": "class"}):
    class_: Any = None


class _Coverage(Slim, rename={"class_": "class"}):
    type: Any = None
    payor: Any = None
    period: Any = None
    order: Any = None
    class_: Any = None
    contained: Any = None
    name: Any = None  # of an Organization that came along with its Coverage
    identifier: Any = None


def chart(
    parts: Mapping[str, Part],
    systems: Mapping[str, str],
    on: date,
    asked_by_code: frozenset[str] = frozenset(),
    interest: Interest | None = None,
) -> Chart:
    """The Chart as of `on`, from its parts by the keys of billing_rules.data_needed.

    A part holds resources as JSON bytes or dicts, none, or unknown with its reason; an Unknown
    among the resources says why there may be more. A part that is not there was not asked for,
    which is unknown. `systems` is the catalogue's URI -> short name; `asked_by_code` names the
    chart's parts that were asked for by code. With `interest`, results and medicines that no rule
    looks at are left out of a part that holds others; without it everything is read. Never raises
    for anything the resources hold.
    """
    known = CodeSystems(systems)
    lists = _lists(parts, known, on, interest)
    return Chart(
        birth_date=_part(parts, "patient", _birth_date),
        coverages=_part(parts, "coverage", lambda raw: _coverages(raw, known, on)),
        setting=_part(parts, "encounter", _setting),
        asked_by_code=asked_by_code,
        incomplete={name: one.gap for name, one in lists.items() if one.gap},
        **{name: one.state for name, one in lists.items()},
    )


def _lists(
    parts: Mapping[str, Part], known: CodeSystems, on: date, interest: Interest | None
) -> dict[str, Known[Any]]:
    """The Chart's lists by the names of its fields."""

    def part(
        name: str,
        shape: type[Slim],
        read: Callable[..., Iterable[T]],
        plainly: ReadPlainly | None = None,
    ) -> Known[T]:
        found = resources(parts, name, shape, plainly=plainly)
        return found.read(partial(read, systems=known))

    result_names = _names(known, interest.in_result) if interest else None
    observed = resources(
        parts, "observations", SlimObservation, names=result_names, plainly=plain.observation
    )
    measurements = observed.read(partial(_results, systems=known))
    medicine_names = _names(known, interest.in_medicine) if interest else None
    medicines = {
        name: resources(parts, name, SlimMedicine, names=medicine_names, plainly=_PLAIN.get(name))
        for name in _MEDICINES
    }
    therapies_by_part = {
        name: medicines[name].read(partial(therapies, kind=kind, systems=known, on=on))
        for name, kind in _MEDICINES.items()
    }
    answers = resources(parts, "authorizations", SlimClaimResponse, WITHDRAWN)
    return {
        "weights": _weights(parts, measurements, known, on),
        "results": measurements,
        "conditions": part("conditions", SlimCondition, conditions, plain.condition),
        "allergies": part("allergies", SlimAllergy, allergies),
        "procedures": part("procedures", SlimProcedure, procedures),
        "therapies": together(therapies_by_part),
        "administrations": medicines["administrations"].read(
            partial(administrations, systems=known)
        ),
        "authorizations": answers.read(partial(authorizations, systems=known)),
        "studies": resources(parts, "studies", SlimSubject).read(studies),
        "answers": resources(parts, "answers", SlimResponse).read(
            partial(form_answers, patient_id=_patient_id(parts), on=on)
        ),
    }


def _names(
    known: CodeSystems, wanted: Callable[[tuple[Code, ...], tuple[str, ...]], bool]
) -> Names:
    def is_wanted(said: Concept) -> bool:
        return wanted(said.codes, (*said.texts, *said.billing_displays))

    return Names(known, is_wanted)


def _part(parts: Mapping[str, Part], name: str, read: Callable[[Raw], State[T]]) -> State[T]:
    part = parts.get(name, Unknown(f"the {name} was not asked for"))
    return read(part.value) if isinstance(part, Present) else part


# ---------------------------------------------------------------- the parts


def _patient_id(parts: Mapping[str, Part]) -> str:
    """ "" where the patient was not read."""
    part = parts.get("patient")
    read = nodes(part.value, _Patient) if isinstance(part, Present) else []
    return next((n.text("id") for n in of_type(read, "Patient")), "")


def _birth_date(raw: Raw) -> State[date]:
    read = nodes(raw, _Patient)
    for node in of_type(read, "Patient"):
        day = node.day("birthDate")
        if day:
            return Present(day)
        if node.has("birthDate"):
            written = shown(node.text("birthDate"), 20)
            return Unknown(f"the birth date '{written}' is no full date")
    return Unknown("the patient could not be read") if None in read else NOTHING


def _coverages(raw: Raw, systems: CodeSystems, on: date) -> State[tuple[Coverage, ...]]:
    read = nodes(raw, _Coverage)
    along = organisations(of_type(read, "Organization"))
    coverages = [
        coverage(n, reference(n, "Coverage"), systems, along, on) for n in of_type(read, "Coverage")
    ]
    unreadable = [Coverage("") for n in read if n is None]
    if unreadable and not coverages:
        return Unknown("the coverage could not be read")
    return Present((*coverages, *unreadable)) if coverages else NOTHING


def _results(found: Sequence[Node | PlainObservation], systems: CodeSystems) -> Iterator[Measured]:
    for one in found:
        if isinstance(one, PlainObservation):
            yield plain_result(one, systems)
            continue
        for node in of_type([one], "Observation"):
            yield from results(node, reference(node, "Observation"), systems)


def _weights(
    parts: Mapping[str, Part], observed: Known[Measured], systems: CodeSystems, on: date
) -> Known[Measured]:
    """The part "weight"; where it has none, the weights among the observations. Those prove that
    there are weights, but the newest may not be among them."""
    part = resources(parts, "weight", SlimObservation)
    own = part.read(partial(_own_weights, systems=systems, on=on))
    if isinstance(own.state, Present) and own.gap == OLDER_LEFT.because:
        newest_will_do = any(weight.value for weight in own.state.value)
        return Known(own.state, "" if newest_will_do else own.gap)
    if isinstance(own.state, Present) or not isinstance(observed.state, Present):
        return own
    found = newest_first(map(as_weight, filter(is_weight, observed.state.value)), on)
    if not found:
        return own
    gap = own.state.because if isinstance(own.state, Unknown) else observed.gap
    return Known(Present(found), gap)


def _own_weights(found: Sequence[Node], systems: CodeSystems, on: date) -> tuple[Measured, ...]:
    weights = [
        weight
        for n in of_type(found, "Observation")
        if is_weight(weight := measured(n, reference(n, "Observation"), systems, ("mass",)))
    ]
    return newest_first(map(exact, weights), on)


def _setting(raw: Raw) -> State[str]:
    """ "inpatient" or "home" from the encounter's class; every other class says nothing of how
    the drug is paid, and a rural health clinic is never guessed."""
    read = nodes(raw, _Encounter)
    classes = [_class(n) for n in of_type(read, "Encounter")]
    settings = set(classes)
    if None in read and not classes:
        return Unknown("the encounter could not be read")
    if len(settings) > 1:
        return Unknown("the encounters on file are of different classes")
    setting = settings.pop() if settings else ""
    return Present(setting) if setting else NOTHING


def _class(encounter: Node) -> str:
    coding = encounter.obj("class")
    codes = [coding.text("code"), *(c.text("code") for c in coding.objs("coding"))]
    lower = {code.lower() for code in codes}
    if not lower.isdisjoint(_INPATIENT):
        return "inpatient"
    return "home" if "hh" in lower else ""
