"""Draft orders as EHRs send them, for the tests of reading and correcting. All invented."""

from __future__ import annotations

from typing import Any

HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
NDC = "http://hl7.org/fhir/sid/ndc"
CPT = "http://www.ama-assn.org/go/cpt"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"
BILLING_OPTIONS = "http://hl7.org/fhir/us/davinci-crd/StructureDefinition/ext-billing-options"
EPIC_TYPE = "http://epic.com/CodeSystem/dose-rate-type"
HL7_TYPE = "http://terminology.hl7.org/CodeSystem/dose-rate-type"

SYSTEMS = {
    HCPCS: "hcpcs",
    "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": "hcpcs",
    "urn:oid:2.16.840.1.113883.6.285": "hcpcs",
    CPT: "cpt",
    NDC: "ndc",
    RXNORM: "rxnorm",
    SNOMED: "snomed",
    LOINC: "loinc",
    ICD10: "icd10cm",
}
PREFERRED = {"hcpcs": HCPCS, "cpt": CPT, "ndc": NDC, "rxnorm": RXNORM}

Json = dict[str, Any]


def concept(system: str, code: str, display: str = "", text: str = "") -> Json:
    coding = {"system": system, "code": code, **({"display": display} if display else {})}
    return {"coding": [coding], **({"text": text} if text else {})}


def mg(value: float) -> Json:
    return {"value": value, "unit": "mg", "system": UCUM, "code": "mg"}


def prescription(**changes: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "rx",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": {
            "coding": [
                {"system": RXNORM, "code": "302379", "display": "omalizumab"},
                {"system": HCPCS, "code": "J2356", "display": "Injection, tezepelumab-ekko, 1 mg"},
                {"system": NDC, "code": "50242-040-62"},
            ],
            "text": "Omalizumab 150 mg vial",
        },
        "dosageInstruction": [
            {
                "sequence": 1,
                "timing": {"repeat": {"frequency": 1, "period": 4, "periodUnit": "wk"}},
                "route": concept(SNOMED, "34206005", "Subcutaneous route"),
                "doseAndRate": [{"doseQuantity": mg(300)}],
            }
        ],
        "dispenseRequest": {"quantity": {"value": 2, "unit": "vial"}},
        "insurance": [{"reference": "Coverage/c"}],
        "reasonCode": [concept(ICD10, "J45.50", "Severe persistent asthma")],
        "reasonReference": [{"reference": "Condition/a"}],
    } | changes


def epic_prescription() -> Json:
    """Three doseAndRate, a Medication nobody can follow, a local route, a long id."""
    doses = (
        ("calculated", mg(300)),
        ("admin-amount", {"value": 2, "unit": "vial"}),
        ("ordered", mg(225)),
    )
    return {
        "resourceType": "MedicationRequest",
        "id": "e" * 194,
        "category": {"text": "Clinic-administered"},
        "subject": {"reference": "Patient/p"},
        "medicationReference": {
            "reference": "Medication/far-away",
            "display": "OMALIZUMAB 150 MG SC SOLR",
        },
        "dosageInstruction": [
            {
                "route": concept("urn:oid:1.2.840.114350.1.13", "18", text="Subcutaneous"),
                "timing": {"code": {"text": "Q4W"}},
                "doseAndRate": [
                    {"type": concept(EPIC_TYPE, kind), "doseQuantity": q} for kind, q in doses
                ],
            }
        ],
    }


def contained_prescription() -> Json:
    order = prescription(
        medicationReference={"reference": "#m", "display": "Xolair"},
        contained=[
            {
                "resourceType": "Medication",
                "id": "m",
                "code": {"text": "Xolair 150 mg"},
                "ingredient": [{"itemCodeableConcept": concept(HCPCS, "J2356", "tezepelumab")}],
                "batch": {"lotNumber": "L1"},
            }
        ],
    )
    del order["medicationCodeableConcept"]
    return order


def service_request(**changes: Any) -> Json:
    return {
        "resourceType": "ServiceRequest",
        "id": "sr",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "code": {
            "text": "Omalizumab",
            "extension": [
                {
                    "url": BILLING_OPTIONS,
                    "valueCodeableConcept": {
                        "coding": [
                            {"system": HCPCS, "code": "J2356"},
                            {"system": HCPCS, "code": "JZ"},
                        ]
                    },
                }
            ],
        },
        "quantityQuantity": {"value": 60},
        "occurrenceDateTime": "2026-03-01T09:00:00-05:00",
        "insurance": [{"reference": "http://ehr.example/fhir/Coverage/c/_history/2"}],
        "reasonReference": [{"reference": "Condition/a"}],
    } | changes


