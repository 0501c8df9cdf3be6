"""What a parameter matches, and in what order."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox_ehr.fhir import searching
from sandbox_ehr.fhir import searching as parameters
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.searching import Kind

LOINC = "http://loinc.org"
WEIGHT: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "w",
    "meta": {"lastUpdated": "2026-11-23T10:00:00Z", "tag": [{"system": "t", "code": "demo"}]},
    "identifier": [{"system": "urn:a", "value": "7"}, {"value": "bare"}],
    "status": "final",
    "category": [{"coding": [{"system": "urn:cat", "code": "vital-signs"}]}, {"text": "words"}],
    "code": {
        "coding": [{"system": LOINC, "code": "29463-7", "display": "Body weight"}, {"code": "wt"}],
        "text": "Weight today",
    },
    "subject": {"reference": "Patient/1"},
    "encounter": {"reference": "http://ehr.example/fhir/Encounter/9"},
    "effectiveDateTime": "2026-11-23T09:00:00-06:00",
}


def matches(name: str, value: str, resource: dict[str, Any] = WEIGHT) -> bool:
    kind = resource["resourceType"]
    search = searching.read_search(kind, [(name, value)], "http://ehr.example/fhir")
    assert search.ignored == ()
    return search.matches(resource)


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("code", "29463-7", True),
        ("code", f"{LOINC}|29463-7", True),
        ("code", f"{LOINC}|", True),
        ("code", "|wt", True),
        ("code", "|29463-7", False),
        ("code", "urn:other|29463-7", False),
        ("code", "urn:other|", False),
        ("code", f"1-1,{LOINC}|29463-7", True),
        ("code", "1-1,2-2", False),
        ("code", "29463", False),
        ("code:not", "29463-7", False),
        ("code:not", "1-1", True),
        ("code:text", "weight", True),
        ("code:text", "body", True),
        ("code:text", "eight", False),
        ("status", "final", True),
        ("status", "http://hl7.org/fhir/observation-status|final", True),
        ("status", "final,amended", True),
        ("status", "amended", False),
        ("category", "vital-signs", True),
        ("category:missing", "false", True),
        ("value-concept:missing", "true", True),
        ("value-concept:missing", "false", False),
        ("identifier", "urn:a|7", True),
        ("identifier", "7", True),
        ("identifier", "|bare", True),
        ("identifier", "urn:b|7", False),
        ("_tag", "t|demo", True),
        ("_id", "w", True),
        ("_id", "x,w", True),
        ("_lastUpdated", "ge2026-11-23", True),
        ("_lastUpdated", "lt2026-11-23", False),
    ],
)
def test_tokens(name: str, value: str, answer: bool) -> None:
    assert matches(name, value) is answer


@pytest.mark.parametrize(
    ("name", "value", "answer"),
    [
        ("patient", "1", True),
        ("patient", "Patient/1", True),
        ("patient", "http://ehr.example/fhir/Patient/1", True),
        ("patient", "http://elsewhere.example/fhir/Patient/1", False),
        ("patient", "2,1", True),
        ("patient", "Group/1", False),
        ("subject", "Patient/1", True),
        ("subject:Patient", "1", True),
        ("subject:Patient", "2", False),
        ("encounter", "9", True),
        ("encounter", "Encounter/9", True),
        ("encounter:missing", "true", False),
    ],
)
def test_references(name: str, value: str, answer: bool) -> None:
    assert matches(name, value) is answer


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("2026", True),
        ("2026-11-23", True),
        ("2026-11-22", False),
        ("ge2026-11-23T15:00:00Z", True),
        ("gt2026-11-23T15:00:00Z", False),
        ("lt2026-11-24", True),
        ("2026-11-23T09:00:00-06:00", True),
        ("2026-11-23T15:00:00 00:00", True),  # "+" arrives as a space where nobody escaped it
    ],
)
def test_dates(value: str, answer: bool) -> None:
    assert matches("date", value) is answer


def test_several_parameters_must_all_hold() -> None:
    both = [("date", "ge2026-11-01"), ("date", "lt2026-12-01")]
    assert searching.read_search("Observation", both).matches(WEIGHT)
    assert not searching.read_search("Observation", [*both, ("status", "amended")]).matches(WEIGHT)


def test_names_are_found_by_how_they_start() -> None:
    patient = {
        "resourceType": "Patient",
        "id": "1",
        "name": [{"family": "Winterbourne", "given": ["Ada", "Mae"]}],
    }
    assert matches("family", "winter", patient)
    assert not matches("family", "bourne", patient)
    assert matches("family:contains", "BOURNE", patient)
    assert matches("family:exact", "Winterbourne", patient)
    assert not matches("family:exact", "winterbourne", patient)
    assert matches("name", "mae", patient)


def test_a_comma_can_be_escaped() -> None:
    patient = {"resourceType": "Patient", "id": "1", "name": [{"family": "A, B"}]}
    assert matches("family", "A\\, B", patient)
    assert not matches("family", "X\\,A", patient)


def test_a_period_is_matched_by_what_it_covers() -> None:
    encounter = {"resourceType": "Encounter", "id": "1", "period": {"start": "2026-11-23"}}
    assert matches("date", "ge2026-11-23", encounter)
    assert not matches("date", "lt2026-11-23", encounter)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("date", "yesterday"),
        ("date", "xx2026"),
        ("date", "2026-02-30"),
        ("code:in", "http://vs"),
        ("code:above", "x"),
        ("code:missing", "maybe"),
        ("patient:identifier", "x"),
        ("date:exact", "2026"),
        ("code", ",".join("x" * 5000)),
    ],
)
def test_what_cannot_be_read_is_an_error_not_a_guess(name: str, value: str) -> None:
    with pytest.raises(FhirError) as refused:
        searching.read_search("Observation", [(name, value)])
    assert refused.value.status == 400
    assert "yesterday" not in str(refused.value)


def test_what_is_not_known_is_left_out_and_named() -> None:
    search = searching.read_search(
        "Observation", [("foo", "1"), ("patient.name", "x"), ("status", "final")]
    )
    assert search.ignored == ("foo", "patient.name")
    assert search.used == (("status", "final"),)
    assert search.matches(WEIGHT)


@pytest.mark.parametrize(
    "odd",
    [
        {"code": "text"},
        {"code": {"coding": "x"}},
        {"code": {"coding": [None, 1, {}]}},
        {"code": [1, None]},
        {"subject": "Patient/1"},
        {"subject": {"reference": 5}},
        {"effectiveDateTime": 5},
        {"effectivePeriod": {"start": 7}},
        {"effectiveDateTime": "soon"},
        {"identifier": "x"},
        {"category": {}},
    ],
)
def test_odd_shapes_match_nothing_and_break_nothing(odd: dict[str, Any]) -> None:
    resource = {"resourceType": "Observation", "id": "odd", **odd}
    asked = [("code", "x"), ("patient", "1"), ("date", "2026"), ("identifier", "y")]
    for pair in asked:
        assert searching.read_search("Observation", [pair]).matches(resource) in (False,)
    for name in parameters.parameters_of("Observation"):
        searching.read_search("Observation", [("_sort", name)]).sorted([resource, WEIGHT])


# ---------------------------------------------------------------- order


def sorted_ids(by: str, resources: list[dict[str, Any]], kind: str = "Observation") -> str:
    search = searching.read_search(kind, [("_sort", by)])
    return "".join(r["id"] for r in search.sorted(resources))


def dated(id_: str, date: str | None, status: str = "final") -> dict[str, Any]:
    said = {"effectiveDateTime": date} if date else {}
    return {"resourceType": "Observation", "id": id_, "status": status, **said}


def test_newest_first_and_what_has_no_date_last() -> None:
    held = [
        dated("n", None),
        dated("b", "2026-02"),
        dated("c", "2026-03-01T10:00:00Z"),
        dated("a", "2026-01-05"),
    ]
    assert sorted_ids("-date", held) == "cban"
    assert sorted_ids("date", held) == "abcn"


def test_the_world_clock_orders_times_of_different_zones() -> None:
    held = [dated("late", "2026-01-01T20:00:00-06:00"), dated("early", "2026-01-01T23:00:00Z")]
    assert sorted_ids("date", held) == "earlylate"


def test_a_second_key_orders_equals_and_else_order_is_kept() -> None:
    held = [dated("1", "2026", "final"), dated("2", "2026", "amended"), dated("3", "2025", "final")]
    assert sorted_ids("-date,status", held) == "213"
    assert sorted_ids("status", held) == "213"
    assert sorted_ids("-_id", held) == "321"


def test_what_cannot_be_sorted_by_is_named() -> None:
    assert searching.read_search("Observation", [("_sort", "-foo,date")]).ignored == ("_sort=-foo",)


# ---------------------------------------------------------------- the table


def test_every_path_of_the_table_starts_at_an_element_of_its_type() -> None:
    from fhir.resources.R4B import get_fhir_model_class

    for kind, known in ((kind, parameters.parameters_of(kind)) for kind in parameters.TYPES):
        model = get_fhir_model_class(kind)
        elements = {f.alias or name for name, f in model.model_fields.items()}
        for name, parameter in known.items():
            for path in parameter.paths:
                assert path.partition(".")[0] in elements, f"{kind}.{path} of '{name}'"


def test_references_say_what_a_bare_id_means() -> None:
    for kind in parameters.TYPES:
        for name, parameter in parameters.parameters_of(kind).items():
            assert bool(parameter.targets) is (parameter.kind is Kind.REFERENCE), (kind, name)
