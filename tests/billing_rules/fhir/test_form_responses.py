"""What the form saved is read back as it was entered; what only looks like it never counts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_rules.catalogue import Catalogue
from billing_rules.fhir.json.values import copied
from billing_rules.fhir.reading import chart
from billing_rules.fhir.write.questionnaire import response
from billing_rules.model.entities import Evidence
from billing_rules.model.findings import Finding, Silent
from billing_rules.model.form import EnteredRow
from billing_rules.model.states import NOTHING, Present, Unknown
from billing_rules.review import case_of, reviewed
from tests.billing_rules.fhir.samples import SYSTEMS, Json
from tests.billing_rules.fhir.test_any_json import ANY, NASTY, places, put
from tests.billing_rules.form_samples import ON, Asked, asked

TYPED = {
    "inhaled-corticosteroid.0.drug": "Budesonide 400 mcg",
    "inhaled-corticosteroid.0.start": "2026-05-01",
    "inhaled-corticosteroid.0.outcome": "not-controlled",
    "second-controller.0.drug": "Montelukast 10 mg",
    "second-controller.0.start": "2026-05-01",
    "second-controller.0.end": "2026-09-30",
    "second-controller.0.outcome": "helped",
    "sensitisation.0.test": "skin-test",
    "sensitisation.0.allergen": "allergen-cat",
    "sensitisation.0.result": "positive",
    "sensitisation.0.date": "2026-01-11",
    "authorization.0.number": "TX-1",
    "authorization.0.answer": "granted",
    "authorization.0.start": "2026-06-01",
    "authorization.0.end": "2027-05-31",
    "severity.0.words": "severe",
    "severity.0.exacerbations": "0",
    "severity.0.date": "2026-10-01",
    "past-dose.0.date": "2026-06-01",
    "past-dose.0.dose": "300.5",
}
RULES = ("prior_therapy", "sensitisation", "prior_authorization")
PAYER = "commercial-uhc"


@pytest.fixture(scope="module")
def form(catalogue: Catalogue) -> Asked:
    return asked(catalogue, payer=PAYER)


@pytest.fixture(scope="module")
def saved(form: Asked) -> Json:
    """As the EHR gives it back."""
    checked = form.checked(dict(TYPED))
    assert checked.fine, (checked.errors, checked.questions)
    ours = {"system": "urn:vialwise:entry", "value": "f3a9-answers"}
    made = response(form.form, checked, "Patient/p1", "2026-11-20", ours, "Practitioner/n1")
    kept = {**made, "id": "qr-1", "meta": {"lastUpdated": "2026-11-20T10:00:00Z"}}
    again: Json = json.loads(json.dumps(kept, default=_number))
    return again


def _number(value: Any) -> Any:
    assert isinstance(value, Decimal)
    return float(value)


def with_answers(form: Asked, catalogue: Catalogue, *found: Any) -> Any:
    """The case of the form, with these among what the EHR holds of the patient p1."""
    parts = {
        "patient": Present(({"resourceType": "Patient", "id": "p1", "birthDate": "1990-05-20"},)),
        "answers": Present(found) if found else NOTHING,
    }
    read = chart(parts, SYSTEMS, ON)
    asked_for = replace(form.case.chart, answers=read.answers, incomplete=read.incomplete)
    return case_of(form.case.order, form.case.drafts, asked_for, catalogue, form.case.payer_choice)


def rows(form: Asked, catalogue: Catalogue, *found: Any) -> list[tuple[str, dict[str, str]]]:
    entered: tuple[EnteredRow, ...] = with_answers(form, catalogue, *found).entered
    return [(row.group.id, dict(row.typed)) for row in entered]


def silent(case: Any) -> dict[str, list[Silent]]:
    said: dict[str, list[Silent]] = {}
    for outcome in reviewed(case).outcomes:
        if outcome.rule in RULES and isinstance(outcome, Silent) and outcome.applies:
            said.setdefault(outcome.rule, []).append(outcome)
    return said


def test_what_was_typed_is_what_is_read(form: Asked, saved: Json, catalogue: Catalogue) -> None:
    told: dict[str, str] = {}
    for group, typed in rows(form, catalogue, saved):
        told |= {f"{group}.0.{name}": text for name, text in typed.items()}
    assert told == {**TYPED, "past-dose.0.dose.unit": "mg"}


def test_it_counts_as_evidence_that_says_where_it_stands(
    form: Asked, saved: Json, catalogue: Catalogue
) -> None:
    assert not silent(form.case)
    said = silent(with_answers(form, catalogue, saved))
    assert {rule: len(outcomes) for rule, outcomes in said.items()} == {
        "prior_therapy": 2,
        "sensitisation": 1,
        "prior_authorization": 1,
    }
    basis = [s for rule in RULES for outcome in said[rule] for s in outcome.basis]
    origin = "entered in Vialwise's form on 2026-11-20"
    assert all(s.reference == "QuestionnaireResponse/qr-1" and origin in s.what for s in basis)
    assert basis[0] == Evidence(
        "QuestionnaireResponse/qr-1",
        "therapy, entered in Vialwise's form on 2026-11-20",
        "Budesonide 400 mcg (inhaled corticosteroid), 2026-05-01 to 2026-11-20, not controlled",
        date(2026, 5, 1),
    )


# ---------------------------------------------------------------- what only looks like it


def without_origin(saved: Json, code: str = "") -> Json:
    """With no answer given by hand; `code` instead of what the origin said."""
    made = copied(saved)
    for group in made["item"]:
        for asked_ in group["item"]:
            for answer in asked_["answer"]:
                (origin,) = answer.pop("extension")
                if code:
                    origin["extension"][0]["valueCode"] = code
                    answer["extension"] = [origin]
    return made


OURS = "urn:vialwise:questionnaire:omalizumab-asthma-commercial-uhc"
FORGED: dict[str, tuple[str, list[Any]]] = {
    "not saved for good": (
        "status",
        [
            "in-progress",
            "draft",
            "stopped",
            "entered-in-error",
            "COMPLETED!",
            "",
            None,
            5,
            ["completed"],
        ],
    ),
    "not about the patient": (
        "subject",
        [
            {"reference": "Group/p1"},
            {"reference": "#p1"},
            {"reference": "p1"},
            {"display": "p1"},
            {"reference": "Patient/"},
            {"reference": "RelatedPerson/p1"},
            {},
            None,
            "Patient/p1",
            {"reference": "Patient/p2"},
            {"reference": "https://other.example/r4/Patient/p11"},
        ],
    ),
    "another form": (
        "questionnaire",
        [
            "",
            None,
            7,
            OURS,
            f"{OURS}|",
            f"{OURS}|1",
            f"{OURS}|{'g' * 12}",
            f"{OURS}|{'a' * 13}",
            f"https://x.example/{OURS}|{'a' * 12}",
            f"{OURS} |{'a' * 12}",
            f"{OURS}|{'a' * 12}|{'a' * 12}",
            f"{OURS.replace('omalizumab', 'dupilumab')}|{'a' * 12}",
            f"{OURS.replace('asthma', 'nasal-polyps')}|{'a' * 12}",
            f"{OURS.replace('questionnaire', 'other')}|{'a' * 12}",
            f"{OURS.upper()}|{'a' * 12}",
        ],
    ),
    "not ours": (
        "identifier",
        [
            None,
            {},
            [],
            {"value": "x"},
            {"system": "urn:vialwise:entry2", "value": "x"},
            {"system": ["urn:vialwise:entry"]},
            "urn:vialwise:entry",
        ],
    ),
    "not by staff": (
        "author",
        [
            {"reference": "Patient/p1"},
            {"reference": "RelatedPerson/r"},
            {"reference": "Device/d"},
            {"reference": "#n"},
            {"display": "Nell"},
        ],
    ),
    "told by somebody else": ("source", [{"reference": "Patient/p1"}, {"reference": "x"}]),
    "not dated, or of a day to come": (
        "authored",
        [
            "2026-11-24",
            "2999-01-01T00:00:00Z",
            "2026-11",
            "2026",
            "",
            None,
            "yesterday",
            20261120,
        ],
    ),
    "another resource": ("resourceType", ["Questionnaire", "Observation", "", None]),
    "without an id": ("id", ["", None, 5]),
    "empty": (
        "item",
        [
            None,
            [],
            {},
            [{}],
            [{"linkId": "inhaled-corticosteroid"}],
            "items",
            [
                {
                    "linkId": "inhaled-corticosteroid",
                    "item": [{"linkId": "inhaled-corticosteroid.drug"}],
                }
            ],
        ],
    ),
}
EACH = [(why, key, value) for why, (key, values) in FORGED.items() for value in values]


@pytest.mark.parametrize(("why", "key", "value"), EACH, ids=[f"{w}-{v}"[:60] for w, _, v in EACH])
def test_a_forged_response_never_counts(
    why: str, key: str, value: Any, form: Asked, saved: Json, catalogue: Catalogue
) -> None:
    changed = {**saved, key: value}
    assert rows(form, catalogue, changed) == []
    assert rows(form, catalogue, json.dumps(changed).encode()) == []
    assert rows(form, catalogue, saved, changed) == rows(form, catalogue, saved) or key == "item"


@pytest.mark.parametrize("code", ["", "auto", "guessed"])
def test_what_nobody_entered_never_counts(
    code: str, form: Asked, saved: Json, catalogue: Catalogue
) -> None:
    assert rows(form, catalogue, without_origin(saved, code)) == []


@given(place=st.integers(0, 10_000), value=ANY | st.sampled_from(NASTY))
def test_nothing_hostile_makes_it_say_more(
    place: int, value: Any, form: Asked, saved: Json, catalogue: Catalogue
) -> None:
    """Any JSON in any place: nothing raises, and no rule is content that was not before."""
    paths = list(places(saved))
    path = paths[place % len(paths)]
    changed = put(saved, path, value)
    if not isinstance(changed, dict):
        return
    before = silent(with_answers(form, catalogue, saved))
    after = silent(with_answers(form, catalogue, changed))
    assert set(after) <= set(before)
    known = {(g, tuple(sorted(t.items()))) for g, t in rows(form, catalogue, saved)}
    if path and path[0] != "item":
        found = {(g, tuple(sorted(t.items()))) for g, t in rows(form, catalogue, changed)}
        assert found in (known, set())


NOT_A_DRUG = st.sampled_from(
    [
        "none",
        "None.",
        "no",
        "not tried",
        "never tried",
        "n/a",
        "N/A",
        "NA",
        "nil",
        "declined",
        "patient refused",
        "denies",
        "unknown",
        "without",
        "nothing",
        "untried",
    ]
)
DRUGS = st.sampled_from(["", "fluticasone", "Budesonide 400 mcg", "inhaled corticosteroid", "QVAR"])


@given(word=NOT_A_DRUG, drug=DRUGS, first=st.booleans())
def test_none_and_not_tried_never_are_a_therapy(
    word: str, drug: str, first: bool, form: Asked, saved: Json, catalogue: Catalogue
) -> None:
    changed = copied(saved)
    (row,) = [g for g in changed["item"] if g["linkId"] == "inhaled-corticosteroid"]
    said = " ".join((word, drug) if first else (drug, word)).strip()
    row["item"][0]["answer"][0]["valueString"] = said
    case = with_answers(form, catalogue, changed)
    asked_for = [o for o in reviewed(case).outcomes if o.rule == "prior_therapy"]
    assert any(isinstance(o, Finding) and o.kind == "missing" for o in asked_for), said


def test_an_answer_given_twice_voids_its_row(
    form: Asked, saved: Json, catalogue: Catalogue
) -> None:
    changed = copied(saved)
    (row,) = [g for g in changed["item"] if g["linkId"] == "second-controller"]
    end = next(i for i in row["item"] if i["linkId"].endswith(".end"))
    end["answer"] = [*end["answer"], {"valueDate": "2026-11-01"}]
    found = rows(form, catalogue, changed)
    assert "second-controller" not in [group for group, _ in found] and len(found) > 3


def test_the_newest_of_one_day_is_told_by_when_it_was_stored(
    form: Asked, saved: Json, catalogue: Catalogue
) -> None:
    later = {**copied(saved), "id": "qr-2", "meta": {"lastUpdated": "2026-11-20T11:00:00Z"}}
    later["item"] = [{"linkId": "authorization", "text": "Prior authorization"}]
    for order in ((saved, later), (later, saved)):
        groups = [group for group, _ in rows(form, catalogue, *order)]
        assert "authorization" not in groups and "inhaled-corticosteroid" in groups


def test_where_the_form_could_not_be_read_missing_stays_missing_and_says_so(
    form: Asked, catalogue: Catalogue
) -> None:
    unread = replace(form.case.chart, answers=Unknown("the EHR did not answer in time"))
    case = case_of(form.case.order, form.case.drafts, unread, catalogue, form.case.payer_choice)
    before = [o for o in form.outcomes if isinstance(o, Finding) and o.rule in RULES]
    after = [o for o in reviewed(case).outcomes if isinstance(o, Finding) and o.rule in RULES]
    assert [(o.kind, o.severity) for o in after] == [(o.kind, o.severity) for o in before]
    said = "What was entered in Vialwise's form: the EHR did not answer in time."
    assert after and all(said in o.unchecked for o in after)
    assert not any(said in o.unchecked for o in before)
