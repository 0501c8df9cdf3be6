"""The assessments a payer wants for reauthorization. No shipped payer file states them, so a site
file does here, as a clinic would write down its plan's own rule."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from billing_rules.catalogue import Catalogue, load
from billing_rules.model.findings import Finding, NotChecked
from tests.scenario import reviewed

QUOTE = "Reauthorization required: submit act and uas7 scores since the last approval."
SITE = {
    "name": "Example clinic",
    "sources": {
        "plan": {
            "title": "Plan letter",
            "url": "https://clinic.example",
            "published": date(2026, 1, 1),
            "certainty": "S",
        }
    },
    "payers": {
        "commercial-uhc": {
            "criteria": {
                "omalizumab": {
                    "chronic-spontaneous-urticaria": {
                        date(2026, 1, 1): {
                            "authorization": {
                                "value": "required",
                                "source": "plan",
                                "quote": QUOTE,
                            },
                            "reassessment": {
                                "value": ["act", "uas7"],
                                "source": "plan",
                                "quote": QUOTE,
                            },
                        }
                    }
                }
            }
        }
    },
}
DUE = "granted J2357 2026-01-01 to 2026-12-22"
ACT = {"kind": "act", "value": "21", "date": "2026-09-01"}
UAS7 = {"kind": "uas7", "value": "6", "date": "2026-09-01"}


@pytest.fixture(scope="module")
def with_site(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    path: Path = tmp_path_factory.mktemp("site") / "site.yaml"
    path.write_text(yaml.safe_dump(SITE), encoding="utf-8")
    return load(path)


def outcomes(catalogue: Catalogue, results: Any, authorization: str = DUE) -> list[Any]:
    scenario = {
        "payer": "commercial-uhc",
        "order": [
            {
                "ndc": "50242-227-01",
                "dose": "300 mg",
                "containers": "1 syringe",
                "interval": "4 wk",
                "reasons": ["L50.1"],
            }
        ],
        "chart": {"authorizations": [authorization], "results": results},
    }
    (review,) = reviewed(scenario, catalogue)
    return [o for o in review.outcomes if o.rule == "reauthorization"]


def kinds(found: list[Any]) -> list[str]:
    return [o.kind for o in found if isinstance(o, Finding)]


def test_both_assessments_since_the_authorization_leave_only_the_renewal(
    with_site: Catalogue,
) -> None:
    assert kinds(outcomes(with_site, [ACT, UAS7])) == ["due"]


@pytest.mark.parametrize("left", [[ACT], [UAS7]])
def test_one_assessment_missing_is_one_finding(with_site: Catalogue, left: list[Any]) -> None:
    assert kinds(outcomes(with_site, left)) == ["assessment-missing", "due"]


def test_no_result_at_all_is_one_finding_that_names_both(with_site: Catalogue) -> None:
    missing, _ = outcomes(with_site, "none")
    assert missing.kind == "assessment-missing" and " and " in missing.summary


@pytest.mark.parametrize(("day", "counts"), [("2025-12-31", False), ("2026-01-01", True)])
def test_an_assessment_counts_from_the_authorizations_first_day(
    with_site: Catalogue, day: str, counts: bool
) -> None:
    found = kinds(outcomes(with_site, [{**ACT, "date": day}, UAS7]))
    assert ("assessment-missing" not in found) is counts


@pytest.mark.parametrize(("day", "counts"), [("2026-11-23", True), ("2026-11-24", False)])
def test_an_assessment_after_the_date_of_service_does_not_count_yet(
    with_site: Catalogue, day: str, counts: bool
) -> None:
    found = kinds(outcomes(with_site, [{**ACT, "date": day}, UAS7]))
    assert ("assessment-missing" not in found) is counts


def test_results_that_could_not_be_read_are_never_called_missing(with_site: Catalogue) -> None:
    found = outcomes(with_site, "unknown: forbidden")
    assert kinds(found) == ["due"]
    assert any(isinstance(o, NotChecked) and "forbidden" in o.because for o in found)


def test_nothing_is_asked_while_the_authorization_goes_on(with_site: Catalogue) -> None:
    assert kinds(outcomes(with_site, "none", "granted J2357 2026-01-01 to 2026-12-24")) == []


def test_after_the_end_the_assessment_is_still_asked_for(with_site: Catalogue) -> None:
    found = outcomes(with_site, "none", "granted J2357 2025-11-01 to 2026-10-31")
    assert kinds(found) == ["assessment-missing"]
