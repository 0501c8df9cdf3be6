"""FHIR R4 as it is read here: one slim struct a type, with FHIR's names; all else is passed over.

One typed decode makes them from the bytes of a resource or a whole Bundle (decoding.py).
What does not fit is converted by the same annotations (lenient.py), so
readers see these structs only. An element that is absent is "", None or (); one that was there and
could not be read is so too, and `unreadable` says it. Texts stand as they were sent: strip them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import msgspec

_NOT_SET = msgspec.UNSET


class Lost(msgspec.Struct, eq=False):
    """What a lenient conversion says of an element: its path, and the elements of it that were
    there and could not be read; for a resource the sentences on all that is inside it."""

    path: str = ""
    keys: set[str] = msgspec.field(default_factory=set)
    sentences: list[str] = msgspec.field(default_factory=list)

    __hash__ = object.__hash__


class Element(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """What all have. No JSON value is of the type of `lost`: lenient conversion alone sets it."""

    lost: msgspec.UnsetType = _NOT_SET

    def __repr__(self) -> str:
        """The type alone: these hold patients' data, and an error's text may reach a log."""
        return f"<{type(self).__name__}>"


def lost_of(element: Element) -> Lost | None:
    """What could not be read of an element; None for one that was as FHIR says."""
    found: Any = element.lost
    return None if found is _NOT_SET else found


def unreadable(element: Element, key: str) -> bool:
    """Whether `key` held something, all or part of which could not be read."""
    found = lost_of(element)
    return found is not None and key in found.keys


# ---------------------------------------------------------------- data types


class Coding(Element, frozen=True):
    system: str = ""
    code: str = ""
    display: str = ""


class CodeableConcept(Element, frozen=True):
    coding: tuple[Coding, ...] = ()
    text: str = ""
    extension: tuple[Extension, ...] = ()


class Identifier(Element, frozen=True):
    system: str = ""
    value: str = ""
    use: str = ""
    type: CodeableConcept | None = None


class Reference(Element, frozen=True):
    reference: str = ""
    display: str = ""
    identifier: Identifier | None = None


class CodeableReference(Element, frozen=True):
    """R5's medication and product; some R4 servers send it."""

    concept: CodeableConcept | None = None
    reference: Reference | None = None


class WrittenQuantity(Element, frozen=True):
    """A Quantity, SimpleQuantity, Duration or Age."""

    value: Decimal | None = None
    unit: str = ""
    system: str = ""
    code: str = ""
    comparator: str = ""


class Range(Element, frozen=True):
    low: WrittenQuantity | None = None
    high: WrittenQuantity | None = None


class Ratio(Element, frozen=True):
    numerator: WrittenQuantity | None = None
    denominator: WrittenQuantity | None = None


class Period(Element, frozen=True):
    start: str = ""
    end: str = ""


class Extension(Element, frozen=True):
    url: str = ""
    extension: tuple[Extension, ...] = ()
    valueCodeableConcept: CodeableConcept | None = None
    valueCoding: Coding | None = None
    valueString: str = ""
    valueCode: str = ""
    valuePeriod: Period | None = None
    valueQuantity: WrittenQuantity | None = None


class Repeat(Element, frozen=True):
    boundsPeriod: Period | None = None
    period: Decimal | None = None
    periodUnit: str = ""
    periodMax: Any = None
    frequency: Decimal | None = None
    frequencyMax: Any = None


class Timing(Element, frozen=True):
    event: tuple[str, ...] = ()
    repeat: Repeat | None = None
    code: CodeableConcept | None = None


class DoseAndRate(Element, frozen=True):
    type: CodeableConcept | None = None
    doseQuantity: WrittenQuantity | None = None
    doseRange: Any = None


class Dosage(DoseAndRate, frozen=True):
    """A Dosage (STU3 had the dose on it), and the dosage of a MedicationAdministration."""

    doseAndRate: tuple[DoseAndRate, ...] = ()
    text: str = ""
    timing: Timing | None = None
    route: CodeableConcept | None = None
    site: CodeableConcept | None = None
    dose: WrittenQuantity | None = None
    quantity: WrittenQuantity | None = None


class Annotation(Element, frozen=True):
    text: str = ""


# ---------------------------------------------------------------- resources


