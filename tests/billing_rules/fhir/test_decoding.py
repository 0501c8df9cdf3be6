"""A resource that is as FHIR says is decoded in one step, any other is converted leniently: of one
that can be read in both ways both make the same chart."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fixtures
from bench.bodies import SIZES, body
from billing_rules.catalogue import Catalogue
from billing_rules.fhir.json import decoding, lenient, shapes
from billing_rules.fhir.read.chart import Interest
from billing_rules.fhir.reading import chart
from billing_rules.model.chart import Chart
from billing_rules.model.states import Present
from tests.billing_rules.fhir.samples import SYSTEMS, Json
from tests.billing_rules.fhir.test_any_json import ANY, NASTY, Path, places, put
from tests.billing_rules.fhir.test_chart import ON

PARTS = {
    "Observation": "observations",
    "Condition": "conditions",
    "MedicationRequest": "medications",
}
CONCEPT = {
    "coding": [{"system": "http://loinc.org", "code": "19113-0", "display": "IgE"}],
    "text": "IgE, total",
}
OBSERVATION: Json = {
    "resourceType": "Observation",
    "id": "o",
    "status": "final",
    "code": CONCEPT,
    "effectiveDateTime": "2026-03-01T08:00:00Z",
    "issued": "2026-03-02",
    "valueQuantity": {
        "value": 168.5,
        "unit": "IU/mL",
        "system": "http://unitsofmeasure.org",
        "code": "[IU]/mL",
        "comparator": ">",
    },
    "interpretation": [{"coding": [{"code": "H"}], "text": "High"}],
}
CONDITION: Json = {
    "resourceType": "Condition",
    "id": "c",
    "clinicalStatus": {"coding": [{"code": "active"}]},
    "verificationStatus": {"coding": [{"code": "confirmed"}]},
    "code": {
        "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J4550"}],
        "text": "Severe persistent asthma",
    },
    "onsetDateTime": "2020-05-01",
    "recordedDate": "2020-06-01",
}
REQUEST: Json = {
    "resourceType": "MedicationRequest",
    "id": "r",
    "status": "completed",
    "intent": "order",
    "medicationCodeableConcept": CONCEPT,
    "authoredOn": "2025-05-01T10:00:00Z",
    "doNotPerform": False,
    "dosageInstruction": [
        {"timing": {"repeat": {"frequency": 1}}, "route": {"text": "Oral"}},
        {"text": "as directed"},
    ],
    "dispenseRequest": {
        "validityPeriod": {"start": "2025-05-02", "end": "2025-06"},
        "numberOfRepeatsAllowed": 2,
        "expectedSupplyDuration": {
            "value": 30,
            "unit": "days",
            "code": "d",
            "system": "http://unitsofmeasure.org",
        },
    },
}
PLAIN = (OBSERVATION, CONDITION, REQUEST)
# Elements that make a resource more than plain, or that plain ones have beside those above.
ELEMENTS = (
    "component",
    "hasMember",
    "contained",
    "medicationReference",
    "effectivePeriod",
    "status",
    "effectiveInstant",
    "abatementDateTime",
    "abatementBoolean",
    "assertedDate",
    "onsetPeriod",
    "valueString",
    "dataAbsentReason",
    "extension",
    "medication",
    "dosage",
    "code",
    "intent",
)


def read_as(part: str, *resources: Any, interest: Interest | None = None) -> Chart:
    """The chart of one part."""
    return chart({part: Present(resources)}, SYSTEMS, ON, interest=interest)


def both_agree(resource: Any, interest: Interest | None = None) -> bool:
    """Whether it was as FHIR says at all; fails where the two readings differ."""
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str) or kind not in PARTS:
        return False
    raw = json.dumps(resource).encode()
    again = decoding.json_of(raw)  # 1E400 and the like, as any reader of JSON sees them
    converted = lenient.converted(again, decoding.SHAPES[kind]) if again else None
    read = read_as(PARTS[kind], raw, interest=interest)
    if converted is not None:
        assert read == read_as(PARTS[kind], converted, interest=interest), resource
    found = decoding.decoded(raw)
    return found is not None and shapes.lost_of(found) is None


def charted() -> Iterator[Json]:
    """Every resource of the fixtures' charts and of the benchmark's."""
    yield from fixtures.resources(drafts=True)
    for name in fixtures.names("hook_requests"):
        yield from _in(fixtures.hook_request(name))
    for count in SIZES.values():
        yield from _in(json.loads(body(count)))


def _in(value: Any) -> Iterator[Json]:
    if isinstance(value, dict):
        if value.get("resourceType") in PARTS:
            yield value
        for member in value.values():
            yield from _in(member)
    elif isinstance(value, list):
        for member in value:
            yield from _in(member)


def test_both_readings_agree_on_every_fixture_and_on_the_benchmark() -> None:
    found = [one for one in charted() if one.get("resourceType") in PARTS]
    read = sum(both_agree(resource) for resource in found)
    assert read > len(found) * 0.9, "nearly all are as FHIR says"


@pytest.mark.parametrize("resource", PLAIN, ids=lambda r: r["resourceType"])
def test_both_readings_agree_with_anything_nasty_in_any_place(resource: Json) -> None:
    assert both_agree(resource)
    for path in places(resource):
        for value in NASTY:
            both_agree(put(resource, path, value) if path else value)
    for element in ELEMENTS:
        for value in (*NASTY, "2026-01-01", "entered-in-error", [{"text": "x"}]):
            both_agree({**resource, element: value})


@given(st.sampled_from(PLAIN), st.data())
@settings(max_examples=300, deadline=None)
def test_both_readings_agree_with_anything_anywhere(resource: Json, data: st.DataObject) -> None:
    damaged: Any = resource
    for _ in range(data.draw(st.integers(1, 3))):
        paths: list[Path] = [p for p in places(damaged) if p] or [("id",)]
        damaged = put(damaged, data.draw(st.sampled_from(paths)), data.draw(ANY))
    both_agree(damaged)


@pytest.mark.parametrize("number", [0, -0.0, -3, 1e-9, 9.9e-10, 1e12, 999999999999.9, 1e300])
def test_both_readings_agree_on_every_size_of_number(number: float) -> None:
    quantity = {**OBSERVATION["valueQuantity"], "value": number}
    both_agree({**OBSERVATION, "valueQuantity": quantity})


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", " Cancelled ", "preliminary"])
def test_both_readings_agree_on_what_is_withdrawn(status: str) -> None:
    assert both_agree({**OBSERVATION, "status": status})


@pytest.mark.parametrize("clinical", ["active", "resolved", "Recurrence", "unheard of", ""])
@pytest.mark.parametrize("verified", ["confirmed", "refuted", "provisional", ""])
@pytest.mark.parametrize("abated", [None, "", "2021-01-01"])
def test_both_readings_agree_on_the_status_of_a_condition(
    clinical: str, verified: str, abated: str | None
) -> None:
    assert both_agree(
        {
            **CONDITION,
            "clinicalStatus": {"coding": [{"code": clinical}]},
            "verificationStatus": {"text": verified},
            "abatementDateTime": abated,
        }
    )


@pytest.mark.parametrize("status", ["active", "completed", "stopped", "draft", "", "cancelled"])
@pytest.mark.parametrize(
    "supply",
    [
        {"value": 30, "unit": "d"},
        {"value": 4, "unit": "wk"},
        {"value": 30},
        {"unit": "d"},
        {"value": 3, "comparator": ">"},
        {"value": 1, "unit": "x"},
        {"value": 0},
        {"value": 1e5},
        {"value": 1e300},
    ],
)
@pytest.mark.parametrize("repeats", [None, 0, 3, -1, 10**6, 1.5, "2"])
def test_both_readings_agree_on_how_long_an_order_lasts(
    status: str, supply: Json, repeats: Any
) -> None:
    dispense = {"expectedSupplyDuration": supply, "numberOfRepeatsAllowed": repeats}
    both_agree({**REQUEST, "status": status, "dispenseRequest": dispense})


@pytest.mark.parametrize(
    "routes",
    [
        [{}, {"text": "Oral"}],
        [{"text": "Oral"}, {"text": "oral"}],
        [None, {"text": "x"}],
        [{"coding": []}, {"text": "Oral"}],
        [{"text": ""}, {"text": "Oral"}],
        [{"text": "a"}, {}],
    ],
)
def test_both_readings_agree_on_the_route_of_an_order(routes: list[Any]) -> None:
    dosages = [{"route": route} for route in routes]
    both_agree({**REQUEST, "dosageInstruction": dosages})


def test_what_no_rule_looks_at_is_passed_over_by_its_name_alone(catalogue: Catalogue) -> None:
    interest = Interest(catalogue)
    pulse = {**OBSERVATION, "code": {"text": "Heart rate"}}
    raw = [json.dumps(one).encode() for one in (OBSERVATION, pulse)]
    found = read_as("observations", *raw, interest=interest).results
    assert isinstance(found, Present) and [m.text for m in found.value] == ["IgE, total"]


def test_a_name_that_may_be_more_than_it_seems_is_never_passed_over(catalogue: Catalogue) -> None:
    """A code in the shape of HCPCS gives rise to a note, so it is read whatever it is called."""
    odd = {**OBSERVATION, "code": {"coding": [{"code": "G0001"}], "text": "Heart rate"}}
    raw = [json.dumps(one).encode() for one in (OBSERVATION, odd)]
    found = read_as("observations", *raw, interest=Interest(catalogue)).results
    assert isinstance(found, Present) and len(found.value) == 2


def test_dates_are_read_alike() -> None:
    for written in ("2026-03-01", "2026-03", "2026-13-01", " 2026-03-01 ", "", "2026-03-01T"):
        both_agree({**OBSERVATION, "effectiveDateTime": written})
        both_agree({**CONDITION, "onsetDateTime": written})
    assert (
        date(2026, 3, 1)
        == read_as("observations", json.dumps(OBSERVATION).encode()).results.value[0].on
    )  # type: ignore[union-attr]
