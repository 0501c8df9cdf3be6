"""Which of a chart's results and medicines any rule could look at, by what they are called.

Most of a large chart is of no interest: its blood pressures and statins need not be read beyond
their names. The answer errs on one side only: what might interest a rule does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, TypeVar

from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import OLDER_LEFT
from billing_rules.fhir.json.decoding import (
    WITHDRAWN,
    Known,
    Part,
    RawResource,
    SearchPage,
    among,
    bundle_resources,
    contained,
    of_part,
    of_types,
    reference,
    resources,
    together,
    unversioned,
)
from billing_rules.fhir.json.shapes import (
    CodeableConcept,
    CoverageResource,
    EncounterResource,
    ObservationResource,
    OrganizationResource,
    PatientResource,
    Period,
    Reference,
    Resource,
    unreadable,
)
from billing_rules.fhir.json.values import CodeSystems, as_day, as_number, concept, judged, shown
from billing_rules.fhir.read.authorizations import WITHDRAWN as AUTHORIZATIONS_WITHDRAWN
from billing_rules.fhir.read.authorizations import authorizations
from billing_rules.fhir.read.conditions import allergies, conditions, procedures, studies
from billing_rules.fhir.read.form_responses import form_answers
from billing_rules.fhir.read.medications import earliest, latest
from billing_rules.fhir.read.observations import (
    as_weight,
    exact,
    is_weight,
    measured,
    newest_first,
    results,
)
from billing_rules.fhir.read.therapies import administrations, therapies
from billing_rules.model.chart import Chart, Coverage, Measured
from billing_rules.model.entities import Code, OrderLine
from billing_rules.model.states import NOTHING, Present, State, Unknown
from billing_rules.orders.drug_orders import concerns_catalogue

_BILLED = ("cpt", "hcpcs")


@dataclass(frozen=True, slots=True)
class Interest:
    """What the rules of a catalogue ask of a chart."""

    catalogue: Catalogue

    def in_result(self, codes: tuple[Code, ...], names: Iterable[str]) -> bool:
        """Whether a result of these codes and names could be of a kind that a rule knows."""
        return _is_billed(codes) or self.catalogue.terms.may_be_result(codes, names)

    def in_medicine(self, codes: tuple[Code, ...], names: Iterable[str]) -> bool:
        """Whether a medicine could be a catalogued drug, of a class of drugs, or a service."""
        said = tuple(names)
        if _is_billed(codes) or self.catalogue.terms.may_be_therapy(codes, said):
            return True
        words = (*said, *(code.display for code in codes))
        return concerns_catalogue((OrderLine("", "", codes=codes, names=words),), self.catalogue)


def _is_billed(codes: tuple[Code, ...]) -> bool:
    return any(code.system in _BILLED for code in codes)


# ----------------------------------------------------------------------
# Coverage to what a payer can be recognised by.


def coverage(
    written: CoverageResource,
    systems: CodeSystems,
    along: Callable[[str], Resource | None],
    on: date,
) -> Coverage:
    """One Coverage as of `on`. `along` finds the Organizations that came with it.

    A Coverage without status or period is taken as active; `order` is the order of benefits.
    """
    payors = written.payor
    found = (_organisation(written, payor, along) for payor in payors)
    organisations = [one for one in found if one]
    order = as_number(written.order)
    identifiers = [payor.identifier for payor in payors if payor.identifier]
    identifiers += [one for organisation in organisations for one in organisation.identifier]
    kind = written.type
    text = kind.text.strip() if kind else ""
    return Coverage(
        reference=reference(written),
        # the type's text becomes a code with a display alone, so that names see it
        types=concept(kind, systems).codes + ((Code("", "", shown(text)),) if text else ()),
        payor_names=_texts([*(p.display for p in payors), *(o.name for o in organisations)]),
        payor_identifiers=_texts(one.value for one in identifiers),
        class_names=_texts(text for one in written.class_ for text in (one.name, one.value)),
        order=int(order) if order is not None and order == order.to_integral_value() else None,
        active=written.status.strip().lower() in ("active", "") and in_period(written.period, on),
    )


def _organisation(
    written: CoverageResource, payor: Reference, along: Callable[[str], Resource | None]
) -> OrganizationResource | None:
    target = unversioned(payor.reference)
    inside = target.startswith("#")
    found = contained(written, target, assumed="Organization") if inside else along(target)
    return found if isinstance(found, OrganizationResource) else None


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(shown(text.strip()) for text in texts if text.strip()))


def in_period(period: Period | None, on: date) -> bool:
    """Whether a Period contains `on`; an open or unreadable end excludes nothing, and a partial
    date stands for all its days."""
    if period is None:
        return True
    first, last = earliest(period.start.strip()), latest(period.end.strip())
    return (first is None or first <= on) and (last is None or on <= last)


# ----------------------------------------------------------------------
# The chart's parts, each a set of resources or the reason it is not known, to a Chart.
#
# An entry that could not be decoded is never taken for one that is not there: a coverage then
# names no payer, a part that has nothing else is unknown, and what may be more than was read
# stands in `Chart.incomplete`.


__all__ = ["Part", "RawResource", "SearchPage", "bundle_resources", "chart"]

T = TypeVar("T")
R = TypeVar("R", bound=Resource)
_INPATIENT = ("imp", "acute", "nonac")
# Part -> the type of a resource there that does not say its type. Each is a query of its own.
_MEDICINES = {
    "medications": "MedicationRequest",
    "statements": "MedicationStatement",
    "dispenses": "MedicationDispense",
    "administrations": "MedicationAdministration",
}


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
        birth_date=_birth_date(parts),
        coverages=_coverages(parts, known, on),
        setting=_setting(parts),
        asked_by_code=asked_by_code,
        incomplete={name: one.gap for name, one in lists.items() if one.gap},
        **{name: one.state for name, one in lists.items()},
    )


def _lists(
    parts: Mapping[str, Part], known: CodeSystems, on: date, interest: Interest | None
) -> dict[str, Known[Any]]:
    """The Chart's lists by the names of its fields."""
    result_names = _names(known, interest.in_result) if interest else None
    observed = resources(parts, "observations", "Observation", wanted=result_names)
    measurements = observed.read(partial(_results, systems=known))
    medicine_names = _names(known, interest.in_medicine) if interest else None
    medicines = {
        name: resources(parts, name, kind, wanted=medicine_names)
        for name, kind in _MEDICINES.items()
    }
    therapies_by_part = {
        name: one.read(partial(therapies, systems=known, on=on)) for name, one in medicines.items()
    }
    patient = next((one.id.strip() for one in _of(parts, "patient", PatientResource)), "")

    def part(
        name: str,
        assumed: str,
        read: Callable[[Sequence[Resource]], Iterable[T]],
        withdrawn: tuple[str, ...] = WITHDRAWN,
    ) -> Known[T]:
        return resources(parts, name, assumed, withdrawn).read(read)

    return {
        "weights": _weights(parts, measurements, known, on),
        "results": measurements,
        "conditions": part("conditions", "Condition", partial(conditions, systems=known)),
        "allergies": part("allergies", "AllergyIntolerance", partial(allergies, systems=known)),
        "procedures": part("procedures", "Procedure", partial(procedures, systems=known)),
        "therapies": together(therapies_by_part),
        "administrations": medicines["administrations"].read(
            partial(administrations, systems=known)
        ),
        "authorizations": part(
            "authorizations",
            "ClaimResponse",
            partial(authorizations, systems=known),
            AUTHORIZATIONS_WITHDRAWN,
        ),
        "studies": part("studies", "ResearchSubject", studies),
        "answers": part("answers", "", partial(form_answers, patient_id=patient, on=on)),
    }


