"""Observations and Conditions in their ordinary form, read straight from bytes.

Nearly every resource of a large chart is as FHIR says: a result with one number, a diagnosis with
a code. Those are decoded to typed structs, which costs a third of walking them as JSON of any
shape. The structs take nothing else: an element of another type, a number in a text, or one of the
elements declared `Never` is refused, and the resource is walked as any other
(billing_rules.fhir.tolerant). So there are two readings of a plain resource, and a test holds that
they agree (tests/billing_rules/fhir/test_plain.py).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal, TypeVar

import msgspec

from billing_rules.fhir.codes import CodeSystems, Concept, concept
from billing_rules.fhir.tolerant import Node

Text = str | None
# What makes a resource more than it seems. No JSON value is of this type.
Never = msgspec.UnsetType
_ABSENT = msgspec.UNSET


class PlainCoding(msgspec.Struct, omit_defaults=True):
    system: Text = None
    code: Text = None
    display: Text = None


class PlainConcept(msgspec.Struct, omit_defaults=True):
    coding: list[PlainCoding] = []
    text: Text = None
    extension: Never = _ABSENT

    def all_it_says(self) -> Hashable:
        """The same for the same words and codes, as codes.concept remembers them."""
        said = [self.text]
        for one in self.coding:
            said += (one.system, one.code, one.display)
        return tuple(said)


class PlainQuantity(msgspec.Struct):
    value: int | float
    unit: Text = None
    system: Text = None
    code: Text = None
    comparator: Text = None


class _Resource(msgspec.Struct):
    """What both have. Of a resource with a name of another kind the name is not all."""

    code: PlainConcept
    id: Text = None
    medicationCodeableConcept: Never = _ABSENT
    medicationReference: Never = _ABSENT
    medication: Never = _ABSENT
    component: Never = _ABSENT
    hasMember: Never = _ABSENT
    contained: Never = _ABSENT


class PlainObservation(_Resource, kw_only=True):
    """A result whose value is one number, with a unit or without."""

    resourceType: Literal["Observation"]
    valueQuantity: PlainQuantity
    status: Text = None
    effectiveDateTime: Text = None
    effectiveInstant: Text = None
    effectivePeriod: Never = _ABSENT
    issued: Text = None
    interpretation: list[PlainConcept] = []


class PlainCondition(_Resource, kw_only=True):
    """A diagnosis that is not known to have ended otherwise than on a date."""

    resourceType: Literal["Condition"]
    status: Never = _ABSENT  # it has none
    clinicalStatus: PlainConcept | None = None
    verificationStatus: PlainConcept | None = None
    onsetDateTime: Text = None
    onsetPeriod: Never = _ABSENT
    abatementDateTime: Text = None
    abatementAge: Never = _ABSENT
    abatementPeriod: Never = _ABSENT
    abatementRange: Never = _ABSENT
    abatementString: Never = _ABSENT
    abatementBoolean: Never = _ABSENT
    recordedDate: Text = None
    assertedDate: Text = None  # STU3


Plain = PlainObservation | PlainCondition
T = TypeVar("T", bound=Plain)

_LARGEST, _SMALLEST = 1e12, 1e-9  # well inside what tolerant.as_number takes


def observation(raw: object) -> PlainObservation | None:
    """The resource as it came, None when it is not in the ordinary form."""
    found = _decoded(raw, _OBSERVATION)
    if found is None:
        return None
    number = abs(found.valueQuantity.value)
    return found if _SMALLEST <= number < _LARGEST or number == 0 else None


def condition(raw: object) -> PlainCondition | None:
    """The resource as it came, None when it is not in the ordinary form."""
    return _decoded(raw, _CONDITION)


_OBSERVATION = msgspec.json.Decoder(PlainObservation)
_CONDITION = msgspec.json.Decoder(PlainCondition)


def _decoded(raw: object, decoder: msgspec.json.Decoder[T]) -> T | None:
    if not isinstance(raw, bytes):
        return None
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError):
        return None


def text(value: Text) -> str:
    """The text as a Node reads it."""
    return value.strip() if value else ""


def as_node(named: PlainConcept) -> Node:
    """The CodeableConcept as the tolerant reading takes it."""
    return Node(msgspec.to_builtins(named))


def said(named: PlainConcept, systems: CodeSystems) -> Concept:
    """What it says, by the one reading of a CodeableConcept."""
    found = systems.concepts.get(named.all_it_says())
    return concept(as_node(named), systems) if found is None else found
