"""A part is none only when it was asked for, answered completely, and had nothing."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import DATA_NEEDED
from billing_rules.fhir.reading import chart
from billing_rules.model.chart import Chart
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown
from tests.billing_rules.fhir.chart_samples import (
    EVERY,
    allergy,
    answer,
    answers,
    condition,
    dispense,
    procedure,
    request,
    result,
    statement,
    subject,
)
from tests.billing_rules.fhir.samples import SYSTEMS, Json, administration
from tests.billing_rules.fhir.test_any_json import ANY, NASTY, Path, places, put
from tests.billing_rules.fhir.test_chart import ON, as_bytes

# Part -> the fields of Chart it becomes, and a resource of it.
FIELDS: dict[str, tuple[tuple[str, ...], Json]] = {
    "conditions": (("conditions",), condition()),
    "observations": (("results",), result()),
    "medications": (("therapies",), request()),
    "statements": (("therapies",), statement()),
    "dispenses": (("therapies",), dispense()),
    "administrations": (("administrations", "therapies"), administration()),
    "allergies": (("allergies",), allergy()),
    "procedures": (("procedures",), procedure()),
    "authorizations": (("authorizations",), answer()),
    "studies": (("studies",), subject()),
    "answers": (("answers",), answers()),
}
BY_PART = pytest.mark.parametrize("part", FIELDS)
PAGES = Unknown("the EHR sent a first page only")


def read(**parts: State[Any]) -> Chart:
    """The chart; parts that are not named were asked for and are none."""
    return chart(dict.fromkeys(FIELDS, NOTHING) | parts, SYSTEMS, ON)  # type: ignore[arg-type]


def states(known: Chart, part: str) -> list[State[Any]]:
    return [getattr(known, field) for field in FIELDS[part][0]]


def test_every_query_becomes_a_part_of_the_chart() -> None:
    assert {need.key for need in DATA_NEEDED} == {
        *FIELDS,
        "patient",
        "coverage",
        "weight",
        "encounter",
    }


@BY_PART
def test_what_was_not_asked_for_is_unknown(part: str) -> None:
    known = chart({}, SYSTEMS, ON)
    assert all(isinstance(state, Unknown) for state in states(known, part))
    assert not any(known.missing_is_sure(field) for field in FIELDS[part][0])


@BY_PART
def test_none_is_none_and_missing_is_sure(part: str) -> None:
    known = read()
    assert states(known, part) == [NOTHING] * len(FIELDS[part][0])
    assert all(known.missing_is_sure(field) for field in FIELDS[part][0])


@BY_PART
def test_a_complete_part_is_sure(part: str) -> None:
    known = read(**{part: Present(as_bytes(FIELDS[part][1]))})
    assert all(isinstance(state, Present) for state in states(known, part))
    assert known.incomplete == {}


@BY_PART
def test_unknown_passes_with_its_reason(part: str) -> None:
    known = read(**{part: Unknown("the server refused")})
    assert all(isinstance(state, Unknown) for state in states(known, part))
    assert all("the server refused" in known.why_not(field) for field in FIELDS[part][0])


@BY_PART
@pytest.mark.parametrize("raw", [b"", b"nonsense", b"[]", b"\xff", b"{", b"[" * 100_000, PAGES])
def test_an_unread_entry_alone_is_unknown_and_beside_a_good_one_leaves_a_gap(
    part: str, raw: Any
) -> None:
    alone = read(**{part: Present((raw,))})
    assert all(isinstance(state, Unknown) for state in states(alone, part))
    beside = read(**{part: Present((*as_bytes(FIELDS[part][1]), raw))})
    assert all(isinstance(state, Present) for state in states(beside, part))
    assert not any(beside.missing_is_sure(field) for field in FIELDS[part][0])


@BY_PART
def test_an_unread_entry_beside_a_withdrawn_one_is_unknown(part: str) -> None:
    wrong = FIELDS[part][1] | {
        "status": "entered-in-error",
        "use": "claim",
        "verificationStatus": "entered-in-error",
    }
    if part == "studies":
        return  # a ResearchSubject cannot be entered in error in R4
    known = read(**{part: Present((*as_bytes(wrong), b"{"))})
    assert all(isinstance(state, Unknown) for state in states(known, part))
    complete = read(**{part: Present(as_bytes(wrong))})
    assert states(complete, part) == [NOTHING] * len(FIELDS[part][0])


@BY_PART
def test_resources_of_another_type_are_passed_over(part: str) -> None:
    known = read(**{part: Present(as_bytes({"resourceType": "Basic", "id": "b"}))})
    assert states(known, part) == [NOTHING] * len(FIELDS[part][0])


@pytest.mark.parametrize("part", ["medications", "statements", "dispenses", "administrations"])
def test_therapies_are_sure_only_when_all_four_were_answered(part: str) -> None:
    failed = Unknown("the EHR reported an error")
    assert read(**{part: failed}).therapies == Unknown(f"{part}: the EHR reported an error")
    other = "medications" if part != "medications" else "dispenses"
    known = read(**{part: failed, other: Present(as_bytes(FIELDS[other][1]))})
    assert isinstance(known.therapies, Present)
    assert known.why_not("therapies") == f"{part}: the EHR reported an error"


def test_a_shared_reason_is_said_once() -> None:
    failed = Unknown("the EHR did not send it")
    both = read(statements=failed, dispenses=failed)
    assert both.therapies == Unknown("statements and dispenses: the EHR did not send it")
    four = dict.fromkeys(("medications", "statements", "dispenses", "administrations"), failed)
    assert read(**four).therapies == failed


# ---------------------------------------------------------------- any JSON

EVERY_PLACE = [(i, path) for i, (_, sample) in enumerate(EVERY) for path in places(sample)]


def damaged(sample: int, path: Path, value: Any) -> None:
    part, resource = EVERY[sample]
    bad = put(resource, path, value)
    raw = json.dumps(bad).encode()
    for entry in (raw, bad) if isinstance(bad, dict) else (raw,):
        known = read(**{part: Present((entry,))})
        for state in states(known, part):
            if isinstance(state, Present):
                assert all(repr(item) for item in state.value)


@pytest.mark.parametrize("sample", range(len(EVERY)))
def test_nasty_values_at_every_place_of_every_resource(sample: int) -> None:
    for its, path in EVERY_PLACE:
        for value in NASTY if its == sample else ():
            damaged(sample, path, value)


@given(st.sampled_from(EVERY_PLACE), ANY)
def test_any_value_at_any_place_of_every_resource(place: tuple[int, Path], value: Any) -> None:
    damaged(*place, value)


# ---------------------------------------------------------------- the fixtures


def everything(patient_id: str) -> dict[str, Any]:
    """The parts as a server would answer them about one patient of the fixtures."""
    resources = fixtures.patient_everything(patient_id)
    parts: dict[str, Any] = {}
    for need in DATA_NEEDED:
        found = [r for r in resources if r["resourceType"] == need.resource_type]
        parts[need.key] = Present(as_bytes(*found)) if found else NOTHING
    return parts


def fixture_chart(name: str, catalogue: Catalogue) -> Chart:
    return chart(everything(f"pat-{name}"), catalogue.systems, date(2026, 11, 23))


@pytest.mark.parametrize("patient", fixtures.names("patients"))
def test_every_patient_of_the_fixtures_is_read_completely(
    patient: str, catalogue: Catalogue
) -> None:
    parts = everything(patient)
    known = chart(parts, catalogue.systems, date(2026, 11, 23))
    assert known.incomplete == {}
    for part in FIELDS:
        if isinstance(parts[part], Nothing) and FIELDS[part][0] != ("therapies",):
            assert states(known, part)[0] == NOTHING


def test_what_the_fixtures_are_for(catalogue: Catalogue) -> None:
    ottoline = fixture_chart("ottoline-fiddlewood", catalogue)
    assert isinstance(ottoline.conditions, Present)
    assert {c.kind for c in ottoline.conditions.value} == {"family history"}
    assert fixture_chart("phineas-rumblethorpe", catalogue).conditions == NOTHING
    quentin = fixture_chart("quentin-dappleford", catalogue).conditions
    assert isinstance(quentin, Present)
    assert [c.active for c in quentin.value if "asthma" in c.text.lower()] == [False]
    kit = fixture_chart("kit-brambleby", catalogue).results
    assert isinstance(kit, Present) and ">" in {r.comparator for r in kit.value}
    ada = fixture_chart("ada-winterbourne", catalogue)
    assert isinstance(ada.therapies, Present) and isinstance(ada.administrations, Present)
    assert {t.kind for t in ada.therapies.value} == {"request", "dispense", "administration"}
    assert len(ada.administrations.value) == 3
    basil = fixture_chart("basil-tiddlywick", catalogue).authorizations
    assert isinstance(basil, Present) and basil.value[0].granted
    assert isinstance(fixture_chart("inigo-sparrowhawk", catalogue).studies, Present)
