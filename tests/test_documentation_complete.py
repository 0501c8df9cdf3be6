"""A documented chart is quiet; one thing missing is one finding; unknown is never "missing".

Generated for every indication of omalizumab and every payer of the catalogue: the complete chart
is built from what label and payer want, then each item is taken out, and each is made unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue, load
from billing_rules.findings import Finding, Topic
from billing_rules.review import OrderReview
from tests.scenario import TODAY, reviewed

CATALOGUE = load()
# An order each indication's label supports for 70 kg and the total IgE below, and its diagnosis.
ORDERS = {
    "asthma": ("J45.50", "225 mg", "2 wk", "250"),
    "chronic-spontaneous-urticaria": ("L50.1", "300 mg", "4 wk", None),
    "nasal-polyps": ("J33.0", "450 mg", "4 wk", "250"),
    "food-allergy": ("Z91.010", "300 mg", "4 wk", "250"),
}
# One product of each class, and of that class only: a combination would serve two.
THERAPIES = {
    "inhaled_corticosteroid": "fluticasone 110 mcg inhaler",
    "second_controller": "montelukast 10 mg tablet",
    "h1_antihistamine": "cetirizine 10 mg tablet",
    "nasal_corticosteroid": "mometasone nasal spray",
}
JANUARY, NOVEMBER = date(2026, 1, 1), date(2026, 11, 20)
PARTS = {
    "total_ige": ("results",),
    "weight": ("weight",),
    "sensitisation": ("results", "allergies", "procedures"),
    "authorization": ("authorizations",),
    "birth date": ("born",),
    "diagnosis": ("conditions",),
    **{therapy: ("therapies",) for therapy in THERAPIES},
}
RULES = {
    "total_ige": "total_ige",
    "weight": "weight",
    "sensitisation": "sensitisation",
    "authorization": "prior_authorization",
    "birth date": "age",
    "diagnosis": "indication",
    **{therapy: "prior_therapy" for therapy in THERAPIES},
}


def wanted(indication: str, payer: str) -> list[str]:
    """The items label and payer want on file for this indication."""
    drug = CATALOGUE.drug("omalizumab", TODAY)
    label = next(i for i in drug.indications if i.id == indication)
    criteria = CATALOGUE.payer(payer, TODAY).criteria.get(("omalizumab", indication))
    needs = {n.what for n in label.needs} | {n.what for n in (criteria.needs if criteria else ())}
    items = [item for item in PARTS if item in needs]
    items += ["birth date", "diagnosis"]
    return items + (["authorization"] if criteria and criteria.authorization else [])


def documented(indication: str, payer: str, without: str = "") -> dict[str, Any]:
    """A scenario in which everything is on file, but for `without`."""
    diagnosis, dose, interval, ige = ORDERS[indication]
    results = []
    if ige and without != "total_ige":
        results.append(f"total_ige {ige} IU/mL 2026-10-01")
    if without != "sensitisation":
        results.append({
            "loinc": "6095-4", "text": "American house dust mite IgE Ab in Serum",
            "value": "12 kU/L", "date": TODAY.replace(month=10),
        })  # fmt: skip
    therapies = [
        {"text": THERAPIES[therapy], "kind": "dispense", "from": JANUARY, "to": NOVEMBER}
        for therapy in wanted(indication, payer)
        if therapy in THERAPIES and therapy != without
    ]
    chart = {
        "born": "none" if without == "birth date" else "1981-02-03",
        "weight": "none" if without == "weight" else "70 kg 2026-11-01",
        "results": results or "none",
        "conditions": "none" if without == "diagnosis" else [diagnosis],
        "allergies": "none",
        "procedures": "none",
        "therapies": therapies or "none",
        "given": "none",
        "authorizations": "none" if without == "authorization" else [
            "granted J2357 2026-06-01 to 2027-05-31"
        ],
        "studies": "none",
    }  # fmt: skip
    draft = {"text": "omalizumab", "hcpcs": "J2357", "dose": dose, "interval": interval}
    return {"payer": payer, "order": [draft], "chart": chart}


def _cases() -> Iterator[tuple[str, str, str]]:
    for indication in ORDERS:
        for payer in CATALOGUE.payer_files:
            for item in wanted(indication, payer):
                yield indication, payer, item


CASES = list(_cases())


def documentation(reviews: tuple[OrderReview, ...]) -> list[Finding]:
    return [f for r in reviews for f in r.findings if f.topic is Topic.DOCUMENTATION]


@pytest.mark.parametrize("payer", CATALOGUE.payer_files)
@pytest.mark.parametrize("indication", ORDERS)
def test_a_complete_chart_gives_no_documentation_finding(
    indication: str, payer: str, catalogue: Catalogue
) -> None:
    found = documentation(reviewed(documented(indication, payer), catalogue))
    questions = [f for f in found if f.kind not in _NOT_ABOUT_THE_CHART]
    assert questions == [], [f"{f.rule}: {f.kind}: {f.summary}" for f in questions]


@pytest.mark.parametrize(("indication", "payer", "item"), CASES)
def test_one_item_missing_is_exactly_one_finding(
    indication: str, payer: str, item: str, catalogue: Catalogue
) -> None:
    found = documentation(reviewed(documented(indication, payer, without=item), catalogue))
    found = [f for f in found if f.kind not in _NOT_ABOUT_THE_CHART]
    assert [f.rule for f in found] == [RULES[item]], [f.summary for f in found]


@pytest.mark.parametrize(("indication", "payer", "item"), CASES)
def test_the_same_item_unknown_is_never_called_missing(
    indication: str, payer: str, item: str, catalogue: Catalogue
) -> None:
    scenario = documented(indication, payer, without=item)
    for part in PARTS[item]:
        scenario["chart"][part] = "unknown: the server did not answer"
    reviews = reviewed(scenario, catalogue)
    found = [f for f in documentation(reviews) if f.kind not in _NOT_ABOUT_THE_CHART]
    assert found == [], [f.summary for f in found]
    assert RULES[item] in {o.rule for r in reviews for o in r.not_checked}


# What a payer's list of diagnoses says of the order, whatever the chart shows.
_NOT_ABOUT_THE_CHART = {"diagnosis-not-on-list"}


def test_the_items_cover_what_the_catalogue_can_ask_for() -> None:
    drug = CATALOGUE.drug("omalizumab", TODAY)
    assert {i.id for i in drug.indications} == set(ORDERS)
    asked = {n.what for i in drug.indications for n in i.needs}
    for payer in CATALOGUE.payer_files:
        for (drug_id, _), criteria in CATALOGUE.payer(payer, TODAY).criteria.items():
            asked |= {n.what for n in criteria.needs if drug_id == "omalizumab"}
    assert asked <= set(PARTS), asked - set(PARTS)


