"""What a payer answered when it was asked first."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing_rules.model.chart import Authorization
from billing_rules.model.entities import Code
from billing_rules.model.states import NOTHING, Present
from tests.billing_rules.fhir.chart_samples import STUDY, answer, charted, only, reviewed, subject
from tests.billing_rules.fhir.samples import HCPCS, concept


def the_answer(**changes: Any) -> Authorization:
    return only(charted({"authorizations": [answer(**changes)]}).authorizations)


def test_an_answer_says_what_was_granted_for_how_long() -> None:
    assert the_answer() == Authorization(
        reference="ClaimResponse/x",
        number="PA-1",
        granted=True,
        codes=(Code("hcpcs", "J2357", "Injection, omalizumab, 5 mg"),),
        text="Injection, omalizumab, 5 mg Approved",
        insurer="Juniper Mutual",
        start=date(2026, 1, 1),
        end=date(2026, 12, 31),
        on=date(2026, 1, 15),
    )


@pytest.mark.parametrize(
    ("words", "granted"),
    [
        ("Approved", True),
        ("Certified in total", True),
        ("Authorization granted", True),
        ("Partially approved", True),
        ("Denied", False),
        ("Not certified", False),
        ("not approved: step therapy", False),
        ("Request rejected", False),
        ("Disapproved", False),
        ("non-certified", False),
        ("Pended for review", None),
        ("Under review", None),
        ("Claim processed", None),
        ("", None),
    ],
)
def test_the_payers_words_decide_never_the_outcome_alone(words: str, granted: bool | None) -> None:
    assert the_answer(disposition=words).granted is granted
    said = [{"category": {"text": "benefit"}, "reason": {"text": words}}]
    assert the_answer(disposition=None, adjudication=said).granted is granted


@pytest.mark.parametrize("outcome", ["queued", "error"])
def test_what_was_not_processed_is_not_granted(outcome: str) -> None:
    assert the_answer(outcome=outcome).granted is None


def test_a_cancelled_answer_is_not_granted_and_a_draft_is_none() -> None:
    assert the_answer(status="cancelled").granted is False
    for status in ("draft", "entered-in-error"):
        assert charted({"authorizations": [answer(status=status)]}).authorizations == NOTHING


@pytest.mark.parametrize("use", ["claim", "predetermination"])
def test_only_preauthorizations_are_authorizations(use: str) -> None:
    assert charted({"authorizations": [answer(use=use)]}).authorizations == NOTHING


@pytest.mark.parametrize(
    ("code", "granted"), [("A1", True), ("A6", True), ("A3", False), ("A4", None), ("ZZ", None)]
)
def test_a_review_action_of_pas_decides(code: str, granted: bool | None) -> None:
    assert only(charted({"authorizations": [reviewed(code)]}).authorizations).granted is granted


def test_items_answered_differently_are_authorizations_of_their_own() -> None:
    found = charted({"authorizations": [reviewed("A1", "A3", "A4")]}).authorizations
    assert isinstance(found, Present)
    told = [(a.codes[0].code, a.granted, a.number, str(a.end)) for a in found.value]
    assert told == [
        ("J2357", True, "AUTH-1", "2026-07-31"),
        ("J0517", False, "AUTH-2", "2026-07-31"),
        ("J2182", None, "AUTH-3", "2026-07-31"),
    ]


def test_without_a_period_the_one_of_its_items_counts() -> None:
    item = {
        "productOrService": concept(HCPCS, "J2357"),
        "servicedPeriod": {"start": "2026-02-01", "end": "2026-03-31"},
    }
    found = the_answer(preAuthPeriod=None, addItem=[item])
    assert (found.start, found.end) == (date(2026, 2, 1), date(2026, 3, 31))


def test_a_claim_cites_a_number_but_proves_no_grant() -> None:
    claim = {
        "resourceType": "Claim",
        "id": "cl",
        "insurance": [{"preAuthRef": ["PA-7", " "]}],
        "item": [{"productOrService": concept(HCPCS, "J2357")}],
        "created": "2026-02-03",
    }
    found = only(charted({"authorizations": [claim]}).authorizations)
    assert (found.reference, found.number, found.granted) == ("Claim/cl", "PA-7", None)
    assert found.codes == (Code("hcpcs", "J2357"),)


# ---------------------------------------------------------------- studies


@pytest.mark.parametrize(
    ("status", "active"),
    [
        ("candidate", True),
        ("screening", True),
        ("on-study", True),
        ("follow-up", True),
        ("on-study-intervention", True),
        ("potential-candidate", False),
        ("off-study", False),
        ("withdrawn", False),
        ("ineligible", False),
        ("not-registered", False),
        (None, False),
    ],
)
def test_the_part_in_a_study(status: Any, active: bool) -> None:
    found = only(charted({"studies": [subject(status=status), STUDY]}).studies)
    assert (found.active, found.study) == (active, "A study of airways")
    assert (found.start, found.end) == (date(2026, 1, 2), None)


def test_a_study_that_did_not_come_along_is_named_by_its_reference() -> None:
    assert only(charted({"studies": [subject()]}).studies).study == "ResearchStudy/airways"
