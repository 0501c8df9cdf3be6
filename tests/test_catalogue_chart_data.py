"""The chart side of the catalogue: indications, dosing tables, payers' criteria, clinical words."""

from __future__ import annotations

import csv
import os
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.catalogue.values import days_of, units_per_period
from billing_rules.model.chart import Coverage, Measured, Problem, Therapy
from billing_rules.model.entities import Amount, Code, Criteria, DosingTable, Indication
from billing_rules.orders.choices import recognised_payer

TODAY = date(2026, 11, 23)
CHECKOUT = Path(__file__).resolve().parent.parent
REFERENCE = Path(os.environ.get("VIALWISE_REFERENCE_DATA", CHECKOUT.parent / "shared" / "data"))
TABLES_CSV = REFERENCE / "xolair_dosing" / "xolair_dosing_all.csv"
EVIDENCE = {"weight", "total_ige", "sensitisation", "eosinophils"}

# table, its name in the shared file, verified, age from, age below
TABLES = [
    ("asthma", 0, "asthma_12_plus", True, 12, None),
    ("asthma", 1, "asthma_6_to_11", False, 6, 12),
    ("nasal-polyps", 0, "crswnp_adult", False, 18, None),
]


def indication(catalogue: Catalogue, drug: str, name: str, on: date = TODAY) -> Indication:
    return next(i for i in catalogue.drug(drug, on).indications if i.id == name)


def table(catalogue: Catalogue, name: str, place: int) -> DosingTable:
    return indication(catalogue, "omalizumab", name).tables[place]


def criteria(catalogue: Catalogue, payer: str, drug: str, name: str) -> Criteria:
    return catalogue.payer(payer, TODAY).criteria[(drug, name)]


def result(code: str, text: str) -> Measured:
    return Measured("Observation/1", (Code("loinc", code),) if code else (), text, None, "", None)


def therapy(text: str, rxnorm: str = "") -> Therapy:
    codes = (Code("rxnorm", rxnorm),) if rxnorm else ()
    return Therapy("MedicationRequest/1", "request", codes, text, None, None)


# ---------------------------------------------------------------- dosing tables


@pytest.mark.skipif(not TABLES_CSV.is_file(), reason=f"no reference data in {REFERENCE}")
@pytest.mark.parametrize(("name", "place", "shared", "verified", "start", "below"), TABLES)
def test_every_cell_is_the_one_of_the_shared_file(
    catalogue: Catalogue,
    name: str,
    place: int,
    shared: str,
    verified: bool,
    start: int,
    below: int | None,
) -> None:
    with TABLES_CSV.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["table"] == shared]
    cells = table(catalogue, name, place).cells
    assert len(rows) == len(cells)
    for row in rows:
        cell = next(
            c
            for c in cells
            if (str(c.ige_over), str(c.ige_to)) == (row["ige_low"], row["ige_high_le"])
            and (str(c.weight_over), str(c.weight_to)) == (row["weight_low"], row["weight_high_le"])
        )
        found = (cell.dose, cell.interval)
        if row["dose_mg"]:
            weeks = Amount(Decimal(row["interval_weeks"]), "wk")
            assert found == (Amount(Decimal(row["dose_mg"]), "mg"), weeks), row
        else:
            assert found == (None, None), row


@pytest.mark.parametrize(("name", "place", "shared", "verified", "start", "below"), TABLES)
def test_only_the_table_read_in_the_label_is_verified(
    catalogue: Catalogue,
    name: str,
    place: int,
    shared: str,
    verified: bool,
    start: int,
    below: int | None,
) -> None:
    found = table(catalogue, name, place)
    assert (found.verified, found.age_from, found.age_below) == (verified, start, below)
    assert verified or found.source.certainty == "C"


