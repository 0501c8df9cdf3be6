"""A dated value is the one in force on the day, or NotInForce; never a neighbour's."""

from datetime import date

import pytest

from billing_rules.catalogue.values import Dated, NotInForce

CODE = Dated({date(2022, 7, 1): "J2356", date(2024, 1, 1): None, date(2025, 1, 1): "J9999"})


@pytest.mark.parametrize(
    ("day", "value"),
    [
        (date(2022, 7, 1), "J2356"),
        (date(2023, 12, 31), "J2356"),
        (date(2025, 1, 1), "J9999"),
        (date(2099, 1, 1), "J9999"),
    ],
)
def test_value_in_force(day: date, value: str) -> None:
    assert CODE.on(day) == value


@pytest.mark.parametrize("day", [date(2022, 6, 30), date(2024, 1, 1), date(2024, 12, 31)])
def test_not_in_force_before_the_first_and_while_abolished(day: date) -> None:
    with pytest.raises(NotInForce):
        CODE.on(day)
    assert CODE.on_or_none(day) is None


def test_ever_and_changes_are_in_order() -> None:
    assert CODE.ever() == ("J2356", "J9999")
    assert [start.year for start, _ in CODE.changes()] == [2022, 2024, 2025]
