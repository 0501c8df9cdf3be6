"""MedicationRequest: what is ordered, how often, and what is dispensed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from billing_rules.fhir.json import values
from billing_rules.fhir.json.decoding import (
    WITHDRAWN,
    JsonObject,
    Resolve,
    contained,
    decoded,
    of_types,
    own_reference,
    resolver,
    selected,
)
from billing_rules.fhir.json.shapes import (
    ChargeItemResource,
    ClaimDetail,
    ClaimItem,
    ClaimResource,
    Dosage,
    Extension,
    MedicationAdministrationResource,
    MedicationDispenseResource,
    MedicationRequestResource,
    ServiceRequestResource,
    unreadable,
)
from billing_rules.fhir.json.values import (
    CodeSystems,
    Concept,
    Notes,
    Supply,
    absent,
    as_number,
    concept,
    concepts,
    dispensed,
    extended,
    extension_values,
    joined,
    modifiers_in,
    shown,
)
from billing_rules.fhir.read.medications import (
    Draft,
    day,
    day_of,
    first_day,
    interval,
    ordered_dose,
    product,
    reason,
    references,
    route,
)
from billing_rules.model.entities import Amount, Code, Counted, Dose, NamedCount, OrderLine, Stage
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown


def read_medication_request(draft: Draft) -> tuple[OrderLine, ...]:
    """One line a MedicationRequest; docs/how-cards-decide.md says which element each field is."""
    order: MedicationRequestResource = draft.resource
    notes = draft.notes
    drug = product(draft, "medication")
    supply = Supply()
    if order.dispenseRequest:
        supply = dispensed(order.dispenseRequest, "quantity", drug.concept.billed, notes)
    elif unreadable(order, "dispenseRequest"):
        doubt = Unknown("the dispense request could not be read")
        supply = Supply(billed=doubt, containers=doubt, supplied=doubt)
    if not drug.concept.codes and not drug.concept.names:
        notes.add("no medication is named that could be read")
    return (
        OrderLine(
            draft.reference,
            draft.kind,
            codes=drug.concept.codes,
            names=drug.concept.names,
            dose=ordered_dose(order, order.dosageInstruction, notes),
            billed=supply.billed,
            containers=supply.containers,
            supplied=supply.supplied,
            modifiers=drug.concept.modifiers,
            date_of_service=first_day([d.timing for d in order.dosageInstruction], notes),
            interval=interval(order.dosageInstruction, notes),
            route=route(order.dosageInstruction, draft.systems, notes),
            reasons=draft.reasons(order.reasonCode),
            reason_references=references(order.reasonReference),
            coverages=references(order.insurance),
            lot=drug.lot,
            unread=draft.unread,
        ),
    )


# ----------------------------------------------------------------------
# ServiceRequest carrying a billing code: its quantity is the billing units.


def read_service_request(draft: Draft) -> tuple[OrderLine, ...]:
    """One line a ServiceRequest; docs/how-cards-decide.md says which element each field is."""
    order: ServiceRequestResource = draft.resource
    notes = draft.notes
    said = concept(order.code, draft.systems, notes)
    billed: State[Counted] = Unknown("the quantity is not one number")
    if absent(order.quantityRange) and absent(order.quantityRatio):
        billed = values.billed(order, "quantityQuantity", notes)
    if not said.codes and not said.names:
        notes.add("no service is named that could be read")
    return (
        OrderLine(
            draft.reference,
            draft.kind,
            codes=said.codes,
            names=said.names,
            billed=billed,
            modifiers=said.modifiers,
            date_of_service=day_of(order, "occurrence", notes),
            reasons=draft.reasons(order.reasonCode),
            reason_references=references(order.reasonReference),
            coverages=references(order.insurance),
            unread=draft.unread,
        ),
    )


# ----------------------------------------------------------------------
# ChargeItem: one charge with its units.
#
# R4 has no modifier element here. Oracle Millennium keeps HCPCS and CPT codes, modifiers and the
# NDC in extensions and its own charge number in `code` (conformance D6; its R4 example), so
# those extensions are read by the ends of their URLs.


_CODE_EXTENSIONS = ("/procedure-code", "/national-drug-product")
_MODIFIER_EXTENSION = "modifier-code"
_NDC_QUANTITY = "national-drug-product-quantity"


def read_charge_item(draft: Draft) -> tuple[OrderLine, ...]:
    """One line a ChargeItem; docs/how-cards-decide.md says which element each field is."""
    charge: ChargeItemResource = draft.resource
    notes, systems = draft.notes, draft.systems
    drug = product(draft, "product")
    parts = [concept(charge.code, systems, notes)]
    parts += [extended(charge.extension, systems, end, notes) for end in _CODE_EXTENSIONS]
    on_code = charge.code.extension if charge.code else ()
    modifiers = (*_modifiers(charge.extension, notes), *_modifiers(on_code, notes))
    said = joined([*parts, Concept(modifiers=modifiers), drug.concept])
    billed = values.billed(charge, "quantity", notes)
    supply = _ndc_supply(charge, notes)
    if not said.codes and not said.names:
        notes.add("no charge is named that could be read")
    return (
        OrderLine(
            draft.reference,
            draft.kind,
            codes=said.codes,
            names=said.names,
            billed=billed,
            containers=supply.containers,
            supplied=supply.supplied,
            modifiers=said.modifiers,
            date_of_service=day_of(charge, "occurrence", notes),
            reasons=draft.reasons(charge.reason),
            lot=drug.lot,
            unread=draft.unread,
        ),
    )


def _modifiers(extensions: Iterable[Extension], notes: Notes) -> tuple[str, ...]:
    found: list[str] = []
    for extension in extension_values(extensions, _MODIFIER_EXTENSION):
        whole, single = extension.valueCodeableConcept, extension.valueCoding
        if whole:
            found += modifiers_in(whole.coding, whole.text, notes)
        if single:
            found += modifiers_in((single,), "", notes)
        found += modifiers_in((), extension.valueString.strip() or extension.valueCode)
    return tuple(found)


def _ndc_supply(charge: ChargeItemResource, notes: Notes) -> values.Supply:
    """The quantity that Oracle writes beside the NDC inside national-drug-product."""
    for extension in extension_values(charge.extension, _CODE_EXTENSIONS[1]):
        if extension.url.strip().endswith(_NDC_QUANTITY):
            return values.of_an_ndc(extension, "valueQuantity", notes)
    return values.Supply()


# ----------------------------------------------------------------------
# Claim: each item is a line of its own; the NDC and its quantity stand in the item's details.


# Codes and references of each diagnosis, by its sequence.
_Diagnoses = Mapping[str, tuple[tuple[Code, ...], tuple[str, ...]]]


def read_claim(draft: Draft) -> tuple[OrderLine, ...]:
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
    supply = values.Supply() if by_ndc else _supply(item.detail, notes)
    billed = values.billed(item, "quantity", notes)
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
        containers = values.of_an_ndc(detail, "quantity").containers
        if len(ndcs) == 1 and isinstance(containers, Present):
            counts.append(NamedCount(ndcs[0], containers.value))
    return tuple(counts) if len(counts) == len(details) else ()


def _supply(details: Sequence[ClaimDetail], notes: Notes) -> values.Supply:
    """The NDC quantity of the one detail that has one; without its own NDC none can be told."""
    found = [values.of_an_ndc(detail, "quantity", notes) for detail in details]
    silent = values.Supply()
    stated = [one for one in found if one != silent]
    if len(stated) > 1:
        doubt = Unknown("the claim item has several details with a quantity")
        return values.Supply(containers=doubt, supplied=doubt)
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


# ----------------------------------------------------------------------
# MedicationAdministration: what was given, or what was discarded.
#
# FHIR has no element for waste. R6 describes the record that some EHRs already send: a second
# administration with status not-done, a waste code as its reason and the wasted amount as its
# dose (conformance D1.7). A not-done record for any other reason is a dose that was not given.
# Nor has it one for the containers opened: a dispense that the record contains says them.


_GIVEN = ("completed", "in-progress", "stopped")
_OBSERVED = re.compile(r"\bobserv(ed|ation|ing)\b", re.IGNORECASE)
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
# As the close-out and EHRs' templates write it: "Observed from 10:05 to 12:05".
_TIMES = re.compile(rf"\bobserved\s+(?:from\s+)?(?P<from>{_CLOCK}) to (?P<to>{_CLOCK})\b", re.I)
_WASTE = re.compile(r"\b(waste|wasted|wastage|wasting|discard|discarded|discards)\b", re.IGNORECASE)


def read_medication_administration(draft: Draft) -> tuple[OrderLine, ...]:
    """One line an administration; docs/how-cards-decide.md says which element each field is."""
    record: MedicationAdministrationResource = draft.resource
    notes, systems = draft.notes, draft.systems
    drug = product(draft, "medication")
    handed_over = _contained_dispense(record, notes)
    status = record.status.strip().lower()
    dose = _dose(record, notes)
    wasted = status == "not-done" and _says_waste(draft)
    if not drug.concept.codes and not drug.concept.names:
        notes.add("no medication is named that could be read")
    return (
        OrderLine(
            draft.reference,
            draft.kind,
            stage=Stage.GIVEN,
            codes=_with_ndc(drug.concept.codes, handed_over, draft),
            names=drug.concept.names,
            dose=NOTHING if wasted else _as_given(dose, status),
            containers=NOTHING if status == "not-done" else _containers(dose, handed_over, notes),
            modifiers=drug.concept.modifiers,
            date_of_service=day_of(record, "effective", notes),
            route=route([record.dosage], systems, notes),
            site=_site(record.dosage, systems, notes),
            observed=_observed(record),
            reasons=draft.reasons(record.reasonCode),
            reason_references=references(record.reasonReference),
            lot=drug.lot,
            expires=drug.expires,
            discarded=_amount(dose) if wasted else NOTHING,
            not_given=status == "not-done",
            unread=draft.unread,
        ),
    )


def _site(dosage: Dosage | None, systems: CodeSystems, notes: Notes) -> State[str]:
    """Where it was injected, in the record's own words."""
    if dosage is None or (dosage.site is None and not unreadable(dosage, "site")):
        return NOTHING
    names = concept(dosage.site, systems, notes).names
    return Present(shown(names[0])) if names else Unknown("the site has no words")


