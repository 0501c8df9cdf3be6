"""Conditions, allergies, procedures and family history."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing_rules.model.chart import Problem
from billing_rules.model.entities import Code
from billing_rules.model.states import NOTHING, Present
from tests.billing_rules.fhir.chart_samples import (
    CLINICAL,
    VERIFIED,
    allergy,
    charted,
    condition,
    family_history,
    only,
    procedure,
)
from tests.billing_rules.fhir.samples import ICD10, SNOMED, concept


def the_condition(**changes: Any) -> Problem:
    return only(charted({"conditions": [condition(**changes)]}).conditions)


def test_a_condition_keeps_its_codes_its_text_and_its_date() -> None:
    assert the_condition() == Problem(
        "Condition/c",
        "condition",
        (Code("icd10cm", "J45.50", "Severe persistent asthma"),),
        "Asthma, severe",
        date(2019, 5, 1),
    )


@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("active", True),
        ("recurrence", True),
        ("relapse", True),
        ("inactive", False),
        ("remission", False),
        ("resolved", False),
        ("RESOLVED", False),
    ],
)
def test_the_clinical_status_says_whether_it_is_active(status: str, active: bool) -> None:
    assert the_condition(clinicalStatus=concept(CLINICAL, status)).active is active
    assert the_condition(clinicalStatus={"text": status}).active is active
    assert the_condition(clinicalStatus=status).active is active  # before R4


@pytest.mark.parametrize(
    ("abatement", "active"),
    [
        ({}, True),
        ({"abatementDateTime": "2021"}, False),
        ({"abatementBoolean": True}, False),
        ({"abatementBoolean": False}, True),
        ({"abatementString": "in childhood"}, False),
        ({"abatementAge": {"value": 12}}, False),
    ],
)
def test_without_a_clinical_status_it_is_active_unless_abated(abatement: Any, active: bool) -> None:
    assert the_condition(clinicalStatus=None, **abatement).active is active


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_what_was_refuted_or_entered_in_error_is_not_there(status: str) -> None:
    for wrong in (condition, allergy):
        found = charted(
            {
                "conditions": [wrong(verificationStatus=concept(VERIFIED, status))],
                "allergies": [wrong(verificationStatus=concept(VERIFIED, status))],
            }
        )
        assert (found.conditions, found.allergies) == (NOTHING, NOTHING)


@pytest.mark.parametrize("status", ["provisional", "differential", "unconfirmed"])
def test_what_is_not_confirmed_is_not_certain(status: str) -> None:
    assert not the_condition(verificationStatus=concept(VERIFIED, status)).certain
    assert the_condition(verificationStatus=None).certain


@pytest.mark.parametrize(
    "text", ["Rule out asthma", "r/o asthma", "Suspected asthma", "possible urticaria"]
)
def test_words_of_doubt_in_an_uncoded_diagnosis(text: str) -> None:
    assert not the_condition(code={"text": text}).certain
    assert the_condition(code=concept(ICD10, "J45.50", text=text)).certain


@pytest.mark.parametrize(
    "code",
    [
        {"text": "Family history of asthma"},
        {"text": "FHx: asthma"},
        concept(ICD10, "Z82.5", "Family history of asthma"),
        concept(SNOMED, "160377001", "Family history: Asthma"),
        concept(ICD10, "Z825", text="Asthma in mother"),
    ],
)
def test_family_history_on_the_problem_list_is_no_condition(code: Any) -> None:
    assert the_condition(code=code).kind == "family history"


def test_a_family_member_history_never_becomes_a_condition() -> None:
    found = charted({"conditions": [family_history()]}).conditions
    assert only(found) == Problem(
        "FamilyMemberHistory/f",
        "family history",
        (Code("snomed", "195967001", "Asthma"),),
        "Asthma",
        date(2020, 1, 2),
    )


@pytest.mark.parametrize(
    ("coding", "code"),
    [
        ({"system": ICD10, "code": "J4550"}, Code("icd10cm", "J45.50")),
        ({"system": ICD10, "code": "j45.50"}, Code("icd10cm", "J45.50")),
        ({"code": "J4550"}, Code("icd10cm", "J45.50")),  # not the HCPCS code of that shape
        ({"code": "L50.1"}, Code("icd10cm", "L50.1")),
        ({"code": "I10", "system": ICD10}, Code("icd10cm", "I10")),
        ({"code": "J4550", "system": "urn:oid:1.2.3"}, Code("", "J4550")),
        ({"code": "12345"}, Code("", "12345")),
    ],
)
def test_icd_10_cm_is_read_as_it_is_printed(coding: Any, code: Code) -> None:
    assert the_condition(code={"coding": [coding]}).codes == (code,)


def test_a_diagnosis_in_words_only_keeps_its_words() -> None:
    found = the_condition(
        code={"text": "Chronic hives"}, onsetDateTime="2019", recordedDate="2020-02-03"
    )
    assert (found.codes, found.text, found.on) == ((), "Chronic hives", date(2020, 2, 3))


def test_an_allergy_names_its_substances_too() -> None:
    found = only(charted({"allergies": [allergy(code={"text": "Environmental"})]}).allergies)
    assert found.kind == "allergy" and found.text == "Environmental"
    coded = allergy(reaction=[{"substance": concept(SNOMED, "1", "Dust mite")}])
    found = only(charted({"allergies": [coded]}).allergies)
    assert [c.display for c in found.codes] == ["Allergy to dust mite protein", "Dust mite"]
    assert found.on == date(2020, 3, 4)


def test_only_procedures_that_were_done_count() -> None:
    found = only(charted({"procedures": [procedure()]}).procedures)
    assert found.codes == (Code("cpt", "95004", "Skin prick test"),)
    assert found.on == date(2025, 6, 7) and found.certain
    for status in (
        "not-done",
        "in-progress",
        "stopped",
        "preparation",
        "on-hold",
        "entered-in-error",
    ):
        assert charted({"procedures": [procedure(status=status)]}).procedures == NOTHING
    unsaid = charted({"procedures": [procedure(status="unknown")]}).procedures
    assert isinstance(unsaid, Present) and not unsaid.value[0].certain
