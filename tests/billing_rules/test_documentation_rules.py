"""How firmly the documentation rules speak, and what every one of their findings shows."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.model.findings import Finding, Severity, Silent, Topic
from billing_rules.rules.documentation.labelled_dose import UNVERIFIED
from tests.scenario import all_scenarios, reviewed

OURS = (
    "indication",
    "diagnosis_on_list",
    "age",
    "total_ige",
    "weight",
    "sensitisation",
    "eosinophils",
    "labelled_dose",
)


def findings(scenario: dict[str, Any], catalogue: Catalogue) -> list[Finding]:
    return [f for r in reviewed(scenario, catalogue) for f in r.findings if f.rule in OURS]


def only(scenario: dict[str, Any], catalogue: Catalogue) -> Finding:
    (found,) = findings(scenario, catalogue)
    return found


def asthma(dose: str, **chart: Any) -> dict[str, Any]:
    order = {"text": "omalizumab", "dose": dose, "reasons": ["J45.50"]}
    return {"order": [order], "chart": {"given": "none", **chart}}


def test_every_finding_is_a_documentation_finding_with_evidence_and_source(
    catalogue: Catalogue,
) -> None:
    for name, scenario in all_scenarios():
        for f in findings(scenario, catalogue):
            assert f.topic is Topic.DOCUMENTATION, name
            assert f.basis, name
            assert f.sources, (name, f.kind)
            assert all(e.value for e in f.basis), (name, f.basis)


def test_no_words_direct_a_clinician(catalogue: Catalogue) -> None:
    forbidden = ("do not give", "must not", "stop ", "urgent", "immediately", "should be treated")
    for name, scenario in all_scenarios():
        for f in findings(scenario, catalogue):
            said = " ".join((f.summary, *f.found)).lower()
            assert not any(word in said for word in forbidden), (name, said)


def test_only_the_verified_table_warns(catalogue: Catalogue) -> None:
    chart = {"weight": "35 kg", "results": "total_ige 180 IU/mL 2026-10-01"}
    verified = only(asthma("150 mg", born="2014-11-23", **chart), catalogue)
    unseen = only(asthma("300 mg", born="2014-11-24", **chart), catalogue)
    assert verified.severity is Severity.WARNING
    assert UNVERIFIED not in verified.unchecked
    assert unseen.severity is Severity.INFO
    assert UNVERIFIED in unseen.unchecked


def test_only_the_verified_window_warns(catalogue: Catalogue) -> None:
    results = "total_ige 1301 IU/mL 2026-10-01"
    grown_up = only(asthma("300 mg", born="1990-05-20", results=results), catalogue)
    child = only(asthma("300 mg", born="2016-05-20", results=results), catalogue)
    assert grown_up.severity is Severity.WARNING
    assert child.severity is Severity.INFO
    assert child.unchecked


def test_an_unspecified_diagnosis_warns_where_the_payer_wants_the_severity(
    catalogue: Catalogue,
) -> None:
    order = {"text": "omalizumab", "dose": "300 mg", "reasons": ["J45.909"]}
    known = [
        f
        for f in findings({"payer": "medicare-part-b-ngs", "order": [order]}, catalogue)
        if f.rule == "indication"
    ]
    assert [f.severity for f in known] == [Severity.WARNING]
    assert only({"order": [order]}, catalogue).severity is Severity.INFO


def test_a_default_is_called_a_default(catalogue: Catalogue) -> None:
    stale = only(asthma("300 mg", weight="70 kg 2024-01-01"), catalogue)
    assert stale.severity is Severity.INFO
    assert "default" in stale.found[0]


PARTS: dict[str, tuple[Any, ...]] = {
    "born": ("1990-05-20", "none", "unknown: x"),
    "weight": ("70 kg", {"value": "see note"}, "none", "unknown: x"),
    "results": ("total_ige 350 IU/mL 2026-10-01", "total_ige POS", "none", "unknown: x"),
    "given": ("omalizumab 300 mg 2026-09-28", {"dose": "1 g", "date": None}, "none", "unknown: x"),
    "allergies": ("Dust mite", "none", "unknown: x"),
}


@pytest.mark.parametrize("reason", ["J45.50", "L50.1", "J33.0", "Z91.010", "I10"])
def test_unknown_is_never_called_missing_and_nothing_raises(
    reason: str, catalogue: Catalogue
) -> None:
    order = {"text": "omalizumab", "dose": "300 mg", "reasons": [reason]}
    for values in itertools.product(*PARTS.values()):
        chart = dict(zip(PARTS, values, strict=True))
        kinds = {f.kind for f in findings({"order": [order], "chart": chart}, catalogue)}
        if chart["results"] == "unknown: x":
            assert not any(kind.startswith(("total-ige", "sensitisation")) for kind in kinds)
        if chart["weight"] == "unknown: x":
            assert not any(kind.startswith("weight") for kind in kinds)
        if chart["born"] == "unknown: x":
            assert not any(kind.startswith(("age", "birth", "dose-differs")) for kind in kinds)
        if chart["allergies"] == "unknown: x":
            assert "sensitisation-missing" not in kinds


def test_what_a_rule_was_satisfied_with_can_be_shown(catalogue: Catalogue) -> None:
    """An appeal needs the evidence and source of what is documented, not of what is missing."""
    scenario = {
        "order": [{"text": "omalizumab", "dose": "300 mg", "interval": "4 wk"}],
        "payer": "commercial-bcbs-texas",
        "chart": {
            "born": "1980-01-01",
            "weight": "70 kg 2026-11-01",
            "results": "total_ige 150 IU/mL 2026-10-01",
            "conditions": "J45.50",
            "therapies": "inhaled_corticosteroid dispense 2026-01-01 to 2026-11-01",
            "given": "none",
        },
    }
    (review,) = reviewed(scenario, catalogue)
    satisfied = {o.rule: o for o in review.outcomes if isinstance(o, Silent) and o.basis}
    for rule, value in (
        ("indication", "J45.50"),
        ("age", "1980-01-01"),
        ("total_ige", "150 IU/mL"),
        ("weight", "70 kg"),
        ("labelled_dose", "150 IU/mL"),
        ("prior_therapy", "2026-01-01 to 2026-11-01"),
    ):
        assert any(value in seen.value for seen in satisfied[rule].basis), rule
        assert all(source.url for source in satisfied[rule].sources) and satisfied[rule].sources