def _observed(record: MedicationAdministrationResource) -> State[str]:
    """Whether a note speaks of observation, and its times where it says them in so many words: R4
    has no element for it. Nothing else of a note is kept."""
    texts = [note.text for note in record.note]
    times = {(m["from"], m["to"]) for text in texts for m in _TIMES.finditer(text)}
    if len(times) == 1:
        return Present(" to ".join(times.pop()))
    return Present("noted") if any(_OBSERVED.search(text) for text in texts) else NOTHING


def _dose(record: MedicationAdministrationResource, notes: Notes) -> State[Dose]:
    dosage = record.dosage
    if dosage is None:
        unread = unreadable(record, "dosage")
        return Unknown("the dosage could not be read") if unread else NOTHING
    stated = dosage.dose or unreadable(dosage, "dose")
    dose = values.dose(dosage, "dose" if stated else "quantity", notes)
    if isinstance(dose, Nothing) and dosage.text.strip():
        return Unknown("the dose is free text")
    return dose


def _as_given(dose: State[Dose], status: str) -> State[Dose]:
    """The dose, unless the status leaves open whether it was given."""
    if status in _GIVEN or status == "not-done":
        return dose
    said = f"is '{shown(status, 20)}'" if status else "is missing"
    return Unknown(f"whether the dose was given is not known: the status {said}")


