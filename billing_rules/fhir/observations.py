"""Observation to measured values with their date.

A result is what was measured: of a panel its components and contained members are results of
their own, and the panel is one only when it has a value itself. Members in resources of their own
are read as what they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from billing_rules.chart import Measured
from billing_rules.fhir import plain, quantities
from billing_rules.fhir.codes import CodeSystems, Concept, concept, concepts, joined
from billing_rules.fhir.decoding import Slim
from billing_rules.fhir.plain import PlainObservation
from billing_rules.fhir.references import contained
from billing_rules.fhir.tolerant import Node, as_day, shown
from billing_rules.states import Present

# LOINC 29463-7 body weight (US Core), 3141-9 body weight measured.
WEIGHT_CODES = ("29463-7", "3141-9")
_WEIGHT_TEXTS = ("weight", "body weight", "weight measured", "body weight measured")
# Interpretations that laboratories write in words, as the HL7 code that means the same.
_INTERPRETATIONS = {
    "positive": "POS",
    "detected": "POS",
    "reactive": "POS",
    "negative": "NEG",
    "not detected": "NEG",
    "nonreactive": "NEG",
    "non-reactive": "NEG",
    "indeterminate": "IND",
    "equivocal": "E",
    "high": "H",
    "low": "L",
    "normal": "N",
    "abnormal": "A",
}
_QUALIFIER = " (qualifier value)"
_SKIN_TEST = re.compile(r"\b(skin|prick|intradermal)", re.IGNORECASE)


class SlimObservation(Slim):
    code: Any = None
    effectiveDateTime: Any = None
    effectivePeriod: Any = None
    effectiveInstant: Any = None
    issued: Any = None
    valueQuantity: Any = None
    valueString: Any = None
    valueInteger: Any = None
    valueCodeableConcept: Any = None
    valueBoolean: Any = None
    valueRange: Any = None
    valueRatio: Any = None
    dataAbsentReason: Any = None
    interpretation: Any = None
    component: Any = None
    hasMember: Any = None
    contained: Any = None


def measured(
    node: Node, reference: str, systems: CodeSystems, dimensions: tuple[str, ...] = ()
) -> Measured:
    """One Observation. `value` is None unless it is an amount, to be read with `comparator`; of
    `dimensions`, where they are given, it must be a positive one. `as_written` is what stands
    there in any case."""
    said = concept(node.obj("code"), systems)
    found = quantities.compared(node, "valueQuantity", "the value")
    read = found.value if isinstance(found, Present) else None
    return Measured(
        reference=reference,
        codes=said.codes,
        text=shown(said.names[0]) if said.names else "",
        value=read.amount if read is not None and _usable(read, dimensions) else None,
        as_written=_as_written(node, read, systems),
        on=_day(node),
        comparator=read.comparator if read is not None else "",
        interpretation=_interpretation(node, systems),
        final=_is_final(node.text("status")),
    )


def _usable(read: quantities.Quantity, dimensions: tuple[str, ...]) -> bool:
    if dimensions:
        return read.is_a(dimensions) and read.value > 0
    return read.value >= 0


def results(node: Node, reference: str, systems: CodeSystems) -> tuple[Measured, ...]:
    """Every result of one Observation: its own value, its components, its contained members."""
    panel = measured(node, reference, systems)
    parts = [_part(n, panel, systems) for n in node.objs("component")]
    for member in _members(node):
        parts += [replace(m, on=m.on or panel.on) for m in results(member, reference, systems)]
    own = not parts or panel.value is not None or bool(panel.as_written)
    return (panel, *parts) if own else tuple(parts)


def plain_result(found: PlainObservation, systems: CodeSystems) -> Measured:
    """The result of an Observation in its ordinary form, as `results` reads it."""
    named = plain.said(found.code, systems)
    read = quantities.of_plain(found.valueQuantity)
    meant = [plain.said(one, systems) for one in found.interpretation]
    days = map(as_day, (found.effectiveDateTime, found.effectiveInstant, found.issued))
    return Measured(
        reference=f"Observation/{plain.text(found.id)}" if plain.text(found.id) else "",
        codes=named.codes,
        text=shown(named.names[0]) if named.names else "",
        value=read.amount if _usable(read, ()) else None,
        as_written=f"{read.comparator} {read}".strip(),
        on=next((day for day in days if day), None),
        comparator=read.comparator,
        interpretation=_meaning(joined(meant)) if meant else (),
        final=_is_final(plain.text(found.status)),
    )


def _is_final(status: str) -> bool:
    return status.lower() not in ("preliminary", "registered")


def _part(component: Node, panel: Measured, systems: CodeSystems) -> Measured:
    """A component, measured when its panel was. That of a skin test names only its allergen."""
    read = measured(component, panel.reference, systems)
    test = f"{panel.text}: " if _SKIN_TEST.search(panel.text) else ""
    return replace(read, text=shown(test + read.text), on=panel.on, final=panel.final)


def _members(node: Node) -> Iterator[Node]:
    """Contained members, without their own members: a panel cannot be part of itself."""
    for member in node.objs("hasMember"):
        target = member.text("reference")
        found = contained(node, target) if target.startswith("#") else Node({})
        if found.text("status").lower() in ("entered-in-error", "cancelled"):
            continue
        if found:
            flat = {k: v for k, v in found.value.items() if k not in ("hasMember", "contained")}
            yield Node(flat, found.path, node.unread)


def exact(observation: Measured) -> Measured:
    """The observation with a value only when it is no bound."""
    return replace(observation, value=None) if observation.comparator else observation


# ---------------------------------------------------------------- words


def _as_written(node: Node, read: quantities.Quantity | None, systems: CodeSystems) -> str:
    if read is not None:
        return f"{read.comparator} {read}".strip()
    quantity = node.obj("valueQuantity")
    words = [quantity.text("unit") or quantity.text("code")]
    words += [node.text("valueString"), _number(node, "valueInteger"), _truth(node)]
    words += [_first(concept(node.obj("valueCodeableConcept"), systems))]
    words += [_range(node.obj("valueRange")), _ratio(node.obj("valueRatio"))]
    absent = concept(node.obj("dataAbsentReason"), systems)
    reason = _first(absent) or ("not said why" if node.has("dataAbsentReason") else "")
    words += [f"no value: {reason}"] if reason else []
    return shown(" ".join(word for word in words if word))


def _first(said: Concept) -> str:
    words = (*said.names, *(code.code for code in said.codes))
    return words[0].removesuffix(_QUALIFIER) if words else ""


def _number(node: Node, key: str) -> str:
    value = node.value.get(key)
    number = node.number(key) if value is not None else None
    return f"{number:f}" if number is not None else ""


def _truth(node: Node) -> str:
    value = node.value.get("valueBoolean")
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else ""


def _range(node: Node) -> str:
    low, high = _quantity(node.obj("low")), _quantity(node.obj("high"))
    if low and high:
        return f"{low} to {high}"
    return f">= {low}" if low else high and f"<= {high}"


def _ratio(node: Node) -> str:
    parts = [_quantity(node.obj(key)) for key in ("numerator", "denominator")]
    return ":".join(parts) if all(parts) else ""


def _quantity(node: Node) -> str:
    return f"{_number(node, 'value')} {node.text('unit') or node.text('code')}".strip()


def _interpretation(node: Node, systems: CodeSystems) -> tuple[str, ...]:
    if not node.has("interpretation"):
        return ()
    return _meaning(concepts(node, "interpretation", systems))


def _meaning(said: Concept) -> tuple[str, ...]:
    """The codes; for one in words, or coded otherwise, the HL7 code of the same meaning too."""
    words = (name.lower().removesuffix(_QUALIFIER) for name in said.names)
    meant = (_INTERPRETATIONS[word] for word in words if word in _INTERPRETATIONS)
    return tuple(dict.fromkeys((*(code.code for code in said.codes), *meant)))


def _day(node: Node) -> date | None:
    for key in ("effectiveDateTime", "effectiveInstant"):
        day = node.day(key)
        if day:
            return day
    return node.obj("effectivePeriod").day("start") or node.day("issued")


# ---------------------------------------------------------------- weights


def is_weight(observation: Measured) -> bool:
    """Whether an observation is a body weight, by its code, or by its text when it has no LOINC
    code."""
    loinc = [code.code for code in observation.codes if code.system == "loinc"]
    if loinc:
        return any(code in WEIGHT_CODES for code in loinc)
    return observation.text.lower() in _WEIGHT_TEXTS


def as_weight(observation: Measured) -> Measured:
    """A result read as a weight: its value is one only when it is an exact, positive mass."""
    value = observation.value
    mass = value is not None and value.is_a("mass") and value.value > 0
    return exact(observation) if mass else replace(observation, value=None)


def newest_first(found: Iterable[Measured], on: date) -> tuple[Measured, ...]:
    """The observations up to `on`, newest first; undated ones last."""
    past = [m for m in found if m.on is None or m.on <= on]
    return tuple(sorted(past, key=lambda m: m.on or date.min, reverse=True))
