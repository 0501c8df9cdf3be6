"""A documented chart is quiet; one thing missing is one finding; unknown is never "missing".

Generated for every indication of every drug and every payer of the catalogue: the complete chart
is built from what label and payer want, then each item is taken out, and each is made unknown.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue, load
from billing_rules.model.findings import Finding, Topic
from billing_rules.review import OrderReview
from tests.scenario import TODAY, reviewed

CATALOGUE = load()
ASTHMA, POLYPS = "J45.50", "J33.0"
# An order each label supports for 70 kg and the total IgE below: diagnosis, dose, interval, IgE.
_OMALIZUMAB = {
    "asthma": (ASTHMA, "225 mg", "2 wk", "250"),
    "chronic-spontaneous-urticaria": ("L50.1", "300 mg", "4 wk", None),
    "nasal-polyps": (POLYPS, "450 mg", "4 wk", "250"),
    "food-allergy": ("Z91.010", "300 mg", "4 wk", "250"),
}
ORDERS = {
    "omalizumab": _OMALIZUMAB,
    "omalizumab-igec": _OMALIZUMAB,
    "tezepelumab": {
        "asthma": (ASTHMA, "210 mg", "4 wk", None),
        "nasal-polyps": (POLYPS, "210 mg", "4 wk", None),
    },
    "mepolizumab": {
        "asthma": (ASTHMA, "100 mg", "4 wk", None),
        "nasal-polyps": (POLYPS, "100 mg", "4 wk", None),
        "egpa": ("M30.1", "300 mg", "4 wk", None),
        "hypereosinophilic-syndrome": ("D72.110", "300 mg", "4 wk", None),
    },
    "benralizumab": {
        "asthma": (ASTHMA, "30 mg", "8 wk", None),
        "egpa": ("M30.1", "30 mg", "4 wk", None),
    },
    "reslizumab": {"asthma": (ASTHMA, "210 mg", "4 wk", None)},
}
USES = [(drug, indication) for drug, orders in ORDERS.items() for indication in orders]
# One product of each class, and of that class only: a combination would serve two.
THERAPIES = {
    "inhaled_corticosteroid": "fluticasone 110 mcg inhaler",
    "second_controller": "montelukast 10 mg tablet",
    "h1_antihistamine": "cetirizine 10 mg tablet",
    "nasal_corticosteroid": "mometasone nasal spray",
}
JANUARY, OCTOBER, NOVEMBER = date(2026, 1, 1), date(2026, 10, 23), date(2026, 11, 20)
PARTS = {
    "total_ige": ("results",),
    "weight": ("weight",),
    "sensitisation": ("results", "allergies", "procedures"),
    "eosinophils": ("results",),
    "authorization": ("authorizations",),
    "birth date": ("born",),
    "diagnosis": ("conditions",),
    **{therapy: ("therapies",) for therapy in THERAPIES},
}
RULES = {
    "total_ige": "total_ige",
    "weight": "weight",
    "sensitisation": "sensitisation",
    "eosinophils": "eosinophils",
    "authorization": "prior_authorization",
    "birth date": "age",
    "diagnosis": "indication",
    **{therapy: "prior_therapy" for therapy in THERAPIES},
}


def wanted(drug_id: str, indication: str, payer: str) -> list[str]:
    """The items label and payer want on file for this use of the drug."""
    label = next(i for i in CATALOGUE.drug(drug_id, TODAY).indications if i.id == indication)
    criteria = CATALOGUE.payer(payer, TODAY).criteria.get((drug_id, indication))
    needs = {n.what for n in label.needs} | {n.what for n in (criteria.needs if criteria else ())}
    items = [item for item in PARTS if item in needs] + ["diagnosis"]
    items += ["birth date"] if label.age_from is not None else []
    return items + (["authorization"] if criteria and criteria.authorization else [])


def documented(drug_id: str, indication: str, payer: str, without: str = "") -> dict[str, Any]:
    """A scenario in which everything is on file, but for `without`."""
    diagnosis, dose, interval, ige = ORDERS[drug_id][indication]
    results: list[Any] = []
    if ige and without != "total_ige":
        results.append(f"total_ige {ige} IU/mL 2026-10-01")
    if without != "sensitisation":
        results.append(
            {
                "loinc": "6095-4",
                "text": "American house dust mite IgE Ab in Serum",
                "value": "12 kU/L",
                "date": OCTOBER,
            }
        )
    if without != "eosinophils":
        results.append(
            {
                "loinc": "26449-9",
                "text": "Eosinophils [#/volume] in Blood",
                "value": "450 /uL",
                "date": NOVEMBER,
            }
        )
    therapies = [
        {"text": THERAPIES[therapy], "kind": "dispense", "from": JANUARY, "to": NOVEMBER}
        for therapy in wanted(drug_id, indication, payer)
        if therapy in THERAPIES and therapy != without
    ]
    code = CATALOGUE.drug(drug_id, TODAY).hcpcs
    chart = {
        "born": "none" if without == "birth date" else "1981-02-03",
        "weight": "none" if without == "weight" else "70 kg 2026-11-01",
        "results": results or "none",
        "conditions": "none" if without == "diagnosis" else [diagnosis],
        "allergies": "none",
        "procedures": "none",
        "therapies": therapies or "none",
        "given": "none",
        "authorizations": "none"
        if without == "authorization"
        else [f"granted {code} 2026-06-01 to 2027-05-31"],
        "studies": "none",
    }
    draft = {"text": drug_id, "hcpcs": code, "dose": dose, "interval": interval}
    return {"payer": payer, "order": [draft], "chart": chart}


def _cases() -> Iterator[tuple[str, str, str, str]]:
    for drug_id, indication in USES:
        for payer in CATALOGUE.payer_files:
            for item in wanted(drug_id, indication, payer):
                yield drug_id, indication, payer, item


CASES = list(_cases())


def documentation(reviews: tuple[OrderReview, ...]) -> list[Finding]:
    return [f for r in reviews for f in r.findings if f.topic is Topic.DOCUMENTATION]


@pytest.mark.parametrize("payer", CATALOGUE.payer_files)
@pytest.mark.parametrize(("drug_id", "indication"), USES)
def test_a_complete_chart_gives_no_documentation_finding(
    drug_id: str, indication: str, payer: str, catalogue: Catalogue
) -> None:
    found = documentation(reviewed(documented(drug_id, indication, payer), catalogue))
    questions = [f for f in found if f.kind not in _NOT_ABOUT_THE_CHART]
    assert questions == [], [f"{f.rule}: {f.kind}: {f.summary}" for f in questions]


@pytest.mark.parametrize(("drug_id", "indication", "payer", "item"), CASES)
def test_one_item_missing_is_exactly_one_finding(
    drug_id: str, indication: str, payer: str, item: str, catalogue: Catalogue
) -> None:
    found = documentation(reviewed(documented(drug_id, indication, payer, item), catalogue))
    found = [f for f in found if f.kind not in _NOT_ABOUT_THE_CHART]
    assert [f.rule for f in found] == [RULES[item]], [f.summary for f in found]


@pytest.mark.parametrize(("drug_id", "indication", "payer", "item"), CASES)
def test_the_same_item_unknown_is_never_called_missing(
    drug_id: str, indication: str, payer: str, item: str, catalogue: Catalogue
) -> None:
    scenario = documented(drug_id, indication, payer, item)
    for part in PARTS[item]:
        scenario["chart"][part] = "unknown: the server did not answer"
    reviews = reviewed(scenario, catalogue)
    found = [f for f in documentation(reviews) if f.kind not in _NOT_ABOUT_THE_CHART]
    assert found == [], [f.summary for f in found]
    assert RULES[item] in {o.rule for r in reviews for o in r.not_checked}


# What a payer's list of diagnoses says of the order, whatever the chart shows.
_NOT_ABOUT_THE_CHART = {"diagnosis-not-on-list"}


def test_the_items_cover_what_the_catalogue_can_ask_for() -> None:
    uses = {(d, i.id) for d in CATALOGUE.drug_ids() for i in CATALOGUE.drug(d, TODAY).indications}
    assert uses == set(USES)
    asked = {n.what for d in ORDERS for i in CATALOGUE.drug(d, TODAY).indications for n in i.needs}
    for payer in CATALOGUE.payer_files:
        criteria = CATALOGUE.payer(payer, TODAY).criteria.values()
        asked |= {n.what for c in criteria for n in c.needs}
    assert asked <= set(PARTS), asked - set(PARTS)
