"""SetModifiers, AddDiscardedLine and RemoveLine: the modifiers and items of a draft Claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from billing_rules.fhir.codes import unglued
from billing_rules.fhir.corrected_units import in_units
from billing_rules.fhir.draft_copy import DraftCopy, Json, NotCorrectable, as_dicts
from billing_rules.fhir.tolerant import as_number, copied
from billing_rules.findings import AddDiscardedLine, RemoveLine, SetModifiers

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
