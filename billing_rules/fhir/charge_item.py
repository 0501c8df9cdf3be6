"""ChargeItem: one charge with its units.

R4 has no modifier element here. Oracle Millennium keeps HCPCS and CPT codes, modifiers and the
NDC in extensions and its own charge number in `code` (standards.md D6; its R4 example), so those
extensions are read by the ends of their URLs.
"""

from __future__ import annotations

from billing_rules.fhir import quantities
from billing_rules.fhir.codes import (
    Concept,
    concept,
    extended,
    extension_values,
    joined,
    modifiers_in,
)
from billing_rules.fhir.drafts import Draft, reasons
from billing_rules.fhir.medications import product
from billing_rules.fhir.timing import day_of
from billing_rules.fhir.tolerant import Node
from billing_rules.model import OrderLine

_CODE_EXTENSIONS = ("/procedure-code", "/national-drug-product")
_MODIFIER_EXTENSION = "modifier-code"
_NDC_QUANTITY = "national-drug-product-quantity"


def read(draft: Draft) -> tuple[OrderLine, ...]:
    """One line a ChargeItem; docs/order-content.md says which element each field is."""
    node = draft.node
    drug = product(draft, "product")
    said = joined([_said(draft), drug.concept])
    billed, supply = quantities.billed(node, "quantity"), _ndc_supply(node)
    if not said.codes and not said.names:
        node.note("no charge is named that could be read")
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
            date_of_service=day_of(node, "occurrence"),
            reasons=reasons(draft, "reason"),
            lot=drug.lot,
            unread=draft.unread,
        ),
    )


def _said(draft: Draft) -> Concept:
    code = draft.node.obj("code")
    extensions = (extended(draft.node, draft.systems, end) for end in _CODE_EXTENSIONS)
    modifiers = [m for part in (draft.node, code) for m in _modifiers(part)]
    return joined([concept(code, draft.systems), *extensions, Concept(modifiers=tuple(modifiers))])


def _modifiers(node: Node) -> list[str]:
    found: list[str] = []
    for extension in extension_values(node, _MODIFIER_EXTENSION):
        found += modifiers_in(extension.obj("valueCodeableConcept"))
        single = extension.value.get("valueCoding")
        found += modifiers_in(Node({"coding": single}, extension.path, extension.unread))
        text = extension.text("valueString") or extension.text("valueCode")
        found += modifiers_in(Node({"text": text}, extension.path, extension.unread))
    return found


def _ndc_supply(node: Node) -> quantities.Supply:
    """The quantity that Oracle writes beside the NDC inside national-drug-product."""
    for extension in extension_values(node, _CODE_EXTENSIONS[1]):
        if extension.text("url").endswith(_NDC_QUANTITY):
            return quantities.of_an_ndc(extension, "valueQuantity")
    return quantities.Supply()
