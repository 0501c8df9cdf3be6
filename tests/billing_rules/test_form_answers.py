"""What can be typed, and the sentence at the field for what cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing_rules.catalogue import Catalogue
from billing_rules.forms.answers import check_answers
from billing_rules.model.form import Measure
from tests.billing_rules.form_samples import IGE, PATIENT, asked


def one(catalogue: Catalogue, name: str, text: str, **others: str) -> tuple[str, str]:
    """The error and the question at `name` when `text` is typed there."""
    found = asked(catalogue).checked({**IGE, **others, name: text})
    return found.errors.get(name, ""), found.questions.get(name, "")


def test_a_result_is_kept_as_it_was_entered(catalogue: Catalogue) -> None:
    found = asked(catalogue).checked(IGE)
    assert found.fine
    (row,) = found.rows
    assert row.value("value") == Measure(Decimal(350), "kU/L", "kU/L")
    assert row.value("date") == date(2026, 1, 10)
    assert {a.origin for a in row.answers} == {"manual"}


@pytest.mark.parametrize("text", ["<2", "< 2", "<=2", ">2000", ">= 2000.5"])
def test_a_bound_as_laboratories_report_it_is_taken(catalogue: Catalogue, text: str) -> None:
    assert one(catalogue, "total-ige.0.value", text) == ("", "")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,5", "write decimals with a point"),
        ("1,200", "leave the comma out"),
        ("1,200.5", "leave the comma out"),
        ("1e9", "write the number alone"),
        ("999999999", "more digits than a result has"),
        ("-5", "more than 0"),
        ("−5", "more than 0"),
        ("0", "more than 0"),
        ("0.00", "more than 0"),
        ("350 kU/L", "choose the unit"),
        ("about 350", "is no number"),
        ("NaN", "is no number"),
        ("Infinity", "is no number"),
        ("٣٥٠", "is no number"),
        ("350.123456", "more digits"),
        ("<script>alert(1)</script>", "is no number"),
    ],
)
def test_a_number_that_cannot_be_read_is_told_why(
    catalogue: Catalogue, text: str, words: str
) -> None:
    error, _ = one(catalogue, "total-ige.0.value", text)
    assert words in error and error.endswith(".")


def test_a_unit_is_chosen_and_never_assumed(catalogue: Catalogue) -> None:
    for unit in ("", "mg", "IU", "kU/l"):
        found = asked(catalogue).checked({**IGE, "total-ige.0.value.unit": unit})
        assert "Choose the unit" in found.errors["total-ige.0.value.unit"]


def test_ng_per_ml_is_kept_as_ng_per_ml(catalogue: Catalogue) -> None:
    found = asked(catalogue).checked({**IGE, "total-ige.0.value.unit": "ng/mL"})
    assert found.fine and str(found.rows[0].value("value")) == "350 ng/mL"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2026-11-24", "2026-11-24 is in the future"),
        ("1990-05-19", "1990-05-19 is before the patient was born"),
        ("02/30/2026", "is no date"),
        ("yesterday", "is no date"),
        ("11/23/26", "is no date"),
        ("0001-01-01", "is before the patient was born"),
    ],
)
def test_a_date_that_cannot_be_is_told_why(catalogue: Catalogue, text: str, words: str) -> None:
    assert words in one(catalogue, "total-ige.0.date", text)[0]


def test_today_and_the_day_of_birth_can_be(catalogue: Catalogue) -> None:
    for text in ("2026-11-23", "11/23/2026", "1990-05-20", "5/20/1990"):
        assert one(catalogue, "total-ige.0.date", text) == ("", "")


def test_an_authorization_may_end_ahead_but_not_before_it_begins(catalogue: Catalogue) -> None:
    form = asked(catalogue, payer="commercial-uhc")
    typed = {
        "authorization.0.number": "A1",
        "authorization.0.answer": "granted",
        "authorization.0.start": "2026-01-01",
        "authorization.0.end": "2027-01-01",
    }
    if not any(g.id == "authorization" for g in form.form.groups):
        pytest.fail("the payer of this test wants no authorization any more")
    assert form.checked(typed).fine
    assert (
        "before the beginning"
        in form.checked({**typed, "authorization.0.end": "2025-01-01"}).errors[
            "authorization.0.end"
        ]
    )
    assert (
        "compare the year"
        in form.checked({**typed, "authorization.0.end": "2206-01-01"}).errors[
            "authorization.0.end"
        ]
    )


# ---------------------------------------------------------------- questions


@pytest.mark.parametrize(
    ("number", "unit", "asks"),
    [
        ("70", "kg", ""),
        ("154", "[lb_av]", ""),
        ("600", "kg", "outside what a patient weighs"),
        ("1", "kg", "outside what a patient weighs"),
        ("154", "kg", "pounds and kilograms"),
        ("31.8", "kg", "pounds and kilograms"),
        ("70", "[lb_av]", "pounds and kilograms"),
    ],
)
def test_a_doubtful_weight_is_a_question_and_no_refusal(
    catalogue: Catalogue, number: str, unit: str, asks: str
) -> None:
    patient = replace(PATIENT, last_weight_kg=Decimal("70"))
    typed = {"weight.0.value": number, "weight.0.value.unit": unit, "weight.0.date": "2026-11-01"}
    found = asked(catalogue).checked(typed, patient)
    assert not found.errors
    assert asks in found.questions.get("weight.0.value", "")
    assert bool(found.questions) == bool(asks)
    sure = {**typed, "weight.0.value.sure": f"{number} {unit}"}
    assert asked(catalogue).checked(sure, patient).fine
    other = {**sure, "weight.0.value": "601" if unit == "kg" else "72"}
    assert asks == "" or not asked(catalogue).checked(other, patient).fine, "of that value only"


def test_an_unusually_high_ige_is_a_question(catalogue: Catalogue) -> None:
    error, question = one(catalogue, "total-ige.0.value", "350000")
    assert not error and "Is the number right?" in question


# ---------------------------------------------------------------- texts


def test_invisible_characters_are_taken_out_and_said(catalogue: Catalogue) -> None:
    for mark in ("\u202e", "\u200f", "\u2066", "\ufeff", "\x00", "\x1b"):
        typed = {**IGE, "total-ige.0.laboratory": f"Hill{mark}top"}
        found = asked(catalogue).checked(typed)
        assert "Invisible characters" in found.errors["total-ige.0.laboratory"]
        assert found.typed["total-ige.0.laboratory"] == "Hilltop"
        assert asked(catalogue).checked(dict(found.typed)).fine, "saved the second time"


def test_a_text_that_is_too_long_says_how_long(catalogue: Catalogue) -> None:
    error, _ = one(catalogue, "total-ige.0.laboratory", "x" * 10_000)
    assert "10,000 characters; 200 fit" in error
    error, _ = one(catalogue, "note.0.words", "x" * 10_000)
    assert "4,000 fit" in error
    assert one(catalogue, "note.0.words", "x" * 4000) == ("", "")


def test_markup_is_told_and_a_comparison_is_none(catalogue: Catalogue) -> None:
    assert "markup" in one(catalogue, "note.0.words", "<b>urgent</b>")[0]
    assert "markup" in one(catalogue, "note.0.words", "<!-- x -->")[0]
    assert one(catalogue, "note.0.words", "FEV1 < 60 %, مرحبا, Grüße") == ("", "")


def test_every_needed_answer_that_is_missing_is_named(catalogue: Catalogue) -> None:
    found = asked(catalogue).checked({"total-ige.0.laboratory": "Hilltop"})
    assert set(found.errors) == {"total-ige.0.value", "total-ige.0.date"}
    assert found.errors["total-ige.0.date"] == "“Day the blood was drawn” is missing."


def test_an_empty_form_has_no_faults(catalogue: Catalogue) -> None:
    found = asked(catalogue).checked({"total-ige.0.value.unit": "kU/L", "stranger": "x"})
    assert found.fine and not found.rows


def test_what_belongs_together_is_asked_for(catalogue: Catalogue) -> None:
    typed = {
        "sensitisation.0.test": "specific-ige",
        "sensitisation.0.allergen": "other",
        "sensitisation.0.result": "positive",
        "sensitisation.0.date": "2026-01-01",
    }
    found = asked(catalogue).checked(typed)
    assert set(found.errors) == {"sensitisation.0.other", "sensitisation.0.value"}


# ---------------------------------------------------------------- filled in from the chart


def test_what_is_on_file_is_filled_in_with_its_origin(catalogue: Catalogue) -> None:
    form = asked(
        catalogue,
        results="total_ige 350 IU/mL 2026-01-10",
        weight="70 kg 2026-11-01",
        therapies="inhaled_corticosteroid dispense 2026-01-01 to 2026-06-30",
    )
    chart = form.prefill()
    assert chart["total-ige.0.value"].text == "350" and chart["total-ige.0.value"].unit == "[IU]/mL"
    assert chart["weight.0.date"].text == "2026-11-01"
    assert chart["inhaled-corticosteroid.0.start"].text == "2026-01-01"
    assert chart["diagnosis.0.code"].text == "J45.50"
    typed = {name: p.text for name, p in chart.items()}
    typed |= {f"{name}.unit": p.unit for name, p in chart.items() if p.unit}
    found = form.checked(typed)
    assert found.fine, found.errors
    answers = {a.field.id: a for row in found.rows for a in row.answers}
    assert answers["total-ige.value"].origin == "auto"
    assert answers["total-ige.value"].reference.startswith("Observation/")
    changed = form.checked({**typed, "total-ige.0.value": "355"})
    answers = {a.field.id: a for row in changed.rows for a in row.answers}
    assert answers["total-ige.value"].origin == "override"
    unit = form.checked({**typed, "total-ige.0.value.unit": "ng/mL"})
    answers = {a.field.id: a for row in unit.rows for a in row.answers}
    assert answers["total-ige.value"].origin == "override"


@pytest.mark.parametrize(
    "chart",
    [
        {"results": "none", "weight": "none"},
        {"results": "unknown: forbidden", "weight": "unknown: forbidden"},
        {
            "results": {"kind": "total_ige", "value": "350 ng/mL", "date": date(2026, 1, 10)},
            "weight": ["154 kg 2026-11-01", "70 kg 2026-10-01"],
        },
        {
            "results": {
                "loinc": "19113-0",
                "text": "Cat dander IgE",
                "value": "350 IU/mL",
                "date": date(2026, 1, 10),
            },
            "weight": "900 kg 2026-11-01",
        },
    ],
)
def test_a_guess_is_never_filled_in(catalogue: Catalogue, chart: dict[str, object]) -> None:
    filled = asked(catalogue, **chart).prefill()
    assert not [name for name in filled if name.startswith(("total-ige", "weight"))]


def test_one_of_several_diagnoses_is_not_filled_in(catalogue: Catalogue) -> None:
    several = asked(catalogue, conditions=["J45.50 2020-01-01", "L50.1 2020-01-01"])
    assert "diagnosis.0.code" not in several.prefill()


# ---------------------------------------------------------------- anything at all


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_nothing_that_can_be_typed_raises(catalogue: Catalogue, data: st.DataObject) -> None:
    form = asked(catalogue).form
    names = [
        f"{g.id}.{n}.{f.id.rpartition('.')[2]}"
        for g in form.groups
        for n in range(g.rows)
        for f in g.fields
    ]
    names += [f"{name}.unit" for name in names] + [f"{name}.sure" for name in names]
    typed = data.draw(st.dictionaries(st.sampled_from(names), st.text(max_size=40), max_size=8))
    found = check_answers(form, typed, PATIENT)
    for sentence in (*found.errors.values(), *found.questions.values()):
        assert sentence.strip().endswith((".", "?"))
    if found.fine:
        assert all(row.answers for row in found.rows)
