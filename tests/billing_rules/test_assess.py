"""A patient is read once and judged as of any date: both sides of the day, for each part."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import pytest

from bench import a_year
from billing_rules.assess import PatientChart, assess, read_orders, read_patient
from billing_rules.catalogue import Catalogue
from billing_rules.data_needed import OLDER_LEFT
from billing_rules.fhir import reading
from billing_rules.model.chart import Chart
from billing_rules.model.states import NOTHING, Present, Unknown
from billing_rules.review import OrderReview, review
from tests.billing_rules.fhir import chart_samples as samples
from tests.billing_rules.fhir.samples import LOINC, UCUM, Json, administration, concept
from tests.billing_rules.fhir.test_chart import coverage

TODAY = date(2026, 11, 23)
DAY = date(2026, 1, 20)
BEFORE = DAY - timedelta(days=1)


def weight(day: str | None = str(DAY), **changes: Any) -> Json:
    return samples.result(
        70,
        "kg",
        code=concept(LOINC, "29463-7", "Body weight"),
        valueQuantity={"value": 70, "unit": "kg", "system": UCUM, "code": "kg"},
        effectiveDateTime=day,
        **changes,
    )


# Chart's list -> the part it is read from, a resource dated DAY, and the same without a date.
DATED: Mapping[str, tuple[str, Json, Json]] = {
    "weights": ("weight", weight(), weight(None)),
    "results": (
        "observations",
        samples.result(effectiveDateTime=str(DAY)),
        samples.result(effectiveDateTime=None),
    ),
    "conditions": (
        "conditions",
        samples.condition(onsetDateTime=str(DAY)),
        samples.condition(onsetDateTime=None),
    ),
    "allergies": (
        "allergies",
        samples.allergy(onsetDateTime=str(DAY)),
        samples.allergy(onsetDateTime=None),
    ),
    "procedures": (
        "procedures",
        samples.procedure(performedDateTime=str(DAY)),
        samples.procedure(performedDateTime=None),
    ),
    "therapies": (
        "dispenses",
        samples.dispense(whenHandedOver=str(DAY), whenPrepared=None),
        samples.dispense(whenHandedOver=None, whenPrepared=None),
    ),
    "administrations": (
        "administrations",
        administration(effectivePeriod={"start": str(DAY)}),
        administration(effectivePeriod=None),
    ),
    "authorizations": (
        "authorizations",
        samples.answer(created=str(DAY)),
        samples.answer(created=None),
    ),
    "studies": (
        "studies",
        samples.subject(period={"start": str(DAY)}),
        samples.subject(period=None),
    ),
}
MEDICINES = ("medications", "statements", "dispenses", "administrations")


def patient_of(catalogue: Catalogue, **parts: Any) -> PatientChart:
    found = {key: Present(tuple(value)) if value else NOTHING for key, value in parts.items()}
    return read_patient(found, catalogue, TODAY, every_date=True)


@pytest.mark.parametrize("name", DATED)
def test_what_is_dated_later_does_not_exist_yet(catalogue: Catalogue, name: str) -> None:
    part, dated, _ = DATED[name]
    # Medicines are one list of four parts: none only when each of them is none.
    others = dict.fromkeys(MEDICINES, []) if name == "therapies" else {}
    patient = patient_of(catalogue, **{**others, part: [dated]})
    today = getattr(patient.chart, name)
    assert isinstance(today, Present) and len(today.value) == 1
    assert getattr(patient.as_of(DAY).chart, name) == today
    assert getattr(patient.as_of(BEFORE).chart, name) == NOTHING


@pytest.mark.parametrize("name", DATED)
def test_what_has_no_date_stays(catalogue: Catalogue, name: str) -> None:
    part, _, undated = DATED[name]
    patient = patient_of(catalogue, **{part: [undated]})
    assert isinstance(getattr(patient.chart, name), Present)
    assert getattr(patient.as_of(BEFORE).chart, name) == getattr(patient.chart, name)


@pytest.mark.parametrize("name", DATED)
def test_the_later_of_two_goes_and_the_earlier_stays(catalogue: Catalogue, name: str) -> None:
    part, dated, _ = DATED[name]
    text = json.dumps(dated)
    early = json.loads(text.replace(str(DAY), str(BEFORE))) | {"id": "early"}
    patient = patient_of(catalogue, **{part: [dated, early]})
    assert len(getattr(patient.as_of(DAY).chart, name).value) == 2
    (left,) = getattr(patient.as_of(BEFORE).chart, name).value
    assert left.reference.endswith("/early")


@pytest.mark.parametrize("name", [name for name in DATED if name not in ("weights", "therapies")])
def test_what_may_not_be_all_is_unknown_and_not_none(catalogue: Catalogue, name: str) -> None:
    part, dated, _ = DATED[name]
    patient = patient_of(catalogue, **{part: [dated, Unknown("a page was not read")]})
    assert getattr(patient.as_of(BEFORE).chart, name) == Unknown("a page was not read")


def test_the_newest_weights_alone_say_nothing_of_an_earlier_day(catalogue: Catalogue) -> None:
    patient = patient_of(catalogue, weight=[weight(), OLDER_LEFT])
    assert not patient.chart.why_not("weights"), "the newest is enough for today"
    assert patient.as_of(BEFORE).chart.weights == OLDER_LEFT


def test_the_coverage_is_the_one_in_force_then(catalogue: Catalogue) -> None:
    old = coverage(id="old", period={"end": str(BEFORE)})
    new = coverage(id="new", period={"start": str(DAY)})
    patient = patient_of(catalogue, coverage=[old, new])

    def active(chart: Chart) -> list[str]:
        assert isinstance(chart.coverages, Present)
        return [one.reference for one in chart.coverages.value if one.active]

    assert active(patient.chart) == active(patient.as_of(DAY).chart) == ["Coverage/new"]
    assert active(patient.as_of(BEFORE).chart) == ["Coverage/old"]


def test_what_was_entered_later_is_not_entered_yet(catalogue: Catalogue) -> None:
    saved = samples.answers(authored=str(DAY), subject={"reference": "Patient/p1"})
    person = {"resourceType": "Patient", "id": "p1"}
    patient = patient_of(catalogue, patient=[person], answers=[saved])
    assert isinstance(patient.as_of(DAY).chart.answers, Present)
    assert patient.as_of(BEFORE).chart.answers == NOTHING


# ---------------------------------------------------------------- the whole way


def said(reviews: tuple[OrderReview, ...]) -> list[tuple[Any, ...]]:
    return [(r.order, r.payer, r.plan, r.outcomes) for r in reviews]


def test_a_year_is_judged_as_if_each_day_had_been_read_by_itself(catalogue: Catalogue) -> None:
    """A resource of the year is in the chart of a day when it is dated that day or before."""
    parts = {
        key: part
        for key, part in a_year.parts().items()
        if key in ("patient", "coverage", "weight", "dispenses", "administrations", "studies")
    }
    patient = read_patient(parts, catalogue, TODAY, every_date=True)
    orders, claims = a_year.orders(), a_year.claims()
    for day in a_year.days():
        there = {
            key: Present(kept)
            if (kept := tuple(r for r in _each(part) if _on(r) <= day))
            else NOTHING
            for key, part in parts.items()
        }
        chart = reading.chart(there, catalogue.systems, day, patient.chart.asked_by_code)
        for sent in (orders[day], claims[day]):
            lines = read_orders(sent, catalogue)
            alone = review(lines, chart, catalogue, day)
            assert alone and said(assess(lines, patient.as_of(day))) == said(alone)


def _each(part: Any) -> tuple[bytes, ...]:
    return part.value if isinstance(part, Present) else ()


def _on(resource: bytes) -> date:
    told = json.loads(resource)
    day = told.get("effectiveDateTime") or told.get("whenHandedOver") or "0001-01-01"
    return date.fromisoformat(day[:10])


def test_an_order_of_a_day_does_not_see_the_doses_after_it(catalogue: Catalogue) -> None:
    patient = read_patient(a_year.parts(), catalogue, TODAY, every_date=True)
    for place, day in enumerate(a_year.days()):
        then = patient.as_of(day)
        assert isinstance(then.past.visits, Present)
        visits = [visit for visit in then.past.visits.value if visit.drug_id == "omalizumab"]
        assert len(visits) == place + 1
        (found, *_) = assess(read_orders(a_year.orders()[day], catalogue), then)
        assert found.order.date_of_service == day


def test_a_dose_by_weight_is_worked_out_with_the_weight_of_its_day(catalogue: Catalogue) -> None:
    """Doses per kilogram are not the same whatever else the chart holds."""
    early = weight(str(BEFORE), id="early")
    late = weight(str(DAY + timedelta(days=30)), id="late") | {
        "valueQuantity": {"value": 90, "unit": "kg", "system": UCUM, "code": "kg"}
    }
    given = administration(
        id="given",
        contained=None,
        medicationReference=None,
        medicationCodeableConcept={"text": "reslizumab"},
        effectivePeriod={"start": str(DAY)},
        dosage={"dose": {"value": 3, "unit": "mg/kg", "system": UCUM, "code": "mg/kg"}},
    )
    patient = patient_of(catalogue, weight=[early, late], administrations=[given])

    def doses(one: PatientChart) -> list[str]:
        assert isinstance(one.past.visits, Present)
        return [str(v.dose.value) for v in one.past.visits.value if isinstance(v.dose, Present)]

    assert doses(patient) == ["270 mg"] and doses(patient.as_of(DAY)) == ["210 mg"]


def test_orders_are_read_from_bytes_bundles_lists_and_resources(catalogue: Catalogue) -> None:
    (sent, *_) = a_year.orders().values()
    order = json.loads(sent)
    bundle = {"resourceType": "Bundle", "entry": [{"resource": order}]}
    expected = read_orders([order], catalogue)
    assert len(expected) == 1
    for orders in (sent, order, bundle, json.dumps(bundle).encode()):
        assert read_orders(orders, catalogue) == expected
    assert read_orders(None, catalogue) == read_orders([], catalogue) == ()
