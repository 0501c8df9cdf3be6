"""Observation to a measured value with its date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from billing_rules.chart import Measured
from billing_rules.fhir import quantities
from billing_rules.fhir.codes import CodeSystems, concept, concepts
from billing_rules.fhir.tolerant import Node, shown
from billing_rules.states import Present

# LOINC 29463-7 body weight (US Core), 3141-9 body weight measured.
WEIGHT_CODES = ("29463-7", "3141-9")
_WEIGHT_TEXTS = ("weight", "body weight", "weight measured", "body weight measured")


def measured(
    node: Node, reference: str, systems: CodeSystems, dimensions: tuple[str, ...]
) -> Measured:
    """One Observation. `value` is None unless it is a positive amount in one of `dimensions`, to
    be read with `comparator`; `as_written` is what stands there in any case."""
    said = concept(node.obj("code"), systems)
    found = quantities.compared(node, "valueQuantity", "the value")
    read = found.value if isinstance(found, Present) else None
    usable = read is not None and read.is_a(dimensions) and read.value > 0
    return Measured(
        reference=reference,
        codes=said.codes,
        text=shown(said.names[0]) if said.names else "",
        value=read.amount if read is not None and usable else None,
        as_written=_as_written(node, read),
        on=_day(node),
        comparator=read.comparator if read is not None else "",
        interpretation=tuple(c.code for c in concepts(node, "interpretation", systems).codes),
        final=node.text("status").lower() != "preliminary",
    )


def exact(observation: Measured) -> Measured:
    """The observation with a value only when it is no bound."""
    return replace(observation, value=None) if observation.comparator else observation


def _as_written(node: Node, read: quantities.Quantity | None) -> str:
    if read is not None:
        return f"{read.comparator} {read}".strip()
    quantity = node.obj("valueQuantity")
    words = [quantity.text("unit") or quantity.text("code")]
    words += [node.text(key) for key in ("valueString", "valueInteger") if key in node.value]
    return shown(" ".join(word for word in words if word))


def _day(node: Node) -> date | None:
    for key in ("effectiveDateTime", "effectiveInstant"):
        day = node.day(key)
        if day:
            return day
    return node.obj("effectivePeriod").day("start") or node.day("issued")


def is_weight(observation: Measured) -> bool:
    """Whether an observation is a body weight, by its code, or by its text when it has no LOINC
    code."""
    loinc = [code.code for code in observation.codes if code.system == "loinc"]
    if loinc:
        return any(code in WEIGHT_CODES for code in loinc)
    return observation.text.lower() in _WEIGHT_TEXTS


def newest_first(found: Iterable[Measured], on: date) -> tuple[Measured, ...]:
    """The observations up to `on`, newest first; undated ones last."""
    past = [m for m in found if m.on is None or m.on <= on]
    return tuple(sorted(past, key=lambda m: m.on or date.min, reverse=True))
