"""The form and its answers as valid FHIR R4, and the results read back as they were entered."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from billing_rules.catalogue import Catalogue
from billing_rules.fhir.read.chart import chart
from billing_rules.fhir.write.administration import (
    Entered,
    code_of,
    document,
    note_lines,
    observations,
)
from billing_rules.fhir.write.questionnaire import canonical, questionnaire, response
from billing_rules.forms.answers import Checked
from billing_rules.model.entities import Amount
from billing_rules.model.states import Present
from tests.billing_rules.form_samples import IGE, ON, Asked, asked

OURS = {"system": "urn:vialwise:entry", "value": "f3a9"}
ENTERED = Entered("Patient/p1", ("urn:vialwise:entry", "f3a9"), "Encounter/e1", "Practitioner/n1")
TYPED = {
    **IGE,
    "total-ige.0.laboratory": "Hilltop Laboratory",
    "weight.0.value": "154",
    "weight.0.value.unit": "[lb_av]",
    "weight.0.date": "11/02/2026",
    "sensitisation.0.test": "specific-ige",
    "sensitisation.0.allergen": "allergen-dust-mite",
    "sensitisation.0.result": "positive",
    "sensitisation.0.value": "3.5",
    "sensitisation.0.value.unit": "kU/L",
    "sensitisation.0.date": "2026-01-10",
    "sensitisation.1.test": "skin-test",
    "sensitisation.1.allergen": "allergen-cat",
    "sensitisation.1.result": "positive",
    "sensitisation.1.date": "2026-01-11",
    "inhaled-corticosteroid.0.drug": "Fluticasone 250 mcg",
    "inhaled-corticosteroid.0.start": "2026-01-01",
    "inhaled-corticosteroid.0.outcome": "not-controlled",
    "severity.0.words": "severe persistent",
    "severity.0.exacerbations": "3",
    "severity.0.date": "2026-10-01",
    "past-dose.0.date": "2026-06-01",
    "past-dose.0.dose": "300",
    "start-of-therapy.0.date": "2026-06-01",
    "note.0.words": "Patient called.\nSecond line.",
}


def valid(resource: dict[str, Any]) -> dict[str, Any]:
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)
    sent = json.loads(json.dumps(resource, default=float))
    assert not list(_empty(sent)), "no null and nothing empty"
    return sent


def _empty(node: Any) -> Any:
    if node in (None, "", [], {}):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _empty(value)
    elif isinstance(node, list):
        for value in node:
            yield from _empty(value)


def filled(form: Asked) -> Checked:
    found = form.checked(dict(TYPED))
    assert found.fine, (found.errors, found.questions)
    return found


def test_every_form_is_a_valid_questionnaire_with_its_own_url(catalogue: Catalogue) -> None:
    urls: dict[str, str] = {}
    for drug in catalogue.drug_ids():
        for payer in catalogue.payer_files:
            for conditions in ("J45.50 2020-01-01", "L50.1 2020-01-01", "none"):
                form = asked(catalogue, drug, payer, conditions=conditions).form
                made = valid(questionnaire(form))
                assert urls.setdefault(made["url"], made["version"]) == made["version"]
    assert len(urls) > 100


def test_the_version_changes_with_the_questions_alone(catalogue: Catalogue) -> None:
    bare, full = asked(catalogue), asked(catalogue, weight="70 kg 2026-11-01")
    assert canonical(bare.form) == canonical(full.form)
    assert canonical(bare.form).startswith("urn:vialwise:questionnaire:omalizumab-asthma-")
    other = asked(catalogue, conditions="L50.1 2020-01-01").form
    assert questionnaire(other)["version"] != questionnaire(bare.form)["version"]


def test_units_are_offered_and_not_typed(catalogue: Catalogue) -> None:
    made = questionnaire(asked(catalogue).form)
    (ige,) = [g["item"][0] for g in made["item"] if g["linkId"] == "total-ige"]
    assert ige["type"] == "quantity"
    assert [e["valueCoding"]["code"] for e in ige["extension"]] == [
        "[IU]/mL",
        "k[IU]/L",
        "kU/L",
        "ng/mL",
    ]


def test_a_response_answers_the_questionnaires_questions(catalogue: Catalogue) -> None:
    form = asked(catalogue)
    made = valid(
        response(
            form.form,
            filled(form),
            "Patient/p1",
            "2026-11-23",
            OURS,
            "Practitioner/n1",
            "ServiceRequest/1",
        )
    )
    assert made["questionnaire"] == canonical(form.form)
    assert made["basedOn"] == [{"reference": "ServiceRequest/1"}]
    questions = {
        item["linkId"]: item["type"]
        for group in questionnaire(form.form)["item"]
        for item in group["item"]
    }
    kinds = {
        "quantity": "valueQuantity",
        "integer": "valueInteger",
        "choice": "valueCoding",
        "date": "valueDate",
        "string": "valueString",
        "text": "valueString",
    }
    for group in made["item"]:
        for item in group["item"]:
            (answer,) = item["answer"]
            assert kinds[questions[item["linkId"]]] in answer
            (origin,) = answer["extension"]
            assert origin["extension"][0] == {"url": "source", "valueCode": "manual"}
            assert origin["extension"][1]["url"] == "author"
    repeated = [group["linkId"] for group in made["item"]]
    assert repeated.count("sensitisation") == 2


def test_a_medication_request_is_not_what_a_response_is_based_on(catalogue: Catalogue) -> None:
    form = asked(catalogue)
    made = response(
        form.form, filled(form), "Patient/p1", "2026-11-23", OURS, "", "MedicationRequest/1"
    )
    assert "basedOn" not in valid(made) and "author" not in made


def test_an_answer_from_the_chart_says_so(catalogue: Catalogue) -> None:
    form = asked(catalogue, weight="70 kg 2026-11-01")
    typed = {"weight.0.value": "70", "weight.0.value.unit": "kg", "weight.0.date": "2026-11-01"}
    made = valid(response(form.form, form.checked(typed), "Patient/p1", "2026-11-23", OURS))
    sources = [i["answer"][0]["extension"][0]["extension"] for i in made["item"][0]["item"]]
    assert sources == [[{"url": "source", "valueCode": "auto"}]] * 2


# ---------------------------------------------------------------- Observations


def test_results_become_observations_in_the_unit_that_was_chosen(catalogue: Catalogue) -> None:
    form = asked(catalogue)
    made = observations(filled(form), ENTERED, catalogue.terms, "http://loinc.org")
    ige, weight, mite = (valid(o) for o in made)
    assert ige["code"]["coding"] == [{"system": "http://loinc.org", "code": "19113-0"}]
    assert ige["valueQuantity"] == {
        "value": 350,
        "unit": "kU/L",
        "system": "http://unitsofmeasure.org",
        "code": "kU/L",
    }
    assert ige["status"] == "final" and ige["effectiveDateTime"] == "2026-01-10"
    assert ige["performer"] == [{"display": "Hilltop Laboratory"}]
    assert "outside report" in ige["note"][0]["text"]
    assert weight["valueQuantity"]["code"] == "[lb_av]", "never converted"
    assert weight["category"][0]["coding"][0]["code"] == "vital-signs"
    assert mite["code"]["coding"][0]["code"] == "6095-4"
    assert mite["interpretation"][0]["coding"][0]["code"] == "POS"
    identifiers = [o["identifier"][0]["value"] for o in (ige, weight, mite)]
    assert identifiers == ["f3a9-total-ige-0", "f3a9-weight-0", "f3a9-sensitisation-0"]


def test_what_was_written_is_read_back_as_it_was_entered(catalogue: Catalogue) -> None:
    form = asked(catalogue)
    made = observations(filled(form), ENTERED, catalogue.terms, "http://loinc.org")
    raw = tuple(
        json.dumps({**o, "id": f"o{n}"}, default=float).encode() for n, o in enumerate(made)
    )
    read = chart({"observations": Present(raw), "weight": Present(raw)}, catalogue.systems, ON)
    assert isinstance(read.results, Present) and isinstance(read.weights, Present)
    by_text = {result.text: result for result in read.results.value}
    assert by_text["Total IgE"].value == Amount(made[0]["valueQuantity"]["value"], "[IU]/mL")
    assert catalogue.terms.is_kind(by_text["Total IgE"], "total_ige") == "yes"
    assert catalogue.terms.allergen_of(by_text["House dust mite IgE"]) is not None
    assert read.weights.value[0].as_written == "154 lb"


@pytest.mark.parametrize(("text", "comparator"), [("<2", "<"), (">= 2000", ">=")])
def test_a_bound_stays_a_bound(catalogue: Catalogue, text: str, comparator: str) -> None:
    form = asked(catalogue)
    found = form.checked({**IGE, "total-ige.0.value": text})
    (made,) = observations(found, ENTERED, catalogue.terms, "http://loinc.org")
    assert valid(made)["valueQuantity"]["comparator"] == comparator


def test_what_stands_in_the_chart_is_not_written_again(catalogue: Catalogue) -> None:
    form = asked(catalogue, weight="70 kg 2026-11-01")
    typed = {"weight.0.value": "70", "weight.0.value.unit": "kg", "weight.0.date": "2026-11-01"}
    assert observations(form.checked(typed), ENTERED, catalogue.terms, "http://loinc.org") == ()
    changed = {**typed, "weight.0.value": "71"}
    assert observations(form.checked(changed), ENTERED, catalogue.terms, "http://loinc.org")


def test_a_date_added_to_a_result_on_file_says_what_it_is_derived_from(
    catalogue: Catalogue,
) -> None:
    form = asked(catalogue, results={"kind": "total_ige", "value": "350 IU/mL", "date": None})
    (name,) = [n for n in form.prefill() if n == "total-ige.0.value"]
    typed = {
        name: "350",
        f"{name}.unit": form.prefill()[name].unit,
        "total-ige.0.date": "2026-01-10",
    }
    found = form.checked(typed)
    (made,) = observations(found, ENTERED, catalogue.terms, "http://loinc.org")
    assert valid(made)["derivedFrom"][0]["reference"].startswith("Observation/")


def test_only_codes_of_the_catalogue_are_written(catalogue: Catalogue) -> None:
    terms = catalogue.terms
    assert code_of("eosinophils", terms) == "26449-9"
    for kind in terms.observations:
        code = code_of(kind, terms)
        assert code == "" or code in terms.observations[kind].loinc
    assert code_of("uas7", terms) == "" and code_of("", terms) == ""


# ---------------------------------------------------------------- the note


def test_a_note_holds_every_answer_in_words(catalogue: Catalogue) -> None:
    form = asked(catalogue)
    lines = note_lines(form.form, filled(form))
    assert "- Total IgE, as the report has it: 350 kU/L" in lines
    assert "- Day the blood was drawn: 2026-01-10" in lines
    assert "- Outcome: Disease not controlled" in lines
    assert "- Note: Patient called. Second line." in lines
    note = valid(
        document(lines, "Documentation for billing", ENTERED, ON, OURS, "2026-11-23T10:00:00Z")
    )
    data = note["content"][0]["attachment"]["data"]
    assert base64.b64decode(data).decode().splitlines() == list(lines)
