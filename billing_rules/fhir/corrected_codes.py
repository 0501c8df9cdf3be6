"""ReplaceCode: another code in the place of the old one, wherever the order carries it."""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules import ndc
from billing_rules.fhir.codes import CodeSystems, coding, unglued
from billing_rules.fhir.draft_copy import DraftCopy, Json, NotCorrectable, as_dicts
from billing_rules.fhir.lenient import converted
from billing_rules.fhir.shapes import Coding
from billing_rules.findings import ReplaceCode
from billing_rules.model import Code

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
    """The CodeableConcepts that can hold the order's codes (docs/order-content.md)."""
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
        return not set(ndc.candidates(text) or (text,)).isdisjoint(ndc.candidates(old.code))
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