@pytest.mark.parametrize(
    ("ige", "kg", "expected"),
    [
        ("29.9", "60", None),
        ("30", "60", "150 mg every 4 weeks"),
        ("100", "60", "150 mg every 4 weeks"),
        ("100.1", "60", "300 mg every 4 weeks"),
        ("200", "90", "300 mg every 4 weeks"),
        ("200", "90.1", "225 mg every 2 weeks"),
        ("300", "60", "300 mg every 4 weeks"),
        ("300", "60.1", "225 mg every 2 weeks"),
        ("300.1", "60", "225 mg every 2 weeks"),
        ("350", "90", "300 mg every 2 weeks"),
        ("350", "90.1", "no dose"),
        ("500", "90", "375 mg every 2 weeks"),
        ("500.1", "90", "no dose"),
        ("700", "60", "375 mg every 2 weeks"),
        ("700.1", "60", None),
        ("100", "29.9", None),
        ("100", "30", "150 mg every 4 weeks"),
        ("100", "150", "300 mg every 4 weeks"),
        ("100", "150.1", None),
    ],
)
def test_both_sides_of_the_bounds_at_12_and_older(
    catalogue: Catalogue, ige: str, kg: str, expected: str | None
) -> None:
    cell = table(catalogue, "asthma", 0).cell(Decimal(ige), Decimal(kg))
    shown = cell and (f"{cell.dose} every {cell.interval}" if cell.dose else "no dose")
    assert shown == expected


def test_no_food_allergy_dose_can_be_worked_out(catalogue: Catalogue) -> None:
    for drug in catalogue.drug_ids():
        for found in catalogue.drug(drug, TODAY).indications:
            if "food" in found.id:
                assert found.tables == () and found.doses == ()


# ---------------------------------------------------------------- indications


@pytest.mark.parametrize(
    ("name", "age", "window", "needs", "doses"),
    [
        (
            "asthma",
            6,
            ("30", "1300"),
            ["total_ige", "weight", "sensitisation", "inhaled_corticosteroid"],
            [75, 150, 225, 300, 375],
        ),
        ("chronic-spontaneous-urticaria", 12, None, ["h1_antihistamine"], [150, 300]),
        (
            "nasal-polyps",
            18,
            ("30", "1500"),
            ["total_ige", "weight", "nasal_corticosteroid"],
            [],
        ),
        ("food-allergy", 1, ("30", None), ["total_ige", "weight"], []),
    ],
)
def test_what_the_label_says_of_each_indication(
    catalogue: Catalogue,
    name: str,
    age: int,
    window: tuple[str, str | None] | None,
    needs: list[str],
    doses: list[int],
) -> None:
    for drug in ("omalizumab", "omalizumab-igec"):
        found = indication(catalogue, drug, name)
        low, high = window or (None, None)
        assert found.age_from == age
        assert found.ige_from == (Decimal(low) if low else None)
        assert found.ige_to == (Decimal(high) if high else None)
        assert [need.what for need in found.needs] == needs
        assert [int(dose.value) for dose in found.doses] == doses
        assert {"labelled", "icd10cm"} <= set(found.sources)


@pytest.mark.parametrize(
    ("drug", "name", "code", "serves"),
    [
        ("omalizumab", "asthma", "J45.40", "specific"),
        ("omalizumab", "asthma", "J45.52", "specific"),
        ("omalizumab", "asthma", "J45.909", "unspecified"),
        ("omalizumab", "asthma", "J45.30", "no"),
        ("omalizumab", "asthma", "426656000", "specific"),
        ("omalizumab", "asthma", "195967001", "unspecified"),
        ("omalizumab", "asthma", "426979002", "no"),
        ("omalizumab", "chronic-spontaneous-urticaria", "L50.1", "specific"),
        ("omalizumab", "chronic-spontaneous-urticaria", "L50.9", "unspecified"),
        ("omalizumab", "chronic-spontaneous-urticaria", "51611005", "unspecified"),
        ("omalizumab", "chronic-spontaneous-urticaria", "402408009", "no"),
        ("omalizumab", "nasal-polyps", "J33.0", "specific"),
        ("omalizumab", "nasal-polyps", "J33.9", "unspecified"),
        ("omalizumab", "food-allergy", "Z91.010", "specific"),
        ("omalizumab", "food-allergy", "414285001", "unspecified"),
        ("tezepelumab", "asthma", "J45.50", "specific"),
        ("tezepelumab", "asthma", "J45.40", "no"),
        ("mepolizumab", "egpa", "M30.1", "specific"),
        ("mepolizumab", "hypereosinophilic-syndrome", "D72.119", "unspecified"),
        ("benralizumab", "egpa", "M30.1", "specific"),
        ("reslizumab", "asthma", "J45.51", "specific"),
    ],
)
def test_which_codes_serve_an_indication(
    catalogue: Catalogue, drug: str, name: str, code: str, serves: str
) -> None:
    found = indication(catalogue, drug, name)
    specific = code in found.icd10cm | found.snomed
    unspecified = code in found.icd10cm_unspecified | found.snomed_unspecified
    assert (specific, unspecified) == (serves == "specific", serves == "unspecified")