def _says_waste(draft: Draft) -> bool:
    said = concepts(draft.resource.statusReason, draft.systems, draft.notes)
    words = (*said.names, *(code.code for code in said.codes))
    return any(_WASTE.search(text) for text in words)


def _amount(dose: State[Dose]) -> State[Amount]:
    """The discarded amount; a record of waste without one leaves it unknown, never zero."""
    if isinstance(dose, Unknown):
        return dose
    if isinstance(dose, Nothing):
        return Unknown("drug is charted as discarded, but not how much")
    amount = dose.value.amount
    if isinstance(amount, Amount):
        return Present(amount)
    return Unknown(f"the discarded amount of {amount} is not an amount of drug")


def _contained_dispense(
    record: MedicationAdministrationResource, notes: Notes
) -> MedicationDispenseResource | None:
    """The one dispense inside this record that its supportingInformation names, else None."""
    named = references(record.supportingInformation)
    inside = (contained(record, target, notes) for target in named if target.startswith("#"))
    found = list(of_types(inside, MedicationDispenseResource))
    return found[0] if len(found) == 1 else None


def _with_ndc(
    codes: tuple[Code, ...], dispense: MedicationDispenseResource | None, draft: Draft
) -> tuple[Code, ...]:
    """The codes, with the dispensed NDC where the record itself names none."""
    if dispense is None or any(code.system == "ndc" for code in codes):
        return codes
    coded = concept(dispense.medicationCodeableConcept, draft.systems, draft.notes).codes
    return (*codes, *(code for code in coded if code.system == "ndc"))


