"""Two biologics of one group are not drafted together without someone meaning it.

Coverage policies exclude a second biologic of the group for the same indication (UHC, Cigna).
"""

from __future__ import annotations

from billing_rules.evidence.documentation import listed
from billing_rules.model.entities import DrugOrder, Evidence
from billing_rules.model.findings import Finding, Silent, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, earlier_draft


def check(case: Case) -> Stated:
    others = [o for o in _before(case) if _sibling(case, o)]
    if not others:
        return Silent(f"no other of the {case.drug.group} was drafted before it")
    names = listed(dict.fromkeys(o.drug_id for o in others))
    return Finding(
        kind="two-biologics-drafted",
        summary=f"{case.drug.name.capitalize()} and {names} are drafted together: is one to stop?",
        found=(f"Both belong to the {case.drug.group}; plans rarely cover two at once.",),
        basis=tuple(
            Evidence(reference, "draft order", order.drug_id, order.date_of_service)
            for order in (*others, case.order)
            for reference in order.references
        ),
    )


def _sibling(case: Case, other: DrugOrder) -> bool:
    return other.group == case.drug.group and other.drug_id != case.order.drug_id


def _before(case: Case) -> tuple[DrugOrder, ...]:
    """The orders drafted before this one: the finding is said once, on the later order."""
    return case.drafts[: case.drafts.index(case.order)]


RULE = Rule(
    id="two_biologics",
    check=check,
    requires=(earlier_draft("no other of the {group} was drafted before it"),),
    topic=Topic.BILLING,
    rank=130,
    warns=("two-biologics-drafted",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    hooks=ORDERS,
    record=Record(
        name="two biologics",
        title="Two biologics drafted together",
        says="Two biologics of one group drafted at once are pointed out.",
        prevents="A denial because a second biologic is not covered beside the first.",
        denials=("coverage-criteria",),
        citations=("policies",),
    ),
)
