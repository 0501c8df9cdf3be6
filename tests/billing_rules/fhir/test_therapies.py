"""Therapies and doses given: where start and end come from, and what is no therapy."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing_rules.model.chart import Therapy
from billing_rules.model.entities import Code, Stage
from billing_rules.model.states import NOTHING, Present
from tests.billing_rules.fhir.chart_samples import (
    MEDICATION,
    charted,
    dispense,
    only,
    request,
    statement,
)
from tests.billing_rules.fhir.samples import administration

OPEN = {"dispenseRequest": None}


def the_request(**changes: Any) -> Therapy:
    return only(charted({"medications": [request(**changes)]}).therapies)


def span(therapy: Therapy) -> tuple[str, str]:
    return str(therapy.start), str(therapy.end)


def test_a_request_says_its_drug_and_its_route() -> None:
    assert the_request() == Therapy(
        "MedicationRequest/r",
        "request",
        (Code("rxnorm", "41126", "fluticasone"),),
        "Flovent inhaler, inhalation",
        date(2025, 10, 2),
        date(2026, 9, 30),
    )


BOUNDS = [{"timing": {"repeat": {"boundsPeriod": {"start": "2025-11-01", "end": "2026-01-31"}}}}]
SUPPLY = {"expectedSupplyDuration": {"value": 30, "unit": "d"}, "numberOfRepeatsAllowed": 2}


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({}, ("2025-10-02", "2026-09-30")),
        ({"dosageInstruction": BOUNDS}, ("2025-11-01", "2026-01-31")),
        ({"dispenseRequest": SUPPLY}, ("2025-10-01", "2025-12-29")),
        (
            {"dispenseRequest": {"expectedSupplyDuration": {"value": 4, "unit": "wk"}}},
            ("2025-10-01", "2025-10-28"),
        ),
        (
            {"dispenseRequest": {"expectedSupplyDuration": {"value": 30}}},
            ("2025-10-01", "2025-10-30"),
        ),
        (
            {"dispenseRequest": {"expectedSupplyDuration": {"value": 30, "unit": "tablets"}}},
            ("2025-10-01", "None"),
        ),
        ({"dispenseRequest": {**SUPPLY, "numberOfRepeatsAllowed": 10**9}}, ("2025-10-01", "None")),
        (OPEN, ("2025-10-01", "None")),
        ({**OPEN, "authoredOn": "2025-10"}, ("None", "None")),
        ({"dispenseRequest": {"validityPeriod": {"end": "2026-02"}}}, ("2025-10-01", "2026-02-28")),
        ({"dispenseRequest": {"validityPeriod": {"end": "2025-09-01"}}}, ("2025-10-01", "None")),
    ],
)
def test_where_the_days_of_a_request_come_from(changes: Any, days: tuple[str, str]) -> None:
    assert span(the_request(**changes)) == days


@pytest.mark.parametrize(
    ("status", "end", "kept"),
    [
        ("stopped", "2026-01-31", False),
        ("on-hold", "2026-01-31", False),
        ("unknown", "2026-01-31", False),
        ("completed", "2026-01-31", True),
        ("completed", "2026-09-30", False),
    ],
)
def test_the_end_of_a_request_that_is_not_active(status: str, end: str, kept: bool) -> None:
    found = the_request(status=status, dispenseRequest={"validityPeriod": {"end": end}})
    assert not found.active
    assert str(found.end) == (end if kept else "None")


@pytest.mark.parametrize(
    "changes",
    [
        {"status": "draft"},
        {"status": "cancelled"},
        {"status": "entered-in-error"},
        {"intent": "proposal"},
        {"intent": "option"},
        {"doNotPerform": True},
    ],
)
def test_what_is_no_order_is_no_therapy(changes: Any) -> None:
    known = charted(
        {
            "medications": [request(**changes)],
            "statements": [],
            "dispenses": [],
            "administrations": [],
        }
    )
    assert known.therapies == NOTHING


@pytest.mark.parametrize(
    ("changes", "days", "active"),
    [
        ({}, ("2025-05-01", "2025-11-30"), True),
        ({"effectivePeriod": {"start": "2025-05-01"}}, ("2025-05-01", "None"), True),
        ({"effectivePeriod": {"start": "2025"}}, ("None", "None"), True),
        (
            {"effectivePeriod": None, "effectiveDateTime": "2025-05-01"},
            ("2025-05-01", "None"),
            True,
        ),
        (
            {"effectivePeriod": None, "effectiveDateTime": "2025-05-01", "status": "completed"},
            ("2025-05-01", "2025-05-01"),
            False,
        ),
        (
            {"effectivePeriod": {"start": "2025-05-01"}, "status": "stopped"},
            ("2025-05-01", "None"),
            False,
        ),
    ],
)
def test_the_days_of_a_statement(changes: Any, days: tuple[str, str], active: bool) -> None:
    found = only(charted({"statements": [statement(**changes), MEDICATION]}).therapies)
    assert (span(found), found.active, found.kind) == (days, active, "statement")
    assert found.text == "Cetirizine 10 mg tablet"
    assert found.codes == (Code("rxnorm", "20610", "cetirizine"),)


@pytest.mark.parametrize("status", ["not-taken", "intended", "entered-in-error"])
def test_what_was_not_taken_is_no_therapy(status: str) -> None:
    found = charted({"statements": [statement(status=status)], "medications": [request()]})
    assert only(found.therapies).kind == "request"


@pytest.mark.parametrize(
    ("changes", "days"),
    [
        ({}, ("2026-01-05", "2026-04-04")),
        ({"whenHandedOver": None}, ("2026-01-03", "2026-04-02")),
        ({"daysSupply": None}, ("2026-01-05", "None")),
        ({"daysSupply": {"value": 0, "unit": "d"}}, ("2026-01-05", "None")),
        ({"daysSupply": {"value": 90, "unit": "tablet"}}, ("2026-01-05", "None")),
        ({"status": "unknown"}, ("2026-01-05", "None")),
        ({"whenHandedOver": "2026-01", "whenPrepared": None}, ("None", "None")),
    ],
)
def test_the_days_of_a_dispense(changes: Any, days: tuple[str, str]) -> None:
    assert span(only(charted({"dispenses": [dispense(**changes)]}).therapies)) == days


@pytest.mark.parametrize("status", ["preparation", "in-progress", "on-hold", "declined"])
def test_what_was_not_handed_over_is_no_therapy(status: str) -> None:
    found = charted({"dispenses": [dispense(status=status)], "medications": [request()]})
    assert only(found.therapies).kind == "request"


def test_an_administration_is_a_dose_given_and_a_therapy() -> None:
    found = charted({"administrations": [administration()]})
    given, therapy = only(found.administrations), only(found.therapies)
    assert (given.stage, given.kind, str(given.lot)) == (
        Stage.GIVEN,
        "MedicationAdministration",
        str(Present("L1")),
    )
    assert given.reference == therapy.reference == "MedicationAdministration/ma"
    assert (span(therapy), therapy.kind) == (("2026-03-01", "2026-03-01"), "administration")


def test_a_discarded_amount_is_charted_but_no_therapy() -> None:
    wasted = administration(status="not-done", statusReason=[{"text": "Waste"}])
    found = charted({"administrations": [wasted]})
    assert isinstance(only(found.administrations).discarded, Present)
    assert not isinstance(found.therapies, Present)


def test_a_record_that_does_not_say_whether_it_was_given_has_no_days() -> None:
    found = only(charted({"administrations": [administration(status="unknown")]}).therapies)
    assert span(found) == ("None", "None")


def test_a_medication_that_came_along_is_followed_and_is_no_record_itself() -> None:
    far = request(
        medicationCodeableConcept=None,
        medicationReference={"reference": "https://ehr.example/Medication/m/_history/1"},
    )
    found = only(charted({"medications": [far, MEDICATION]}).therapies)
    assert found.codes == (Code("rxnorm", "20610", "cetirizine"),)
    lost = only(
        charted(
            {
                "medications": [
                    far
                    | {"medicationReference": {"reference": "Medication/z", "display": "Zyrtec"}}
                ]
            }
        ).therapies
    )
    assert (lost.codes, lost.text) == ((), "Zyrtec, inhalation")


def test_a_resource_is_read_as_what_it_says_it_is_wherever_it_was_sent() -> None:
    found = charted({"medications": [request(), dispense(), statement()]}).therapies
    assert isinstance(found, Present)
    assert [t.kind for t in found.value] == ["request", "dispense", "statement"]
    bare = {k: v for k, v in dispense().items() if k != "resourceType"}
    assert only(charted({"dispenses": [bare]}).therapies).kind == "dispense"
    assert only(charted({"dispenses": [bare]}).therapies).codes[0].system == "rxnorm"