def _containers(
    dose: State[Dose], dispense: MedicationDispenseResource | None, notes: Notes
) -> State[Counted]:
    if dispense is None:
        return _whole_containers(dose)
    return values.dispensed(dispense, "quantity", False, notes).containers


def _whole_containers(dose: State[Dose]) -> State[Counted]:
    """A dose of "2 syringe" opened two; parts of containers and amounts say nothing of them."""
    if not isinstance(dose, Present) or not isinstance(dose.value.amount, Counted):
        return NOTHING
    counted = dose.value.amount
    whole = counted.value == counted.value.to_integral_value()
    named = values.is_container_word(counted.unit)
    return Present(counted) if whole and named else NOTHING


# ----------------------------------------------------------------------
# Draft orders to lines in billing words: one module per resource type, none voids the others.


READERS: Mapping[str, Callable[[Draft], tuple[OrderLine, ...]]] = {
    "MedicationRequest": read_medication_request,
    "ServiceRequest": read_service_request,
    "ChargeItem": read_charge_item,
    "Claim": read_claim,
    "MedicationAdministration": read_medication_administration,
}


def named_by_themselves(
    resources: Iterable[JsonObject], systems: Mapping[str, str]
) -> tuple[OrderLine, ...] | None:
    """What the drafts are for, when each says it in its own codes and words: lines that hold these
    alone. None when any could say more (by a reference, in extensions, in items): then only
    `draft_orders` tells. Most drafts are for nothing that concerns us, and this is all to be read
    of them.
    """
    known = CodeSystems(systems)
    lines: list[OrderLine] = []
    for position, written in enumerate(resources):
        kind = written.get("resourceType") if isinstance(written, dict) else None
        if not isinstance(kind, str) or kind.strip() not in READERS:
            continue
        resource = decoded(dict(written))
        if isinstance(resource, MedicationRequestResource):
            if resource.medicationReference or resource.medication:
                return None
            said = concept(resource.medicationCodeableConcept, known)
        elif isinstance(resource, ServiceRequestResource):
            said = concept(resource.code, known)
        else:
            return None
        if not said.codes and not said.names:
            return None
        if resource.doNotPerform is not True and resource.status.strip().lower() not in WITHDRAWN:
            reference = own_reference(written, position)
            lines.append(OrderLine(reference, resource.kind, codes=said.codes, names=said.names))
    return tuple(lines)


def draft_orders(
    resources: Iterable[JsonObject],
    systems: Mapping[str, str],
    resolve: Resolve,
    only: frozenset[str] | None = None,
) -> tuple[OrderLine, ...]:
    """The lines of all draft orders among `resources`, in their order. Never raises for JSON.

    `systems` is the catalogue's URI -> short name; `resolve` finds a Medication that is not among
    `resources`, or answers None; `only` holds references to judge (order-select's selections).
    Resources of other types, withdrawn ones and orders not to do something give no line.
    """
    everything = list(resources)
    known = CodeSystems(systems)
    inside = resolver(everything)

    def find(reference: str) -> object:
        found = inside(reference)
        return found if found is not None else resolve(reference)

    lines: list[OrderLine] = []
    for position, written in enumerate(everything):
        kind = written.get("resourceType") if isinstance(written, dict) else None
        if not isinstance(kind, str) or kind.strip() not in READERS:
            continue
        reference = own_reference(written, position)
        resource: Any = decoded(dict(written)) if selected(reference, only) else None
        if resource is None or resource.doNotPerform is True:
            continue
        if resource.status.strip().lower() not in WITHDRAWN:
            draft = Draft(resource, reference, known, find, Notes(resource))
            lines += READERS[resource.kind](draft)
    return tuple(lines)
