"""SetBilledUnits: the number of billing units where that resource type keeps them."""

from __future__ import annotations

from billing_rules.fhir.draft_copy import DraftCopy, Json, NotCorrectable, as_dicts
from billing_rules.fhir.quantities import is_billing_word
from billing_rules.findings import SetBilledUnits


def set_units(draft: DraftCopy, correction: SetBilledUnits) -> None:
    """Write the units; a quantity that is not there yet is added, except on a prescription,
    whose dispensed quantity may count something else. Raises NotCorrectable."""
    if draft.kind == "MedicationRequest":
        parent, key = _dispense_request(draft), "quantity"
    elif draft.kind == "ServiceRequest":
        parent, key = draft.resource, "quantityQuantity"
        if "quantityRange" in parent or "quantityRatio" in parent:
            raise NotCorrectable("the quantity is not one number")
    elif draft.kind == "ChargeItem":
        parent, key = draft.resource, "quantity"
    else:
        parent, key = draft.item(correction.item), "quantity"
    quantity = next(iter(as_dicts(parent.get(key))), {})
    parent[key] = in_units(quantity, correction.units)


def _dispense_request(draft: DraftCopy) -> Json:
    """The dispense request, when its quantity counts billing units and not containers."""
    for request in as_dicts(draft.resource.get("dispenseRequest")):
        for quantity in as_dicts(request.get("quantity")):
            unit = quantity.get("unit") or quantity.get("code") or ""
            if not unit or is_billing_word(str(unit)):
                return request
    raise NotCorrectable("the dispensed quantity does not count billing units")


def in_units(quantity: Json, units: int) -> Json:
    """The quantity with `units` as its value; a unit of another kind goes with its value."""
    unit = quantity.get("unit") or quantity.get("code") or ""
    if is_billing_word(str(unit)):
        kept = {k: v for k, v in quantity.items() if k != "comparator"}
    else:
        kept = {k: v for k, v in quantity.items() if k in ("id", "extension")}
    return {**kept, "value": units}
