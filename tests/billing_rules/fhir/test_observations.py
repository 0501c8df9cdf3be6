"""Results of laboratories, tests and questionnaires."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from billing_rules.model.chart import Measured
from billing_rules.model.states import NOTHING, Present, Unknown
from tests.billing_rules.fhir.chart_samples import charted, only, panel, result
from tests.billing_rules.fhir.samples import LOINC, SNOMED, concept
from tests.billing_rules.fhir.test_chart import weight


def the_result(*args: Any, **changes: Any) -> Measured:
    return only(charted({"observations": [result(*args, **changes)]}).results)


def test_a_result_keeps_value_words_date_and_interpretation() -> None:
    found = the_result()
    assert (found.reference, found.text, str(found.value)) == (
        "Observation/o",
        "IgE, total",
        "168 IU/mL",
    )
    assert (found.on, found.interpretation, found.final) == (date(2026, 1, 10), ("H",), True)


@pytest.mark.parametrize(
    ("value", "unit", "read"),
    [
        (168, "IU/mL", "168 IU/mL"),
        (168, "k[IU]/L", "168 IU/mL"),
        (168, "kU/L", "168 IU/mL"),
        (14.2, "kUA/L", "14.2 IU/mL"),
        (0, "kU/L", "0 IU/mL"),
        (68, "%", "68 %"),
        (68, "% predicted", "68 %"),
        (13, "{score}", "13 points"),
        (0.58, "10*3/uL", None),
        (580, "cells/uL", "580 cells/uL"),
        (2.1, "L", "2.1 L"),
        (6, "mm", "6 mm"),
        (403, "ng/mL", "403 ng/mL"),
    ],
)
def test_a_value_is_kept_in_its_own_unit(value: Any, unit: str, read: str | None) -> None:
    found = the_result(value, unit)
    assert found.value is not None
    assert str(found.value) == (read or f"{value} {unit}")


def test_counts_of_cells_convert_exactly() -> None:
    thousands = the_result(0.58, "K/uL").value
    assert thousands is not None and str(thousands.to("/uL")) == "580 cells/uL"


@pytest.mark.parametrize(
    ("changes", "as_written"),
    [
        ({"valueString": "Class 3"}, "Class 3"),
        ({"valueInteger": 13}, "13"),
        (
            {"valueCodeableConcept": concept(SNOMED, "10828004", "Positive (qualifier value)")},
            "Positive",
        ),
        ({"valueCodeableConcept": {"coding": [{"code": "POS"}]}}, "POS"),
        ({"valueBoolean": True}, "yes"),
        (
            {"valueRange": {"low": {"value": 1, "unit": "%"}, "high": {"value": 5, "unit": "%"}}},
            "1 % to 5 %",
        ),
        ({"valueRange": {"high": {"value": 5, "unit": "%"}}}, "<= 5 %"),
        ({"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 40}}}, "1:40"),
        ({"dataAbsentReason": {"text": "Specimen lost"}}, "no value: Specimen lost"),
        ({"dataAbsentReason": {"coding": [{"code": "error"}]}}, "no value: error"),
        ({"valueQuantity": {"value": 168, "unit": "furlongs"}}, "168 furlongs"),
        ({"valueQuantity": {"value": -1, "unit": "kU/L"}}, "-1 kU/L"),
        ({"valueQuantity": {"unit": "kU/L"}, "valueString": "see note"}, "kU/L see note"),
    ],
)
def test_what_is_no_amount_is_kept_as_written(changes: Any, as_written: str) -> None:
    found = the_result(**({"valueQuantity": None} | changes))
    assert (found.value, found.as_written) == (None, as_written)


def test_a_bound_keeps_its_comparator() -> None:
    found = the_result(valueQuantity={"value": 2000, "comparator": ">", "unit": "IU/mL"})
    assert (found.comparator, str(found.value), found.as_written) == (
        ">",
        "2,000 IU/mL",
        "> 2,000 IU/mL",
    )


@pytest.mark.parametrize(
    ("interpretation", "marks"),
    [
        ({"text": "Positive"}, ("POS",)),
        (concept(SNOMED, "260385009", "Negative (qualifier value)"), ("260385009", "NEG")),
        ([concept("http://x", "POS", "Positive")], ("POS",)),
        ({"text": "see below"}, ()),
    ],
)
def test_interpretations_in_words(interpretation: Any, marks: tuple[str, ...]) -> None:
    assert the_result(interpretation=interpretation).interpretation == marks


@pytest.mark.parametrize("status", ["preliminary", "registered"])
def test_what_is_not_final_says_so(status: str) -> None:
    assert not the_result(status=status).final
    assert the_result(status="corrected").final and the_result(status=None).final


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled"])
def test_withdrawn_results_are_not_there(status: str) -> None:
    assert charted({"observations": [result(status=status)]}).results == NOTHING


def test_components_are_results_of_their_own_and_an_empty_panel_is_none() -> None:
    found = charted({"observations": [panel(status="preliminary")]}).results
    assert isinstance(found, Present)
    mite, cat = found.value
    assert mite.text == "American house dust mite IgE Ab in Serum"
    assert str(mite.value) == "14.2 IU/mL"
    assert (cat.text, cat.as_written, cat.interpretation) == ("Cat dander IgE", "Class 3", ("POS",))
    for each in found.value:
        assert (each.reference, each.on) == ("Observation/panel", date(2026, 1, 10))
        assert not each.final


def test_a_component_of_a_skin_test_says_of_which_test() -> None:
    component = [{"code": {"text": "Dust mite"}, "valueQuantity": {"value": 6, "unit": "mm"}}]
    skin = panel(code={"text": "Skin prick test"}, component=component)
    assert only(charted({"observations": [skin]}).results).text == "Skin prick test: Dust mite"


def test_contained_members_are_results_and_others_are_read_where_they_are() -> None:
    members = [{"reference": "#a"}, {"reference": "#b"}, {"reference": "Observation/elsewhere"}]
    contained = [result(id="a", effectiveDateTime=None), result(id="b", status="cancelled")]
    whole = panel(component=None, hasMember=members, contained=contained)
    found = only(charted({"observations": [whole]}).results)
    assert (found.reference, found.text) == ("Observation/panel", "IgE, total")
    assert found.on == date(2026, 1, 10)


# ---------------------------------------------------------------- weights among the results


def test_weights_among_the_observations_count_where_none_was_sent_as_weight() -> None:
    found = charted({"observations": [weight(70), result(), weight(72, day="2026-02-20")]})
    assert isinstance(found.weights, Present)
    assert [str(w.value) for w in found.weights.value] == ["72 kg", "70 kg"]
    assert not found.missing_is_sure("weights")
    asked = charted({"weight": [], "observations": [weight(70)]})
    assert isinstance(asked.weights, Present) and asked.missing_is_sure("weights")


def test_the_part_weight_goes_first() -> None:
    found = charted({"weight": [weight(70)], "observations": [weight(90)]})
    assert isinstance(found.weights, Present)
    assert [str(w.value) for w in found.weights.value] == ["70 kg"]


def test_no_weight_among_the_observations_proves_nothing() -> None:
    assert isinstance(charted({"observations": [result()]}).weights, Unknown)


def test_a_result_of_another_mass_is_no_weight() -> None:
    birth = weight(3, code=concept(LOINC, "8339-4", "Birth weight"))
    assert isinstance(charted({"observations": [birth]}).weights, Unknown)
    bad = weight(code=concept(LOINC, "29463-7"), valueQuantity={"value": 0, "unit": "kg"})
    assert only(charted({"weight": [], "observations": [bad]}).weights).value is None