def _names(
    known: CodeSystems, wanted: Callable[[tuple[Code, ...], tuple[str, ...]], bool]
) -> Callable[[CodeableConcept], bool]:
    """Whether a resource of a name must be read. Only what is certain is passed over."""

    def is_wanted(written: CodeableConcept) -> bool:
        said, doubts = judged(written, known)
        if not doubts:
            known.concepts[written] = said
        if not said or doubts or said.modifiers:
            return True
        return wanted(said.codes, (*said.texts, *said.billing_displays))

    return is_wanted


# ---------------------------------------------------------------- the parts


def _of(parts: Mapping[str, Part], name: str, shape: type[R]) -> list[R]:
    """The resources of a type in a part that is named by it; withdrawn ones left out."""
    return list(of_types(of_part(parts, name, shape.__name__.removesuffix("Resource")), shape))


def _not_read(parts: Mapping[str, Part], name: str) -> State[Any]:
    """Why a part that holds nothing of its type does so."""
    part = parts.get(name, Unknown(f"the {name} was not asked for"))
    if not isinstance(part, Present):
        return part
    broken = None in of_part(parts, name, "")
    return Unknown(f"the {name} could not be read") if broken else NOTHING


def _birth_date(parts: Mapping[str, Part]) -> State[date]:
    for patient in _of(parts, "patient", PatientResource):
        day = as_day(patient.birthDate)
        if day:
            return Present(day)
        if patient.birthDate.strip() or unreadable(patient, "birthDate"):
            written = shown(patient.birthDate.strip(), 20)
            return Unknown(f"the birth date '{written}' is not a full date")
    return _not_read(parts, "patient")


def _coverages(
    parts: Mapping[str, Part], systems: CodeSystems, on: date
) -> State[tuple[Coverage, ...]]:
    """The coverages; one that could not be read names no payer."""
    read = of_part(parts, "coverage", "Coverage")
    along = among(of_types(read, OrganizationResource))
    found = [coverage(one, systems, along, on) for one in of_types(read, CoverageResource)]
    if not found:
        return _not_read(parts, "coverage")
    return Present((*found, *(Coverage("") for one in read if one is None)))


def _results(found: Sequence[Resource], systems: CodeSystems) -> Iterator[Measured]:
    for one in of_types(found, ObservationResource):
        yield from results(one, systems)


def _weights(
    parts: Mapping[str, Part], observed: Known[Measured], systems: CodeSystems, on: date
) -> Known[Measured]:
    """The part "weight"; where it has none, the weights among the observations. Those prove that
    there are weights, but the newest may not be among them."""
    part = resources(parts, "weight", "Observation")
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


def _own_weights(found: Sequence[Resource], systems: CodeSystems, on: date) -> tuple[Measured, ...]:
    read = (measured(one, systems, ("mass",)) for one in of_types(found, ObservationResource))
    return newest_first(map(exact, filter(is_weight, read)), on)


def _setting(parts: Mapping[str, Part]) -> State[str]:
    """ "inpatient" or "home" from the encounter's class; every other class says nothing of how
    the drug is paid, and a rural health clinic is never guessed."""
    settings = {_class(one) for one in _of(parts, "encounter", EncounterResource)}
    if not settings:
        return _not_read(parts, "encounter")
    if len(settings) > 1:
        return Unknown("the encounters on file are of different classes")
    setting = settings.pop()
    return Present(setting) if setting else NOTHING


def _class(encounter: EncounterResource) -> str:
    coding = encounter.class_
    codes = [coding.code, *(one.code for one in coding.coding)] if coding else []
    lower = {code.strip().lower() for code in codes}
    if not lower.isdisjoint(_INPATIENT):
        return "inpatient"
    return "home" if "hh" in lower else ""
