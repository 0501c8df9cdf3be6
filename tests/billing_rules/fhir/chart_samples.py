"""Resources of a chart as EHRs send them, for the tests of reading them. All invented."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from billing_rules.fhir.reading import chart
from billing_rules.model.chart import Chart
from billing_rules.model.states import NOTHING, Present, State
from tests.billing_rules.fhir.samples import (
    HCPCS,
    ICD10,
    LOINC,
    RXNORM,
    SNOMED,
    SYSTEMS,
    UCUM,
    Json,
    administration,
    concept,
)
from tests.billing_rules.fhir.test_chart import ON, as_bytes

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
X12_306 = "https://codesystem.x12.org/005010/306"
PAS = "http://hl7.org/fhir/us/davinci-pas/StructureDefinition"


def charted(parts: Mapping[str, Any], on: date = ON) -> Chart:
    """The chart of parts given as lists of resources, the same from bytes as from dicts."""
    from_dicts = chart({k: _part(tuple(v)) for k, v in parts.items()}, SYSTEMS, on)
    from_bytes = chart({k: _part(as_bytes(*v)) for k, v in parts.items()}, SYSTEMS, on)
    assert from_bytes == from_dicts
    return from_dicts


def _part(raw: tuple[Any, ...]) -> Any:
    return Present(raw) if raw else NOTHING


def only(state: State[tuple[Any, ...]]) -> Any:
    """The one item of a part."""
    assert isinstance(state, Present) and len(state.value) == 1, state
    return state.value[0]


def condition(**changes: Any) -> Json:
    return {
        "resourceType": "Condition",
        "id": "c",
        "clinicalStatus": concept(CLINICAL, "active"),
        "verificationStatus": concept(VERIFIED, "confirmed"),
        "code": concept(ICD10, "J45.50", "Severe persistent asthma", "Asthma, severe"),
        "subject": {"reference": "Patient/p"},
        "onsetDateTime": "2019-05-01",
    } | changes


def family_history(**changes: Any) -> Json:
    return {
        "resourceType": "FamilyMemberHistory",
        "id": "f",
        "status": "completed",
        "patient": {"reference": "Patient/p"},
        "date": "2020-01-02",
        "condition": [{"code": concept(SNOMED, "195967001", "Asthma")}],
    } | changes


def allergy(**changes: Any) -> Json:
    return {
        "resourceType": "AllergyIntolerance",
        "id": "a",
        "clinicalStatus": concept(CLINICAL, "active"),
        "verificationStatus": concept(VERIFIED, "confirmed"),
        "code": concept(SNOMED, "232350006", "Allergy to dust mite protein"),
        "patient": {"reference": "Patient/p"},
        "reaction": [{"substance": {"text": "Dermatophagoides"}}],
        "recordedDate": "2020-03-04",
    } | changes


def procedure(**changes: Any) -> Json:
    return {
        "resourceType": "Procedure",
        "id": "s",
        "status": "completed",
        "code": concept("http://www.ama-assn.org/go/cpt", "95004", "Skin prick test"),
        "subject": {"reference": "Patient/p"},
        "performedPeriod": {"start": "2025-06-07T10:00:00Z"},
    } | changes


def result(value: Any = 168, unit: str = "IU/mL", **changes: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": "o",
        "status": "final",
        "code": concept(LOINC, "19113-0", "IgE [Units/volume] in Serum or Plasma", "IgE, total"),
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-01-10T08:00:00Z",
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM},
        "interpretation": [concept("http://x/v3-ObservationInterpretation", "H")],
    } | changes


def panel(**changes: Any) -> Json:
    components = [
        {
            "code": concept(LOINC, "6095-4", "American house dust mite IgE Ab in Serum"),
            "valueQuantity": {"value": 14.2, "unit": "kUA/L"},
        },
        {
            "code": {"text": "Cat dander IgE"},
            "valueString": "Class 3",
            "interpretation": {"text": "Positive"},
        },
    ]
    return (
        result(id="panel", code={"text": "Inhalant allergens"}, component=components)
        | {
            "valueQuantity": None,
            "interpretation": None,
        }
        | changes
    )


def request(**changes: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "r",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": concept(RXNORM, "41126", "fluticasone", "Flovent inhaler"),
        "subject": {"reference": "Patient/p"},
        "authoredOn": "2025-10-01T09:30:00-06:00",
        "dosageInstruction": [{"route": {"text": "Inhalation"}}],
        "dispenseRequest": {
            "validityPeriod": {"start": "2025-10-02", "end": "2026-09-30"},
            "numberOfRepeatsAllowed": 2,
            "expectedSupplyDuration": {"value": 30, "unit": "days"},
        },
    } | changes


def statement(**changes: Any) -> Json:
    return {
        "resourceType": "MedicationStatement",
        "id": "t",
        "status": "active",
        "medicationReference": {"reference": "Medication/m"},
        "subject": {"reference": "Patient/p"},
        "effectivePeriod": {"start": "2025-05-01", "end": "2025-11"},
    } | changes


def dispense(**changes: Any) -> Json:
    return {
        "resourceType": "MedicationDispense",
        "id": "d",
        "status": "completed",
        "medicationCodeableConcept": concept(RXNORM, "41126", "fluticasone"),
        "subject": {"reference": "Patient/p"},
        "daysSupply": {"value": 90, "unit": "d", "system": UCUM, "code": "d"},
        "whenPrepared": "2026-01-03",
        "whenHandedOver": "2026-01-05T16:00:00-06:00",
    } | changes


MEDICATION: Json = {
    "resourceType": "Medication",
    "id": "m",
    "code": {"text": "Cetirizine 10 mg tablet"},
    "ingredient": [{"itemCodeableConcept": concept(RXNORM, "20610", "cetirizine")}],
}


def answer(**changes: Any) -> Json:
    return {
        "resourceType": "ClaimResponse",
        "id": "x",
        "status": "active",
        "use": "preauthorization",
        "patient": {"reference": "Patient/p"},
        "created": "2026-01-15",
        "insurer": {"display": "Juniper Mutual"},
        "outcome": "complete",
        "disposition": "Approved",
        "preAuthRef": "PA-1",
        "preAuthPeriod": {"start": "2026-01-01", "end": "2026-12"},
        "addItem": [{"productOrService": concept(HCPCS, "J2357", "Injection, omalizumab, 5 mg")}],
    } | changes


def reviewed_item(sequence: int, code: str) -> Json:
    """An item as Da Vinci PAS answers it."""
    return {
        "itemSequence": sequence,
        "extension": [
            {
                "url": f"{PAS}/extension-itemPreAuthPeriod",
                "valuePeriod": {"start": "2026-02-01", "end": "2026-07-31"},
            },
        ],
        "adjudication": [
            {
                "category": {"text": "submitted"},
                "extension": [
                    {
                        "url": f"{PAS}/extension-reviewAction",
                        "extension": [
                            {"url": "number", "valueString": f"AUTH-{sequence}"},
                            {
                                "url": f"{PAS}/extension-reviewActionCode",
                                "valueCodeableConcept": concept(X12_306, code),
                            },
                        ],
                    }
                ],
            }
        ],
    }


def reviewed(*codes: str) -> Json:
    """A PAS answer to a contained request of one item for each review action code."""
    drugs = ("J2357", "J0517", "J2182")
    requested = [
        {"sequence": n, "productOrService": concept(HCPCS, drugs[n - 1])}
        for n in range(1, len(codes) + 1)
    ]
    return answer(
        request={"reference": "#claim"},
        contained=[{"resourceType": "Claim", "id": "claim", "item": requested}],
        item=[reviewed_item(n, code) for n, code in enumerate(codes, 1)],
        addItem=None,
        disposition=None,
    )


def subject(**changes: Any) -> Json:
    return {
        "resourceType": "ResearchSubject",
        "id": "rs",
        "status": "on-study",
        "period": {"start": "2026-01-02"},
        "study": {"reference": "ResearchStudy/airways"},
        "individual": {"reference": "Patient/p"},
    } | changes


STUDY: Json = {"resourceType": "ResearchStudy", "id": "airways", "title": "A study of airways"}


# One resource of every kind that a part is read from.
def answers(**changes: Any) -> Json:
    """What was saved of Vialwise's form."""
    origin = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/information-origin"
    by_hand = {"url": origin, "extension": [{"url": "source", "valueCode": "manual"}]}
    asked = {
        "linkId": "authorization.number",
        "text": "Authorization number",
        "answer": [{"valueString": "PA-1", "extension": [by_hand]}],
    }
    measured = {
        "linkId": "weight.value",
        "answer": [
            {
                "valueQuantity": {
                    "value": 70,
                    "unit": "kg",
                    "system": "http://unitsofmeasure.org",
                    "code": "kg",
                },
                "extension": [by_hand],
            }
        ],
    }
    return {
        "resourceType": "QuestionnaireResponse",
        "id": "qr-1",
        "meta": {"lastUpdated": "2026-11-20T10:00:00Z"},
        "identifier": {"system": "urn:vialwise:entry", "value": "f3a9-answers"},
        "questionnaire": "urn:vialwise:questionnaire:omalizumab-asthma-commercial|0123456789ab",
        "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "authored": "2026-01-20",
        "author": {"reference": "Practitioner/n1"},
        "item": [
            {"linkId": "authorization", "item": [asked]},
            {"linkId": "weight", "item": [measured]},
        ],
    } | changes


EVERY: tuple[tuple[str, Json], ...] = (
    ("conditions", condition()),
    ("conditions", family_history()),
    ("observations", result()),
    (
        "observations",
        panel(
            hasMember=[{"reference": "#sub"}],
            contained=[
                {
                    **result(id="sub"),
                    "valueCodeableConcept": {"text": "x"},
                    "dataAbsentReason": {"text": "x"},
                    "valueRange": {"low": {"value": 1}},
                    "valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 40}},
                }
            ],
        ),
    ),
    ("medications", request()),
    ("statements", statement(medicationReference=None, medicationCodeableConcept={"text": "x"})),
    ("dispenses", dispense()),
    ("administrations", administration()),
    ("administrations", administration(status="not-done", statusReason=[{"text": "Waste"}])),
    ("allergies", allergy()),
    ("procedures", procedure()),
    ("answers", answers()),
    ("authorizations", answer()),
    ("authorizations", reviewed("A1", "A3")),
    (
        "authorizations",
        {
            "resourceType": "Claim",
            "id": "cl",
            "use": "claim",
            "insurance": [{"preAuthRef": ["PA-7"]}],
            "item": [{"productOrService": {"text": "x"}}],
        },
    ),
    ("studies", subject()),
)
