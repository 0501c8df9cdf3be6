"""ChargeItem: one charge with its units.

R4 has no modifier element here. Oracle Millennium keeps HCPCS and CPT codes, modifiers and the
NDC in extensions and its own charge number in `code` (standards.md D6; its R4 example), so those
extensions are read by the ends of their URLs.
"""

from __future__ import annotations

from collections.abc import Iterable

from billing_rules.fhir import quantities
from billing_rules.fhir.codes import (
    Concept,
    concept,
    extended,
    extension_values,
    joined,
    modifiers_in,
)
from billing_rules.fhir.drafts import Draft
from billing_rules.fhir.lenient import Notes
from billing_rules.fhir.medications import product
from billing_rules.fhir.shapes import ChargeItemResource, Extension
from billing_rules.fhir.timing import day_of
from billing_rules.model import OrderLine

_CODE_EXTENSIONS = ("/procedure-code", "/national-drug-product")
_MODIFIER_EXTENSION = "modifier-code"
_NDC_QUANTITY = "national-drug-product-quantity"


def read(draft: Draft) -> tuple[OrderLine, ...]:
    """One line a ChargeItem; docs/order-content.md says which element each field is."""
    charge: ChargeItemResource = draft.resource
    notes, systems = draft.notes, draft.systems
    drug = product(draft, "product")
    parts = [concept(charge.code, systems, notes)]
    parts += [extended(charge.extension, systems, end, notes) for end in _CODE_EXTENSIONS]
    on_code = charge.code.extension if charge.code else ()
    modifiers = (*_modifiers(charge.extension, notes), *_modifiers(on_code, notes))
    said = joined([*parts, Concept(modifiers=modifiers), drug.concept])
    billed = quantities.billed(charge, "quantity", notes)
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


def _ndc_supply(charge: ChargeItemResource, notes: Notes) -> quantities.Supply:
    """The quantity that Oracle writes beside the NDC inside national-drug-product."""
    for extension in extension_values(charge.extension, _CODE_EXTENSIONS[1]):
        if extension.url.strip().endswith(_NDC_QUANTITY):
            return quantities.of_an_ndc(extension, "valueQuantity", notes)
    return quantities.Supply()
