from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing_rules.data_needed import OLDER_LEFT
from billing_rules.fhir.reading import chart
from billing_rules.model.chart import Chart, Coverage
from billing_rules.model.entities import Amount, Code
from billing_rules.model.states import NOTHING, Present, State, Unknown
from tests.billing_rules.fhir.samples import HCPCS, LOINC, SYSTEMS, UCUM, Json, concept

ON = date(2026, 3, 1)


def as_bytes(*resources: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(r).encode() for r in resources)


def charted(part: str, *resources: Any) -> Chart:
    """The chart of one part, the same whether it came as bytes or as dicts."""
    from_dicts = chart({part: Present(resources)}, SYSTEMS, ON)
    if all(isinstance(r, dict) and r for r in resources):
        assert chart({part: Present(as_bytes(*resources))}, SYSTEMS, ON) == from_dicts
    return from_dicts


def coverage(**changes: Any) -> Json:
    return {
        "resourceType": "Coverage",
        "id": "c",
        "status": "active",
        "type": concept("https://nahdo.org/sopt", "121", "Medicare FFS", text="Medicare"),
        "beneficiary": {"reference": "Patient/p"},
        "payor": [{"reference": "#org", "display": "Medicare Part B"}],
        "contained": [
            {
                "resourceType": "Organization",
                "id": "org",
                "name": "Noridian",
                "identifier": [{"value": "02402"}],
            },
        ],
        "class": [{"type": {}, "name": "Part B", "value": "MB"}],
        "order": 1,
        "period": {"start": "2025"},
    } | changes


def weight(value: Any = 70, unit: str = "kg", day: str = "2026-02-01", **changes: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": "w",
        "status": "final",
        "code": concept(LOINC, "29463-7", "Body weight"),
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
        "text": {"div": "<div/>"},
    } | changes


def the_coverage(**changes: Any) -> Coverage:
    found = charted("coverage", coverage(**changes)).coverages
    assert isinstance(found, Present)
    return found.value[0]


# ---------------------------------------------------------------- states


def test_what_was_not_asked_for_is_unknown() -> None:
    known = chart({}, SYSTEMS, ON)
    parts = (known.birth_date, known.coverages, known.weights, known.setting)
    assert all(isinstance(part, Unknown) for part in parts)


@pytest.mark.parametrize("state", [NOTHING, Unknown("the server refused")])
def test_none_and_unknown_pass_through(state: State[Any]) -> None:
    known = chart(dict.fromkeys(("patient", "coverage", "weight", "encounter"), state), SYSTEMS, ON)
    assert (known.birth_date, known.coverages, known.weights, known.setting) == (state,) * 4


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"[]", b"\xff\xfe", b"5", b"[" * 100_000])
def test_an_entry_that_cannot_be_read_is_not_taken_for_absent(raw: bytes) -> None:
    parts = {p: Present((raw,)) for p in ("patient", "coverage", "weight", "encounter")}
    known = chart(parts, SYSTEMS, ON)
    states = (known.birth_date, known.coverages, known.weights, known.setting)
    assert all(isinstance(part, Unknown) for part in states)


def test_an_unreadable_coverage_beside_a_good_one_names_no_payer() -> None:
    known = chart({"coverage": Present((*as_bytes(coverage()), b"{"))}, SYSTEMS, ON)
    assert isinstance(known.coverages, Present)
    assert [c.reference for c in known.coverages.value] == ["Coverage/c", ""]


def test_numbers_that_only_python_reads_do_not_lose_the_entry() -> None:
    raw = json.dumps(weight()).replace("70", "NaN").encode()
    known = chart({"weight": Present((raw,))}, SYSTEMS, ON)
    assert isinstance(known.weights, Present)
    assert known.weights.value[0].value is None


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_withdrawn_resources_are_not_there(status: str) -> None:
    assert charted("coverage", coverage(status=status)).coverages == NOTHING
    assert charted("weight", weight(status=status)).weights == NOTHING


# ---------------------------------------------------------------- patient and encounter


def test_the_birth_date_is_a_full_date_or_unknown() -> None:
    full = charted("patient", {"resourceType": "Patient", "birthDate": "1980-05-06"}).birth_date
    assert full == Present(date(1980, 5, 6))
    assert charted("patient", {"resourceType": "Patient"}).birth_date == NOTHING
    partial = charted("patient", {"resourceType": "Patient", "birthDate": "1980"}).birth_date
    assert partial == Unknown("the birth date '1980' is not a full date")


@pytest.mark.parametrize(
    ("code", "setting"),
    [
        ("IMP", Present("inpatient")),
        ("ACUTE", Present("inpatient")),
        ("nonac", Present("inpatient")),
        ("HH", Present("home")),
        ("AMB", NOTHING),
        ("X", NOTHING),
    ],
)
def test_the_class_of_the_encounter(code: str, setting: State[str]) -> None:
    encounter = {"resourceType": "Encounter", "status": "in-progress", "class": {"code": code}}
    assert charted("encounter", encounter).setting == setting
    later = {"resourceType": "Encounter", "class": [{"coding": [{"code": code}]}]}
    assert charted("encounter", later).setting == setting


