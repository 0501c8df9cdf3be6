"""Another mix of containers would hold the dose and discard less."""

from __future__ import annotations

from billing_rules.evidence.documentation import containers_seen, dose_seen, listed, money, sources
from billing_rules.model.entities import Amount, ContainerCount, labelled_total
from billing_rules.model.findings import Finding, Silent, Topic
from billing_rules.model.states import Present
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import discarded_units_of
from billing_rules.orders.drug_orders import NoContainerPlan, least_discarded, stocked_containers
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, containers_to_choose


def check(case: Case) -> Stated:
    better = case.once(less_wasteful)
    if better is None:
        sold = "stocked" if case.site.stocked else "marketed"
        return Silent(f"no {sold} containers discard less")
    if is_one_container(case.plan.opened) and is_one_container(better):
        return Silent("one smaller container does: judged by smallest_container")
    return finding(case, better, "mix-discards-less")


def less_wasteful(case: Case) -> tuple[ContainerCount, ...] | None:
    """The mix that discards least, when it discards less than the one the order names."""
    opened, dose = case.order.containers, case.order.dose
    if not isinstance(opened, Present) or not isinstance(dose, Present):
        return None
    stocked = stocked_containers(case.drug, case.order.date_of_service, case.site)
    choices = tuple(c for c in stocked if c.dose_status == "single-dose")
    if not choices or any(c.container.dose_status != "single-dose" for c in opened.value):
        return None
    try:
        best = least_discarded(dose.value, choices)
    except NoContainerPlan:
        return None
    now = labelled_total(opened.value)
    return best if dose.value <= now and labelled_total(best).to(now.unit) < now else None


def is_one_container(opened: tuple[ContainerCount, ...]) -> bool:
    return len(opened) == 1 and opened[0].count == 1


def finding(case: Case, better: tuple[ContainerCount, ...], kind: str) -> Finding:
    """The finding that proposes `better`, with the amount and money it saves."""
    dose = case.order.dose
    assert isinstance(dose, Present) and isinstance(case.order.containers, Present)
    now = labelled_total(case.order.containers.value)
    saved = now - labelled_total(better).to(now.unit)
    return Finding(
        kind=kind,
        summary=f"Use {listed(better)}{'' if case.site.stocked else ' if in stock'}: "
        f"{saved} less is discarded",
        found=(
            f"The order opens {listed(case.order.containers.value)} for {dose.value}; "
            f"{listed(better)} hold it with {saved} less discarded"
            f"{money(case, _units_saved(case, dose.value, now, better))}.",
        ),
        basis=(*dose_seen(case), *containers_seen(case)),
        sources=sources(*(c.container.source for c in better), case.site.price_source),
        unchecked=() if case.site.stocked else ("Whether these containers are in stock here.",),
        plan=better,
    )


def _units_saved(case: Case, dose: Amount, now: Amount, better: tuple[ContainerCount, ...]) -> int:
    if case.drug.billing_unit is None:
        return 0
    unit = case.drug.billing_unit
    before = discarded_units_of(dose, now, unit)
    return before - discarded_units_of(dose, labelled_total(better), unit)


RULE = Rule(
    id="container_mix",
    check=check,
    requires=(containers_to_choose,),
    topic=Topic.BILLING,
    rank=160,
    informs=("mix-discards-less",),
    corrected_at={Topic.BILLING: Place.CONTAINERS},
    hooks=ORDERS,
    record=Record(
        name="container mix",
        title="A mix of containers that discards less",
        says="Where another mix of containers would discard less, it is shown.",
        prevents="Discarded drug that an auditor would call avoidable.",
        denials=("missing-waste-modifier",),
        citations=("label-amount",),
        reads=("container",),
        limits=("It knows the site's stock and prices only where the site has stated them.",),
    ),
)
