from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_rules.fhir.json.values import as_day, as_number, as_objects, copied, shown


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (5, Decimal(5)),
        (0.1, Decimal("0.1")),
        ("150.50", Decimal("150.50")),
        (" 1e2 ", Decimal(100)),
        (-0.0, Decimal(0)),
        (1e-07, Decimal("1e-7")),
    ],
)
def test_numbers_are_exact_decimals(value: object, number: Decimal) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    "value",
    [
        True,
        False,
        None,
        "",
        "abc",
        "1_000",
        "١",
        float("nan"),
        float("inf"),
        "NaN",
        "Infinity",
        "1e99",
        "1e999999999",
        1e300,
        1e-300,
        "9" * 5000,
        [],
        {},
        [1],
        "1,5",
    ],
)
def test_what_is_no_sane_number_is_none(value: object) -> None:
    assert as_number(value) is None


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2026-03-01", date(2026, 3, 1)),
        ("2026-03-01T23:30:00-05:00", date(2026, 3, 1)),
        ("2026-03", None),
        ("2026", None),
        ("2026-02-30", None),
        ("0000-01-01", None),
        (20260301, None),
        ("2026-03-01 10:00", None),
    ],
)
def test_days_are_taken_as_written_and_partial_dates_are_none(
    value: object, day: date | None
) -> None:
    assert as_day(value) == day


def test_one_object_counts_as_a_list_of_one() -> None:
    assert as_objects({"a": 1}) == [{"a": 1}]
    assert as_objects([None, {"a": 1}, "x", {}, [{"b": 2}]]) == [{"a": 1}]


def test_shown_text_is_one_short_printable_line() -> None:
    assert shown("a\n\x00b\u202e c") == "a b c"
    assert len(shown("x" * 5000)) == 80


def test_copies_share_nothing_and_survive_any_depth() -> None:
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    assert copied(deep) is not deep
    value = {"a": [{"b": 1}]}
    twin = copied(value)
    twin["a"][0]["b"] = 2
    assert value == {"a": [{"b": 1}]}


@given(st.text())
def test_any_text_can_be_shown(text: str) -> None:
    assert "\n" not in shown(text)


def test_an_integer_too_long_for_text_is_none() -> None:
    assert as_number(10**5000) is None
