"""The copy of an order that corrections change, and what its places are called in errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from billing_rules.fhir.json.decoding import own_reference
from billing_rules.fhir.json.lenient import converted
from billing_rules.fhir.json.shapes import Coding
from billing_rules.fhir.json.values import (
    CodeSystems,
    as_number,
    as_objects,
    coding,
    copied,
    is_billing_word,
    unglued,
)
from billing_rules.model.entities import Code, ndc_candidates
from billing_rules.model.findings import (
    AddDiscardedLine,
    Correction,
    RemoveLine,
    RemoveOrder,
    ReplaceCode,
    SetBilledUnits,
    SetModifiers,
)

Json = dict[str, Any]


class NotCorrectable(ValueError):
    """A correction whose place is not in this resource. The message says which, in a clause."""


class DraftCopy:
    """The copy being changed, with the original Claim items by their place."""

    def __init__(
        self, resource: Json, preferred_uri: Mapping[str, str], systems: CodeSystems | None
    ) -> None:
        self.resource = resource
        self.kind = resource.get("resourceType")
        self.systems = systems
        self._preferred_uri = preferred_uri
        items = resource.get("item")
        self.items: list[Any] = items.copy() if isinstance(items, list) else [items]

    def uri(self, system: str) -> str:
        if system not in self._preferred_uri:
            raise NotCorrectable(f"no URI is known to write the code system '{system}' with")
        return self._preferred_uri[system]

    def check_reference(self, reference: str) -> None:
        """Raise unless the correction is for this resource; one without id goes by its type."""
        own = own_reference(self.resource, 0)
        fits = own == reference or (own.endswith("/#0") and reference.startswith(own[:-1]))
        if not fits:
            raise NotCorrectable(f"the correction is for {reference}, not for {own}")

    def item(self, place: int | None) -> Json:
        """The Claim item at `place` of the original."""
        if self.kind != "Claim" or place is None:
            raise NotCorrectable(f"a {self.kind} has no items")
        if not 0 <= place < len(self.items) or not isinstance(self.items[place], dict):
            raise NotCorrectable(f"the claim has no item {place + 1}")
        item: Json = self.items[place]
        return item


def as_dicts(value: object) -> list[Json]:
    """The objects in `value` to change in place: of a list its objects, of an object itself."""
    return [found for found in as_objects(value) if isinstance(found, dict)]


# ----------------------------------------------------------------------
# SetBilledUnits: the number of billing units where that resource type keeps them.


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


# ----------------------------------------------------------------------
# ReplaceCode: another code in the place of the old one, wherever the order carries it.


_DEPTH = 4  # extensions inside extensions


def replace_code(draft: DraftCopy, correction: ReplaceCode) -> None:
    """Replace the code in every coding that carries it; position and modifiers stay.

    Raises NotCorrectable when it is not there, or is in a Medication of its own.
    """
    found = False
    for concept in _code_places(draft, correction.item):
        for single in _codings(concept, _DEPTH):
            if _is(single, correction.old, draft.systems):
                _rewrite(concept, single, correction, draft)
                found = True
    if not found:
        elsewhere = _medication_elsewhere(draft)
        where = f"stands in {elsewhere}, which is another resource" if elsewhere else "is not there"
        raise NotCorrectable(f"the code {correction.old.code} {where}")


def _code_places(draft: DraftCopy, item: int | None) -> Iterator[Json]:
    """The CodeableConcepts that can hold the order's codes (docs/how-cards-decide.md)."""
    if draft.kind == "Claim":
        line = draft.item(item)
        yield from as_dicts(line.get("productOrService"))
        for detail in as_dicts(line.get("detail")):
            yield from as_dicts(detail.get("productOrService"))
        return
    for key in ("medicationCodeableConcept", "productCodeableConcept", "code"):
        yield from as_dicts(draft.resource.get(key))
    for later in as_dicts(draft.resource.get("medication")):
        yield from as_dicts(later.get("concept"))
    for inside in as_dicts(draft.resource.get("contained")):
        yield from as_dicts(inside.get("code"))
        for ingredient in as_dicts(inside.get("ingredient")):
            yield from as_dicts(ingredient.get("itemCodeableConcept"))
    if draft.kind == "ChargeItem":
        yield draft.resource  # Oracle's procedure-code and national-drug-product extensions