class Resource(
    Element,
    frozen=True,
    tag_field="resourceType",
    tag=lambda name: name.removesuffix("Resource"),
):
    """What all resources have, and whose they are: by one of four elements, or by none.

    Contained resources are decoded when one is looked for (billing_rules.fhir.json.decoding).
    """

    id: str = ""
    status: str = ""
    subject: Reference | None = None
    patient: Reference | None = None
    beneficiary: Reference | None = None
    individual: Reference | None = None
    contained: tuple[Any, ...] = ()

    @property
    def kind(self) -> str:
        """The resource type."""
        return str(self.__struct_config__.tag)


class OtherResource(Resource, frozen=True):
    """A resource of a type that no reader looks at."""

    type_name: str = ""

    @property
    def kind(self) -> str:
        return self.type_name


class HumanName(Element, frozen=True):
    use: str = ""
    text: str = ""
    family: str = ""
    given: tuple[str, ...] = ()


class PatientResource(Resource, frozen=True):
    birthDate: str = ""
    gender: str = ""
    name: tuple[HumanName, ...] = ()
    identifier: tuple[Identifier, ...] = ()


class EncounterClass(Coding, frozen=True):
    """R4 has a Coding, R5 a list of CodeableConcepts."""

    coding: tuple[Coding, ...] = ()


class EncounterResource(Resource, frozen=True, rename={"class_": "class"}):
    class_: EncounterClass | None = None


class CoverageClass(Element, frozen=True):
    name: str = ""
    value: str = ""


class CoverageResource(Resource, frozen=True, rename={"class_": "class"}):
    type: CodeableConcept | None = None
    payor: tuple[Reference, ...] = ()
    period: Period | None = None
    order: Decimal | None = None
    class_: tuple[CoverageClass, ...] = ()


class OrganizationResource(Resource, frozen=True):
    name: str = ""
    identifier: tuple[Identifier, ...] = ()


class ComponentResult(Element, frozen=True):
    """A component of an Observation, which says of its value what an Observation does."""

    code: CodeableConcept | None = None
    valueQuantity: WrittenQuantity | None = None
    valueString: str = ""
    valueInteger: Decimal | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueBoolean: Any = None
    valueRange: Range | None = None
    valueRatio: Ratio | None = None
    dataAbsentReason: CodeableConcept | None = None
    interpretation: tuple[CodeableConcept, ...] = ()


class ObservationResource(Resource, frozen=True):
    code: CodeableConcept | None = None
    valueQuantity: WrittenQuantity | None = None
    valueString: str = ""
    valueInteger: Decimal | None = None
    valueCodeableConcept: CodeableConcept | None = None
    valueBoolean: Any = None
    valueRange: Range | None = None
    valueRatio: Ratio | None = None
    dataAbsentReason: CodeableConcept | None = None
    interpretation: tuple[CodeableConcept, ...] = ()
    effectiveDateTime: str = ""
    effectivePeriod: Period | None = None
    effectiveInstant: str = ""
    issued: str = ""
    component: tuple[ComponentResult, ...] = ()
    hasMember: tuple[Reference, ...] = ()


Result = ObservationResource | ComponentResult
Status = CodeableConcept | str | None  # before R4 a status was a plain string


class ConditionResource(Resource, frozen=True):
    clinicalStatus: Status = None
    verificationStatus: Status = None
    code: CodeableConcept | None = None
    onsetDateTime: str = ""
    onsetPeriod: Period | None = None
    abatementDateTime: Any = None
    abatementAge: Any = None
    abatementPeriod: Any = None
    abatementRange: Any = None
    abatementString: Any = None
    abatementBoolean: Any = None
    recordedDate: str = ""
    assertedDate: str = ""  # STU3


class FamilyCondition(Element, frozen=True):
    code: CodeableConcept | None = None


class FamilyMemberHistoryResource(Resource, frozen=True):
    condition: tuple[FamilyCondition, ...] = ()
    date: str = ""


class Reaction(Element, frozen=True):
    substance: CodeableConcept | None = None


class AllergyIntoleranceResource(Resource, frozen=True):
    clinicalStatus: Status = None
    verificationStatus: Status = None
    code: CodeableConcept | None = None
    reaction: tuple[Reaction, ...] = ()
    onsetDateTime: str = ""
    onsetPeriod: Period | None = None
    recordedDate: str = ""
    assertedDate: str = ""


