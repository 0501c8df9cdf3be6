"""Which payer's rules an order is reviewed under."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from msgspec import structs

from billing_rules.catalogue import UNKNOWN_PAYER, Catalogue
from billing_rules.catalogue.catalogue import payer_recognition
from billing_rules.catalogue.files import CatalogueError, PayerFile, RecogniseFile
from billing_rules.model.chart import Coverage
from billing_rules.model.entities import Code, DrugOrder, OrderLine
from billing_rules.model.states import NOTHING, Present, Unknown
from billing_rules.orders.choices import payer_of, recognised_payer
from billing_rules.orders.drug_orders import drug_orders

MEDICARE = Coverage("Coverage/1", payor_names=("Medicare Part B",), order=1)
SUPPLEMENT = Coverage("Coverage/2", payor_names=("Grey Heron Supplement",), order=2)


@pytest.fixture
def order(catalogue: Catalogue) -> DrugOrder:
    line = OrderLine("MedicationRequest/1", "MedicationRequest", codes=(Code("hcpcs", "J2357"),))
    return drug_orders([line], catalogue, date(2026, 11, 23))[0]


def naming(order: DrugOrder, coverage: str) -> DrugOrder:
    line = replace(order.prescriptions[0], coverages=(coverage,))
    return structs.replace(order, prescriptions=(line,), billing=())


def test_the_primary_coverage_decides_and_the_further_one_is_noted(
    order: DrugOrder, catalogue: Catalogue
) -> None:
    choice = payer_of(order, Present((SUPPLEMENT, MEDICARE)), catalogue)
    assert choice.payer_id == "medicare-part-b"
    assert "further coverage on file: Grey Heron Supplement" in choice.because
    assert [e.what for e in choice.evidence] == ["coverage", "further coverage"]


def test_the_coverage_that_the_order_names_decides(order: DrugOrder, catalogue: Catalogue) -> None:
    named = naming(order, "https://ehr.example/Coverage/2")
    choice = payer_of(named, Present((MEDICARE, SUPPLEMENT)), catalogue)
    assert choice.payer_id == UNKNOWN_PAYER


def test_two_coverages_without_an_order_are_not_guessed(
    order: DrugOrder, catalogue: Catalogue
) -> None:
    both = (replace(MEDICARE, order=None), replace(SUPPLEMENT, order=None))
    choice = payer_of(order, Present(both), catalogue)
    assert choice.payer_id == UNKNOWN_PAYER
    assert choice.because == "several coverages are on file, none marked as primary"


def test_an_inactive_coverage_does_not_count(order: DrugOrder, catalogue: Catalogue) -> None:
    ended = replace(SUPPLEMENT, active=False, order=None)
    choice = payer_of(order, Present((ended, replace(MEDICARE, order=None))), catalogue)
    assert (choice.payer_id, choice.because) == ("medicare-part-b", "recognised from the coverage")


@pytest.mark.parametrize("name", ["Medicare Advantage HMO", "Example Advantage (Medicare)"])
def test_medicare_advantage_is_never_part_b(
    name: str, order: DrugOrder, catalogue: Catalogue
) -> None:
    coverage = Coverage("Coverage/1", payor_names=(name,))
    assert payer_of(order, Present((coverage,)), catalogue).payer_id != "medicare-part-b"


def with_payers(catalogue: Catalogue, *payers: PayerFile) -> Catalogue:
    files = {**catalogue.payer_files, **{payer.id: payer for payer in payers}}
    return replace(catalogue, payer_files=files, payer_recognition=payer_recognition(files))


def payer(payer_id: str, *names: str, parent: str | None = None) -> PayerFile:
    return PayerFile(payer_id, payer_id, parent, recognise=RecogniseFile(names=[*names]))


def whose(name: str, catalogue: Catalogue, *types: str) -> str:
    codes = tuple(Code("", code) for code in types)
    return recognised_payer(Coverage("Coverage/1", codes, payor_names=(name,)), catalogue).payer_id


def test_a_payer_that_is_a_part_of_another_has_what_names_it(catalogue: Catalogue) -> None:
    """Although the whole claims "medicare advantage", which is the longer name."""
    known = with_payers(catalogue, payer("heron-ma", "heron medicare", parent="medicare-advantage"))
    assert whose("Heron Medicare Advantage PPO", known) == "heron-ma"
    assert whose("Heron Medicare Advantage PPO", known, "16") == "heron-ma"
    assert whose("Humana Medicare Advantage PPO", known) == "medicare-advantage"


def test_a_part_is_not_what_its_parent_is_not(catalogue: Catalogue) -> None:
    known = with_payers(catalogue, payer("heron-ma", "heron medicare", parent="medicare-advantage"))
    assert whose("Heron Medicare Supplement", known) == UNKNOWN_PAYER


def test_the_name_that_holds_the_other_is_the_more_specific(catalogue: Catalogue) -> None:
    known = with_payers(catalogue, payer("heron-ma", "heron medicare advantage"))
    assert whose("Heron Medicare Advantage PPO", known) == "heron-ma"
    assert whose("Cigna Medicare Advantage", known) == "medicare-advantage"


def test_two_names_of_which_none_holds_the_other_are_not_guessed(catalogue: Catalogue) -> None:
    known = with_payers(catalogue, payer("ppo-of-ours", "advantage ppo"))
    assert whose("Example Medicare Advantage PPO", known) == UNKNOWN_PAYER


def test_a_name_that_two_payers_claim_is_refused(catalogue: Catalogue) -> None:
    with pytest.raises(CatalogueError, match="x.yaml and .*y.yaml both claim the name 'ours'"):
        with_payers(catalogue, payer("x", "ours"), payer("y", "Ours"))


@pytest.mark.parametrize(
    ("coverages", "because"),
    [(NOTHING, "no coverage is on file"), (Unknown("x"), "the coverage could not be read: x")],
)
def test_without_coverage_the_payer_is_unknown(
    coverages: object, because: str, order: DrugOrder, catalogue: Catalogue
) -> None:
    choice = payer_of(order, coverages, catalogue)  # type: ignore[arg-type]
    assert (choice.payer_id, choice.because) == (UNKNOWN_PAYER, because)
