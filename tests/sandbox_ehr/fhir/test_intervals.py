"""Dates as intervals, as FHIR R4's search page has them."""

from __future__ import annotations

import pytest

from sandbox_ehr.fhir import searching


def holds(prefix: str, asked: str, held: str) -> bool:
    return searching.date_matches(prefix, searching.read_date(asked), searching.read_date(held))


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ("2026", "2026-11-23"),
        ("2026-11", "2026-11-30"),
        ("2026-11-23", "2026-11-23T23:59:59Z"),
        ("2026-11-23T10:05", "2026-11-23T10:05:30Z"),
        ("2026-11-23", "2026-11-23T22:05:00-06:00"),
        ("2026-11-24T04:05:00Z", "2026-11-23T22:05:00-06:00"),
        ("2024-02-29", "2024-02-29"),
        ("9999", "9999-12-31"),
    ],
)
def test_equal_means_within(asked: str, held: str) -> None:
    assert holds("eq", asked, held)
    assert not holds("ne", asked, held)


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ("2026-11-23", "2026-11"),  # all of November is not within one day
        ("2026-11", "2026-12-01"),
        ("2026-11-23T10:05:00Z", "2026-11-23T10:05:00-06:00"),
    ],
)
def test_not_within_is_not_equal(asked: str, held: str) -> None:
    assert not holds("eq", asked, held)
    assert holds("ne", asked, held)


@pytest.mark.parametrize(
    ("prefix", "asked", "held", "answer"),
    [
        ("gt", "2026-11", "2026-12-01", True),
        ("gt", "2026-11", "2026-11-30", False),
        ("gt", "2026-11-15", "2026-11", True),  # a part of November lies after it
        ("lt", "2026-11", "2026-10-31", True),
        ("lt", "2026-11", "2026-11-01", False),
        ("ge", "2026-11-23", "2026-11-23", True),
        ("ge", "2026-11-23", "2026-11-22", False),
        ("le", "2026-11-23", "2026-11-23T23:00:00", True),
        ("le", "2026-11-23", "2026-11-24T00:00:00", False),
        ("sa", "2026-11", "2026-12", True),
        ("sa", "2026-11-15", "2026-11", False),
        ("eb", "2026-11", "2026-10", True),
        ("eb", "2026-11-15", "2026-11", False),
        ("ap", "2026-11-23", "2026-11-24", True),
        ("ap", "2026-11-23", "2026-12-24", False),
        ("ge", "2026-11-23T18:00:00Z", "2026-11-23T12:00:00-06:00", True),
        ("gt", "2026-11-23T18:00:00Z", "2026-11-23T12:00:00-06:00", False),
    ],
)
def test_prefixes(prefix: str, asked: str, held: str, answer: bool) -> None:
    assert holds(prefix, asked, held) is answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "26",
        "2026-1",
        "2026-13",
        "2026-02-30",
        "2026-11-23T",
        "2026-11-23T25:00",
        "yesterday",
        "2026-11-23Z",
        "2026-11-23T10",
        "0000",
        "٢٠٢٦",
        "2026-11-23T10:00:60",
        "2026-11-23T10:00+99:00",
        "2026-11-23\n",
    ],
)
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        searching.read_date(text)


def test_a_period_without_an_end_goes_on() -> None:
    now_on = searching.read_period("2026-11-01", None)
    until = searching.read_period(None, "2026-11-01")
    assert searching.date_matches("gt", searching.read_date("2030"), now_on)
    assert not searching.date_matches("lt", searching.read_date("2026-10"), now_on)
    assert searching.date_matches("lt", searching.read_date("1990"), until)
    assert not searching.date_matches("gt", searching.read_date("2026-12"), until)


def test_the_edges_of_the_calendar_are_borne() -> None:
    for text in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"):
        for prefix in searching.DATE_PREFIXES:
            assert holds(prefix, text, "2026-11-23T00:00:00Z") in (True, False)