def test_encounters_of_different_classes_are_unknown() -> None:
    both = [{"resourceType": "Encounter", "class": {"code": code}} for code in ("IMP", "AMB")]
    assert isinstance(charted("encounter", *both).setting, Unknown)


# ---------------------------------------------------------------- coverage


def test_a_coverage_says_what_its_payer_can_be_recognised_by() -> None:
    assert the_coverage() == Coverage(
        reference="Coverage/c",
        types=(Code("", "121", "Medicare FFS"), Code("", "", "Medicare")),
        payor_names=("Medicare Part B", "Noridian"),
        payor_identifiers=("02402",),
        class_names=("Part B", "MB"),
        order=1,
        active=True,
    )


def test_an_organization_that_came_along_names_the_payor() -> None:
    organisation = {
        "resourceType": "Organization",
        "id": "o",
        "name": "Aetna",
        "identifier": {"value": "60054"},
    }
    along = coverage(payor={"reference": "https://ehr.example/Organization/o"})
    found = charted("coverage", along, organisation).coverages
    assert isinstance(found, Present)
    assert found.value[0].payor_names == ("Aetna",)
    assert found.value[0].payor_identifiers == ("60054",)
    assert len(found.value) == 1


@pytest.mark.parametrize(
    ("period", "active"),
    [
        ({}, True),
        ({"start": "2026-03-01"}, True),
        ({"start": "2026-03-02"}, False),
        ({"end": "2026-03-01"}, True),
        ({"end": "2026-02-28"}, False),
        ({"start": "2026", "end": "2026"}, True),
        ({"start": "2026-03", "end": "2026-03"}, True),
        ({"start": "2026-04"}, False),
        ({"end": "2026-02"}, False),
        ({"start": "2025-01-01T00:00:00Z", "end": "soon"}, True),
        ("2026", True),
    ],
)
def test_the_period_contains_the_day(period: Any, active: bool) -> None:
    assert the_coverage(period=period).active is active


@pytest.mark.parametrize(("status", "active"), [("active", True), (None, True), ("draft", False)])
def test_the_status_of_a_coverage(status: Any, active: bool) -> None:
    assert the_coverage(status=status).active is active


# ---------------------------------------------------------------- weight


def test_weights_are_newest_first_up_to_the_day() -> None:
    found = charted(
        "weight",
        weight(70, day="2026-01-01"),
        weight(154, "[lb_av]", day="2026-02-01T10:00:00Z"),
        weight(99, day="2026-03-02"),
        weight(50, effectiveDateTime=None),
        weight(60, effectiveDateTime=None, effectivePeriod={"start": "2025-01-01"}),
    ).weights
    assert isinstance(found, Present)
    assert [str(w.value) for w in found.value] == ["154 lb", "70 kg", "60 kg", "50 kg"]
    assert found.value[0].value == Amount(Decimal(154), "[lb_av]")


@pytest.mark.parametrize(
    "newest",
    [{"status": "entered-in-error"}, {"code": {"text": "Heart rate"}}, {"day": "2026-12-01"}],
)
def test_the_newest_weights_that_cannot_be_used_do_not_prove_that_there_is_none(
    newest: dict[str, Any],
) -> None:
    page = (weight(70, **newest), OLDER_LEFT)
    assert charted("weight", *page).weights == OLDER_LEFT
    assert charted("weight", page[0]).weights == NOTHING, "a whole answer proves it"


def test_a_newest_weight_that_can_be_used_is_enough() -> None:
    assert charted("weight", weight(70), OLDER_LEFT) == charted("weight", weight(70))
    unreadable = weight(70, valueQuantity=None)
    assert charted("weight", unreadable, OLDER_LEFT).why_not("weights") == OLDER_LEFT.because


@pytest.mark.parametrize(
    ("changes", "as_written"),
    [
        ({"value": 70, "unit": "stone"}, "70 stone"),
        ({"value": 0}, "0 kg"),
        ({"value": 70, "unit": "mL"}, "70 mL"),
        ({"valueQuantity": {"value": 70, "unit": "kg", "comparator": ">"}}, "> 70 kg"),
        ({"valueQuantity": None, "valueString": "see note"}, "see note"),
        ({"valueQuantity": None}, ""),
    ],
)
def test_a_weight_that_is_no_amount_keeps_its_words(changes: Json, as_written: str) -> None:
    found = charted("weight", weight(**changes)).weights
    assert isinstance(found, Present)
    assert (found.value[0].value, found.value[0].as_written) == (None, as_written)


def test_only_body_weights_are_weights() -> None:
    birth = weight(code=concept(LOINC, "8339-4", "Birth weight"))
    worded = weight(id="t", code={"text": "Weight"})
    found = charted("weight", birth, worded).weights
    assert isinstance(found, Present)
    assert [w.reference for w in found.value] == ["Observation/t"]


def test_resources_of_another_type_are_passed_over() -> None:
    assert charted("weight", {"resourceType": "Claim", "code": HCPCS}).weights == NOTHING
