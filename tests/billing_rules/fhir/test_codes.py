from __future__ import annotations

import pytest

from billing_rules.fhir.json.lenient import converted
from billing_rules.fhir.json.shapes import CodeableConcept
from billing_rules.fhir.json.values import CodeSystems, Notes, concept, unglued
from billing_rules.model.entities import Code
from tests.billing_rules.fhir.samples import BILLING_OPTIONS, CPT, HCPCS, NDC, RXNORM, SYSTEMS

KNOWN = CodeSystems(SYSTEMS)


def written(value: dict[str, object]) -> CodeableConcept:
    return converted(value, CodeableConcept)


def noted(one: CodeableConcept) -> list[str]:
    notes = Notes(one)
    concept(one, KNOWN, notes)
    return notes.sentences


@pytest.mark.parametrize(
    "uri",
    [
        HCPCS,
        HCPCS + "/",
        HCPCS.upper(),
        "https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets",
        "urn:oid:2.16.840.1.113883.6.285",
        "https://fhir.cerner.com/ec2458f2-1e24/CodeSystem/BillCodes-HCPCS",
    ],
)
def test_every_spelling_of_the_hcpcs_uri_is_hcpcs(uri: str) -> None:
    read = concept(written({"coding": [{"system": uri, "code": " j2357 "}]}), KNOWN)
    assert read.codes == (Code("hcpcs", "J2357"),)


def test_an_unknown_system_stays_nameless() -> None:
    assert KNOWN.name("http://example.org/local") == ""


@pytest.mark.parametrize(
    ("glued", "code", "modifiers"),
    [
        ("J2357-JW", "J2357", ("JW",)),
        ("j2357 jw", "J2357", ("JW",)),
        ("J2357:JW:RT", "J2357", ("JW", "RT")),
        ("96372-59", "96372", ("59",)),
        ("0001F", "0001F", ()),
        ("J2357JW", "J2357JW", ()),
        ("J2357", "J2357", ()),
    ],
)
def test_modifiers_glued_to_a_code_are_split(
    glued: str, code: str, modifiers: tuple[str, ...]
) -> None:
    assert unglued(glued) == (code, modifiers)


def test_codes_of_two_characters_in_a_billing_system_are_modifiers() -> None:
    read = concept(
        written({"coding": [{"system": HCPCS, "code": "jw"}, {"system": CPT, "code": "59"}]}), KNOWN
    )
    assert read.codes == ()
    assert read.modifiers == ("JW", "59")


@pytest.mark.parametrize(
    ("ndc", "code"),
    [
        ("50242-040-62", "50242004062"),
        ("50242004062", "50242004062"),
        ("5024204062", "5024204062"),
        ("no ndc", "no ndc"),
    ],
)
def test_an_ndc_has_eleven_digits_where_only_one_is_meant(ndc: str, code: str) -> None:
    read = concept(written({"coding": [{"system": NDC, "code": ndc}]}), KNOWN)
    assert read.codes == (Code("ndc", code),)


def test_a_wrong_code_does_not_bring_its_own_words_along() -> None:
    node = written(
        {
            "text": "Omalizumab",
            "coding": [
                {"system": HCPCS, "code": "J2356", "display": "Injection, tezepelumab-ekko, 1 mg"},
                {"system": RXNORM, "code": "302379", "display": "omalizumab"},
            ],
        }
    )
    assert concept(node, KNOWN).names == ("Omalizumab", "omalizumab")


def test_the_words_of_a_billing_code_count_when_there_are_no_others() -> None:
    node = written({"coding": [{"system": HCPCS, "code": "J2356", "display": "Omalizumab"}]})
    assert concept(node, KNOWN).names == ("Omalizumab",)


def test_a_hcpcs_shape_without_system_is_read_and_said_so() -> None:
    node = written({"coding": [{"code": "j2357"}]})
    assert concept(node, KNOWN).codes == (Code("hcpcs", "J2357"),)
    assert "no code system" in noted(node)[0]


def test_a_hcpcs_shape_in_a_foreign_system_is_not_read_as_hcpcs() -> None:
    node = written({"coding": [{"system": "http://example.org/local", "code": "J2357"}]})
    assert concept(node, KNOWN).codes == (Code("", "J2357"),)
    assert "is not one we know" in noted(node)[0]


@pytest.mark.parametrize(
    "inner",
    [
        {"valueCodeableConcept": {"coding": [{"system": HCPCS, "code": "J2357-JZ"}]}},
        {"valueCoding": {"system": HCPCS, "code": "J2357-JZ"}},
        {
            "extension": [
                {"url": "code", "valueCoding": {"system": HCPCS, "code": "J2357"}},
                {"url": "modifier", "valueCoding": {"system": HCPCS, "code": "JZ"}},
            ]
        },
    ],
)
def test_billing_options_add_codes_and_modifiers(inner: dict[str, object]) -> None:
    read = concept(written({"text": "x", "extension": [{"url": BILLING_OPTIONS, **inner}]}), KNOWN)
    assert read.codes == (Code("hcpcs", "J2357"),)
    assert read.modifiers == ("JZ",)


def test_other_extensions_add_nothing() -> None:
    node = written(
        {
            "extension": [
                {"url": "http://x.org/other", "valueCoding": {"system": HCPCS, "code": "J2357"}}
            ]
        }
    )
    assert concept(node, KNOWN).codes == ()
