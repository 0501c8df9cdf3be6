"""MedicationAdministration: what was given, or what was discarded.

FHIR has no element for waste. R6 describes the record that some EHRs already send: a second
administration with status not-done, a waste code as its reason and the wasted amount as its dose
(standards.md D1.7). A not-done record for any other reason is a dose that was not given. Nor has it
one for the containers opened: a dispense that the record contains says them.
"""

from __future__ import annotations

import re

from billing_rules.amounts import Amount
from billing_rules.fhir import quantities
from billing_rules.fhir.codes import CodeSystems, concept, concepts
from billing_rules.fhir.decoding import contained, of_types
from billing_rules.fhir.dosage import route
from billing_rules.fhir.drafts import Draft, references
from billing_rules.fhir.lenient import Notes
from billing_rules.fhir.medications import product
from billing_rules.fhir.shapes import (
    Dosage,
    MedicationAdministrationResource,
    MedicationDispenseResource,
    unreadable,
)
from billing_rules.fhir.timing import day_of
from billing_rules.fhir.tolerant import shown
from billing_rules.model import Code, Counted, Dose, OrderLine, Stage
from billing_rules.states import NOTHING, Nothing, Present, State, Unknown

_GIVEN = ("completed", "in-progress", "stopped")
_OBSERVED = re.compile(r"\bobserv(ed|ation|ing)\b", re.IGNORECASE)
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
# As the close-out and EHRs' templates write it: "Observed from 10:05 to 12:05".
_TIMES = re.compile(rf"\bobserved\s+(?:from\s+)?(?P<from>{_CLOCK}) to (?P<to>{_CLOCK})\b", re.I)
_WASTE = re.compile(r"\b(waste|wasted|wastage|wasting|discard|discarded|discards)\b", re.IGNORECASE)


def read(draft: Draft) -> tuple[OrderLine, ...]:
    """One line an administration; docs/order-content.md says which element each field is."""
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
    dose = quantities.dose(dosage, "dose" if stated else "quantity", notes)
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
    return Unknown(f"the discarded amount of {amount} is no amount of drug")


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
    return quantities.dispensed(dispense, "quantity", False, notes).containers


def _whole_containers(dose: State[Dose]) -> State[Counted]:
    """A dose of "2 syringe" opened two; parts of containers and amounts say nothing of them."""
    if not isinstance(dose, Present) or not isinstance(dose.value.amount, Counted):
        return NOTHING
    counted = dose.value.amount
    whole = counted.value == counted.value.to_integral_value()
    named = quantities.is_container_word(counted.unit)
    return Present(counted) if whole and named else NOTHING
