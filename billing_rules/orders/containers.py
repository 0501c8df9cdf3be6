"""Which containers hold a dose with the least discarded.

Doses and strengths are small multiples of a common step (75, 150 and 300 mg have 75), so the
best cover is found exactly by counting in steps; tests compare it with brute force."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from math import gcd

from billing_rules.model.amounts import Amount
from billing_rules.model.entities import Container, ContainerCount, Drug, Site

# A dose of more steps than this is no dose but a typing error; it gets no container plan.
MOST_STEPS = 2000


class NoContainerPlan(ValueError):
    """No containers can be chosen; the message says why."""


def least_discarded(dose: Amount, choices: tuple[Container, ...]) -> tuple[ContainerCount, ...]:
    """The containers from `choices` (any number of each) that hold `dose` and discard least.

    Among equals: fewest containers, then the earlier in `choices`. Raises NoContainerPlan when
    there is nothing to choose from or the dose is out of all proportion.
    """
    by_strength = _one_per_strength(dose.unit, choices)
    if not by_strength:
        raise NoContainerPlan("no container of this drug can be chosen from")
    step = _common_step(list(by_strength))
    needed = int((dose.value / step).to_integral_value(ROUND_CEILING))
    if not 0 < needed <= MOST_STEPS:
        raise NoContainerPlan(f"{dose} is no dose these containers are made for")
    sizes = [int(strength / step) for strength in by_strength]
    chosen = _fewest_covering(needed, sizes)
    containers = list(by_strength.values())
    return tuple(
        ContainerCount(containers[place], chosen.count(place)) for place in sorted(set(chosen))
    )


def _one_per_strength(unit: str, choices: tuple[Container, ...]) -> dict[Decimal, Container]:
    first: dict[Decimal, Container] = {}
    for container in choices:
        first.setdefault(container.strength.to(unit).value, container)
    return dict(sorted(first.items(), reverse=True))


def _common_step(strengths: list[Decimal]) -> Decimal:
    """The largest amount every strength is a whole multiple of."""
    fractions = [Fraction(s) for s in strengths]
    denominator = 1
    for f in fractions:
        denominator = denominator * f.denominator // gcd(denominator, f.denominator)
    numerator = 0
    for f in fractions:
        numerator = gcd(numerator, int(f * denominator))
    return Decimal(numerator) / Decimal(denominator)


def _fewest_covering(needed: int, sizes: list[int]) -> list[int]:
    """Places in `sizes` whose sum is the smallest >= needed, with fewest members."""
    furthest = needed + max(sizes)
    last: list[int | None] = [None] * (furthest + 1)
    count = [0] + [furthest + 1] * furthest
    for total in range(1, furthest + 1):
        for place, size in enumerate(sizes):
            if size <= total and count[total - size] + 1 < count[total]:
                count[total], last[total] = count[total - size] + 1, place
    total = next(t for t in range(needed, furthest + 1) if last[t] is not None)
    chosen: list[int] = []
    while (taken := last[total]) is not None:
        chosen.append(taken)
        total -= sizes[taken]
    return chosen


# ----------------------------------------------------------------------
# Which containers a site can fill an order from.


def stocked_containers(drug: Drug, on: date, site: Site) -> tuple[Container, ...]:
    """Containers marketed on `on` that the site stocks; all of them when it states no stock."""
    marketed = tuple(c for c in drug.containers if c.marketed_on(on))
    return tuple(c for c in marketed if c.ndc in site.stocked) if site.stocked else marketed