def charge_item(**changes: Any) -> Json:
    """As Oracle sends it: its own number in `code`, all billing codes in extensions."""
    base = "https://fhir-ehr.cerner.com/r4/StructureDefinition"
    system = "https://fhir.cerner.com/ec2458f2/CodeSystem/BillCodes-"
    return {
        "resourceType": "ChargeItem",
        "id": "ci",
        "status": "planned",
        "subject": {"reference": "Patient/p"},
        "code": concept(system + "CDM_SCHED", "64897"),
        "extension": [
            {
                "url": f"{base}/procedure-code",
                "extension": [
                    {"url": "code", "valueCodeableConcept": concept(system + "HCPCS", "J2356")},
                    {"url": f"{base}/priority", "valueUnsignedInt": 1},
                ],
            },
            {
                "url": f"{base}/modifier-code",
                "extension": [
                    {"url": "code", "valueCodeableConcept": concept(system + "MODIFIER", "jz")},
                ],
            },
            {
                "url": f"{base}/national-drug-product",
                "extension": [
                    {
                        "url": "national-drug-product-code",
                        "valueCodeableConcept": concept(NDC, "50242-040-62"),
                    },
                    {
                        "url": "national-drug-product-quantity",
                        "valueQuantity": {"value": 2, "unit": "vial"},
                    },
                ],
            },
        ],
        "quantity": {"value": 60},
        "occurrencePeriod": {"start": "2026-03-01", "end": "2026-03-01"},
        "reason": [concept(ICD10, "J45.50")],
    } | changes


def claim_item(sequence: int, units: object, *modifiers: str, **changes: Any) -> Json:
    item: Json = {
        "sequence": sequence,
        "productOrService": concept(HCPCS, "J2357", "Injection, omalizumab, 5 mg"),
        "quantity": {"value": units},
        "servicedDate": "2026-03-01",
        "diagnosisSequence": [1],
    }
    if modifiers:
        item["modifier"] = [concept(HCPCS, modifier) for modifier in modifiers]
    return item | changes


def claim(*items: Any, **changes: Any) -> Json:
    return {
        "resourceType": "Claim",
        "id": "cl",
        "status": "draft",
        "type": concept("http://terminology.hl7.org/CodeSystem/claim-type", "professional"),
        "use": "claim",
        "patient": {"reference": "Patient/p"},
        "created": "2026-03-01",
        "provider": {"reference": "Organization/o"},
        "priority": concept("http://terminology.hl7.org/CodeSystem/processpriority", "normal"),
        "diagnosis": [{"sequence": 1, "diagnosisCodeableConcept": concept(ICD10, "J45.50")}],
        "insurance": [{"sequence": 1, "focal": True, "coverage": {"reference": "Coverage/c"}}],
        "item": list(items)
        or [
            claim_item(
                1,
                60,
                "JZ",
                detail=[
                    {
                        "sequence": 1,
                        "productOrService": concept(NDC, "50242004062"),
                        "quantity": {"value": 2, "unit": "UN"},
                    }
                ],
            ),
            claim_item(2, 1, productOrService=concept(CPT, "96372")),
        ],
    } | changes


def administration(**changes: Any) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "id": "ma",
        "status": "completed",
        "subject": {"reference": "Patient/p"},
        "medicationReference": {"reference": "#m"},
        "contained": [
            {
                "resourceType": "Medication",
                "id": "m",
                "code": concept(NDC, "50242-040-62", text="Xolair"),
                "batch": {"lotNumber": "L1"},
            }
        ],
        "effectivePeriod": {"start": "2026-03-01T10:00:00-05:00"},
        "dosage": {"route": {"text": "SC"}, "dose": mg(225)},
    } | changes


def all_orders() -> list[Json]:
    return [
        prescription(),
        epic_prescription(),
        contained_prescription(),
        service_request(),
        charge_item(),
        claim(),
        administration(),
        administration(id="w", status="not-done", statusReason=[{"text": "Waste"}]),
    ]
