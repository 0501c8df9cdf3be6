"""The shipped facts: codes, units, dates on both sides, containers, payers, modifiers."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.chart import Coverage
from billing_rules.model import Code, OrderLine
from billing_rules.payers import recognised_payer
from billing_rules.recognise import recognise

TODAY = date(2026, 11, 23)

# drug id, code, billing unit, units over which CMS calls a claim medically unlikely
CODES = [
    ("omalizumab", "J2357", "5 mg", 120),
    ("omalizumab-igec", "Q5154", "5 mg", None),
    ("tezepelumab", "J2356", "1 mg", 210),
    ("mepolizumab", "J2182", "1 mg", 300),
    ("reslizumab", "J2786", "1 mg", 500),
    ("benralizumab", "J0517", "1 mg", 30),
    ("depemokimab", "J2361", "1 mg", None),
    ("triamcinolone", "J3301", "10 mg", 16),
]

# the first day each code was in force
STARTS = [
    ("omalizumab", "J2357", date(2005, 1, 1)),
    ("omalizumab-igec", "Q5154", date(2025, 10, 1)),
    ("tezepelumab", "J2356", date(2022, 7, 1)),
    ("mepolizumab", "J2182", date(2017, 1, 1)),
    ("reslizumab", "J2786", date(2017, 1, 1)),
    ("benralizumab", "J0517", date(2019, 1, 1)),
    ("depemokimab", "J2361", date(2026, 10, 1)),
]

# NDC as on the box, drug id, labelled amount, billing units, dose status
CONTAINERS = [
    ("50242-040-62", "omalizumab", "150 mg", 30, "single-dose"),
    ("50242-214-01", "omalizumab", "75 mg", 15, "single-dose"),
    ("50242-214-03", "omalizumab", "75 mg", 15, "single-dose"),
    ("50242-214-55", "omalizumab", "75 mg", 15, "single-dose"),
    ("50242-215-01", "omalizumab", "150 mg", 30, "single-dose"),
    ("50242-215-03", "omalizumab", "150 mg", 30, "single-dose"),
    ("50242-215-55", "omalizumab", "150 mg", 30, "single-dose"),
    ("50242-227-01", "omalizumab", "300 mg", 60, "single-dose"),
    ("50242-227-55", "omalizumab", "300 mg", 60, "single-dose"),
    ("72606-035-01", "omalizumab-igec", "75 mg", 15, "unknown"),
    ("72606-054-01", "omalizumab-igec", "300 mg", 60, "unknown"),
    ("72606-054-02", "omalizumab-igec", "300 mg", 60, "unknown"),
    ("55513-112-01", "tezepelumab", "210 mg", 210, "single-dose"),
    ("55513-123-01", "tezepelumab", "210 mg", 210, "single-dose"),
    ("0173-0881-01", "mepolizumab", "100 mg", 100, "single-dose"),
    ("59310-610-31", "reslizumab", "100 mg", 100, "single-dose"),
    ("0310-1730-30", "benralizumab", "30 mg", 30, "single-dose"),
    ("0310-1830-30", "benralizumab", "30 mg", 30, "single-dose"),
    ("0310-1745-01", "benralizumab", "10 mg", 10, "single-dose"),
    ("0173-0927-42", "depemokimab", "100 mg", 100, "unknown"),
    ("43598-677-11", "triamcinolone", "40 mg", 4, "single-dose"),
    ("46708-812-01", "triamcinolone", "40 mg", 4, "single-dose"),
    ("0703-0245-01", "triamcinolone", "400 mg", 40, "multiple-dose"),
    ("70121-1652-1", "triamcinolone", "200 mg", 20, "multiple-dose"),
    ("67457-622-99", "triamcinolone", "200 mg", 20, "multiple-dose"),
    ("70121-1657-1", "triamcinolone", "40 mg", 4, "unknown"),
]


def the_day_before(day: date) -> date:
    return day - timedelta(days=1)


def order(*codes: Code, name: str = "") -> OrderLine:
    names = (name,) if name else ()
    return OrderLine("MedicationRequest/1", "MedicationRequest", codes=codes, names=names)


# ---------------------------------------------------------------- drugs


@pytest.mark.parametrize(("drug_id", "code", "unit", "unlikely"), CODES)
def test_each_drug_has_its_code_unit_and_edit(
    catalogue: Catalogue, drug_id: str, code: str, unit: str, unlikely: int | None
) -> None:
    drug = catalogue.drug(drug_id, TODAY)
    assert (drug.hcpcs, str(drug.billing_unit)) == (code, unit)
    assert drug.medically_unlikely_units == unlikely
    known = catalogue.known_code(code, TODAY)
    assert known is not None and known.drug_id == drug_id


def test_the_catalogue_holds_nine_drugs(catalogue: Catalogue) -> None:
    assert set(catalogue.drug_ids()) == {row[0] for row in CODES} | {"dupilumab"}


@pytest.mark.parametrize(("drug_id", "code", "start"), STARTS)
def test_a_code_is_in_force_from_its_start_and_not_a_day_before(
    catalogue: Catalogue, drug_id: str, code: str, start: date
) -> None:
    before, after = catalogue.drug(drug_id, the_day_before(start)), catalogue.drug(drug_id, start)
    assert (before.hcpcs, before.billing_unit) == (None, None)
    assert before.unclassified_codes == ("J3590", "J3490", "C9399")
    assert after.hcpcs == code
    assert catalogue.known_code(code, the_day_before(start)) is None


def test_tezepelumabs_code_is_never_omalizumabs(catalogue: Catalogue) -> None:
    assert catalogue.identifiers.hcpcs["J2356"] == "tezepelumab"
    assert catalogue.identifiers.hcpcs["J2357"] == "omalizumab"


def test_dupilumab_has_only_unclassified_codes(catalogue: Catalogue) -> None:
    drug = catalogue.drug("dupilumab", TODAY)
    assert drug.hcpcs is None
    assert drug.unclassified_codes == ("J3590", "J3490", "C9399")
    for code in drug.unclassified_codes:
        known = catalogue.known_code(code, TODAY)
        assert known is not None and known.kind == "unclassified"


def test_an_edit_is_not_in_force_before_its_quarter(catalogue: Catalogue) -> None:
    assert catalogue.drug("omalizumab", date(2026, 6, 30)).medically_unlikely_units is None
    assert catalogue.drug("omalizumab", date(2026, 7, 1)).medically_unlikely_units == 120


def test_status_of_outpatient_payment_changes_when_pass_through_ends(
    catalogue: Catalogue,
) -> None:
    assert catalogue.drug("tezepelumab", date(2025, 6, 30)).opps_status == "G"
    assert catalogue.drug("tezepelumab", date(2025, 7, 1)).opps_status == "K"
    assert catalogue.drug("omalizumab-igec", TODAY).opps_status == "E2"


def test_labelled_doses_intervals_and_routes(catalogue: Catalogue) -> None:
    omalizumab = catalogue.drug("omalizumab", TODAY)
    assert [int(d.value) for d in omalizumab.labelled_doses] == list(range(75, 601, 75))
    assert [str(i) for i in omalizumab.intervals] == ["2 weeks", "4 weeks"]
    assert omalizumab.routes == ("subcutaneous",)
    reslizumab = catalogue.drug("reslizumab", TODAY)
    assert str(reslizumab.labelled_dose_per_weight) == "3 mg/kg"
    assert reslizumab.routes == ("intravenous",)
    benralizumab = catalogue.drug("benralizumab", TODAY)
    assert [str(i) for i in benralizumab.intervals] == ["4 weeks", "8 weeks"]


# ---------------------------------------------------------------- containers


@pytest.mark.parametrize(("shown", "drug_id", "strength", "units", "status"), CONTAINERS)
def test_each_container_has_its_strength_units_and_dose_status(
    catalogue: Catalogue, shown: str, drug_id: str, strength: str, units: int, status: str
) -> None:
    drug = catalogue.drug(drug_id, TODAY)
    container = next(c for c in drug.containers if c.ndc_shown == shown)
    assert drug.billing_unit is not None
    assert str(container.strength) == strength
    assert container.strength == drug.billing_unit * units
    assert container.dose_status == status
    assert catalogue.identifiers.ndcs[container.ndc] == drug_id


def test_the_table_above_holds_every_container_but_dupilumabs(catalogue: Catalogue) -> None:
    drugs = [catalogue.drug(drug_id, TODAY) for drug_id in catalogue.drug_ids()]
    listed = {container.ndc_shown for drug in drugs for container in drug.containers}
    assert listed - {row[0] for row in CONTAINERS} == {"0024-5919-20"}


def test_the_vial_counts_what_it_delivers_not_its_overfill(catalogue: Catalogue) -> None:
    vial = catalogue.drug("omalizumab", TODAY).container("50242004062")
    assert vial is not None
    assert (str(vial.strength), str(vial.volume)) == ("150 mg", "1.2 mL")


def test_syringes_come_before_the_vial(catalogue: Catalogue) -> None:
    forms = [c.form for c in catalogue.drug("omalizumab", TODAY).containers]
    assert forms[0] == "syringe" and forms[-1] == "vial"


@pytest.mark.parametrize(
    ("ndc", "start"),
    [
        ("72606003501", date(2026, 9, 1)),
        ("72606005401", date(2026, 10, 5)),
        ("72606005402", date(2026, 10, 5)),
    ],
)
def test_omlyclo_is_marketed_from_its_start(catalogue: Catalogue, ndc: str, start: date) -> None:
    container = catalogue.drug("omalizumab-igec", TODAY).container(ndc)
    assert container is not None
    assert container.marketed_on(start) and not container.marketed_on(the_day_before(start))


def test_cartons_of_several_say_how_many(catalogue: Catalogue) -> None:
    carton = catalogue.drug("omalizumab-igec", TODAY).container("72606005402")
    vials = catalogue.drug("triamcinolone", TODAY).container("67457062299")
    assert carton is not None and carton.per_package == 2
    assert vials is not None and vials.per_package == 25


def test_one_code_is_sold_single_and_multiple_dose(catalogue: Catalogue) -> None:
    triamcinolone = catalogue.drug("triamcinolone", TODAY)
    assert {c.dose_status for c in triamcinolone.containers} == {
        "single-dose",
        "multiple-dose",
        "unknown",
    }


# ---------------------------------------------------------------- recognition


@pytest.mark.parametrize(("shown", "drug_id", "strength", "units", "status"), CONTAINERS)
def test_every_ndc_is_recognised_however_it_is_written(
    catalogue: Catalogue, shown: str, drug_id: str, strength: str, units: int, status: str
) -> None:
    labeler, product, package = shown.split("-")
    eleven = labeler.zfill(5) + product.zfill(4) + package.zfill(2)
    hyphenated = f"{labeler.zfill(5)}-{product.zfill(4)}-{package.zfill(2)}"
    for text in (shown, shown.replace("-", ""), eleven, hyphenated):
        found = recognise(order(Code("ndc", text)), catalogue)
        assert found is not None and (found[0], found[1].by) == (drug_id, "NDC")


@pytest.mark.parametrize(
    ("code", "drug_id"),
    [
        ("302379", "omalizumab"),
        ("1720597", "mepolizumab"),
        ("1746889", "reslizumab"),
        ("1989100", "benralizumab"),
        ("1876376", "dupilumab"),
        ("2587794", "tezepelumab"),
        ("1657209", "omalizumab"),
        ("2726001", "omalizumab-igec"),
        ("1746893", "reslizumab"),
    ],
)
def test_rxnorm_codes_are_recognised(catalogue: Catalogue, code: str, drug_id: str) -> None:
    found = recognise(order(Code("rxnorm", code)), catalogue)
    assert found is not None and found[0] == drug_id


@pytest.mark.parametrize(
    ("name", "drug_id"),
    [
        ("OMALIZUMAB 150 MG SC SOLR", "omalizumab"),
        ("Xolair 75 mg/0.5 mL", "omalizumab"),
        ("omalizumab-igec 75 mg", "omalizumab-igec"),
        ("OMLYCLO", "omalizumab-igec"),
        ("tezepelumab-ekko (Tezspire)", "tezepelumab"),
        ("Nucala 100 mg", "mepolizumab"),
        ("CINQAIR", "reslizumab"),
        ("Fasenra Pen", "benralizumab"),
        ("Dupixent", "dupilumab"),
        ("Exdensur", "depemokimab"),
        ("Kenalog-40 injection", "triamcinolone"),
    ],
)
def test_names_are_recognised_in_any_case(catalogue: Catalogue, name: str, drug_id: str) -> None:
    found = recognise(order(name=name), catalogue)
    assert found is not None and (found[0], found[1].by) == (drug_id, "text")


@pytest.mark.parametrize(
    "name", ["triamcinolone acetonide 0.1 % topical cream", "Nasacort", "prednisone 5 mg", ""]
)
def test_other_drugs_and_forms_are_not_taken_for_these(catalogue: Catalogue, name: str) -> None:
    assert recognise(order(name=name), catalogue) is None


# ---------------------------------------------------------------- payers


@pytest.mark.parametrize("payer_id", ["medicare-part-b", "medicare-part-b-palmetto"])
@pytest.mark.parametrize(("name", "start"), [("jw", date(2017, 1, 1)), ("jz", date(2023, 7, 1))])
def test_part_b_requires_each_waste_modifier_from_its_date(
    catalogue: Catalogue, payer_id: str, name: str, start: date
) -> None:
    assert getattr(catalogue.payer(payer_id, the_day_before(start)), name) == "not yet"
    assert getattr(catalogue.payer(payer_id, start), name) == "required"


def test_one_medicaid_plan_denies_jw(catalogue: Catalogue) -> None:
    assert catalogue.payer("medicaid-denies-jw", date(2021, 4, 30)).jw == "not yet"
    assert catalogue.payer("medicaid-denies-jw", date(2021, 5, 1)).jw == "denies"


def test_maryland_recognises_jz_from_its_date(catalogue: Catalogue) -> None:
    assert catalogue.payer("maryland-medicaid", date(2025, 4, 30)).jz == "not yet"
    assert catalogue.payer("maryland-medicaid", date(2025, 5, 1)).jz == "recognised"
    assert catalogue.payer("maryland-medicaid", TODAY).lines_per_ndc == "one line per NDC"


def test_lines_per_ndc_is_each_contractors_own_rule(catalogue: Catalogue) -> None:
    assert catalogue.payer("medicare-part-b", TODAY).lines_per_ndc == "not stated"
    palmetto = date(2024, 10, 25)
    payer_id = "medicare-part-b-palmetto"
    assert catalogue.payer(payer_id, the_day_before(palmetto)).lines_per_ndc == "not stated"
    assert catalogue.payer(payer_id, palmetto).lines_per_ndc == "one line"


def test_edits_apply_to_part_b_only(catalogue: Catalogue) -> None:
    payers = [catalogue.payer(payer_id, TODAY) for payer_id in catalogue.payer_files]
    applying = {payer.id for payer in payers if payer.medically_unlikely_edits}
    part_b = {"medicare-part-b", "medicare-part-b-ngs", "medicare-part-b-palmetto"}
    assert applying == part_b
    assert not catalogue.payer("medicare-part-b", date(2026, 6, 30)).medically_unlikely_edits


@pytest.mark.parametrize("payer_id", ["commercial", "medicare-advantage", "unknown-payer"])
def test_nothing_is_stated_where_nothing_is_known(catalogue: Catalogue, payer_id: str) -> None:
    payer = catalogue.payer(payer_id, TODAY)
    assert {payer.jw, payer.jz, payer.lines_per_ndc} == {"not stated"}
    assert payer.known is (payer_id != "unknown-payer")


@pytest.mark.parametrize(
    ("name", "types", "payer_id"),
    [
        ("Medicare", (), "medicare-part-b"),
        ("Medicare Part B", (), "medicare-part-b"),
        ("Medicare Part A and B", (), "medicare-part-b"),
        ("", ("MB",), "medicare-part-b"),
        ("Medicare", ("121",), "medicare-part-b"),
        ("Palmetto GBA Medicare Part B", ("MB",), "medicare-part-b-palmetto"),
        ("Aetna Medicare Advantage PPO", (), "medicare-advantage"),
        ("Humana Medicare", ("111",), "medicare-advantage"),
        ("Medicare HMO", (), "medicare-advantage"),
        ("Medicare Part D", (), "unknown-payer"),
        ("Medicare Supplement Plan G", (), "unknown-payer"),
        ("NJ FamilyCare (UnitedHealthcare Community Plan)", (), "medicaid-denies-jw"),
        ("UnitedHealthcare Community Plan of New Jersey", (), "medicaid-denies-jw"),
        ("UnitedHealthcare Community Plan of Maryland", (), "maryland-medicaid"),
        ("UnitedHealthcare Community Plan", (), "unknown-payer"),
        ("Medicaid", ("MC",), "unknown-payer"),
        ("Horizon NJ Health", (), "unknown-payer"),
        ("Blue Cross Blue Shield", (), "commercial"),
        ("Aetna", ("CI",), "commercial"),
        ("Valley Mutual", ("512",), "commercial"),
        ("Valley Mutual", (), "unknown-payer"),
        # Twelve is a PPO in one list and Medicare in the other: alone it says nothing.
        ("", ("12",), "unknown-payer"),
    ],
)
def test_a_coverage_is_recognised_as_its_payers(
    catalogue: Catalogue, name: str, types: tuple[str, ...], payer_id: str
) -> None:
    coverage = Coverage(
        "Coverage/1",
        types=tuple(Code("", code) for code in types),
        payor_names=(name,) if name else (),
    )
    assert recognised_payer(coverage, catalogue).payer_id == payer_id


# ---------------------------------------------------------------- modifiers, codes, systems


def test_all_modifiers_of_the_cms_file_are_known(catalogue: Catalogue) -> None:
    assert len(catalogue.modifiers) == 383
    assert all(catalogue.modifier(code, TODAY) for code in catalogue.modifiers)


@pytest.mark.parametrize(
    ("code", "start"),
    [("JW", date(2003, 1, 1)), ("JZ", date(2023, 1, 1)), ("TB", date(2018, 1, 1))],
)
def test_a_modifier_exists_from_the_day_it_was_added(
    catalogue: Catalogue, code: str, start: date
) -> None:
    assert catalogue.modifier(code, the_day_before(start)) is None
    assert catalogue.modifier(code, start) is not None


@pytest.mark.parametrize(
    "code",
    [
        "JW",
        "JZ",
        "JA",
        "JB",
        "JG",
        "TB",
        "JK",
        "JL",
        "Q0",
        "Q1",
        "KX",
        "GA",
        "GX",
        "GY",
        "GZ",
        "EJ",
        "RD",
        "J1",
        "J2",
        "J3",
        "XE",
        "XP",
        "XS",
        "XU",
    ],
)
def test_modifiers_these_claims_carry_are_there(catalogue: Catalogue, code: str) -> None:
    modifier = catalogue.modifier(code, TODAY)
    assert modifier is not None and modifier.source.quote == modifier.descriptor


def test_jn_is_no_modifier_and_the_catalogue_says_why(catalogue: Catalogue) -> None:
    assert catalogue.modifier("JN", TODAY) is None
    assert "JN does not exist" in catalogue.not_modifiers["JN"]


def test_neighbours_and_services_are_known_for_what_they_are(catalogue: Catalogue) -> None:
    neighbour = catalogue.known_code("J2355", TODAY)
    assert neighbour is not None and "oprelvekin" in neighbour.meaning
    for code in ("96372", "96401"):
        service = catalogue.known_code(code, TODAY)
        assert service is not None
        assert (service.kind, service.meaning) == ("administration", "")


@pytest.mark.parametrize(
    ("code", "end"),
    [("C9466", date(2019, 1, 1)), ("C9473", date(2017, 1, 1)), ("C9481", date(2017, 1, 1))],
)
def test_a_predecessor_ends_when_the_own_code_begins(
    catalogue: Catalogue, code: str, end: date
) -> None:
    assert catalogue.known_code(code, the_day_before(end)) is not None
    assert catalogue.known_code(code, end) is None


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "hcpcs"),
        ("https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets", "hcpcs"),
        ("urn:oid:2.16.840.1.113883.6.285", "hcpcs"),
        ("https://bluebutton.cms.gov/resources/codesystem/hcpcs", "hcpcs"),
        ("http://www.ama-assn.org/go/cpt", "cpt"),
        ("http://hl7.org/fhir/sid/ndc", "ndc"),
        ("urn:oid:2.16.840.1.113883.6.69", "ndc"),
        ("urn:oid:2.16.840.1.113883.6.90", "icd10cm"),
    ],
)
def test_every_spelling_of_a_code_system_is_known(
    catalogue: Catalogue, uri: str, name: str
) -> None:
    assert catalogue.systems[uri] == name


def test_hcpcs_is_written_in_the_http_form(catalogue: Catalogue) -> None:
    assert catalogue.preferred_uri["hcpcs"].startswith("http://www.cms.gov/")
