"""The ways to fill one dose from the containers there are, with what each would discard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING

from msgspec.structs import replace

from billing_rules.catalogue import Catalogue
from billing_rules.model.amounts import Amount
from billing_rules.model.entities import Container, ContainerCount, labelled_total
from billing_rules.model.states import NOTHING, Present
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import ClaimPlan, claim_plan
from billing_rules.orders.containers import NoContainerPlan, least_discarded, stocked_containers
from billing_rules.orders.payers import PayerChoice
from billing_rules.review import case_of

MOST_CONTAINERS = 20  # of one kind for one dose: beyond it a container is not made for the dose


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way: the containers, what is left of them, and the claim lines it leads to.

    `planned` marks the one the order names, or that was worked out for it.
    """

    opened: tuple[ContainerCount, ...]
    discarded: Amount
    plan: ClaimPlan
    planned: bool

    @property
    def count(self) -> int:
        return sum(counted.count for counted in self.opened)


def alternatives(case: Case) -> tuple[Alternative, ...]:
    """Every sensible way to fill the dose, least discarded first; none without a dose.

    One kind of container alone, and for each form (vial, syringe, ...) the mix that discards
    least. Packages of the same product count once.
    """
    if not isinstance(case.order.dose, Present):
        return ()
    dose = case.order.dose.value
    choices = _one_per_presentation(case)
    found: dict[tuple[tuple[str, int], ...], tuple[ContainerCount, ...]] = {}
    for opened in (case.plan.opened, *_ways(dose, choices)):
        if opened and labelled_total(opened).to(dose.unit) >= dose:
            found.setdefault(_key(opened), opened)
    every = [_alternative(case, dose, opened) for opened in found.values()]
    return tuple(sorted(every, key=lambda a: (a.discarded.value, a.count, not a.planned)))


def _one_per_presentation(case: Case) -> tuple[Container, ...]:
    """Of packages that differ by their number alone, the first."""
    stocked = stocked_containers(case.drug, case.order.date_of_service, case.site)
    first: dict[tuple[str, Amount], Container] = {}
    for container in stocked:
        first.setdefault((container.form, container.strength), container)
    return tuple(first.values())


def _ways(dose: Amount, choices: tuple[Container, ...]) -> Iterator[tuple[ContainerCount, ...]]:
    for form in dict.fromkeys(c.form for c in choices):
        try:
            yield least_discarded(dose, tuple(c for c in choices if c.form == form))
        except NoContainerPlan:
            continue
    for container in choices:
        strength = container.strength.to(dose.unit)
        count = int((dose.value / strength.value).to_integral_value(ROUND_CEILING))
        if 0 < count <= MOST_CONTAINERS:
            yield (ContainerCount(container, count),)


def _key(opened: tuple[ContainerCount, ...]) -> tuple[tuple[str, int], ...]:
    """The same for packages of one presentation."""
    return tuple(sorted((f"{c.container.form} {c.container.strength}", c.count) for c in opened))


def _alternative(case: Case, dose: Amount, opened: tuple[ContainerCount, ...]) -> Alternative:
    plan = claim_plan(
        case.order, case.drug, case.payer, case.setting, Present(opened), computed=False
    )
    planned = bool(case.plan.opened) and _key(opened) == _key(case.plan.opened)
    left = labelled_total(opened).to(dose.unit) - dose
    return Alternative(opened, left, plan, planned)


# ----------------------------------------------------------------------
# An order as it would be with another dose, other containers, another payer or day.


@dataclass(frozen=True, slots=True)
class Change:
    """What is asked about; None leaves it as it is.

    `opened` empty: the containers that discard least are worked out anew.
    """

    dose: Amount | None = None
    opened: tuple[ContainerCount, ...] | None = None
    payer_id: str | None = None
    on: date | None = None


def changed(case: Case, change: Change, catalogue: Catalogue) -> Case:
    """The case as it would be, with everything resolved for the day that is asked about."""
    order = case.order
    if change.dose is not None:
        order = replace(order, dose=Present(change.dose), dose_as_written=str(change.dose))
    if change.opened is not None:
        containers = Present(change.opened) if change.opened else NOTHING
        order = replace(order, containers=containers)
    if change.on is not None:
        order = replace(order, date_of_service=change.on)
    chosen = PayerChoice(change.payer_id, "asked about here") if change.payer_id else None
    return case_of(order, (order,), case.chart, catalogue, chosen)
