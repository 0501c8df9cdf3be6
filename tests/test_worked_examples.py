"""Every order that says how its claim should read is planned that way, through FHIR reading.

The 25 published JW/JZ worked examples are among them (fixtures/index.yaml, `bills`); where the
reference data is present, its own rows are compared as well.
"""

from __future__ import annotations

import csv
import os
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.fhir import reading
from billing_rules.model.chart import Chart
from billing_rules.orders.claim_lines import ClaimLine
from billing_rules.review import review

TODAY = date(2026, 11, 23)
INDEX = fixtures.index()
BILLED = [f for f in INDEX.values() if f.bills]
DOSES = sorted({tuple(sorted({f.file, *f.with_})): f.bills for f in BILLED}.items())
ROWS = (
    Path(os.environ.get("VIALWISE_REFERENCE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    / "jw_jz"
    / "jw_jz_worked_examples.csv"
)


def shown(line: ClaimLine) -> str:
    return " ".join([str(line.units), *line.modifiers])


def planned(files: tuple[str, ...], catalogue: Catalogue) -> list[str]:
    drafts = [fixtures.load(file) for file in files]
    lines = reading.draft_orders(drafts, catalogue.systems, reading.resolver(drafts))
    reviews = review(lines, Chart(), catalogue, TODAY, "medicare-part-b")
    return [shown(line) for r in reviews for line in r.plan.lines]


@pytest.mark.parametrize(("files", "bills"), DOSES, ids=[files[0] for files, _ in DOSES])
def test_the_claim_reads_as_published(
    files: tuple[str, ...], bills: str, catalogue: Catalogue
) -> None:
    assert planned(files, catalogue) == bills.split("; ")


def test_every_published_row_is_among_the_orders() -> None:
    if not ROWS.is_file():
        pytest.skip(f"no reference data at {ROWS}: set VIALWISE_REFERENCE_DATA to compare the rows")
    with ROWS.open(encoding="utf-8") as file:
        wanted = Counter(_bills(row) for row in csv.DictReader(file))
    assert not wanted - Counter(bills for _, bills in DOSES)


def _bills(row: dict[str, str]) -> str:
    first = f"{row['line1_units']} {row['line1_modifier']}".strip()
    second = f"{row['line2_units']} {row['line2_modifier']}".strip()
    return "; ".join(filter(None, [first, second]))
