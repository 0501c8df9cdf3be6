"""Observations, Conditions and MedicationRequests in their ordinary form, straight from bytes.

Nearly every resource of a large chart is as FHIR says: a result with one number, a diagnosis with
a code, an order of one named medicine. Those are decoded to typed structs, which costs a third of
walking them as JSON of any shape. The structs take nothing else: an element of another type, a
number in a text, or one of the elements declared `Never` is refused, and the resource is walked as
any other (billing_rules.fhir.tolerant). So there are two readings of a plain resource, and a test
holds that they agree (tests/billing_rules/fhir/test_plain.py).
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
    """What all have. Of a resource with a name of another kind the name is not all."""

    id: Text = None
    medicationReference: Never = _ABSENT
    medication: Never = _ABSENT
    component: Never = _ABSENT
    hasMember: Never = _ABSENT
    contained: Never = _ABSENT


class PlainObservation(_Resource, kw_only=True):
    """A result whose value is one number, with a unit or without."""

    resourceType: Literal["Observation"]
    code: PlainConcept
    medicationCodeableConcept: Never = _ABSENT
    valueQuantity: PlainQuantity
    status: Text = None
    effectiveDateTime: Text = None
    effectiveInstant: Text = None
    effectivePeriod: Never = _ABSENT
    issued: Text = None
    interpretation: list[PlainConcept] = []

    @property
    def name(self) -> PlainConcept:
        return self.code


class PlainCondition(_Resource, kw_only=True):
    """A diagnosis that is not known to have ended otherwise than on a date."""

    resourceType: Literal["Condition"]
    code: PlainConcept
    medicationCodeableConcept: Never = _ABSENT
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

    @property
    def name(self) -> PlainConcept:
        return self.code


class PlainPeriod(msgspec.Struct):
    start: Text = None
    end: Text = None


class PlainDispenseRequest(msgspec.Struct):
    validityPeriod: PlainPeriod | None = None
    numberOfRepeatsAllowed: int | None = None
    expectedSupplyDuration: PlainQuantity | None = None


class PlainRepeat(msgspec.Struct):
    boundsPeriod: Never = _ABSENT


class PlainTiming(msgspec.Struct):
    repeat: PlainRepeat | None = None


class PlainDosage(msgspec.Struct):
    timing: PlainTiming | None = None
    route: PlainConcept | None = None


class PlainRequest(_Resource, kw_only=True):
    """An order of a medicine that is named in words and codes, with no bounds to its timing."""

    resourceType: Literal["MedicationRequest"]
    medicationCodeableConcept: PlainConcept
    code: Never = _ABSENT
    status: Text = None
    intent: Text = None
    doNotPerform: bool = False
    authoredOn: Text = None
    dosageInstruction: list[PlainDosage] = []
    dosage: Never = _ABSENT
    dispenseRequest: PlainDispenseRequest | None = None

    @property
    def name(self) -> PlainConcept:
        return self.medicationCodeableConcept


Plain = PlainObservation | PlainCondition | PlainRequest
T = TypeVar("T", bound=Plain)

_LARGEST, _SMALLEST = 1e12, 1e-9  # well inside what tolerant.as_number takes


def observation(raw: object) -> PlainObservation | None:
    """The resource as it came, None when it is not in the ordinary form."""
    found = _decoded(raw, _OBSERVATION)
    return found if found and _is_sane(found.valueQuantity) else None


def condition(raw: object) -> PlainCondition | None:
    """The resource as it came, None when it is not in the ordinary form."""
    return _decoded(raw, _CONDITION)


def request(raw: object) -> PlainRequest | None:
    """The resource as it came, None when it is not in the ordinary form."""
    found = _decoded(raw, _REQUEST)
    if found is None or any(d.route == _SAYS_NOTHING for d in found.dosageInstruction):
        return None
    supply = found.dispenseRequest.expectedSupplyDuration if found.dispenseRequest else None
    return found if supply is None or _is_sane(supply) else None


def _is_sane(quantity: PlainQuantity) -> bool:
    number = abs(quantity.value)
    return _SMALLEST <= number < _LARGEST or number == 0


_SAYS_NOTHING = PlainConcept()
_OBSERVATION = msgspec.json.Decoder(PlainObservation)
_CONDITION = msgspec.json.Decoder(PlainCondition)
_REQUEST = msgspec.json.Decoder(PlainRequest)


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