def test_milk_and_egg_allergy_are_split_from_fy2026(catalogue: Catalogue) -> None:
    before = indication(catalogue, "omalizumab", "food-allergy", date(2025, 9, 30)).icd10cm
    after = indication(catalogue, "omalizumab", "food-allergy", date(2025, 10, 1)).icd10cm
    assert {"Z91.011", "Z91.012"} <= before
    assert not {"Z91.0110", "Z91.0122"} & before
    assert {"Z91.0110", "Z91.0111", "Z91.0112", "Z91.0120", "Z91.0121", "Z91.0122"} <= after
    assert not {"Z91.011", "Z91.012"} & after
    assert {"Z91.010", "Z91.018"} <= before & after


@pytest.mark.parametrize(
    ("drug", "name", "start"),
    [
        ("omalizumab", "asthma", date(2024, 10, 1)),
        ("tezepelumab", "nasal-polyps", date(2025, 11, 1)),
        ("mepolizumab", "egpa", date(2026, 1, 1)),
    ],
)
def test_an_indication_is_not_there_before_its_start(
    catalogue: Catalogue, drug: str, name: str, start: date
) -> None:
    before = catalogue.drug(drug, start - timedelta(days=1)).indications
    assert name not in [i.id for i in before]
    assert name in [i.id for i in catalogue.drug(drug, start).indications]


def test_a_label_that_was_not_read_to_its_end_says_so(catalogue: Catalogue) -> None:
    assert catalogue.drug("benralizumab", date(2026, 4, 30)).unread_indications is None
    assert catalogue.drug("benralizumab", TODAY).unread_indications
    assert catalogue.drug("mepolizumab", TODAY).unread_indications
    assert catalogue.drug("omalizumab", TODAY).unread_indications is None


@pytest.mark.parametrize("drug", ["depemokimab", "dupilumab"])
def test_what_no_source_gives_is_left_out(catalogue: Catalogue, drug: str) -> None:
    assert catalogue.drug(drug, TODAY).indications == ()


def test_every_need_can_be_answered(catalogue: Catalogue) -> None:
    known = EVIDENCE | set(catalogue.terms.observations) | set(catalogue.terms.drug_classes)
    for drug in catalogue.drug_ids():
        for found in catalogue.drug(drug, TODAY).indications:
            assert {need.what for need in found.needs} <= known
    for payer in catalogue.payer_files:
        for wanted in catalogue.payer(payer, TODAY).criteria.values():
            assert {need.what for need in wanted.needs} <= known
            assert set(wanted.reassessment) <= set(catalogue.terms.observations)


# ---------------------------------------------------------------- payers


def test_the_ngs_list_is_known_for_the_lungs_and_the_nose_only(catalogue: Catalogue) -> None:
    for drug in ("omalizumab", "omalizumab-igec"):
        asthma = criteria(catalogue, "medicare-part-b-ngs", drug, "asthma")
        polyps = criteria(catalogue, "medicare-part-b-ngs", drug, "nasal-polyps")
        assert len(asthma.diagnoses) == 6 and asthma.wants_severity
        assert polyps.diagnoses == {"J33.0"}
    known = catalogue.payer("medicare-part-b-ngs", TODAY).criteria
    assert not [key for key in known if key[1] in ("food-allergy", "chronic-spontaneous-urticaria")]
    before = catalogue.payer("medicare-part-b-ngs", date(2025, 9, 16))
    assert before.criteria == {}


@pytest.mark.parametrize("payer", ["medicare-part-b", "medicare-part-b-palmetto", "commercial"])
def test_what_one_contractor_or_plan_wants_is_not_said_of_others(
    catalogue: Catalogue, payer: str
) -> None:
    assert catalogue.payer(payer, TODAY).criteria == {}


