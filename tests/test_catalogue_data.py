"""What holds for every shipped drug, and the dates, containers and names that matter most.

The values themselves are compared with CMS's files in test_catalogue_cms.py.
"""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from billing_rules.catalogue import Catalogue, load
from billing_rules.catalogue.values import listed
from billing_rules.model.chart import Coverage
from billing_rules.model.entities import Code, OrderLine
from billing_rules.orders.choices import recognised_payer
from billing_rules.orders.drug_orders import recognise

TODAY = date(2026, 11, 23)
DRUG_IDS = load().drug_ids()


def the_day_before(day: date) -> date:
    return day - timedelta(days=1)


def order(*codes: Code, name: str = "") -> OrderLine:
    names = (name,) if name else ()
    return OrderLine("MedicationRequest/1", "MedicationRequest", codes=codes, names=names)


# ---------------------------------------------------------------- drugs


@pytest.mark.parametrize("drug_id", DRUG_IDS)
def test_a_code_is_in_force_from_its_start_and_not_a_day_before(
    catalogue: Catalogue, drug_id: str
) -> None:
    timeline = catalogue.drug_files[drug_id].hcpcs
    for start, sourced in timeline.items():
        if start == min(timeline):
            before = catalogue.drug(drug_id, the_day_before(start))
            assert (before.hcpcs, before.billing_unit) == (None, None)
            assert catalogue.known_code(str(sourced.value), the_day_before(start)) is None
        drug = catalogue.drug(drug_id, start)
        assert drug.hcpcs == sourced.value
        if drug.hcpcs:
            known = catalogue.known_code(drug.hcpcs, start)
            assert known is not None and (known.kind, known.drug_id) == ("drug", drug_id)
            assert drug.billing_unit is not None and drug.billing_unit.value > 0


@pytest.mark.parametrize("drug_id", DRUG_IDS)
def test_codes_ndcs_and_names_belong_to_one_drug(catalogue: Catalogue, drug_id: str) -> None:
    file, known = catalogue.drug_files[drug_id], catalogue.identifiers
    assert {known.names[name.lower()] for name in file.names} == {drug_id}
    assert {known.hcpcs[str(s.value)] for s in file.hcpcs.values() if s.value} <= {drug_id}
    assert {known.ndcs[c.ndc] for c in catalogue.drug(drug_id, TODAY).containers} <= {drug_id}


@pytest.mark.parametrize("drug_id", DRUG_IDS)
def test_a_labelled_dose_is_no_unlikely_number_of_units(catalogue: Catalogue, drug_id: str) -> None:
    drug = catalogue.drug(drug_id, TODAY)
    if drug.billing_unit and drug.medically_unlikely_units:
        most = drug.billing_unit * drug.medically_unlikely_units
        assert all(dose.to(most.unit).value <= most.value for dose in drug.labelled_doses)


@pytest.mark.parametrize("drug_id", DRUG_IDS)
def test_a_container_is_marketed_before_it_ends(catalogue: Catalogue, drug_id: str) -> None:
    for container in catalogue.drug(drug_id, TODAY).containers:
        assert container.per_package >= 1 and container.strength.value > 0
        if container.marketed_from and container.marketed_until:
            assert container.marketed_from < container.marketed_until


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


@pytest.mark.parametrize("drug_id", DRUG_IDS)
def test_every_ndc_is_recognised_however_it_is_written(catalogue: Catalogue, drug_id: str) -> None:
    for container in catalogue.drug(drug_id, TODAY).containers:
        shown = container.ndc_shown
        labeler, product, package = shown.split("-")
        parts = (labeler.zfill(5), product.zfill(4), package.zfill(2))
        for text in (shown, shown.replace("-", ""), "".join(parts), "-".join(parts)):
            found = recognise(order(Code("ndc", text)), catalogue)
            assert found is not None and (found[0], found[1].by) == (drug_id, "NDC")


@pytest.mark.parametrize("drug_id", DRUG_IDS)
def test_every_name_and_rxnorm_code_of_a_drug_is_recognised(
    catalogue: Catalogue, drug_id: str
) -> None:
    file = catalogue.drug_files[drug_id]
    for name in file.names:
        found = recognise(order(name=f"{name.upper()} 1 dose"), catalogue)
        assert found is not None and found[0] == drug_id
    for code in listed(file.rxnorm_products):
        found = recognise(order(Code("rxnorm", code)), catalogue)
        assert found is not None and found[0] == drug_id


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


@pytest.mark.parametrize(
    "payer_id", ["medicare-part-b", "medicare-part-b-ngs", "medicare-part-b-palmetto"]
)
def test_edits_apply_to_part_b_from_the_quarter_that_was_read(
    catalogue: Catalogue, payer_id: str
) -> None:
    assert catalogue.payer(payer_id, TODAY).medically_unlikely_edits
    assert not catalogue.payer(payer_id, date(2026, 6, 30)).medically_unlikely_edits


@pytest.mark.parametrize("payer_id", ["commercial", "medicare-advantage", "commercial-uhc"])
def test_edits_are_not_taken_to_be_other_payers_rule(catalogue: Catalogue, payer_id: str) -> None:
    assert not catalogue.payer(payer_id, TODAY).medically_unlikely_edits


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
    found = recognised_payer(coverage, catalogue).payer_id
    part_of = {r.payer_id: r.part_of for r in catalogue.payer_recognition}
    assert payer_id in (found, *part_of[found])


# ---------------------------------------------------------------- modifiers, codes, systems


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
