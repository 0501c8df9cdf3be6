"""Claim plans as they stand on the CMS-1500 form and in 837P."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.claims.claim_form import (
    ClaimForm,
    alternatives,
    claim_form,
    quantity_of,
    segments,
)
from billing_rules.model.entities import Amount, Container
from billing_rules.model.states import Present, Unknown
from tests.scenario import TODAY, cases

VIAL = "50242-040-62"
SYRINGES = [
    {"ndc": "50242-214-01", "containers": "1 syringe", "dose": "225 mg"},
    {"ndc": "50242-215-01", "containers": "1 syringe", "dose": "225 mg"},
]
TWO_VIALS = [{"ndc": VIAL, "containers": "2 vial", "dose": "225 mg"}]


def form(catalogue: Catalogue, order: list[dict[str, Any]], payer: str, **more: Any) -> ClaimForm:
    (case,) = cases({"order": order, "payer": payer, **more}, catalogue)
    return claim_form(case)


def test_two_vials_are_two_lines_with_their_parts_of_the_vials(catalogue: Catalogue) -> None:
    found = form(catalogue, TWO_VIALS, "medicare-part-b")
    given, discarded = found.lines
    assert (given.hcpcs, given.modifiers, given.units) == ("J2357", (), 45)
    assert (discarded.modifiers, discarded.units) == (("JW",), 15)
    assert given.ndcs[0].shaded == "N450242004062 UN1.5"
    assert discarded.ndcs[0].shaded == "N450242004062 UN0.5"
    assert any("part of one" in caveat for caveat in found.caveats)


def test_each_ndc_quantity_cites_the_sentence_on_its_own_qualifier(catalogue: Catalogue) -> None:
    powder = form(catalogue, TWO_VIALS, "medicare-part-b")
    liquid = form(catalogue, SYRINGES, "medicare-part-b")
    assert [s.quote[:2] for s in powder.sources if "NDC billing" in s.title] == ["UN"]
    assert [s.quote[:2] for s in liquid.sources if "NDC billing" in s.title] == ["ML"]


def test_the_segments_of_837p(catalogue: Catalogue) -> None:
    found = form(
        catalogue,
        TWO_VIALS,
        "medicare-part-b",
        site={"setting": "office", "prices": {"J2357": "41.823"}},
        chart={"conditions": "J45.50"},
    )
    assert segments(found.lines[1]) == (
        "LX*2~",
        "SV1*HC:J2357:JW*627.35*UN*15*11**1~",
        "DTP*472*D8*20261123~",
        "LIN**N4*50242004062~",
        "CTP****0.5*UN~",
    )
    assert found.diagnoses == ("J45.50",) and found.lines[0].diagnosis_pointer == "A"
    assert found.charge == Decimal("2509.39")


def test_one_line_with_the_second_ndc_in_the_note_where_the_payer_wants_it(
    catalogue: Catalogue,
) -> None:
    found = form(catalogue, SYRINGES, "medicare-part-b-palmetto")
    (line,) = found.lines
    assert (line.units, line.modifiers) == (45, ("JZ",))
    assert line.ndcs[0].shaded == "N450242021401 ML0.5"
    assert line.note == "N450242021501 ML1"
    assert "NTE*ADD*N450242021501 ML1~" in segments(line)
    assert "Palmetto" in found.sources[0].title


def test_one_line_for_each_ndc_where_the_payer_wants_that(catalogue: Catalogue) -> None:
    found = form(catalogue, SYRINGES, "maryland-medicaid")
    assert [(line.units, line.ndcs[0].container.ndc_shown) for line in found.lines] == [
        (15, "50242-214-01"),
        (30, "50242-215-01"),
    ]
    assert all(line.modifiers == ("JZ",) and not line.note for line in found.lines)


def test_where_the_payers_wish_is_not_known_that_is_said(catalogue: Catalogue) -> None:
    found = form(catalogue, SYRINGES, "medicare-part-b")
    assert len(found.lines) == 1 and found.lines[0].note
    assert any("ask the payer" in caveat for caveat in found.caveats)


def test_without_containers_no_ndc_is_made_up(catalogue: Catalogue) -> None:
    order = [{"hcpcs": "J2357", "text": "omalizumab", "dose": "225 mg", "containers": "unknown: x"}]
    found = form(catalogue, order, "medicare-part-b")
    assert found.lines[0].ndcs == () and "no NDC can be shown" in found.caveats[-1]
    assert not any("LIN" in segment for segment in segments(found.lines[0]))


def test_without_a_dose_there_is_no_line(catalogue: Catalogue) -> None:
    assert form(catalogue, [{"text": "omalizumab"}], "medicare-part-b").lines == ()


def test_what_is_not_known_of_place_and_charge_stays_open(catalogue: Catalogue) -> None:
    found = form(catalogue, TWO_VIALS, "medicare-part-b")
    assert found.charge is None and found.lines[0].place == ""
    assert segments(found.lines[0])[1] == "SV1*HC:J2357*?*UN*45*?**?~"


@pytest.mark.parametrize(
    ("ndc", "amount", "shown"),
    [
        (VIAL, "300 mg", "UN2"),
        ("50242-227-01", "300 mg", "ML2"),
        ("59310-610-31", "210 mg", "ML21"),
        ("59310-610-31", "213.9 mg", "ML21.39"),
        ("55513-112-01", "210 mg", "ML1.91"),
    ],
)
def test_the_ndc_quantity(catalogue: Catalogue, ndc: str, amount: str, shown: str) -> None:
    state = quantity_of(Amount.parse(amount), _container(catalogue, ndc))
    assert isinstance(state, Present) and str(state.value) == shown


@pytest.mark.parametrize(
    ("ndc", "why"),
    [("0024-5919-20", "powder or liquid"), ("0310-1730-30", "how many millilitres")],
)
def test_an_ndc_quantity_that_cannot_be_told(catalogue: Catalogue, ndc: str, why: str) -> None:
    state = quantity_of(Amount.parse("30 mg"), _container(catalogue, ndc))
    assert isinstance(state, Unknown) and why in state.because


def test_every_way_to_fill_a_dose_with_what_it_discards(catalogue: Catalogue) -> None:
    (case,) = cases({"order": TWO_VIALS, "payer": "medicare-part-b"}, catalogue)
    found = alternatives(case)
    told = {" + ".join(map(str, way.opened)): str(way.discarded) for way in found}
    assert told["2 x 150 mg vials"] == "75 mg"
    assert told["1 x 150 mg syringe + 1 x 75 mg syringe"] == "0 mg"
    assert told["3 x 75 mg syringes"] == "0 mg" and told["1 x 300 mg syringe"] == "75 mg"
    assert [way.discarded.value for way in found] == sorted(w.discarded.value for w in found)
    (planned,) = [way for way in found if way.planned]
    assert str(planned.opened[0]) == "2 x 150 mg vials"
    assert [str(line) for line in planned.plan.lines] == ["J2357 x 45", "J2357-JW x 15"]


def test_only_what_the_site_stocks_is_an_alternative(catalogue: Catalogue) -> None:
    scenario = {"order": TWO_VIALS, "payer": "medicare-part-b", "site": {"stocked": [VIAL]}}
    (case,) = cases(scenario, catalogue)
    assert [str(way.opened[0]) for way in alternatives(case)] == ["2 x 150 mg vials"]


def test_a_dose_out_of_all_proportion_has_no_alternatives(catalogue: Catalogue) -> None:
    (case,) = cases({"order": [{"text": "omalizumab", "dose": "900000 mg"}]}, catalogue)
    assert alternatives(case) == ()


def _container(catalogue: Catalogue, shown: str) -> Container:
    drugs = (catalogue.drug(drug_id, TODAY) for drug_id in catalogue.drug_ids())
    return next(c for drug in drugs for c in drug.containers if c.ndc_shown == shown)