class ProcedureResource(Resource, frozen=True):
    code: CodeableConcept | None = None
    performedDateTime: str = ""
    performedPeriod: Period | None = None


class Ingredient(Element, frozen=True):
    itemCodeableConcept: CodeableConcept | None = None
    itemReference: Reference | None = None


class Batch(Element, frozen=True):
    lotNumber: str = ""
    expirationDate: str = ""


class MedicationResource(Resource, frozen=True):
    code: CodeableConcept | None = None
    ingredient: tuple[Ingredient, ...] = ()
    batch: Batch | None = None


class SubstanceResource(MedicationResource, frozen=True):
    """An ingredient of its own."""


class DispenseRequest(Element, frozen=True):
    validityPeriod: Period | None = None
    numberOfRepeatsAllowed: Decimal | None = None
    expectedSupplyDuration: WrittenQuantity | None = None
    quantity: WrittenQuantity | None = None


class Medicine(Resource, frozen=True):
    """What the four resources of a medicine share, and where EHRs mix them up."""

    medicationCodeableConcept: CodeableConcept | None = None
    medicationReference: Reference | None = None
    medication: CodeableReference | None = None  # R5
    dosageInstruction: tuple[Dosage, ...] = ()
    reasonCode: tuple[CodeableConcept, ...] = ()
    reasonReference: tuple[Reference, ...] = ()
    encounter: Reference | None = None


class MedicationRequestResource(Medicine, frozen=True):
    intent: str = ""
    doNotPerform: Any = None
    authoredOn: str = ""
    dosage: tuple[Dosage, ...] = ()
    dispenseRequest: DispenseRequest | None = None
    insurance: tuple[Reference, ...] = ()


class MedicationStatementResource(Medicine, frozen=True):
    effectiveDateTime: str = ""
    effectivePeriod: Period | None = None
    dosage: tuple[Dosage, ...] = ()


class MedicationDispenseResource(Medicine, frozen=True):
    whenHandedOver: str = ""
    whenPrepared: str = ""
    daysSupply: WrittenQuantity | None = None
    quantity: WrittenQuantity | None = None
    authorizingPrescription: tuple[Reference, ...] = ()
    dosage: tuple[Dosage, ...] = ()


class MedicationAdministrationResource(Medicine, frozen=True):
    effectiveDateTime: str = ""
    effectiveDate: str = ""
    effectivePeriod: Period | None = None
    effectiveTiming: Timing | None = None
    dosage: Dosage | None = None
    statusReason: tuple[CodeableConcept, ...] = ()
    supportingInformation: tuple[Reference, ...] = ()
    context: Reference | None = None
    request: Reference | None = None
    note: tuple[Annotation, ...] = ()
    doNotPerform: Any = None


class ServiceRequestResource(Resource, frozen=True):
    code: CodeableConcept | None = None
    quantityRange: Any = None
    quantityRatio: Any = None
    quantityQuantity: WrittenQuantity | None = None
    occurrenceDateTime: str = ""
    occurrenceDate: str = ""
    occurrencePeriod: Period | None = None
    occurrenceTiming: Timing | None = None
    reasonCode: tuple[CodeableConcept, ...] = ()
    reasonReference: tuple[Reference, ...] = ()
    insurance: tuple[Reference, ...] = ()
    encounter: Reference | None = None
    doNotPerform: Any = None


class ChargeItemResource(Resource, frozen=True):
    productCodeableConcept: CodeableConcept | None = None
    productReference: Reference | None = None
    product: CodeableReference | None = None
    code: CodeableConcept | None = None
    extension: tuple[Extension, ...] = ()
    quantity: WrittenQuantity | None = None
    occurrenceDateTime: str = ""
    occurrenceDate: str = ""
    occurrencePeriod: Period | None = None
    occurrenceTiming: Timing | None = None
    reason: tuple[CodeableConcept, ...] = ()
    encounter: Reference | None = None
    doNotPerform: Any = None


class ClaimDetail(Element, frozen=True):
    productOrService: CodeableConcept | None = None
    quantity: WrittenQuantity | None = None


