"""Any JSON value in the place of any element of an order or a chart never raises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_rules.fhir.json.values import copied
from billing_rules.fhir.reading import bundle_resources, chart, draft_orders, entries, resolver
from billing_rules.fhir.write.corrections import NotCorrectable, corrected
from billing_rules.model.chart import Chart
from billing_rules.model.entities import Code, OrderLine
from billing_rules.model.findings import (
    AddDiscardedLine,
    RemoveLine,
    ReplaceCode,
    SetBilledUnits,
    SetModifiers,
)
from billing_rules.model.states import Present
from tests.billing_rules.fhir.samples import PREFERRED, SYSTEMS, Json, all_orders
from tests.billing_rules.fhir.test_chart import ON, coverage, weight

ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["#m", "mg", "JW", "2026-03-01", "Medication/m", "9" * 400, "1e999"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "coding",
                    "code",
                    "system",
                    "value",
                    "unit",
                    "reference",
                    "extension",
                    "url",
                    "text",
                    "period",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
NASTY: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    10**30,
    1e308,
    float("nan"),
    float("inf"),
    "",
    " ",
    "x",
    "J2357-JW",
    "\ud800",
    "\x00",
    "9" * 5000,
    [],
    {},
    [None],
    [[]],
    [{}],
    [[[5]]],
    {"coding": 5},
    {"x": None},
    [{"coding": [{"code": 5, "system": []}]}],
    {"reference": "#"},
    {"reference": 7},
    {"value": "x"},
    {"value": 1, "unit": ["mg"]},
)

Path = tuple[Any, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    if not isinstance(value, (dict, list)):
        return
    for place, child in value.items() if isinstance(value, dict) else enumerate(value):
        yield from places(child, (*path, place))


def put(resource: Json, path: Path, value: Any) -> Any:
    if not path:
        return value
    copy = copied(resource)
    parent = copy
    for place in path[:-1]:
        parent = parent[place]
    parent[path[-1]] = value
    return copy


def read(resource: Any) -> tuple[OrderLine, ...]:
    resources = list(entries({"entry": [{"resource": resource}]}))
    return draft_orders(resources, SYSTEMS, resolver(resources))


def correct(resource: Any) -> None:
    for line in read(resource):
        where, item = line.reference, line.item
        for correction in (
            *(ReplaceCode(where, item, code, Code("hcpcs", "J2357", "x")) for code in line.codes),
            SetBilledUnits(where, item, 60),
            SetModifiers(where, item or 0, add=("JZ",), remove=line.modifiers),
            AddDiscardedLine(where, item or 0, 15),
            RemoveLine(where, item or 0),
        ):
            try:
                corrected(resource, [correction], PREFERRED, SYSTEMS)
            except NotCorrectable as reason:
                assert str(reason)


ORDERS = all_orders()
ORDER_PLACES = [(i, path) for i, order in enumerate(ORDERS) for path in places(order) if path]
CHART = {
    "coverage": coverage(),
    "weight": weight(),
    "patient": {"resourceType": "Patient", "birthDate": "1980-01-01"},
    "encounter": {"resourceType": "Encounter", "class": {"code": "AMB"}},
}
CHART_PLACES = [(part, path) for part, resource in CHART.items() for path in places(resource)]


def charted(part: str, resource: Any) -> Chart:
    raw = json.dumps(resource).encode()
    chart({part: Present((resource if isinstance(resource, dict) else raw,))}, SYSTEMS, ON)
    bundle_resources(raw)
    return chart({part: Present((raw,))}, SYSTEMS, date(2026, 3, 1))


@pytest.mark.parametrize("order", range(len(ORDERS)))
def test_nasty_values_at_every_place_of_every_order(order: int) -> None:
    for at, path in ORDER_PLACES:
        for value in NASTY if at == order else ():
            damaged = put(ORDERS[order], path, value)
            for line in read(damaged):
                assert line.reference
            correct(damaged)


@given(st.sampled_from(ORDER_PLACES), ANY)
def test_any_value_at_any_place_of_an_order(place: tuple[int, Path], value: Any) -> None:
    damaged = put(ORDERS[place[0]], place[1], value)
    read(damaged)
    correct(damaged)


@given(st.integers(0, len(ORDERS) - 1), st.data())
def test_several_values_at_once(order: int, data: st.DataObject) -> None:
    damaged: Any = ORDERS[order]
    for _ in range(3):
        path = data.draw(st.sampled_from([p for p in places(damaged) if p] or [("id",)]))
        damaged = put(damaged, path, data.draw(ANY))
    read(damaged)
    correct(damaged)


@given(ANY)
def test_anything_in_place_of_a_bundle(value: Any) -> None:
    for wrapped in (value, {"entry": value}, [value], {"resource": value}):
        draft_orders(entries(wrapped), SYSTEMS, resolver(wrapped), frozenset({"x"}))
    bundle_resources(json.dumps(value).encode())


@pytest.mark.parametrize("part", CHART)
def test_nasty_values_at_every_place_of_the_chart(part: str) -> None:
    for its, path in CHART_PLACES:
        for value in NASTY if its == part else ():
            charted(part, put(CHART[part], path, value))


@given(st.sampled_from(CHART_PLACES), ANY)
def test_any_value_at_any_place_of_the_chart(place: tuple[str, Path], value: Any) -> None:
    charted(place[0], put(CHART[place[0]], place[1], value))


def test_a_resource_nested_deeper_than_python_can_recurse() -> None:
    deep: Any = {"url": "/ext-billing-options"}
    for _ in range(3000):
        deep = {"url": "/ext-billing-options", "extension": [deep]}
    order = {"resourceType": "ServiceRequest", "id": "sr", "code": {"extension": [deep]}}
    assert len(draft_orders([order], SYSTEMS, lambda _: None)) == 1
    assert corrected(order, [SetBilledUnits("ServiceRequest/sr", None, 1)], PREFERRED)


def test_a_resolver_that_answers_nonsense_is_no_error() -> None:
    for value in NASTY:
        draft_orders(ORDERS, SYSTEMS, lambda _, found=value: found)  # type: ignore[misc]
