"""Which questions are asked for a drug, indication and payer, and which of them are open."""

from __future__ import annotations

import re
from datetime import date

from billing_rules.catalogue import Catalogue
from billing_rules.forms.documentation_form import RESULT_NAMES, form_for, rule_of, standing_of
from billing_rules.model.chart import Measured
from billing_rules.model.entities import Code
from billing_rules.model.findings import Finding
from billing_rules.rules import RULES
from tests.billing_rules.form_samples import asked
from tests.scenario import all_scenarios, cases


def ids(form: object) -> list[str]:
    return [group.id for group in form.groups]  # type: ignore[attr-defined]


def test_what_the_label_wants_is_asked(catalogue: Catalogue) -> None:
    assert ids(asked(catalogue).form) == [
        "diagnosis",
        "severity",
        "total-ige",
        "weight",
        "sensitisation",
        "inhaled-corticosteroid",
        "start-of-therapy",
        "past-dose",
        "note",
    ]


def test_a_form_is_that_of_its_drug_indication_and_payer(catalogue: Catalogue) -> None:
    """Whatever the chart holds: what is on file is filled in, not left out."""
    bare = asked(catalogue)
    full = asked(catalogue, results="total_ige 350 IU/mL 2026-01-10", weight="70 kg 2026-11-01")
    assert bare.form == full.form
    assert bare.form != asked(catalogue, payer="commercial-uhc").form
    assert bare.form != asked(catalogue, conditions="L50.1 2020-01-01").form
    assert bare.form != asked(catalogue, "mepolizumab").form


def test_no_two_questions_share_an_id(catalogue: Catalogue) -> None:
    for drug in catalogue.drug_ids():
        for payer in catalogue.payer_files:
            form = asked(catalogue, drug, payer).form
            links = [f.id for g in form.groups for f in g.fields] + ids(form)
            assert len(set(links)) == len(links)
            assert all(re.fullmatch(r"[a-z0-9.-]+", link) for link in links)
            assert all(f.choices for g in form.groups for f in g.fields if f.kind == "quantity")


def test_every_group_says_how_it_stands(catalogue: Catalogue) -> None:
    bare = asked(catalogue)
    found = {g.id: standing_of(g, bare.outcomes, bare.case).state for g in bare.form.groups}
    assert found["total-ige"] == found["weight"] == found["sensitisation"] == "missing"
    assert found["inhaled-corticosteroid"] == "missing"
    assert found["diagnosis"] == "on file" and found["note"] == "if you like"
    unread = asked(catalogue, results="unknown: forbidden", therapies="unknown: forbidden")
    found = {g.id: standing_of(g, unread.outcomes, unread.case).state for g in unread.form.groups}
    assert found["total-ige"] == found["inhaled-corticosteroid"] == "could not be checked"


def test_every_form_group_that_a_rules_row_names_is_in_a_form(catalogue: Catalogue) -> None:
    forms = [form_for(case) for _, s in all_scenarios() for case in cases(s, catalogue)]
    there = {group.kind or group.id for form in forms for group in form.groups}
    there.add("assessment")  # no payer of the catalogue names a reassessment
    assert {group for rule in RULES for group in rule.form_groups} <= there


def test_of_several_therapies_each_has_its_own_answer(catalogue: Catalogue) -> None:
    with_one = asked(
        catalogue,
        payer="ph-medical-policies",
        therapies={
            "text": "beclomethasone HFA inhaler",
            "kind": "dispense",
            "from": date(2026, 1, 1),
            "to": date(2026, 10, 30),
        },
    )
    found = {
        g.need: standing_of(g, with_one.outcomes, with_one.case).state
        for g in with_one.form.groups
        if g.need
    }
    assert found == {"inhaled_corticosteroid": "on file", "second_controller": "missing"}


def test_every_missing_piece_of_documentation_can_be_entered(catalogue: Catalogue) -> None:
    """Each documentation finding of an empty chart belongs to a group of the form."""
    elsewhere = {"age", "labelled_dose", "supervised_doses", "diagnosis_on_list"}
    for drug in catalogue.drug_ids():
        for payer in catalogue.payer_files:
            bare = asked(catalogue, drug, payer)
            rules = {rule_of(g) for g in bare.form.groups} | elsewhere
            for o in bare.outcomes:
                if isinstance(o, Finding) and o.topic.value == "documentation":
                    assert o.rule in rules, f"{drug}, {payer}: {o.rule} {o.kind}"


def test_names_of_results_agree_with_their_codes(catalogue: Catalogue) -> None:
    """What is written with such a name is believed when it is read back."""
    for kind, name in RESULT_NAMES.items():
        known = catalogue.terms.observations[kind]
        text = f"{name} IgE" if kind.startswith("allergen") else name
        for loinc in known.loinc or ("",):
            codes = (Code("loinc", loinc),) if loinc else ()
            result = Measured("", codes, text, None, "", None)
            assert catalogue.terms.is_kind(result, kind) == "yes", (kind, text)


def test_the_form_of_no_indication_asks_for_the_diagnosis(catalogue: Catalogue) -> None:
    none = asked(catalogue, conditions="none")
    assert none.form.indication_id == "any" and ids(none.form)[0] == "diagnosis"
    assert form_for(none.case) == none.form
