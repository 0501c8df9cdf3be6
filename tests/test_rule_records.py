"""Every rule has its decision-support record and every record its rule; nothing in it is blank."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from billing_rules.catalogue import DATA
from billing_rules.catalogue_files import CatalogueError, as_file, read_yaml
from billing_rules.rule_records import NAME, RuleRecords, RulesFile, UseOf, load
from billing_rules.rules import RULES

# What the seed says gets a claim denied or delayed; billing_rules/data/rules.yaml has the words.
SEED_DENIALS = {
    "medical-necessity-documentation",
    "diagnosis-or-test-missing",
    "incorrect-dosage",
    "missing-waste-modifier",
    "modifier-use",
    "coverage-criteria",
    "administration-billed-as-drug",
    "wrong-code",
    "dose-lot-and-waste-record",
    "prior-authorization",
    "step-therapy",
    "reauthorization",
}
SOURCED_CODES = {"CO-16", "CO-50", "N822", "N823"}


@pytest.fixture(scope="module")
def records() -> RuleRecords:
    return load()


def test_one_record_per_rule_both_ways(records: RuleRecords) -> None:
    rules = {rule.id for rule in RULES}
    assert set(records.records) == rules, "data/rules.yaml has one record per rule of rules.RULES"


def test_every_denial_reason_of_the_seed_is_answered(records: RuleRecords) -> None:
    assert set(records.denials) == SEED_DENIALS
    for denial in SEED_DENIALS:
        assert records.answering(denial), f"no rule answers {denial}"


def test_no_rule_is_without_a_denial_it_prevents(records: RuleRecords) -> None:
    for record in records.records.values():
        assert record.denials and record.prevents, record.id


def test_nothing_is_blank(records: RuleRecords) -> None:
    for record in records.records.values():
        uses = [getattr(record.uses, name) for name in UseOf.__struct_fields__]
        texts = [record.title, record.says, record.prevents, record.developer, record.funding]
        assert all(text.strip() for text in [*texts, *uses, record.revised]), record.id
        assert record.citations, record.id
        assert all(c.url.startswith("https://") for c in record.citations), record.id


def test_there_are_nine_attributes() -> None:
    assert len(UseOf.__struct_fields__) == 9


def test_birth_date_is_used_by_age_and_by_no_billing_rule(records: RuleRecords) -> None:
    assert records.records["age"].uses.date_of_birth != "not used"
    assert records.records["billed_units"].uses == UseOf()


def test_a_rule_that_reads_the_birth_date_says_so(records: RuleRecords) -> None:
    reads = {"birth_date", "age_at_start"}
    for rule in RULES:
        name = rule.id
        (path,) = (DATA.parent / "rules").glob(f"*/{name}.py")
        text = path.read_text(encoding="utf-8")
        if any(word in text for word in reads):
            assert records.records[name].uses.date_of_birth != "not used", name


def test_claim_codes_are_only_those_a_source_gives(records: RuleRecords) -> None:
    used = {code for record in records.records.values() for code in record.codes}
    assert used == SOURCED_CODES


def test_every_source_is_cited() -> None:
    file = as_file(read_yaml(DATA / NAME), RulesFile, NAME)
    cited = {key for rule in file.rules.values() for key in rule.citations}
    cited |= {code.source for code in file.codes.values()}
    assert cited == set(file.sources)


def test_quotes_stand_in_their_source() -> None:
    shared = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
    folder = Path(os.environ.get("VIALWISE_REFERENCE_DATA", shared))
    if not folder.is_dir():
        pytest.skip(f"no reference data in {folder}")
    file = as_file(read_yaml(DATA / NAME), RulesFile, NAME)
    for sourced in file.codes.values():
        stored = folder / file.sources[sourced.source].file
        assert sourced.quote in stored.read_text(encoding="utf-8"), sourced.value


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": " "}, "title is blank"),
        ({"name": ""}, "name is blank"),
        ({"limits": [""]}, "limits is blank"),
        ({"reads": ["drug.colour"]}, "'drug.colour'"),
        ({"citations": []}, "cite at least one source"),
        ({"citations": ["hearsay"]}, "'hearsay'"),
        ({"denials": ["bad-luck"]}, "'bad-luck'"),
        ({"codes": ["CO-97"]}, "'CO-97'"),
        ({"uses": {"race": ""}}, "race is blank"),
        ({"uses": {"shoe_size": "all"}}, "shoe_size"),
        ({"revised": "lately"}, "revised is 'lately'"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_record_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    content = yaml.safe_load((DATA / NAME).read_text(encoding="utf-8"))
    content["rules"]["age"].update(change)
    path = tmp_path / NAME
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(CatalogueError, match=message):
        load(path)
