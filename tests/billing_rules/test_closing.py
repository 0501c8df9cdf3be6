"""Closing an order out: lines, JW or JZ, and what does not fit together."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.claims.administration_record import Closed, Closing, Planned, closed
from billing_rules.model.entities import OrderLine, Stage
from billing_rules.orders.claim_lines import WasteAnswer
from billing_rules.orders.drug_orders import drug_orders
from tests.billing_rules.closing_samples import (
    CHART,
    ON,
    SYRINGE_75,
    SYRINGE_150,
    VIAL,
    closing,
    mg,
    planned,
    row,
)
from tests.scenario import with_site


def close(catalogue: Catalogue, entered: Closing, **order: Any) -> Closed:
    return closed(entered, Planned.of(planned(catalogue, **order), CHART), catalogue)


def lines(answer: Closed) -> list[str]:
    assert answer.plan is not None
    return [str(line) for line in answer.plan.lines]


def said(answer: Closed) -> str:
    return " ".join(c.text for c in answer.contradictions)


def test_75_mg_discarded_of_two_vials_is_billed_with_jw(catalogue: Catalogue) -> None:
    answer = close(catalogue, closing())
    assert lines(answer) == ["J2357 x 45", "J2357-JW x 15"]
    assert answer.contradictions == ()
    assert answer.order is not None and answer.order.stage is Stage.GIVEN


def test_a_dose_that_empties_its_containers_is_billed_with_jz(catalogue: Catalogue) -> None:
    entered = closing(225, row(SYRINGE_150, 1), row(SYRINGE_75, 1), discarded=None)
    answer = close(catalogue, entered)
    assert lines(answer) == ["J2357-JZ x 45"] and answer.contradictions == ()


def test_a_rest_that_nobody_charted_is_never_a_silent_jz(catalogue: Catalogue) -> None:
    answer = close(catalogue, closing(discarded=None))
    assert answer.plan is not None and answer.plan.waste is WasteAnswer.INDETERMINATE
    assert answer.plan.discarded_units == 0
    assert "no discarded amount is charted" in said(answer)


@pytest.mark.parametrize("discarded", ["0", "70", "80", "300"])
def test_given_and_discarded_must_be_what_was_opened(catalogue: Catalogue, discarded: str) -> None:
    answer = close(catalogue, closing(discarded=mg(discarded)))
    assert answer.plan is not None and answer.plan.waste is WasteAnswer.INDETERMINATE
    assert "75 mg" in said(answer) and answer.contradictions[0].place == "discarded"


def test_more_than_the_containers_hold_cannot_have_been_given(catalogue: Catalogue) -> None:
    answer = close(catalogue, closing(375, discarded=None), dose="375")
    assert "hold 300 mg, less than the dose of 375 mg" in said(answer)
    assert answer.contradictions[0].place == "dose"


@pytest.mark.parametrize(
    "opened", [(row(VIAL, 3),), (row(VIAL, 2), row(VIAL, 1, "FX2")), (row(VIAL, 40),)]
)
def test_a_container_of_which_nothing_was_given_is_not_billed(
    catalogue: Catalogue, opened: tuple[Any, ...]
) -> None:
    answer = close(catalogue, closing(225, *opened, discarded=mg(225)))
    assert answer.stopped and answer.plan is None and answer.order is None
    assert "Was the last" in said(answer) and "for the payer to say" in said(answer)


def test_an_ndc_of_another_drug_gives_no_lines(catalogue: Catalogue) -> None:
    other = catalogue.drug("mepolizumab", ON).containers[0].ndc
    answer = close(catalogue, closing(225, row(other, 1)))
    assert answer.stopped and answer.plan is None
    assert "none of this drug's containers" in said(answer)


def test_another_dose_than_ordered_is_asked_about(catalogue: Catalogue) -> None:
    answer = close(catalogue, closing(225), dose="300")
    assert "225 mg is entered as given, but 300 mg is ordered" in said(answer)
    assert lines(answer) == ["J2357 x 45", "J2357-JW x 15"], "what was given decides"


def test_an_expired_lot_is_pointed_out(catalogue: Catalogue) -> None:
    expired = closing(225, row(expires=date(2026, 11, 22)))
    assert "Lot FX1 expired on 2026-11-22" in said(close(catalogue, expired))
    assert said(close(catalogue, closing(225, row(expires=ON)))) == ""


def test_one_lot_has_one_expiry(catalogue: Catalogue) -> None:
    entered = closing(225, row(VIAL, 1, "A", date(2028, 1, 1)), row(VIAL, 1, "A", date(2029, 1, 1)))
    assert "two expiry dates" in said(close(catalogue, entered))


def test_a_container_that_is_not_stocked_is_asked_about(catalogue: Catalogue) -> None:
    stocking = with_site(catalogue, {"stocked": ["50242-215-01"]})
    assert "not among the containers this clinic stocks" in said(close(stocking, closing()))


def test_a_container_before_its_marketing_is_asked_about(catalogue: Catalogue) -> None:
    early = replace(closing(300, row("50242-227-01", 1), discarded=None), on=date(2023, 8, 17))
    assert "was not on the market" in said(close(catalogue, early, dose="300"))


def test_a_multi_dose_container_has_neither_modifier(catalogue: Catalogue) -> None:
    drug = catalogue.drug("triamcinolone", ON)
    several = next(c for c in drug.containers if c.dose_status == "multiple-dose")
    entered = closing(40, row(several.ndc, 1), discarded=None)
    answer = close(catalogue, entered, drug="triamcinolone", dose="40")
    assert answer.plan is not None and answer.plan.waste is WasteAnswer.NOT_APPLICABLE
    assert "multi-dose container" in said(answer)


def test_what_is_already_charted_is_compared(catalogue: Catalogue) -> None:
    order = close(catalogue, closing()).order
    assert order is not None
    entered = replace(closing(300, discarded=None), on=date(2026, 11, 22))
    answer = closed(entered, Planned.of(planned(catalogue, "300"), CHART, order), catalogue)
    assert "225 mg is charted in the EHR" in said(answer)
    assert "has this dose on 2026-11-23" in said(answer)


def test_what_a_record_lacks_is_named(catalogue: Catalogue) -> None:
    bare = closing(225, row(lot=""), sites=(), observed="")
    open_points = close(catalogue, bare).still_open
    assert [point.split(",")[0] for point in open_points] == [
        "the lot number",
        "the injection site",
        "the observation after the injection",
        "who witnessed the discarding",
    ]


def test_an_observation_that_the_chart_has_is_not_asked_for_again(catalogue: Catalogue) -> None:
    order = close(catalogue, closing(observed="10:05 to 12:05")).order
    again = closing(observed="")
    answer = closed(again, Planned.of(planned(catalogue), CHART, order), catalogue)
    assert "the observation after the injection" not in answer.still_open


def test_the_lines_are_those_of_one_visit(catalogue: Catalogue) -> None:
    """Two lots are two records, and one dose."""
    entered = closing(225, row(VIAL, 1, "A"), row(VIAL, 1, "B"))
    answer = close(catalogue, entered)
    assert [str(s.dose) for s in answer.shares] == ["150 mg", "75 mg"]
    assert lines(answer) == ["J2357 x 45", "J2357-JW x 15"]
    assert answer.order is not None and len(answer.order.prescriptions) == 2


def test_an_order_line_of_each_share_says_its_lot(catalogue: Catalogue) -> None:
    order = close(catalogue, closing(225, row(VIAL, 1, "A"), row(VIAL, 1, "B"))).order
    assert order is not None
    assert [line.lot.value for line in order.prescriptions] == ["A", "B"]  # type: ignore[union-attr]
    assert all(isinstance(line, OrderLine) for line in order.prescriptions)
    assert drug_orders(order.prescriptions, catalogue, ON)
