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
from decimal import Decimal

import msgspec

from billing_rules.fhir.json import values
from billing_rules.fhir.json.decoding import WITHDRAWN, contained, of_types
from billing_rules.fhir.json.shapes import (
    ComponentResult,
    ObservationResource,
    Range,
    Ratio,
    Result,
    WrittenQuantity,
    unreadable,
)
from billing_rules.fhir.json.values import (
    CodeSystems,
    Concept,
    as_day,
    as_number,
    concept,
    concepts,
    shown,
)
from billing_rules.model.chart import Measured
from billing_rules.model.states import Present

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


def results(observation: ObservationResource, systems: CodeSystems) -> tuple[Measured, ...]:
    """Every result of one Observation: its own value, its components, its contained members."""
    panel = measured(observation, systems)
    if not observation.component and not observation.hasMember:
        return (panel,)
    parts = [_component(one, panel, systems) for one in observation.component]
    for member in _members(observation):
        parts += [
            replace(one, reference=panel.reference, on=one.on or panel.on)
            for one in results(member, systems)
        ]
    own = not parts or panel.value is not None or bool(panel.as_written)
    return (panel, *parts) if own else tuple(parts)


def measured(
    observation: ObservationResource, systems: CodeSystems, dimensions: tuple[str, ...] = ()
) -> Measured:
    """One Observation. `value` is None unless it is an amount, to be read with `comparator`; of
    `dimensions`, where they are given, it must be a positive one. `as_written` is what stands
    there in any case."""
    id_ = observation.id.strip()
    return _measured(
        observation,
        systems,
        f"Observation/{id_}" if id_ else "",
        as_day(observation.effectiveDateTime)
        or as_day(observation.effectiveInstant)
        or (as_day(observation.effectivePeriod.start) if observation.effectivePeriod else None)
        or as_day(observation.issued),
        observation.status.strip().lower() not in ("preliminary", "registered"),
        dimensions,
    )


def _measured(
    result: Result,
    systems: CodeSystems,
    reference: str,
    on: date | None,
    final: bool,
    dimensions: tuple[str, ...] = (),
) -> Measured:
    said = concept(result.code, systems)
    found = values.compared(result, "valueQuantity", "the value")
    read = found.value if isinstance(found, Present) else None
    usable = read is not None and (
        read.is_a(dimensions) and read.value > 0 if dimensions else read.value >= 0
    )
    return Measured(
        reference=reference,
        codes=said.codes,
        text=shown(said.names[0]) if said.names else "",
        value=read.amount if read and usable else None,
        as_written=f"{read.comparator} {read}".strip() if read else _as_written(result, systems),
        on=on,
        comparator=read.comparator if read else "",
        interpretation=(
            _meaning(concepts(result.interpretation, systems)) if result.interpretation else ()
        ),
        final=final,
    )


def _component(component: ComponentResult, panel: Measured, systems: CodeSystems) -> Measured:
    """A component, measured when its panel was. That of a skin test names only its allergen."""
    read = _measured(component, systems, panel.reference, panel.on, panel.final)
    test = f"{panel.text}: " if _SKIN_TEST.search(panel.text) else ""
    return replace(read, text=shown(test + read.text))


def _members(observation: ObservationResource) -> Iterator[ObservationResource]:
    """Contained members, without their own members: a panel cannot be part of itself."""
    for member in observation.hasMember:
        target = member.reference.strip()
        inside = target.startswith("#")
        found = contained(observation, target, assumed="Observation") if inside else None
        for result in of_types([found], ObservationResource):
            if result.status.strip().lower() not in WITHDRAWN:
                yield msgspec.structs.replace(result, hasMember=(), contained=())


def exact(observation: Measured) -> Measured:
    """The observation with a value only when it is not a bound."""
    return replace(observation, value=None) if observation.comparator else observation


# ---------------------------------------------------------------- words


def _as_written(result: Result, systems: CodeSystems) -> str:
    """What stands in the place of a Quantity that could be read."""
    quantity = result.valueQuantity
    words = [(quantity.unit.strip() or quantity.code.strip()) if quantity else ""]
    words += [result.valueString.strip(), _number(result.valueInteger)]
    if isinstance(result.valueBoolean, bool):
        words.append("yes" if result.valueBoolean else "no")
    words += [_first(concept(result.valueCodeableConcept, systems))]
    words += [_range(result.valueRange), _ratio(result.valueRatio)]
    if result.dataAbsentReason or unreadable(result, "dataAbsentReason"):
        reason = _first(concept(result.dataAbsentReason, systems)) or "not said why"
        words.append(f"no value: {reason}")
    return shown(" ".join(word for word in words if word))


def _first(said: Concept) -> str:
    words = (*said.names, *(code.code for code in said.codes))
    return words[0].removesuffix(_QUALIFIER) if words else ""


def _number(value: Decimal | None) -> str:
    number = as_number(value)
    return f"{number:f}" if number is not None else ""


def _range(written: Range | None) -> str:
    low, high = (_quantity(written.low), _quantity(written.high)) if written else ("", "")
    if low and high:
        return f"{low} to {high}"
    return f">= {low}" if low else high and f"<= {high}"


def _ratio(written: Ratio | None) -> str:
    parts = [_quantity(written.numerator), _quantity(written.denominator)] if written else [""]
    return ":".join(parts) if all(parts) else ""


def _quantity(written: WrittenQuantity | None) -> str:
    if written is None:
        return ""
    return f"{_number(written.value)} {written.unit.strip() or written.code.strip()}".strip()


def _meaning(said: Concept) -> tuple[str, ...]:
    """The codes; for one in words, or coded otherwise, the HL7 code of the same meaning too."""
    words = (name.lower().removesuffix(_QUALIFIER) for name in said.names)
    meant = (_INTERPRETATIONS[word] for word in words if word in _INTERPRETATIONS)
    return tuple(dict.fromkeys((*(code.code for code in said.codes), *meant)))


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