@pytest.mark.parametrize(
    ("payer", "name", "what", "lasting"),
    [
        ("commercial-bcbs-texas", "asthma", "inhaled_corticosteroid", 90),
        ("commercial-bcbs-texas", "asthma", "second_controller", None),
        ("commercial-bcbs-texas", "chronic-spontaneous-urticaria", "h1_antihistamine", 14),
        ("commercial-bcbs-texas", "nasal-polyps", "nasal_corticosteroid", 28),
        ("commercial-uhc", "asthma", "sensitisation", None),
        ("commercial-uhc", "chronic-spontaneous-urticaria", "h1_antihistamine", 14),
        ("ph-medical-policies", "asthma", "inhaled_corticosteroid", 90),
        ("ph-medical-policies", "chronic-spontaneous-urticaria", "h1_antihistamine", 30),
    ],
)
def test_how_long_a_therapy_must_have_lasted(
    catalogue: Catalogue, payer: str, name: str, what: str, lasting: int | None
) -> None:
    needs = criteria(catalogue, payer, "omalizumab", name).needs
    assert [need.lasting for need in needs if need.what == what] == [lasting]


@pytest.mark.parametrize(
    ("payer", "drug", "name", "authorization", "limit"),
    [
        ("commercial-uhc", "omalizumab", "food-allergy", (True, 360, None), None),
        ("commercial-highmark", "omalizumab", "nasal-polyps", (True, 180, 360), None),
        ("commercial-bcbs-texas", "omalizumab", "asthma", (False, None, None), None),
        ("ph-medical-policies", "omalizumab", "asthma", (True, 180, None), (75, 14)),
        (
            "ph-medical-policies",
            "omalizumab",
            "chronic-spontaneous-urticaria",
            (True, 180, None),
            (60, 28),
        ),
        ("ph-medical-policies", "omalizumab", "nasal-polyps", (True, 180, None), (120, 14)),
        ("ph-medical-policies", "omalizumab", "food-allergy", (True, 180, None), (120, 14)),
        ("ph-medical-policies", "mepolizumab", "egpa", (True, 360, 360), (300, 28)),
        ("ph-medical-policies", "tezepelumab", "asthma", (False, None, None), (210, 28)),
        ("ph-medical-policies", "reslizumab", "asthma", (False, None, None), (400, 28)),
    ],
)
def test_authorization_periods_and_limits(
    catalogue: Catalogue,
    payer: str,
    drug: str,
    name: str,
    authorization: tuple[bool, int | None, int | None],
    limit: tuple[int, int] | None,
) -> None:
    found = criteria(catalogue, payer, drug, name)
    assert (found.authorization, found.first_period, found.next_period) == authorization
    assert found.most_units == limit
    assert found.authorization == ("authorization" in found.sources)


def test_eosinophils_must_be_new_for_reslizumab(catalogue: Catalogue) -> None:
    (need,) = criteria(catalogue, "ph-medical-policies", "reslizumab", "asthma").needs
    assert (need.what, need.within, need.source.certainty) == ("eosinophils", 28, "B")


@pytest.mark.parametrize(
    ("name", "types", "payer"),
    [
        ("National Government Services", (), "medicare-part-b-ngs"),
        ("NGS Medicare Part B", ("MB",), "medicare-part-b-ngs"),
        ("Medicare Part B", ("MB",), "medicare-part-b"),
        ("Blue Cross and Blue Shield of Texas", ("BL",), "commercial-bcbs-texas"),
        ("BCBSTX PPO", (), "commercial-bcbs-texas"),
        ("Blue Cross Blue Shield of Texas Medicare Advantage", (), "medicare-advantage"),
        ("UnitedHealthcare Choice Plus", ("CI",), "commercial-uhc"),
        ("UHC", ("512",), "commercial-uhc"),
        ("UnitedHealthcare Medicare Advantage", (), "medicare-advantage"),
        ("UnitedHealthcare Community Plan of Maryland", (), "maryland-medicaid"),
        ("UnitedHealthcare Community Plan", (), "unknown-payer"),
        ("Highmark Blue Cross Blue Shield", (), "commercial-highmark"),
        ("Blue Cross Blue Shield", (), "commercial"),
        ("Kings Insurance Holdings", (), "unknown-payer"),
    ],
)
def test_which_plan_is_recognised(
    catalogue: Catalogue, name: str, types: tuple[str, ...], payer: str
) -> None:
    coverage = Coverage("Coverage/1", tuple(Code("", t) for t in types), payor_names=(name,))
    found = recognised_payer(coverage, catalogue).payer_id
    part_of = {r.payer_id: r.part_of for r in catalogue.payer_recognition}
    assert payer in (found, *part_of[found])


# ---------------------------------------------------------------- clinical words


