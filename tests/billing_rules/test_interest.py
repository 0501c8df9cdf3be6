"""Passing over what no rule looks at changes nothing that a rule says."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import ASKED_BY_CODE
from billing_rules.fhir import reading
from billing_rules.fhir.read.chart import Interest
from billing_rules.model.chart import Chart
from billing_rules.model.states import NOTHING, Present, Unknown
from billing_rules.review import review

TODAY = date(2026, 11, 23)
PARTS = (
    "patient",
    "coverage",
    "weight",
    "conditions",
    "observations",
    "medications",
    "statements",
    "dispenses",
    "administrations",
    "allergies",
)
LISTS = ("results", "weights", "therapies", "administrations")
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
Json = dict[str, Any]

ORDER = fixtures.hook_request("story-j2356-on-omalizumab")
STATIN = {"coding": [{"system": RXNORM, "code": "617314", "display": "atorvastatin 20 MG tablet"}]}
PULSE = {"coding": [{"system": "http://loinc.org", "code": "8867-4", "display": "Heart rate"}]}


def observation(**changes: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": "pulse",
        "status": "final",
        "code": PULSE,
        "effectiveDateTime": "2026-01-02",
        "valueQuantity": {"value": 72, "unit": "/min"},
    } | changes


def medicine(kind: str = "MedicationRequest", **changes: Any) -> Json:
    return {
        "resourceType": kind,
        "id": "statin",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": STATIN,
        "authoredOn": "2026-01-02",
    } | changes


def charts(parts: dict[str, Any], catalogue: Catalogue) -> tuple[Chart, Chart]:
    """(everything read, what is of no interest passed over)."""
    systems = catalogue.systems
    return (
        reading.chart(parts, systems, TODAY, ASKED_BY_CODE),
        reading.chart(parts, systems, TODAY, ASKED_BY_CODE, Interest(catalogue)),
    )


def part(found: Iterable[Json]) -> Any:
    raw = tuple(json.dumps(one).encode() for one in found)
    return Present(raw) if raw else NOTHING


def sent(key: str) -> list[Json]:
    value = ORDER["prefetch"].get(key)
    if not value:
        return []
    return [e["resource"] for e in value["entry"]] if "entry" in value else [value]


@pytest.mark.parametrize("seed", range(40))
def test_every_rule_says_the_same(seed: int, catalogue: Catalogue) -> None:
    chance = random.Random(seed)
    parts = {}
    for key in PARTS:
        found = [one for one in sent(key) if chance.random() < 0.7]
        found += [observation()] * 2 if key == "observations" else []
        found += [medicine()] * 2 if key == "medications" else []
        chance.shuffle(found)
        parts[key] = part(found)
    lines = reading.draft_orders(
        list(reading.entries(ORDER["context"]["draftOrders"])), catalogue.systems, lambda _: None
    )
    full, less = charts(parts, catalogue)
    assert review(lines, less, catalogue, TODAY) == review(lines, full, catalogue, TODAY)


def test_the_unknown_pulse_and_statin_are_passed_over(catalogue: Catalogue) -> None:
    weight = sent("weight")[0]
    parts = {
        "observations": part([observation(), *sent("observations"), observation()]),
        "medications": part([medicine(), *sent("medications")]),
        "weight": part([weight]),
    }
    full, less = charts(parts, catalogue)
    assert isinstance(full.results, Present) and isinstance(less.results, Present)
    assert [r for r in full.results.value if r.reference != "Observation/pulse"] == [
        *less.results.value
    ]
    assert isinstance(full.therapies, Present) and isinstance(less.therapies, Present)
    assert "MedicationRequest/statin" not in {t.reference for t in less.therapies.value}


@pytest.mark.parametrize("key", ["observations", "medications"])
def test_a_part_without_anything_of_interest_is_not_empty(key: str, catalogue: Catalogue) -> None:
    make = observation if key == "observations" else medicine
    drafts = [make(status="entered-in-error"), make(), make()]
    full, less = charts({key: part(drafts)}, catalogue)
    for name in LISTS:
        state, whole = getattr(less, name), getattr(full, name)
        assert type(state) is type(whole), name
        if isinstance(state, Present):
            assert set(state.value) <= set(whole.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"code": {"coding": "?"}},
        {"code": {"text": "IgE"}},
        {"code": {**PULSE, "text": "Skin prick test, cat"}},
        {"code": {**PULSE, "extension": [{"url": "x"}]}},
        {"code": None},
        {"component": [{"code": {"text": "Total IgE"}, "valueString": "high"}]},
        {
            "contained": [
                {"resourceType": "Observation", "id": "m", "code": {"text": "Total IgE"}}
            ],
            "hasMember": [{"reference": "#m"}],
        },
    ],
)
def test_what_might_be_of_interest_is_read(changes: Json, catalogue: Catalogue) -> None:
    found = [*sent("observations"), observation(**changes)]
    full, less = charts({"observations": part(found)}, catalogue)
    assert less == full


def test_an_entry_that_cannot_be_read_is_still_a_gap(catalogue: Catalogue) -> None:
    broken = b'{"resourceType":"Observation","code":{"text":"Heart rate"},'
    parts = {"observations": Present((json.dumps(observation()).encode(), broken))}
    full, less = charts(parts, catalogue)
    assert less.incomplete == full.incomplete != {}
    unknown = {"observations": Present((broken, Unknown("a page was not read")))}
    full, less = charts(unknown, catalogue)
    assert less == full
