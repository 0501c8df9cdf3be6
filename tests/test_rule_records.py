"""Every rule's row is complete and its record has no blank; what is not complete is refused."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec import structs

from billing_rules import review
from billing_rules.catalogue import DATA
from billing_rules.catalogue.files import CatalogueError, as_file, read_yaml
from billing_rules.model.findings import Finding, ReplaceCode, Severity, Topic
from billing_rules.rule_records import NAME, RuleRecords, SharedFile, load
from billing_rules.rules import (
    RULE_BY_ID,
    RULES,
    IncompleteRule,
    billing,
    complete,
    documentation,
    modules_in,
    rules_reading,
)
from billing_rules.rules.rule import Place, Rule, UseOf
from smart_app.screens import order_page

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
AGE = RULE_BY_ID["age"]
MODULE = "billing_rules.rules.documentation.age"


@pytest.fixture(scope="module")
def records() -> RuleRecords:
    return load()


# ---------------------------------------------------------------- records


def test_every_module_is_a_rule_and_every_rule_has_its_record(records: RuleRecords) -> None:
    modules = {module.rpartition(".")[2] for module in modules_in(billing, documentation)}
    assert modules == set(RULE_BY_ID) == set(records.records)
    assert list(records.records) == [rule.id for rule in RULES]


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
        text = _text_of(rule).partition("\nRULE = ")[0]
        if any(word in text for word in reads):
            assert records.records[rule.id].uses.date_of_birth != "not used", rule.id


def test_claim_codes_are_only_those_a_source_gives(records: RuleRecords) -> None:
    used = {code for record in records.records.values() for code in record.codes}
    assert used == SOURCED_CODES


def test_every_source_is_cited() -> None:
    file = as_file(read_yaml(DATA / NAME), SharedFile, NAME)
    cited = {key for rule in RULES for key in rule.record.citations}
    cited |= {code.source for code in file.codes.values()}
    assert cited == set(file.sources)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reads": ("drug.colour",)}, "age: reads names 'drug.colour'"),
        ({"citations": ("hearsay",)}, "age: citations names 'hearsay'"),
        ({"denials": ("bad-luck",)}, "age: denials names 'bad-luck'"),
        ({"codes": ("CO-97",)}, "age: codes names 'CO-97'"),
    ],
)
def test_a_record_that_names_what_is_not_listed_is_refused(change: Any, message: str) -> None:
    changed = replace(AGE, record=replace(AGE.record, **change))
    with pytest.raises(CatalogueError, match=message):
        load(rules=[changed])


def test_a_blank_that_all_records_share_is_refused(tmp_path: Path) -> None:
    content = yaml.safe_load((DATA / NAME).read_text(encoding="utf-8"))
    path = tmp_path / NAME
    path.write_text(yaml.safe_dump({**content, "funding": " "}), encoding="utf-8")
    with pytest.raises(CatalogueError, match="funding is blank"):
        load(path)


# ---------------------------------------------------------------- rows that are refused


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"title": " "}, "title is blank"),
        ({"name": ""}, "name is blank"),
        ({"limits": ("",)}, "limits is blank"),
        ({"citations": ()}, "the record cites no source"),
        ({"citations": "label"}, "citations is not a list"),
        ({"denials": ()}, "no reason for denial"),
        ({"uses": UseOf(race="")}, "race is blank"),
        ({"revised": "lately"}, "revised is 'lately'"),
    ],
)
def test_an_incomplete_record_is_refused(change: Any, message: str) -> None:
    changed = replace(AGE, record=replace(AGE.record, **change))
    with pytest.raises(IncompleteRule, match=f"{MODULE}: .*{message}"):
        complete({MODULE: changed})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"record": None}, "the record is missing"),
        ({"id": "weight"}, "the id is 'weight'; it must be the module's name, 'age'"),
        ({"topic": Topic.BILLING}, "the topic is not that of the folder, documentation"),
        ({"check": None}, "check is not a function"),
        ({"warns": (), "informs": ()}, "name the kinds of its findings"),
        ({"warns": ("old", "old")}, "warns names 'old' twice"),
        ({"hooks": ()}, "name the hooks"),
        ({"hooks": ("order-review",)}, "hooks names 'order-review'"),
        ({"hooks": "order-sign"}, "hooks is not a list"),
        ({"queries": ("horoscope",)}, "queries names 'horoscope'"),
        ({"corrected_at": {}}, "say where its findings are corrected"),
        ({"corrected_at": {Topic.DOCUMENTATION: "garden"}}, "corrected_at names 'garden'"),
        ({"corrected_at": {"billing": Place.FORM}}, "corrected_at names 'billing'"),
        ({"suggests": (Finding,)}, "suggests names .*Finding"),
    ],
)
def test_an_incomplete_row_is_refused(change: Any, message: str) -> None:
    with pytest.raises(IncompleteRule, match=f"{MODULE}: {message}"):
        complete({MODULE: replace(AGE, **change)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"id": "weight", "rank": AGE.rank}, "age has the rank 30 as well"),
        ({"id": "weight", "rank": 31, "form_groups": ("x",)}, "age has the form group 'x' as well"),
    ],
)
def test_what_two_rows_claim_is_refused(change: Any, message: str) -> None:
    other = "billing_rules.rules.documentation.weight"
    rows = {MODULE: replace(AGE, form_groups=("x",)), other: replace(AGE, **change)}
    with pytest.raises(IncompleteRule, match=f"{other}: {message}"):
        complete(rows)


def test_one_id_in_both_folders_is_refused() -> None:
    other = "billing_rules.rules.billing.age"
    with pytest.raises(IncompleteRule, match=f"{other}: another rule has the id 'age'"):
        complete({MODULE: AGE, other: replace(AGE, topic=Topic.BILLING)})


def test_a_module_without_a_row_is_refused() -> None:
    with pytest.raises(IncompleteRule, match=f"{MODULE}: state the rule's row"):
        complete({MODULE: None})


def test_a_row_without_one_of_its_facts_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forgetting the record is found when the program starts, by the module's name."""
    folder = tmp_path / "rules_to_try"
    folder.mkdir()
    (folder / "__init__.py").write_text("", encoding="utf-8")
    row = "from billing_rules.rules.rule import Rule\nRULE = Rule(id='route', check=print)\n"
    (folder / "route.py").write_text(row, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    package = __import__("rules_to_try")
    with pytest.raises(IncompleteRule, match=r"rules_to_try\.route: .*'record'"):
        modules_in(package)
    sys.modules.pop("rules_to_try")


# ---------------------------------------------------------------- what a row states


def test_the_cards_order_is_the_rows_rank() -> None:
    topics = [rule.topic for rule in RULES]
    assert topics == sorted(topics, key=list(Topic).index)
    for topic in Topic:
        ranks = [rule.rank for rule in RULES if rule.topic is topic]
        assert ranks == sorted(set(ranks))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_kind_of_finding_that_a_row_states_is_one_its_module_makes(rule: Rule) -> None:
    code = _text_of(rule).partition("\nRULE = ")[0]
    for kind in {*rule.warns, *rule.informs}:
        ending = kind.partition("-")[2]  # f"{what}-not-found"
        assert f'"{kind}"' in code or f"}}-{ending}" in code, kind


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "too-young"}, "age does not state 'too-young' as warning"),
        ({"severity": Severity.INFO}, "age does not state 'age-outside-label' as info"),
        ({"topic": Topic.BILLING}, "age states no place to correct billing"),
        ({"corrections": (ReplaceCode,)}, "age does not state that it suggests"),
    ],
)
def test_a_finding_outside_its_row_is_seen(change: Any, message: str) -> None:
    inside = Finding(
        "age-outside-label", "", (), severity=Severity.WARNING, topic=Topic.DOCUMENTATION
    )
    assert AGE.outside(inside) == ""
    assert AGE.outside(structs.replace(inside, **change)).startswith(message)


def test_the_row_says_what_its_check_leaves_out() -> None:
    stated = Finding("age-outside-label", "Look", ())
    (found,) = review.filled_in([(AGE, stated)])
    assert found == Finding(
        "age-outside-label",
        "Look",
        (),
        rule="age",
        severity=Severity.WARNING,
        topic=Topic.DOCUMENTATION,
    )


def test_every_place_is_a_screen_about_an_order() -> None:
    assert set(order_page._SCREENS) == set(Place) - {Place.EHR_ORDER}
    screens = {endpoint for _, endpoint in order_page._ABOUT_AN_ORDER}
    assert {endpoint for endpoint, _ in order_page._SCREENS.values()} <= screens


def test_the_readers_of_a_query_are_those_whose_rows_name_it() -> None:
    assert rules_reading("allergies") == ("sensitisation",)
    assert rules_reading("horoscope") == ()


def _text_of(rule: Rule) -> str:
    path = DATA.parent / "rules" / rule.topic.value / f"{rule.id}.py"
    return path.read_text(encoding="utf-8")
