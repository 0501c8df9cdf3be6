"""Generated hook requests: one omalizumab order and a chart of any size. All invented.

The chart is what an EHR sends that honours the prefetch queries only in part: a third of the
observations are results the rules know, the others vital signs and laboratory values; conditions,
orders and administrations are mixed likewise. Every resource has the narrative, metadata,
identifiers and references that real ones have, which no rule reads.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import fixtures
from billing_rules.data_needed import DATA_NEEDED

Json = dict[str, Any]

TODAY = date(2026, 11, 23)
SIZES = {"18 KB": 10, "98 KB": 60, "1.1 MB": 700}  # chart resources
_PATIENT = "pat-ada-winterbourne"
_ORDER = "story-j2356-on-omalizumab"  # an order with something to say: a wrong code
_ALONE = ("patient", "coverage", "weight", "encounter")
_LOINC, _ICD10 = "http://loinc.org", "http://hl7.org/fhir/sid/icd-10-cm"
_RXNORM, _UCUM = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://unitsofmeasure.org"

_RESULTS = (
    ("19113-0", "IgE [Units/volume] in Serum or Plasma", "IgE, total", "[IU]/mL", 168),
    ("20150-9", "FEV1", "FEV1", "L", 2.41),
    ("82668-5", "Total score [ACT]", "Asthma Control Test total", "{score}", 17),
    ("711-2", "Eosinophils [#/volume] in Blood", "Eosinophils", "10*3/uL", 0.42),
    ("6095-4", "American house dust mite IgE Ab in Serum", "D. farinae IgE", "k[IU]/L", 14.2),
    ("29463-7", "Body weight", "Body weight", "kg", 71.4),
)
_OTHER_RESULTS = (
    ("8867-4", "Heart rate", "Heart rate", "/min", 72),
    ("8480-6", "Systolic blood pressure", "Systolic blood pressure", "mm[Hg]", 124),
    ("8302-2", "Body height", "Body height", "cm", 168.2),
    ("2345-7", "Glucose [Mass/volume] in Serum or Plasma", "Glucose", "mg/dL", 94),
    ("2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "Creatinine", "mg/dL", 0.81),
    ("718-7", "Hemoglobin [Mass/volume] in Blood", "Hemoglobin", "g/dL", 13.9),
    ("2951-2", "Sodium [Moles/volume] in Serum or Plasma", "Sodium", "mmol/L", 139),
    ("1742-6", "Alanine aminotransferase [Enzymatic activity/volume]", "ALT", "U/L", 22),
    ("59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "SpO2", "%", 97),
    ("8310-5", "Body temperature", "Temperature", "Cel", 36.8),
)
_CONDITIONS = (
    ("J45.50", "Severe persistent asthma, uncomplicated"),
    ("I10", "Essential (primary) hypertension"),
    ("E11.9", "Type 2 diabetes mellitus without complications"),
    ("J30.1", "Allergic rhinitis due to pollen"),
    ("M54.50", "Low back pain, unspecified"),
    ("K21.9", "Gastro-esophageal reflux disease without esophagitis"),
    ("F41.1", "Generalized anxiety disorder"),
    ("E78.5", "Hyperlipidemia, unspecified"),
    ("Z23", "Encounter for immunization"),
)
_MEDICATIONS = (
    ("896188", "fluticasone propionate 0.25 MG/ACTUAT / salmeterol inhalation powder"),
    ("351254", "omalizumab 150 MG injection"),
    ("314076", "lisinopril 10 MG oral tablet"),
    ("860975", "metformin hydrochloride 500 MG oral tablet"),
    ("745679", "albuterol 0.09 MG/ACTUAT metered dose inhaler"),
    ("617314", "atorvastatin 20 MG oral tablet"),
    ("198211", "simvastatin 40 MG oral tablet"),
    ("312615", "prednisone 20 MG oral tablet"),
)
_GIVEN = (
    ("351254", "omalizumab 150 MG injection", 300, "mg"),
    ("1870230", "sodium chloride 9 MG/ML injectable solution", 500, "mL"),
    ("1115005", "ketorolac tromethamine 30 MG/ML injection", 30, "mg"),
)


def body(resources: int, ours: bool = True) -> bytes:
    """An order-sign request with about `resources` chart resources, as compact JSON; one for a
    drug that is not catalogued when not `ours`."""
    request = fixtures.hook_request(_ORDER)
    if not ours:
        _order_something_else(request)
    sent = request["prefetch"]
    request["prefetch"] = {need.key: None for need in DATA_NEEDED}
    request["prefetch"] |= {key: sent[key] for key in _ALONE}
    for key, found in _chart(resources - len(_ALONE)).items():
        entries = [
            {
                "fullUrl": f"https://ehr.example/fhir/{r['resourceType']}/{r['id']}",
                "resource": r,
                "search": {"mode": "match"},
            }
            for r in found
        ]
        request["prefetch"][key] = {
            "resourceType": "Bundle",
            "type": "searchset",
            "total": len(found),
            "entry": entries,
        }
    return json.dumps(request, separators=(",", ":"), ensure_ascii=False).encode()


def _order_something_else(request: Json) -> None:
    (entry,) = request["context"]["draftOrders"]["entry"]
    code = _code(_RXNORM, *_MEDICATIONS[2])
    entry["resource"]["medicationCodeableConcept"] = code


def chart(count: int) -> list[Json]:
    """The resources alone, as an EHR keeps them."""
    return [resource for found in _chart(count).values() for resource in found]


def _chart(count: int) -> dict[str, list[Json]]:
    """9 observations, 4 conditions, 4 orders and 3 administrations in 20 resources."""
    chance = random.Random(count)
    kinds: tuple[tuple[str, Callable[[int, random.Random], Json]], ...] = (
        *[("observations", _observation)] * 9,
        *[("conditions", _condition)] * 4,
        *[("medications", _order)] * 4,
        *[("administrations", _administration)] * 3,
    )
    found: dict[str, list[Json]] = {}
    for place in range(count):
        key, make = kinds[place * 7 % 20]  # 7 and 20 have no common divisor: all kinds take turns
        found.setdefault(key, []).append(make(place, chance))
    return found


# ---------------------------------------------------------------- one resource each


def _observation(place: int, chance: random.Random) -> Json:
    known = chance.randrange(3) == 0
    code, display, text, unit, value = chance.choice(_RESULTS if known else _OTHER_RESULTS)
    day = _day(chance)
    return {
        **_common("Observation", f"obs-{place}", f"{text}: {value} {unit}, {day}", chance),
        "status": "final",
        "category": [
            _code(
                "http://terminology.hl7.org/CodeSystem/observation-category",
                "laboratory",
                "Laboratory",
            )
        ],
        "code": _code(_LOINC, code, display, text),
        "effectiveDateTime": f"{day}T08:{chance.randrange(10, 60)}:00-06:00",
        "issued": f"{day}T11:02:17.000-06:00",
        "performer": [{"reference": "Organization/org-lab", "display": "Clinic laboratory"}],
        "valueQuantity": {
            "value": round(value * chance.uniform(0.9, 1.1), 2),
            "unit": unit,
            "system": _UCUM,
            "code": unit,
        },
        "referenceRange": [
            {
                "low": {"value": value, "unit": unit, "system": _UCUM, "code": unit},
                "text": f"about {value} {unit}",
            }
        ],
    }


def _condition(place: int, chance: random.Random) -> Json:
    code, display = chance.choice(_CONDITIONS)
    system = "http://terminology.hl7.org/CodeSystem/condition"
    return {
        **_common("Condition", f"cond-{place}", display, chance),
        "clinicalStatus": _code(f"{system}-clinical", "active", "Active"),
        "verificationStatus": _code(f"{system}-ver-status", "confirmed", "Confirmed"),
        "category": [_code(f"{system}-category", "problem-list-item", "Problem List Item")],
        "code": _code(_ICD10, code, display),
        "onsetDateTime": str(_day(chance)),
        "recordedDate": str(_day(chance)),
        "recorder": {"reference": "Practitioner/prac-imogen-hartwell"},
    }


def _order(place: int, chance: random.Random) -> Json:
    code, display = chance.choice(_MEDICATIONS)
    day = _day(chance)
    return {
        **_common("MedicationRequest", f"rx-{place}", display, chance),
        "status": chance.choice(("active", "completed", "stopped")),
        "intent": "order",
        "medicationCodeableConcept": _code(_RXNORM, code, display),
        "authoredOn": f"{day}T09:30:00-06:00",
        "requester": {"reference": "Practitioner/prac-imogen-hartwell"},
        "dosageInstruction": [
            {
                "text": "As directed, once a day",
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "route": _code("http://snomed.info/sct", "26643006", "Oral route"),
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "dose"}}],
            }
        ],
        "dispenseRequest": {
            "numberOfRepeatsAllowed": 2,
            "quantity": {"value": 30, "unit": "each"},
            "expectedSupplyDuration": {"value": 30, "unit": "day", "system": _UCUM, "code": "d"},
        },
    }


def _administration(place: int, chance: random.Random) -> Json:
    code, display, dose, unit = chance.choice(_GIVEN)
    day = _day(chance)
    return {
        **_common("MedicationAdministration", f"adm-{place}", f"{display}, {day}", chance),
        "status": "completed",
        "medicationCodeableConcept": _code(_RXNORM, code, display),
        "effectiveDateTime": f"{day}T10:15:00-06:00",
        "performer": [{"actor": {"reference": "Practitioner/prac-imogen-hartwell"}}],
        "dosage": {
            "route": _code("http://snomed.info/sct", "34206005", "Subcutaneous route"),
            "dose": {"value": dose, "unit": unit, "system": _UCUM, "code": unit},
        },
    }


def _common(kind: str, id_: str, words: str, chance: random.Random) -> Json:
    """What every resource carries and no rule reads, with the patient."""
    rows = "".join(
        f"<tr><td>{label}</td><td>{chance.randrange(10**6)}</td></tr>"
        for label in ("Number", "Order", "Visit")
    )
    return {
        "resourceType": kind,
        "id": id_,
        "meta": {
            "versionId": "3",
            "lastUpdated": f"{_day(chance)}T04:11:09.113+00:00",
            "profile": [f"http://hl7.org/fhir/us/core/StructureDefinition/us-core-{kind.lower()}"],
        },
        "text": {
            "status": "generated",
            "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><b>{words}</b>'
            f"<table>{rows}</table></div>",
        },
        "extension": [
            {
                "url": "https://ehr.example/fhir/StructureDefinition/source-department",
                "valueReference": {"reference": "Location/loc-allergy-clinic"},
            }
        ],
        "identifier": [
            {"system": "https://ehr.example/ids/order", "value": str(chance.randrange(10**9))}
        ],
        "subject": {"reference": f"Patient/{_PATIENT}", "display": "Ada Winterbourne"},
        "encounter": {"reference": f"Encounter/enc-{chance.randrange(10**5)}"},
    }


def _code(system: str, code: str, display: str, text: str = "") -> Json:
    return {
        "coding": [{"system": system, "code": code, "display": display}],
        "text": text or display,
    }


def _day(chance: random.Random) -> date:
    return TODAY - timedelta(days=chance.randrange(1, 1500))