class ClaimItem(Element, frozen=True):
    sequence: Decimal | None = None
    productOrService: CodeableConcept | None = None
    modifier: tuple[CodeableConcept, ...] = ()
    quantity: WrittenQuantity | None = None
    detail: tuple[ClaimDetail, ...] = ()
    servicedDateTime: str = ""
    servicedDate: str = ""
    servicedPeriod: Period | None = None
    servicedTiming: Timing | None = None
    diagnosisSequence: Any = None


class ClaimDiagnosis(Element, frozen=True):
    sequence: Decimal | None = None
    diagnosisCodeableConcept: CodeableConcept | None = None
    diagnosisReference: Reference | None = None


class ClaimInsurance(Element, frozen=True):
    coverage: Reference | None = None
    preAuthRef: Any = None


class ClaimResource(Resource, frozen=True):
    """`item` keeps the places of what is not an item: other records name them."""

    insurance: tuple[ClaimInsurance, ...] = ()
    billablePeriod: Period | None = None
    diagnosis: tuple[ClaimDiagnosis, ...] = ()
    item: tuple[ClaimItem | None, ...] = ()
    insurer: Reference | None = None
    created: str = ""
    use: str = ""
    doNotPerform: Any = None


class Adjudication(Element, frozen=True):
    category: CodeableConcept | None = None
    reason: CodeableConcept | None = None
    extension: tuple[Extension, ...] = ()


class ClaimResponseItem(Element, frozen=True):
    adjudication: tuple[Adjudication, ...] = ()
    extension: tuple[Extension, ...] = ()
    disposition: str = ""
    itemSequence: Any = None
    productOrService: CodeableConcept | None = None
    servicedPeriod: Period | None = None


class ClaimResponseResource(Resource, frozen=True):
    adjudication: tuple[Adjudication, ...] = ()
    extension: tuple[Extension, ...] = ()
    disposition: str = ""
    use: str = ""
    created: str = ""
    insurer: Reference | None = None
    request: Reference | None = None
    outcome: str = ""
    preAuthRef: str = ""
    preAuthPeriod: Period | None = None
    item: tuple[ClaimResponseItem, ...] = ()
    addItem: tuple[ClaimResponseItem, ...] = ()


class ResearchSubjectResource(Resource, frozen=True):
    period: Period | None = None
    study: Reference | None = None


class ResearchStudyResource(Resource, frozen=True):
    title: str = ""


class Meta(Element, frozen=True):
    lastUpdated: str = ""


class ResponseItem(Element, frozen=True):
    linkId: str = ""
    item: tuple[ResponseItem, ...] = ()
    answer: tuple[Any, ...] = ()


class QuestionnaireResponseResource(Resource, frozen=True):
    meta: Meta | None = None
    identifier: Identifier | None = None
    questionnaire: str = ""
    authored: str = ""
    author: Reference | None = None
    source: Reference | None = None
    item: tuple[ResponseItem, ...] = ()


class Issue(Element, frozen=True):
    severity: str = ""


class OperationOutcomeResource(Resource, frozen=True):
    issue: tuple[Issue, ...] = ()


AnyResource = (
    PatientResource
    | EncounterResource
    | CoverageResource
    | OrganizationResource
    | ObservationResource
    | ConditionResource
    | FamilyMemberHistoryResource
    | AllergyIntoleranceResource
    | ProcedureResource
    | MedicationResource
    | SubstanceResource
    | MedicationRequestResource
    | MedicationStatementResource
    | MedicationDispenseResource
    | MedicationAdministrationResource
    | ServiceRequestResource
    | ChargeItemResource
    | ClaimResource
    | ClaimResponseResource
    | ResearchSubjectResource
    | ResearchStudyResource
    | QuestionnaireResponseResource
    | OperationOutcomeResource
)


for _shape in get_args(AnyResource):  # read often: an attribute of the class costs no call
    type.__setattr__(_shape, "kind", _shape.__struct_config__.tag)


class Search(msgspec.Struct):
    mode: str | None = None


class Link(msgspec.Struct):
    relation: str | None = None
    url: str | None = None


class Entry(msgspec.Struct):
    resource: AnyResource
    search: Search | None = None


class Bundle(msgspec.Struct):
    """A searchset whose entries are all as they should be."""

    resourceType: str | None = None
    entry: tuple[Entry, ...] = ()
    link: tuple[Link, ...] = ()
    total: msgspec.Raw | msgspec.UnsetType = _NOT_SET
