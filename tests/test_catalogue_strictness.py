"""A wrong catalogue file is refused, and the message says where and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_rules.catalogue import DATA, load
from billing_rules.catalogue.files import CatalogueError, _stands_otherwise, stands_in

OMALIZUMAB = "drugs/omalizumab.yaml"
TEXAS = "payers/commercial-bcbs-texas.yaml"
TABLE = "dosing/xolair-asthma-12-and-older.yaml"
UNIT = "billing_unit:\n  2005-01-01: {value: 5 mg, source: hcpcs-2025-10"
FIRST_NDC = "ndc: {value: 50242-214-01,"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy of the shipped catalogue to spoil."""
    return Path(shutil.copytree(DATA, tmp_path / "data"))


def spoil(data: Path, file: str, old: str, new: str) -> None:
    path = data / file
    text = path.read_text(encoding="utf-8")
    assert old in text, f"the test no longer fits {file}: '{old}' is gone"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def refusal(data: Path) -> str:
    with pytest.raises(CatalogueError) as refused:
        load(data=data)
    return str(refused.value)


def test_an_unspoiled_copy_is_accepted(data: Path) -> None:
    assert load(data=data).drug_ids()


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        pytest.param(
            OMALIZUMAB,
            "brand: Xolair",
            "brand: Xolair\ncolour: blue",
            ["unknown field", "colour"],
            id="unknown key",
        ),
        pytest.param(
            OMALIZUMAB,
            "brand: Xolair",
            "brand: Xolair\nbrand: Xolair",
            ["'brand' stands twice"],
            id="repeated key",
        ),
        pytest.param(
            OMALIZUMAB,
            UNIT,
            UNIT.replace("value: 5 mg", "value: 5"),
            ["in quotes", "with its unit"],
            id="bare number for an amount",
        ),
        pytest.param(
            OMALIZUMAB,
            UNIT,
            UNIT.replace("value: 5 mg", 'value: "5"'),
            ["no unit"],
            id="amount without unit",
        ),
        pytest.param(
            OMALIZUMAB,
            UNIT,
            UNIT.replace(", source: hcpcs-2025-10", ""),
            ["missing required field", "source"],
            id="value without source",
        ),
        pytest.param(
            OMALIZUMAB,
            UNIT,
            UNIT.replace("source: hcpcs-2025-10", "source: hearsay"),
            ["'hearsay'", "neither this file nor sources.yaml"],
            id="source that is not in the registry",
        ),
        pytest.param(
            OMALIZUMAB,
            UNIT,
            UNIT.replace("5 mg", "50 mg"),
            ["'50 mg' does not stand in its quote", "correct the value or quote"],
            id="value not in quote",
        ),
        pytest.param(
            OMALIZUMAB,
            "id: omalizumab\n",
            "id: xolair\n",
            ["id is 'xolair'", "one name"],
            id="id is not the file name",
        ),
        pytest.param(
            OMALIZUMAB,
            FIRST_NDC,
            "ndc: {value: '5024221401',",
            ["does not stand in its quote"],
            id="NDC that no source gives",
        ),
        pytest.param(
            OMALIZUMAB,
            FIRST_NDC + " source: asp-crosswalk-2026q4, quote: 'J2357,50242021401,50242-214-01'}",
            "ndc: {value: '5024221401', source: asp-crosswalk-2026q4, quote: '5024221401'}",
            ["write the NDC with hyphens"],
            id="NDC without hyphens",
        ),
        pytest.param(
            OMALIZUMAB,
            'billing_units: {value: "15", source: asp-crosswalk-2025-10',
            'billing_units: {value: "1", source: asp-crosswalk-2025-10',
            ["1 billing units are not 75 mg"],
            id="billing units against strength",
        ),
        pytest.param(
            OMALIZUMAB,
            "form: syringe",
            "form: ampoule",
            ["form must be one of", "vial"],
            id="unknown form",
        ),
        pytest.param(
            "drugs/omalizumab-igec.yaml",
            'marketed_from: {value: "2026-09-01"',
            'marketed_from: {value: "72606-035-01"',
            ["is not a date"],
            id="date that is none",
        ),
        pytest.param(
            "drugs/triamcinolone.yaml",
            "dose_status: {value: single-dose",
            "dose_status: {value: VIAL",
            ["dose_status must be"],
            id="dose status that is none",
        ),
        pytest.param(
            OMALIZUMAB,
            "certainty: A",
            "certainty: M",
            ["Invalid enum value 'M'", "certainty"],
            id="from memory",
        ),
        pytest.param(
            OMALIZUMAB,
            "sources:\n",
            "sources:\n  rumour: {title: Rumour, url: 'https://a.example/b', "
            "read: 2026-11-23, certainty: C}\n",
            ["nothing cites the source 'rumour'"],
            id="source that nobody cites",
        ),
        pytest.param(
            "sources.yaml",
            "sources:\n",
            "sources:\n  rumour: {title: Rumour, url: 'https://a.example/b', "
            "read: 2026-11-23, certainty: C}\n",
            ["nothing cites the source 'rumour'"],
            id="shared source that nobody cites",
        ),
        pytest.param(
            OMALIZUMAB,
            "sources:\n",
            "sources:\n  hcpcs-2025-10: {title: HCPCS, url: 'https://a.example/b', "
            "read: 2026-11-23, certainty: A}\n",
            ["'hcpcs-2025-10' stands in sources.yaml already"],
            id="source id that is another's",
        ),
        pytest.param(
            "payers/ph-medical-policies.yaml",
            "sources:\n",
            "sources:\n  uhc: {title: 'UnitedHealthcare, Xolair policy (pharmacy benefit), read at "
            "second hand', url: 'https://coverage.pharmacistwrite.com/coverage/united-healthcare/"
            "xolair-omalizumab/moderate-to-severe-persistent-asthma', read: 2026-11-23, "
            "certainty: B, words: our notes}\n",
            ["'uhc' is the same document as 'uhc-xolair' of payers/commercial-uhc.yaml"],
            id="document written twice",
        ),
        pytest.param(
            OMALIZUMAB,
            "    read: 2026-11-23\n",
            "",
            ["a source has a day"],
            id="source without a day",
        ),
        pytest.param(
            OMALIZUMAB,
            "2024-10-01: asthma-unspecified-icd10cm",
            "2024-10-01: asthma-of-any-kind",
            ["'asthma-of-any-kind' is not a list of code_lists.yaml"],
            id="list of codes that is none",
        ),
        pytest.param(
            "code_lists.yaml",
            "lists:\n",
            "lists:\n  nobodys: [{value: J45.50, source: icd10cm, quote: J45.50}]\n",
            ["no drug names the list 'nobodys'"],
            id="list of codes that no drug names",
        ),
        pytest.param(
            TEXAS,
            "    - bcbs texas\n",
            "    - bcbs texas\n    - highmark\n",
            ["commercial-highmark.yaml both claim the name 'highmark'", "one the parent"],
            id="name that two payers claim",
        ),
        pytest.param(
            TEXAS,
            "parent: commercial\n",
            "parent: blue-cross\n",
            ["its parent 'blue-cross' has no file"],
            id="parent that is none",
        ),
        pytest.param(
            "payers/commercial-uhc.yaml",
            "parent: commercial\n",
            "parent: commercial-uhc\n",
            ["its parent 'commercial-uhc' is a part of it"],
            id="parent that is its own part",
        ),
        pytest.param(
            "payers/medicare-part-b.yaml",
            "{value: required",
            "{value: JW",
            ["jw is 'JW'", "required"],
            id="payer rule in other words",
        ),
        pytest.param(
            "modifiers.yaml",
            "\nsource: hcpcs-modifiers-2025-10",
            "\nsource: nobody",
            ["'nobody'"],
            id="modifiers from a source that is not listed",
        ),
        pytest.param(
            "modifiers.yaml",
            "  'JZ':",
            "  'jz':",
            ["'jz' is not two capital letters"],
            id="modifier in small letters",
        ),
        pytest.param(
            "codes.yaml",
            "kind: drug",
            "kind: medicine",
            ["J2355", "kind must be"],
            id="unknown kind of code",
        ),
        pytest.param("codes.yaml", "codes:", "codes: [", ["not valid YAML"], id="no YAML"),
        pytest.param(
            OMALIZUMAB,
            "[xolair-nasal-polyps-adult]",
            "[xolair-food-allergy]",
            ["'xolair-food-allergy'", "has no file"],
            id="dosing table without a file",
        ),
        pytest.param(
            OMALIZUMAB,
            "what: sensitisation",
            "what: sensitivity",
            ["'sensitivity' is not a kind of evidence", "terms.yaml"],
            id="need that nothing can answer",
        ),
        pytest.param(
            OMALIZUMAB,
            "value: ['30', '1300']",
            "value: ['1300', '30']",
            ["a lower and"],
            id="IgE window upside down",
        ),
        pytest.param(
            "drugs/omalizumab-igec.yaml",
            "biosimilar_of: omalizumab\n",
            "",
            ["needs biosimilar_of"],
            id="indications of nobody",
        ),
        pytest.param(
            TEXAS,
            "lasting: {value: 3 mo,",
            "lasting: {value: ICS,",
            ["'ICS' is not a duration"],
            id="duration that is none",
        ),
        pytest.param(
            TEXAS,
            "    nasal-polyps:",
            "    polyps:",
            ["'polyps' is not an indication"],
            id="criteria for no indication",
        ),
        pytest.param(
            TEXAS,
            "criteria:\n  omalizumab:",
            "criteria:\n  xolair:",
            ["'xolair' has no file"],
            id="criteria for no drug",
        ),
        pytest.param(
            "payers/ph-medical-policies.yaml",
            "{value: 75 units/14 d,",
            "{value: PH-0146,",
            ["'PH-0146' is not a limit", "75 units/14 d"],
            id="limit that is none",
        ),
        pytest.param(
            TABLE,
            "'>60-70',",
            "'>65-70',",
            ["'>65-70' does not begin where"],
            id="dosing table with a gap",
        ),
        pytest.param(
            TABLE,
            "'225/2'",
            "'225'",
            ["'225' is not a cell", "mg/weeks"],
            id="dose without its interval",
        ),
        pytest.param(
            TABLE,
            "'150/4',   '150/4',   '150/4',",
            "'150/4',   '150/4',",
            ["row '30-100' has 3 cells for 4 weights"],
            id="dosing table with a hole",
        ),
        pytest.param(
            "terms.yaml",
            "value: 19113-0,",
            "value: 6098-8,",
            ["'6098-8' does not stand"],
            id="LOINC code no source gives",
        ),
    ],
)
def test_a_wrong_file_is_refused(
    data: Path, file: str, old: str, new: str, words: list[str]
) -> None:
    spoil(data, file, old, new)
    message = refusal(data)
    assert Path(file).name in message
    for word in words:
        assert word in message


def test_a_catalogue_without_the_unknown_payer_is_refused(data: Path) -> None:
    (data / "payers" / "unknown-payer.yaml").unlink()
    assert "every order needs a payer" in refusal(data)


@given(st.text("aA1. -J", max_size=3), st.text("aA1. -J", max_size=9))
def test_a_value_stands_in_its_quote_as_whole_words(value: str, quote: str) -> None:
    """The short way for a value as written says nothing that the long way would not."""
    assert stands_in(value, quote) == _stands_otherwise(value, quote)
