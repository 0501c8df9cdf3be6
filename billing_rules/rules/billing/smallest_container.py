"""One container is opened where a smaller one holds the dose.

Units should match the smallest container that can give the dose (ACR; Priority Health; NGS).
"""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.case import Case
from billing_rules.findings import Outcome, Silent
from billing_rules.rules.billing.container_mix import (
    finding,
    is_one_container,
    less_wasteful,
    nothing_to_choose,
)

RULE = "smallest_container"


def check(case: Case) -> Iterator[Outcome]:
    better = less_wasteful(case)
    if better and is_one_container(case.plan.opened) and is_one_container(better):
        yield finding(case, better, RULE, "smaller-container-holds-the-dose")
    elif why := nothing_to_choose(case):
        yield Silent(RULE, why, applies=False)
    else:
        yield Silent(RULE, "no single smaller container holds the dose")
