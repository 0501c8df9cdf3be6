"""The search parameters of every type this server keeps, written once.

Searching, sorting, including and the CapabilityStatement all read this table, so none of them can
promise what another does not do. Names and elements are those of FHIR R4 ("Search parameters" of
each resource's page) and of US Core.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a value is compared (FHIR R4, "Search Parameter Types")."""

    TOKEN = "token"
    REFERENCE = "reference"
    DATE = "date"
    STRING = "string"
    URI = "uri"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A search parameter: the elements it looks at, as dotted paths.

    `targets` are the types a reference may be written without: `patient=1` is `Patient/1`.
    """

    kind: Kind
    paths: tuple[str, ...]
    targets: tuple[str, ...] = ()


def _token(*paths: str) -> Parameter:
    return Parameter(Kind.TOKEN, paths)


def _date(*paths: str) -> Parameter:
    return Parameter(Kind.DATE, paths)


def _string(*paths: str) -> Parameter:
    return Parameter(Kind.STRING, paths)


def _to(target: str, *paths: str) -> Parameter:
    """A reference to one type, or, with "A|B", to several."""
    return Parameter(Kind.REFERENCE, paths, tuple(target.split("|")))


_OF_SUBJECT = {"patient": _to("Patient", "subject"), "subject": _to("Patient", "subject")}
_OF_PATIENT = {"patient": _to("Patient", "patient")}
_IDENTIFIER = {"identifier": _token("identifier")}
_STATUS = {"status": _token("status")}
_MEDICATION = {
    "code": _token("medicationCodeableConcept"),
    "medication": _to("Medication", "medicationReference"),
}
_STAFF = "Practitioner|PractitionerRole|Organization"
_NAMED = {
    "name": _string("name.family", "name.given", "name.text", "name.prefix", "name.suffix"),
    "family": _string("name.family"),
    "given": _string("name.given"),
}

OF_EVERY_TYPE: dict[str, Parameter] = {
    "_id": _token("id"),
    "_lastUpdated": _date("meta.lastUpdated"),
    "_profile": Parameter(Kind.URI, ("meta.profile",)),
    "_tag": _token("meta.tag"),
}

OF_TYPE: dict[str, dict[str, Parameter]] = {
    "Account": _IDENTIFIER | _STATUS | _OF_SUBJECT,
    "AllergyIntolerance": _IDENTIFIER
    | _OF_PATIENT
    | {
        "clinical-status": _token("clinicalStatus"),
        "verification-status": _token("verificationStatus"),
        "category": _token("category"),
        "code": _token("code", "reaction.substance"),
        "criticality": _token("criticality"),
        "date": _date("recordedDate"),
    },
    "ChargeItem": _IDENTIFIER
    | _OF_SUBJECT
    | {
        "account": _to("Account", "account"),
        "code": _token("code"),
        "context": _to("Encounter|EpisodeOfCare", "context"),
        "occurrence": _date("occurrenceDateTime", "occurrencePeriod"),
        "service": _to("MedicationAdministration|Procedure|Observation", "service"),
    },
    "Claim": _IDENTIFIER
    | _STATUS
    | _OF_PATIENT
    | {
        "created": _date("created"),
        "use": _token("use"),
        "encounter": _to("Encounter", "item.encounter"),
        "insurer": _to("Organization", "insurer"),
        "provider": _to(_STAFF, "provider"),
    },
    "ClaimResponse": _IDENTIFIER
    | _STATUS
    | _OF_PATIENT
    | {
        "created": _date("created"),
        "use": _token("use"),
        "outcome": _token("outcome"),
        "request": _to("Claim", "request"),
        "insurer": _to("Organization", "insurer"),
    },
    "Communication": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | {
        "category": _token("category"),
        "encounter": _to("Encounter", "encounter"),
        "sent": _date("sent"),
        "based-on": _to("Task|ServiceRequest|MedicationRequest", "basedOn"),
    },
    "Condition": _IDENTIFIER
    | _OF_SUBJECT
    | {
        "category": _token("category"),
        "clinical-status": _token("clinicalStatus"),
        "verification-status": _token("verificationStatus"),
        "code": _token("code"),
        "encounter": _to("Encounter", "encounter"),
        "onset-date": _date("onsetDateTime", "onsetPeriod"),
        "abatement-date": _date("abatementDateTime", "abatementPeriod"),
        "recorded-date": _date("recordedDate"),
    },
    "Coverage": _IDENTIFIER
    | _STATUS
    | {
        "patient": _to("Patient", "beneficiary"),
        "beneficiary": _to("Patient", "beneficiary"),
        "payor": _to("Organization|Patient|RelatedPerson", "payor"),
        "type": _token("type"),
    },
    "DiagnosticReport": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | {
        "category": _token("category"),
        "code": _token("code"),
        "date": _date("effectiveDateTime", "effectivePeriod"),
        "encounter": _to("Encounter", "encounter"),
        "issued": _date("issued"),
        "result": _to("Observation", "result"),
    },
    "DocumentReference": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | {
        "category": _token("category"),
        "type": _token("type"),
        "date": _date("date"),
        "period": _date("context.period"),
        "encounter": _to("Encounter", "context.encounter"),
        "author": _to(_STAFF, "author"),
        "related": _to("MedicationAdministration|MedicationRequest|Claim", "context.related"),
    },
    "Encounter": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | {
        "class": _token("class"),
        "date": _date("period"),
        "location": _to("Location", "location.location"),
        "participant": _to("Practitioner|PractitionerRole", "participant.individual"),
        "service-provider": _to("Organization", "serviceProvider"),
        "type": _token("type"),
    },
    "ExplanationOfBenefit": _IDENTIFIER
    | _STATUS
    | _OF_PATIENT
    | {"created": _date("created"), "claim": _to("Claim", "claim"), "use": _token("use")},
    "FamilyMemberHistory": _IDENTIFIER
    | _STATUS
    | _OF_PATIENT
    | {
        "code": _token("condition.code"),
        "date": _date("date"),
        "relationship": _token("relationship"),
    },
    "Immunization": _IDENTIFIER
    | _STATUS
    | _OF_PATIENT
    | {"date": _date("occurrenceDateTime"), "vaccine-code": _token("vaccineCode")},
    "Location": _IDENTIFIER
    | _STATUS
    | {
        "name": _string("name", "alias"),
        "organization": _to("Organization", "managingOrganization"),
        "type": _token("type"),
    },
    "Medication": _IDENTIFIER
    | _STATUS
    | {"code": _token("code"), "lot-number": _token("batch.lotNumber")},
    "MedicationAdministration": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | _MEDICATION
    | {
        "context": _to("Encounter|EpisodeOfCare", "context"),
        "device": _to("Device", "device"),
        "effective-time": _date("effectiveDateTime", "effectivePeriod"),
        "performer": _to("Practitioner|PractitionerRole|Patient", "performer.actor"),
        "reason-given": _token("reasonCode"),
        "reason-not-given": _token("statusReason"),
        "request": _to("MedicationRequest", "request"),
    },
    "MedicationDispense": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | _MEDICATION
    | {
        "context": _to("Encounter|EpisodeOfCare", "context"),
        "prescription": _to("MedicationRequest", "authorizingPrescription"),
        "type": _token("type"),
        "whenhandedover": _date("whenHandedOver"),
        "whenprepared": _date("whenPrepared"),
    },
    "MedicationRequest": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | _MEDICATION
    | {
        "authoredon": _date("authoredOn"),
        "category": _token("category"),
        "date": _date("dosageInstruction.timing.event"),
        "encounter": _to("Encounter", "encounter"),
        "intent": _token("intent"),
        "priority": _token("priority"),
        "requester": _to(_STAFF, "requester"),
    },
    "MedicationStatement": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | _MEDICATION
    | {
        "category": _token("category"),
        "context": _to("Encounter|EpisodeOfCare", "context"),
        "effective": _date("effectiveDateTime", "effectivePeriod"),
    },
    "Observation": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | {
        "based-on": _to("ServiceRequest|MedicationRequest", "basedOn"),
        "category": _token("category"),
        "code": _token("code"),
        "combo-code": _token("code", "component.code"),
        "component-code": _token("component.code"),
        "date": _date("effectiveDateTime", "effectivePeriod", "effectiveInstant"),
        "encounter": _to("Encounter", "encounter"),
        "performer": _to(_STAFF, "performer"),
        "value-concept": _token("valueCodeableConcept"),
    },
    "Organization": _IDENTIFIER
    | {
        "active": _token("active"),
        "address": _string("address.line", "address.city", "address.state", "address.text"),
        "name": _string("name", "alias"),
        "partof": _to("Organization", "partOf"),
        "type": _token("type"),
    },
    "Patient": _IDENTIFIER
    | _NAMED
    | {
        "active": _token("active"),
        "birthdate": _date("birthDate"),
        "gender": _token("gender"),
        "general-practitioner": _to(_STAFF, "generalPractitioner"),
    },
    "Practitioner": _IDENTIFIER | _NAMED | {"active": _token("active")},
    "PractitionerRole": _IDENTIFIER
    | {
        "active": _token("active"),
        "organization": _to("Organization", "organization"),
        "practitioner": _to("Practitioner", "practitioner"),
        "role": _token("code"),
        "specialty": _token("specialty"),
    },
    "Procedure": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | {
        "based-on": _to("ServiceRequest", "basedOn"),
        "category": _token("category"),
        "code": _token("code"),
        "date": _date("performedDateTime", "performedPeriod"),
        "encounter": _to("Encounter", "encounter"),
    },
    "Provenance": _OF_SUBJECT
    | {
        "patient": _to("Patient", "target"),
        "subject": _to("Patient", "target"),
        "agent": _to(f"{_STAFF}|Device", "agent.who"),
        "recorded": _date("recorded"),
        "target": _to(
            "MedicationAdministration|MedicationRequest|DocumentReference|Observation|Task",
            "target",
        ),
    },
    "Questionnaire": _IDENTIFIER
    | _STATUS
    | {"url": Parameter(Kind.URI, ("url",)), "title": _string("title")},
    "QuestionnaireResponse": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | {
        "authored": _date("authored"),
        "author": _to(_STAFF, "author"),
        "encounter": _to("Encounter", "encounter"),
        "questionnaire": Parameter(Kind.URI, ("questionnaire",)),
    },
    "RelatedPerson": _IDENTIFIER | _OF_PATIENT | {"name": _NAMED["name"]},
    "ResearchStudy": _IDENTIFIER | _STATUS | {"title": _string("title")},
    "ResearchSubject": _IDENTIFIER
    | _STATUS
    | {
        "individual": _to("Patient", "individual"),
        "patient": _to("Patient", "individual"),
        "date": _date("period"),
        "study": _to("ResearchStudy", "study"),
    },
    "ServiceRequest": _IDENTIFIER
    | _STATUS
    | _OF_SUBJECT
    | {
        "authored": _date("authoredOn"),
        "category": _token("category"),
        "code": _token("code"),
        "encounter": _to("Encounter", "encounter"),
        "intent": _token("intent"),
        "occurrence": _date("occurrenceDateTime", "occurrencePeriod"),
        "priority": _token("priority"),
        "requester": _to(_STAFF, "requester"),
    },
    "Task": _IDENTIFIER
    | _STATUS
    | {
        "patient": _to("Patient", "for"),
        "subject": _to("Patient", "for"),
        "authored-on": _date("authoredOn"),
        "based-on": _to("ServiceRequest|MedicationRequest", "basedOn"),
        "business-status": _token("businessStatus"),
        "code": _token("code"),
        "encounter": _to("Encounter", "encounter"),
        "focus": _to("MedicationRequest|MedicationAdministration|Claim", "focus"),
        "intent": _token("intent"),
        "owner": _to(_STAFF, "owner"),
        "requester": _to(_STAFF, "requester"),
    },
}

TYPES = tuple(OF_TYPE)


def of(resource_type: str) -> dict[str, Parameter]:
    """Every parameter of a type by its name; none for a type that is not kept."""
    if resource_type not in OF_TYPE:
        return {}
    return {**OF_EVERY_TYPE, **dict(sorted(OF_TYPE[resource_type].items()))}


def includes(resource_type: str) -> tuple[str, ...]:
    """What `_include` may name: the references of the type."""
    return tuple(
        f"{resource_type}:{name}"
        for name, parameter in of(resource_type).items()
        if parameter.kind is Kind.REFERENCE
    )