def _codings(concept: Json, depth: int) -> Iterator[Json]:
    """The codings of a CodeableConcept, and those in the extensions on it."""
    yield from as_dicts(concept.get("coding"))
    for extension in as_dicts(concept.get("extension")) if depth else ():
        for value in as_dicts(extension.get("valueCodeableConcept")):
            yield from as_dicts(value.get("coding"))
        yield from as_dicts(extension.get("valueCoding"))
        yield from _codings({"extension": extension.get("extension")}, depth - 1)


def _is(single: Json, old: Code, systems: CodeSystems | None) -> bool:
    if systems is not None:
        read = coding(converted(single, Coding), systems).codes
        return any(code.system == old.system and _means(code.code, old) for code in read)
    text = single.get("code")
    return isinstance(text, str) and _means(text, old)


def _means(text: str, old: Code) -> bool:
    if old.system == "ndc":
        return not set(ndc_candidates(text) or (text,)).isdisjoint(ndc_candidates(old.code))
    return unglued(text)[0] == old.code.upper() or text.strip() == old.code


def _rewrite(concept: Json, single: Json, correction: ReplaceCode, draft: DraftCopy) -> None:
    old, new = correction.old, correction.new
    written = str(single["code"]).strip()
    base, glued = unglued(written)
    single["code"] = new.code + (written[len(base) :] if glued else "")
    if new.system != old.system:
        single["system"] = draft.uri(new.system)
    display = single.get("display")
    if display is not None:
        _reword(single, "display", new.display)
    text = concept.get("text")
    if isinstance(text, str) and text.strip() in (display, written):
        _reword(concept, "text", new.display)


def _reword(parent: Json, key: str, words: str) -> None:
    """Put the new code's words where the old code's stood, or nothing rather than the old."""
    if words:
        parent[key] = words
    else:
        del parent[key]


def _medication_elsewhere(draft: DraftCopy) -> str | None:
    for reference in as_dicts(draft.resource.get("medicationReference")):
        target = reference.get("reference")
        if isinstance(target, str) and target and not target.startswith("#"):
            return target
    return None


# ----------------------------------------------------------------------
# SetModifiers, AddDiscardedLine and RemoveLine: the modifiers and items of a draft Claim.


# Not copied from an item to the line of its discarded units: they say something of that line alone.
_OF_ONE_LINE = ("id", "extension", "modifierExtension", "modifier", "quantity", "net", "udi")


def set_modifiers(draft: DraftCopy, correction: SetModifiers) -> None:
    """Take modifiers off a Claim item, wherever it carries them, and add others to `modifier`.

    Raises NotCorrectable for one to be removed that is not there.
    """
    item = draft.item(correction.item)
    for modifier in correction.remove:
        if not _remove_modifier(item, modifier):
            raise NotCorrectable(f"item {correction.item + 1} carries no modifier {modifier}")
    concepts = as_dicts(item.get("modifier"))
    for modifier in correction.add:
        if not any(_has_modifier(concept, modifier) for concept in concepts):
            concepts.append(_modifier(draft, modifier))
    if concepts:
        item["modifier"] = concepts


def _modifier(draft: DraftCopy, modifier: str) -> Json:
    return {"coding": [{"system": draft.uri("hcpcs"), "code": modifier}]}


def _has_modifier(concept: Json, modifier: str) -> bool:
    texts = [single.get("code") for single in as_dicts(concept.get("coding"))]
    texts += [] if texts else [concept.get("text")]
    return any(isinstance(text, str) and text.strip().upper() == modifier for text in texts)


def _remove_modifier(item: Json, modifier: str) -> bool:
    """Take `modifier` off wherever the item can carry it; whether it was there."""
    concepts = as_dicts(item.get("modifier"))
    kept = [concept for concept in concepts if not _has_modifier(concept, modifier)]
    if len(kept) < len(concepts):
        item["modifier"] = kept
        if not kept:
            del item["modifier"]
    glued = [_unglue(concept, modifier) for concept in as_dicts(item.get("productOrService"))]
    return len(kept) < len(concepts) or any(glued)


