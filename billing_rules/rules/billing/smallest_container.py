"""One container is opened where a smaller one holds the dose.

Units should match the smallest container that can give the dose (ACR; Priority Health; NGS).
"""

from __future__ import annotations

from billing_rules.model.findings import Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.billing.container_mix import finding, is_one_container, less_wasteful
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, containers_to_choose


def check(case: Case) -> Stated:
    better = case.once(less_wasteful)
    if better and is_one_container(case.plan.opened) and is_one_container(better):
        return finding(case, better, "smaller-container-holds-the-dose")
    return Silent("no single smaller container holds the dose")


RULE = Rule(
    id="smallest_container",
    check=check,
    requires=(containers_to_choose,),
    topic=Topic.BILLING,
    rank=170,
    informs=("smaller-container-holds-the-dose",),
    corrected_at={Topic.BILLING: Place.CONTAINERS},
    hooks=ORDERS,
    record=Record(
        name="smallest container",
        title="The smallest container that holds the dose",
        says="One large container opened where a smaller one holds the dose is pointed out.",
        prevents="Units that do not match the smallest container for the dose.",
        denials=("incorrect-dosage",),
        citations=("rounding",),
        reads=("container",),
    ),
)