@pytest.mark.parametrize(
    ("code", "text", "kind", "expected"),
    [
        ("19113-0", "IgE [Units/volume] in Serum or Plasma", "total_ige", "yes"),
        ("19113-0", "", "total_ige", "yes"),
        ("19113-0", "Cat dander IgE Ab in Serum", "total_ige", "code and words disagree"),
        ("6098-8", "Total IgE", "total_ige", "code and words disagree"),
        ("6098-8", "Total IgE", "allergen_dog", "code and words disagree"),
        ("6098-8", "Dog dander IgE Ab [Units/volume] in Serum", "allergen_dog", "yes"),
        ("6098-8", "Dog dander IgE Ab [Units/volume] in Serum", "total_ige", "no"),
        ("6098-8", "Cat dander IgE", "allergen_dog", "code and words disagree"),
        ("6098-8", "Cat dander IgE", "allergen_cat", "code and words disagree"),
        ("6844-5", "Cat dander IgE", "allergen_cat", "code and words disagree"),
        ("6158-0", "Dust mite IgE", "allergen_dust_mite", "code and words disagree"),
        ("6273-7", "Tree pollen IgE", "allergen_walnut", "code and words disagree"),
        ("6095-4", "American house dust mite IgE Ab in Serum", "allergen_dust_mite", "yes"),
        ("6096-2", "D. pteronyssinus IgE", "allergen_dust_mite", "code and words disagree"),
        ("15609-1", "Cat dander IgE Ab RAST class", "allergen_cat", "no"),
        ("15609-1", "Cat dander IgE Ab RAST class", "allergen_cat_class", "yes"),
        ("", "IgE", "total_ige", "yes"),
        ("", "IgE, Total", "total_ige", "yes"),
        ("", "Immunoglobulin E", "total_ige", "yes"),
        ("", "Rabbit IgE", "total_ige", "no"),
        ("", "Peanut IgE, total", "total_ige", "no"),
        ("", "Prostate specific antigen", "total_ige", "no"),
        ("", "Shigella culture", "total_ige", "no"),
        ("", "Immunoglobulin electrophoresis", "total_ige", "no"),
        ("20150-9", "FEV1", "fev1", "yes"),
        ("20150-9", "FEV1 % predicted", "fev1", "code and words disagree"),
        ("20152-5", "FEV1 measured/predicted", "fev1_percent", "yes"),
        ("19926-5", "FEV1/FVC", "fev1_fvc", "yes"),
        ("19926-5", "FEV1/FVC", "fev1_percent", "no"),
        ("82668-5", "Total score [ACT]", "act", "yes"),
        ("", "Physical activity", "act", "no"),
        ("", "UAS7", "uas7", "yes"),
        ("711-2", "Eosinophils [#/volume] in Blood by Automated count", "eosinophils", "yes"),
        ("713-8", "Eosinophils/100 leukocytes in Blood", "eosinophils", "no"),
        ("29463-7", "Body Weight", "weight", "yes"),
        ("8339-4", "Birth weight Measured", "weight", "no"),
    ],
)
def test_a_result_is_of_a_kind_only_when_code_and_words_agree(
    catalogue: Catalogue, code: str, text: str, kind: str, expected: str
) -> None:
    assert catalogue.terms.is_kind(result(code, text), kind) == expected


@pytest.mark.parametrize(
    ("code", "text", "perennial"),
    [
        ("6095-4", "American house dust mite IgE Ab in Serum", True),
        ("6833-8", "Cat dander IgE Ab in Serum", True),
        ("6098-8", "Dog dander IgE Ab [Units/volume] in Serum", True),
        ("6075-6", "Cladosporium herbarum IgE Ab in Serum", True),
        ("6078-0", "Cockroach IgE Ab in Serum", True),
        ("6085-5", "Common Ragweed IgE Ab in Serum", False),
        ("6206-7", "Peanut IgE Ab in Serum", False),
        ("6844-5", "Honey bee IgE Ab in Serum", False),
        ("6158-0", "Latex IgE Ab in Serum", False),
    ],
)
def test_which_allergens_are_perennial(
    catalogue: Catalogue, code: str, text: str, perennial: bool
) -> None:
    found = catalogue.terms.allergen_of(result(code, text))
    assert found is not None and found.perennial == perennial


