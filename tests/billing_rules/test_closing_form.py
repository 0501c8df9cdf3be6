"""The close-out form: in the words of the drug's route, and filled in with what is charted."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from billing_rules.catalogue import Catalogue
from billing_rules.claims.administration_form import charted_answers, closing_form
from billing_rules.model.entities import (
    Code,
    Counted,
    Dose,
    DrugOrder,
    OrderLine,
    Stage,
    ndc_candidates,
)
from billing_rules.model.states import NOTHING, Present
from billing_rules.orders.drug_orders import drug_orders
from tests.billing_rules.closing_samples import ON, SYRINGE_75, SYRINGE_150, mg


def given(code: str, dose: int, lot: str, expires: date) -> OrderLine:
    return OrderLine(
        f"MedicationAdministration/{dose}",
        "MedicationAdministration",
        stage=Stage.GIVEN,
        codes=(Code("ndc", code),),
        dose=Present(Dose(mg(dose))),
        containers=Present(Counted(Decimal(1), "syringe")),
        date_of_service=ON,
        observed=Present("10:05 to 12:05"),
        lot=Present(lot),
        expires=Present(expires),
    )


SMALL = given(SYRINGE_75, 75, "A", date(2028, 4, 30))
LARGE = given(SYRINGE_150, 150, "B", date(2027, 1, 31))


def charted(catalogue: Catalogue, *lines: OrderLine) -> DrugOrder:
    (found,) = drug_orders(lines, catalogue, ON)
    return found


def test_each_container_gets_the_lot_and_expiry_of_its_own_record(catalogue: Catalogue) -> None:
    filled = {k: p.text for k, p in charted_answers(charted(catalogue, SMALL, LARGE)).items()}
    rows = {
        filled[f"opened.{n}.container"]: (filled[f"opened.{n}.lot"], filled[f"opened.{n}.expires"])
        for n in range(2)
    }
    assert rows == {
        ndc_candidates(SYRINGE_75)[0]: ("A", "2028-04-30"),
        ndc_candidates(SYRINGE_150)[0]: ("B", "2027-01-31"),
    }
    assert (filled["injection.0.from"], filled["injection.0.to"]) == ("10:05", "12:05")


def test_two_lots_of_one_container_are_left_to_the_nurse(catalogue: Catalogue) -> None:
    other = replace(SMALL, reference="MedicationAdministration/2", lot=Present("C"))
    filled = charted_answers(charted(catalogue, SMALL, other))
    assert not [name for name in filled if name.endswith((".lot", ".expires"))]


def test_an_observation_without_times_fills_nothing(catalogue: Catalogue) -> None:
    for observed in (Present("noted"), NOTHING):
        filled = charted_answers(charted(catalogue, replace(SMALL, observed=observed)))
        assert "injection.0.from" not in filled and "injection.0.to" not in filled


def test_the_form_says_injection_or_infusion_as_the_label_does(catalogue: Catalogue) -> None:
    for drug_id, word in (
        ("omalizumab", "injection"),
        ("reslizumab", "infusion"),
        ("dupilumab", "dose"),
    ):
        drug = catalogue.drug(drug_id, ON)
        form = closing_form(drug, catalogue.payer("medicare-part-b", ON), ON)
        labels = " ".join(f.label for g in form.groups for f in g.fields)
        assert drug.giving == word and f"Day of the {word}" in labels
        assert word == "injection" or "njection" not in labels


def test_an_ndc_is_shown_as_on_the_box_or_with_hyphens(catalogue: Catalogue) -> None:
    drug = catalogue.drug("omalizumab", ON)
    assert drug.ndc_shown("50242004062") == drug.ndc_shown("50242-0040-62") == "50242-040-62"
    assert drug.ndc_shown("59310061031") == "59310-0610-31"
    assert drug.ndc_shown("no code") == "no code"
