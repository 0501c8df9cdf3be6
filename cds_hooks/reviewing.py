"""The engine's answer, with a fault in one rule kept from silencing the others.

`billing_rules.review` never raises for anything an order can hold; should it do so all the same,
the orders are judged again rule by rule. What failed is said on the card as not checked, and
logged by the rule's name and the kind of fault alone.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date

from billing_rules.case import Case
from billing_rules.catalogue import Catalogue
from billing_rules.chart import Chart
from billing_rules.findings import NotChecked, Outcome
from billing_rules.model import OrderLine
from billing_rules.orders import drug_orders
from billing_rules.recognise import concerns_catalogue
from billing_rules.review import OrderReview, case_of, review
from billing_rules.rules import RULES
from billing_rules.rules.rule import Rule
from cds_hooks.errors import Refused
from service_parts.log_events import fault

log = logging.getLogger("cds_hooks")

MOST_LINES = 200  # an 837P claim has 50 at most
TOO_MANY = f"More than {MOST_LINES} lines are for drugs that are checked here: send fewer at once."


def reviews(
    lines: Sequence[OrderLine], chart: Chart, catalogue: Catalogue, today: date
) -> tuple[OrderReview, ...]:
    """Every order for a catalogued drug among `lines`, reviewed. Raises Refused (413) for more
    of them than anybody writes: each is compared with every other."""
    if len(lines) > MOST_LINES:
        ours = sum(concerns_catalogue([line], catalogue) for line in lines)
        if ours > MOST_LINES:
            raise Refused(413, TOO_MANY, issue="too-costly")
    try:
        return review(lines, chart, catalogue, today)
    except Exception as error:
        log.error("review failed, judging one by one: %s", fault(error))
    return _one_by_one(lines, chart, catalogue, today)


def _one_by_one(
    lines: Sequence[OrderLine], chart: Chart, catalogue: Catalogue, today: date
) -> tuple[OrderReview, ...]:
    orders = drug_orders(lines, catalogue, today, chart.weights)
    reviewed = []
    for order in orders:
        try:
            reviewed.append(_reviewed(case_of(order, orders, chart, catalogue)))
        except Exception as error:
            log.error("an order of %s was not judged: %s", order.drug_id, fault(error))
    if orders and not reviewed:
        raise RuntimeError("no order could be judged")
    return tuple(reviewed)


def _reviewed(case: Case) -> OrderReview:
    outcomes = tuple(outcome for rule in RULES for outcome in _outcomes(rule, case))
    return OrderReview(case.order, case.drug, case.payer, case.payer_choice, case.plan, outcomes)


def _outcomes(rule: Rule, case: Case) -> tuple[Outcome, ...]:
    try:
        return tuple(rule(case))
    except Exception as error:
        log.error("rule %s failed: %s", rule.id, fault(error))
        return (NotChecked("the check itself failed", rule=rule.id),)