def _unglue(concept: Json, modifier: str | None) -> bool:
    """Take one modifier (None: all) off the codings of a code; whether one was there."""
    codings = as_dicts(concept.get("coding"))
    kept = [single for single in codings if not _two_characters(single, modifier)]
    found = len(kept) < len(codings)
    for single in kept:
        base, modifiers = unglued(str(single.get("code") or ""))
        stay = [m for m in modifiers if modifier is not None and m != modifier]
        if len(stay) < len(modifiers):
            single["code"] = "-".join([base, *stay])
            found = True
    if found:
        concept["coding"] = kept
    return found


def _two_characters(single: Json, modifier: str | None) -> bool:
    text = single.get("code")
    code = text.strip().upper() if isinstance(text, str) else ""
    return code == modifier if modifier is not None else len(code) == 2


def change_lines(
    draft: DraftCopy, added: Sequence[AddDiscardedLine], removed: Sequence[RemoveLine]
) -> None:
    """Put a line of discarded units behind each item of `added`, with the next free sequence, and
    take those of `removed` out; the sequence of the others stays, so that they keep their name."""
    gone = {correction.item for correction in removed if draft.item(correction.item)}
    if gone and "total" in draft.resource:
        raise NotCorrectable("the claim states a total, which would not be its lines' any more")
    if gone and len(gone) == len(draft.items):
        raise NotCorrectable("a claim without lines is withdrawn, not changed")
    new: list[tuple[int, Json]] = []
    sequence = _next_sequence(draft.items)
    for correction in added:
        line = _discarded_line(draft, correction, sequence + len(new))
        new.append((correction.item, line))
    if not new and not gone:
        return
    items: list[Any] = []
    for place, item in enumerate(draft.items):
        items += [] if place in gone else [item]
        items += [line for after, line in new if after == place]
    draft.resource["item"] = items


def _discarded_line(draft: DraftCopy, correction: AddDiscardedLine, sequence: int) -> Json:
    original = draft.item(correction.item)
    kept = {key: value for key, value in original.items() if key not in _OF_ONE_LINE}
    line: Json = copied(kept)
    for concept in as_dicts(line.get("productOrService")):
        _unglue(concept, None)
    for detail in as_dicts(line.get("detail")):  # the NDC stays, its count is of the first line
        for key in ("quantity", "net", "id", "extension"):
            detail.pop(key, None)
    quantity = next(iter(as_dicts(original.get("quantity"))), {})
    return {
        **line,
        "sequence": sequence,
        "modifier": [_modifier(draft, correction.modifier)],
        "quantity": in_units({k: v for k, v in quantity.items() if k != "id"}, correction.units),
    }


def _next_sequence(items: Sequence[Any]) -> int:
    numbers = [as_number(item.get("sequence")) for item in items if isinstance(item, dict)]
    return int(max((n for n in numbers if n is not None), default=len(items))) + 1


# ----------------------------------------------------------------------
# A finding's corrections to a whole corrected copy of the order, one element changed at a time.
#
# The copy differs from the original only where a correction says so: other codings, their order,
# units, texts and everything unknown to us stay. What cannot be written where it was read raises
# NotCorrectable, and the card then says what to change by hand.


__all__ = ["NotCorrectable", "corrected"]


def corrected(
    resource: Mapping[str, Any],
    corrections: Sequence[Correction],
    preferred_uri: Mapping[str, str],
    systems: Mapping[str, str] | None = None,
) -> Json:
    """A copy of `resource` with `corrections` made; their item numbers are the original's.

    `preferred_uri` (short name -> URI) is used for codings that are new. `systems` (URI -> short
    name) makes ReplaceCode match the code system as well; without it the code alone decides.
    Raises NotCorrectable.
    """
    copy: Json = copied(dict(resource))
    draft = DraftCopy(copy, preferred_uri, CodeSystems(systems) if systems else None)
    for correction in corrections:
        draft.check_reference(correction.reference)
        _apply(draft, correction)
    change_lines(
        draft,
        added=[c for c in corrections if isinstance(c, AddDiscardedLine)],
        removed=[c for c in corrections if isinstance(c, RemoveLine)],
    )
    return copy


def _apply(draft: DraftCopy, correction: Correction) -> None:
    if isinstance(correction, ReplaceCode):
        replace_code(draft, correction)
    elif isinstance(correction, SetBilledUnits):
        set_units(draft, correction)
    elif isinstance(correction, SetModifiers):
        set_modifiers(draft, correction)
    elif isinstance(correction, RemoveOrder):
        raise NotCorrectable("a draft is withdrawn by deleting it, not by changing it")