def test_no_code_belongs_to_two_kinds(catalogue: Catalogue) -> None:
    codes = [code for kind in catalogue.terms.observations.values() for code in kind.loinc]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("text", "rxnorm", "drug_class", "expected"),
    [
        (
            "120 ACTUAT Fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler",
            "895994",
            "inhaled_corticosteroid",
            "yes",
        ),
        ("fluticasone 50 mcg nasal spray", "", "inhaled_corticosteroid", "no"),
        ("fluticasone 50 mcg nasal spray", "", "nasal_corticosteroid", "yes"),
        ("Fluticasone propionate Metered Dose Inhaler", "", "nasal_corticosteroid", "no"),
        ("fluticasone propionate", "41126", "inhaled_corticosteroid", "code and words disagree"),
        ("fluticasone propionate", "41126", "nasal_corticosteroid", "code and words disagree"),
        ("fluticasone / salmeterol", "284635", "inhaled_corticosteroid", "yes"),
        ("fluticasone / salmeterol", "284635", "second_controller", "yes"),
        ("fluticasone / salmeterol", "284635", "nasal_corticosteroid", "no"),
        ("triamcinolone acetonide 0.1 % topical cream", "", "nasal_corticosteroid", "no"),
        ("Symbicort 160/4.5", "", "inhaled_corticosteroid", "yes"),
        ("montelukast 10 MG Oral Tablet", "", "second_controller", "yes"),
        ("albuterol 0.09 MG/ACTUAT Metered Dose Inhaler", "", "second_controller", "no"),
        ("Loratadine 5 MG Chewable Tablet", "", "h1_antihistamine", "yes"),
        ("cetirizine 0.24 % ophthalmic solution", "", "h1_antihistamine", "no"),
        ("predniSONE 5 MG Oral Tablet", "", "oral_corticosteroid", "yes"),
        ("prednisolone acetate 1 % ophthalmic suspension", "", "oral_corticosteroid", "no"),
        ("Acetaminophen 325 MG Oral Tablet", "", "h1_antihistamine", "no"),
    ],
)
def test_which_class_a_therapy_is_of(
    catalogue: Catalogue, text: str, rxnorm: str, drug_class: str, expected: str
) -> None:
    assert catalogue.terms.in_class(therapy(text, rxnorm), drug_class) == expected


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("232350006", "House dust mite allergy", True),
        ("232347008", "Dander (animal) allergy", True),
        ("446096008", "Perennial allergic rhinitis", True),
        ("", "Allergy to cats, cat dander", True),
        ("418689008", "Allergy to grass pollen", False),
        ("300916003", "Latex allergy", False),
        ("61582004", "Allergic rhinitis", False),
    ],
)
def test_which_allergy_names_a_perennial_allergen(
    catalogue: Catalogue, code: str, text: str, expected: bool
) -> None:
    codes = (Code("snomed", code),) if code else ()
    problem = Problem("AllergyIntolerance/1", "allergy", codes, text, None)
    assert catalogue.terms.names_perennial(problem) == expected


# ---------------------------------------------------------------- durations and repeated questions


@pytest.mark.parametrize(
    ("text", "days"),
    [("3 months", 90), ("90 days", 90), ("4 weeks", 28), ("12 mo", 360), ("2 wk", 14)],
)
def test_a_month_is_30_days(text: str, days: int) -> None:
    assert days_of(text) == days


@pytest.mark.parametrize("text", ["", "3", "months", "3 fortnights", "-3 months", "1.5 months"])
def test_no_duration_is_guessed(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        days_of(text)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("75 units/14 d", (75, 14)),
        ("120/14 d", (120, 14)),
        ("400/4 wk", (400, 28)),
        ("1300/yr", None),
        ("100 billable units every 28 days", (100, 28)),
    ],
)
def test_units_per_period(text: str, limit: tuple[int, int] | None) -> None:
    if limit:
        assert units_per_period(text) == limit
    else:
        with pytest.raises(ValueError, match="is not a"):
            units_per_period(text)


def test_a_question_asked_again_is_not_worked_out_again(catalogue: Catalogue) -> None:
    first, later = TODAY, TODAY + timedelta(days=1)
    assert catalogue.drug("omalizumab", first) is catalogue.drug("omalizumab", later)
    assert catalogue.payer("commercial-uhc", first) is catalogue.payer("commercial-uhc", later)
    earlier = date(2025, 9, 30)
    assert catalogue.drug("omalizumab", first) is not catalogue.drug("omalizumab", earlier)
    with pytest.raises(KeyError):
        catalogue.drug("aspirin", TODAY)
