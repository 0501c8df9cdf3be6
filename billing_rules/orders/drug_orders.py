"""Which catalogued drug an order line is for, and how sure that is.

Most trusted first: the NDC on the box, the RxNorm product, the words, the HCPCS code. The HCPCS
code comes after the words because it is what is being checked: an order that says omalizumab and
carries tezepelumab's code is an omalizumab order with a wrong code. Words are display text, the
least reliable identifier where a product code is there, and the card says when only they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from math import gcd
from typing import Literal

import msgspec

from billing_rules.catalogue import Catalogue, Identifiers
from billing_rules.model.chart import Measured
from billing_rules.model.entities import (
    Amount,
    Container,
    ContainerCount,
    Counted,
    Dose,
    Drug,
    DrugOrder,
    Identity,
    OrderLine,
    Site,
    Stage,
    UnitNotUnderstood,
    UnitsDiffer,
    labelled_total,
    ndc_candidates,
    ndc_product,
)
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown

By = Literal["NDC", "RxNorm", "HCPCS", "text"]
Vote = tuple[By, str, str]  # by what, what was seen, drug id


def recognise(line: OrderLine, catalogue: Catalogue) -> tuple[str, Identity] | None:
    """The drug id and identity of `line`, or None when it is for no catalogued drug."""
    votes = list(_votes(line, catalogue))
    if not votes:
        return None
    by, seen, drug_id = votes[0]
    drug_id = _more_specific(drug_id, votes, catalogue)
    return drug_id, Identity(by, seen, _conflict(votes, drug_id, catalogue))


def concerns_catalogue(lines: Iterable[OrderLine], catalogue: Catalogue) -> bool:
    """Whether any line is for a catalogued drug: the question that lets all others pass at once."""
    return any(next(_votes(line, catalogue), None) is not None for line in lines)


def _votes(line: OrderLine, catalogue: Catalogue) -> Iterator[Vote]:
    known = catalogue.identifiers
    for code in line.codes_of("ndc"):
        drug_id = drug_of_ndc(code, known)
        if drug_id:
            yield "NDC", code, drug_id
    for code in line.codes_of("rxnorm"):
        drug_id = known.rxnorm_products.get(code) or known.rxnorm_ingredients.get(code)
        if drug_id:
            yield "RxNorm", code, drug_id
    for words, drug_id in drugs_named(line.names, known):
        yield "text", words, drug_id
    for code in line.codes_of("hcpcs"):
        if code in known.hcpcs:
            yield "HCPCS", code, known.hcpcs[code]


def drug_of_ndc(code: str, known: Identifiers) -> str | None:
    """The drug whose box carries this NDC, the whole code first, then labeler and product."""
    forms = ndc_candidates(code)
    whole = {known.ndcs[form] for form in forms if form in known.ndcs}
    if len(whole) == 1:
        return whole.pop()
    products = {known.ndc_products.get(ndc_product(form)) for form in forms} - {None}
    return products.pop() if len(products) == 1 else None


def drugs_named(names: Iterable[str], known: Identifiers) -> list[tuple[str, str]]:
    """(words, drug id) of each different drug that the texts name; longest names win."""
    found: dict[str, str] = {}
    for name in names:
        for match in known.name_pattern.findall(name):
            found.setdefault(known.names[match.lower()], match)
    return [(words, drug_id) for drug_id, words in found.items()]


def _more_specific(drug_id: str, votes: list[Vote], catalogue: Catalogue) -> str:
    """A biosimilar's own code, name or NDC over its reference product's ingredient.

    The ingredient code and the bare generic name fit both, so they decide only when nothing
    more specific is there.
    """
    if any(by == "NDC" for by, _, _ in votes):
        return drug_id
    for _, _, other in votes:
        if catalogue.drug_files[other].biosimilar_of == drug_id:
            return other
    return drug_id


def _conflict(votes: list[Vote], drug_id: str, catalogue: Catalogue) -> str | None:
    """A sentence when the product is named twice, differently; HCPCS differences are a finding
    of their own, so they do not count here unless the words side with the HCPCS code."""
    others = [v for v in votes if not _same(v[2], drug_id, catalogue)]
    against = [v for v in others if v[0] in ("NDC", "RxNorm")]
    sided = [v for v in others if v[0] == "text"]
    if not against and not sided:
        return None
    first = votes[0]
    other = (against or sided)[0]
    names = catalogue.drug_files
    return (
        f"the order's {first[0]} {first[1]} is {names[first[2]].name}, "
        f"but its {other[0]} {other[1]} is {names[other[2]].name}"
    )


def _same(one: str, other: str, catalogue: Catalogue) -> bool:
    files = catalogue.drug_files
    return one == other or files[one].biosimilar_of == other or files[other].biosimilar_of == one


# ----------------------------------------------------------------------
# Which containers hold a dose with the least discarded.
#
# Doses and strengths are small multiples of a common step (75, 150 and 300 mg have 75), so the
# best cover is found exactly by counting in steps; tests compare it with brute force.


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


# ----------------------------------------------------------------------
# From draft lines to drug orders: which lines are one dose of one drug on one day.
#
# One dose can be spread over several resources: two prescriptions for two syringes, and a charge
# that bills both. Prescriptions say dose and containers; ServiceRequest, ChargeItem and Claim
# lines say codes, units and modifiers. Several prescriptions are added up only when their
# containers show that they are parts of one dose; otherwise each is an order of its own and
# nothing is summed.


PRESCRIBING = ("MedicationRequest", "MedicationAdministration")
MASS = "mg"


class _DrugLine(msgspec.Struct, frozen=True):
    """A line that is for a drug: how that is known, and its dose and containers in the drug's
    terms. Only a prescription's dose counts."""

    line: OrderLine
    identity: Identity
    dose: State[Amount]
    containers: State[tuple[ContainerCount, ...]]

    @property
    def labelled(self) -> Amount | None:
        if not isinstance(self.containers, Present):
            return None
        return labelled_total(self.containers.value).to(MASS)


def drug_orders(
    lines: Sequence[OrderLine],
    catalogue: Catalogue,
    today: date,
    weights: State[tuple[Measured, ...]] = NOTHING,
) -> tuple[DrugOrder, ...]:
    """The orders for catalogued drugs among `lines`, in the order they were drafted.

    A line without a date of service gets the one that its drug's other lines state, when they
    state one only: a prescription rarely says a day, the charge beside it does. Otherwise it gets
    `today`. `weights` turn a dose per kilogram into one.
    """
    known = [(line, *found) for line in lines if (found := recognise(line, catalogue))]
    services = tuple(line for line in lines if _is_service(line))
    days: dict[tuple[str, Stage], set[date]] = {}
    for line, drug_id, _ in known:
        if line.date_of_service:
            days.setdefault((drug_id, line.stage), set()).add(line.date_of_service)
    stated = {kind: one.pop() for kind, one in days.items() if len(one) == 1}
    groups: dict[tuple[str, date, Stage], list[tuple[OrderLine, Identity]]] = {}
    for line, drug_id, identity in known:
        day = line.date_of_service or stated.get((drug_id, line.stage), today)
        groups.setdefault((drug_id, day, line.stage), []).append((line, identity))
    return tuple(
        order
        for (drug_id, day, _), group in groups.items()
        for order in _orders(group, services, catalogue.drug(drug_id, day), day, weights)
    )


def _is_service(line: OrderLine) -> bool:
    """Lines with a CPT code: drugs have none, so each is a service that was done with them."""
    return bool(line.codes_of("cpt"))


def _orders(
    group: list[tuple[OrderLine, Identity]],
    services: tuple[OrderLine, ...],
    drug: Drug,
    day: date,
    weights: State[tuple[Measured, ...]],
) -> Iterable[DrugOrder]:
    parts, waste, billed = [], [], []
    for line, identity in group:
        if line.kind not in PRESCRIBING:
            billed.append(_DrugLine(line, identity, NOTHING, containers_of(line, drug)))
        elif not line.not_given:
            dose = dose_in_mass(line.dose, container_of(line, drug), drug, weights)
            parts.append(_DrugLine(line, identity, dose, containers_of(line, drug)))
        if _is_waste(line):
            waste.append(_DrugLine(line, identity, NOTHING, NOTHING))
    if not parts and not billed:
        return
    if len(parts) <= 1 or _add_up(parts):
        yield _order(parts, waste, billed, services, drug, day)
        return
    for part in parts:
        yield _order([part], [], [], services, drug, day)
    if billed:
        why = f"{len(parts)} draft orders for {drug.name} could be its dose"
        order = _order([], [], billed, services, drug, day)
        yield msgspec.structs.replace(order, dose=Unknown(why))


def _is_waste(line: OrderLine) -> bool:
    """A record of waste counts without its amount too: then how much was discarded is not known,
    which is not the same as nothing charted."""
    return line.not_given and not isinstance(line.discarded, Nothing)


# ---------------------------------------------------------------- one prescription


def container_of(line: OrderLine, drug: Drug) -> State[Container]:
    """The one container the line's NDC names: none without NDC, unknown when it is not listed."""
    codes = line.codes_of("ndc")
    if not codes:
        return NOTHING
    found = {c.ndc: c for code in codes for f in ndc_candidates(code) if (c := drug.container(f))}
    if len(found) == 1:
        return Present(next(iter(found.values())))
    if found:
        return Unknown("the order names several containers without saying how many of each")
    return _not_listed(codes[0], drug)


def containers_of(line: OrderLine, drug: Drug) -> State[tuple[ContainerCount, ...]]:
    """The containers a line opens: one count of the NDC it names, or a count for each NDC."""
    if not line.containers_by_ndc:
        return counted_containers(line.containers, container_of(line, drug))
    opened: list[ContainerCount] = []
    for named in line.containers_by_ndc:
        state = counted_containers(Present(named.counted), listed_container(named.ndc, drug))
        if not isinstance(state, Present):
            return state
        opened += state.value
    return Present(tuple(opened))


def listed_container(code: str, drug: Drug) -> State[Container]:
    """The container an NDC names, unknown when the drug has none of that NDC."""
    found = (drug.container(form) for form in ndc_candidates(code))
    container = next((c for c in found if c), None)
    if container is None:
        return _not_listed(code, drug)
    return Present(container)


def _not_listed(code: str, drug: Drug) -> Unknown:
    shown = drug.ndc_shown(code)
    return Unknown(f"NDC {shown} is none of the containers listed for {drug.name}")


def counted_containers(
    count: State[Counted], container: State[Container]
) -> State[tuple[ContainerCount, ...]]:
    """Containers opened: a whole count of the container the NDC names, else why not known."""
    if isinstance(count, Nothing):
        return NOTHING
    if isinstance(count, Unknown):
        return count
    if isinstance(container, Unknown):
        return container
    if isinstance(container, Nothing):
        return Unknown(f"the order says {count.value} but no NDC, so their strength is not known")
    number = count.value.value
    if number <= 0 or number != number.to_integral_value() or number > 1000:
        return Unknown(f"{count.value} is no whole number of containers")
    times = container.value.per_package if _is_package(count.value.unit) else 1
    return Present((ContainerCount(container.value, int(number) * times),))


def _is_package(unit: str) -> bool:
    words = unit.lower().strip("{}[] ")
    return any(word in words for word in ("pack", "carton", "box", "kit", "pkg"))


def dose_in_mass(
    dose: State[Dose],
    container: State[Container],
    drug: Drug,
    weights: State[tuple[Measured, ...]],
) -> State[Amount]:
    """The dose in mg, exactly, or why that is not known. Never guessed."""
    if not isinstance(dose, Present):
        return dose
    amount = dose.value.amount
    if isinstance(amount, Counted):
        return _counted_dose(amount, container)
    if amount.is_a("mass"):
        return Present(amount.to(MASS))
    if amount.is_a("volume"):
        return _volume_dose(amount, container, drug)
    if amount.is_a("dose per body weight"):
        return _weight_dose(amount, weights)
    return Unknown(f"the dose of {amount} is no amount of drug in mg")


_CONTAINER_WORDS = ("vial", "syringe", "pen", "injector", "cartridge")


def _counted_dose(dose: Counted, container: State[Container]) -> State[Amount]:
    """Whole containers of a known NDC are an exact amount; everything else is asked about."""
    named = any(word in dose.unit.lower() for word in _CONTAINER_WORDS)
    whole = dose.value > 0 and dose.value == dose.value.to_integral_value()
    single = isinstance(container, Present) and container.value.dose_status == "single-dose"
    if named and whole and single and isinstance(container, Present):
        return Present((container.value.strength * dose.value).to(MASS))
    if not dose.unit:
        return Unknown(f"the dose of {dose} has no unit")
    return Unknown(f"the dose of {dose} is no amount of drug in mg")


def _volume_dose(volume: Amount, container: State[Container], drug: Drug) -> State[Amount]:
    choices = (container.value,) if isinstance(container, Present) else drug.containers
    strengths = {c.strength.to(MASS).value / c.volume.to("mL").value for c in choices if c.volume}
    if len(strengths) != 1 or not all(c.volume for c in choices):
        return Unknown(f"the dose of {volume} does not say the concentration, so not the mg")
    return Present(Amount(volume.to("mL").value * strengths.pop(), MASS))


def _weight_dose(dose: Amount, weights: State[tuple[Measured, ...]]) -> State[Amount]:
    if isinstance(weights, Unknown):
        return Unknown(f"the dose of {dose} needs the weight: {weights.because}")
    if isinstance(weights, Nothing):
        return Unknown(f"the dose of {dose} needs the weight, and none is on file")
    latest = weights.value[0]
    if latest.value is None:
        return Unknown(f"the dose of {dose} needs the weight, which reads '{latest.as_written}'")
    try:
        kilograms = latest.value.to("kg").value
    except (UnitsDiffer, UnitNotUnderstood):
        return Unknown(f"the dose of {dose} needs the weight, which reads '{latest.as_written}'")
    return Present(Amount(dose.to("mg/kg").value * kilograms, MASS))


# ---------------------------------------------------------------- several prescriptions


def _add_up(parts: Sequence[_DrugLine]) -> bool:
    """Whether the parts are one dose: different products whose containers hold what is ordered."""
    if parts[0].line.stage is Stage.GIVEN:
        return _given_parts(parts)
    products = {p.line.codes_of("ndc") for p in parts}
    if len(products) != len(parts) or () in products:
        return False
    return _shared_dose(parts) is not None or _own_doses(parts)


def _given_parts(parts: Sequence[_DrugLine]) -> bool:
    """Given doses of one visit add up: two injection sites are often two records."""
    return all(isinstance(p.dose, Present) for p in parts)


def _own_doses(parts: Sequence[_DrugLine]) -> bool:
    """Each prescription's dose fits into its own containers, and no dose is repeated: two orders
    of one dose in different packages are more likely the same order twice."""
    doses = [p.dose for p in parts]
    return len(set(doses)) == len(doses) and all(
        isinstance(p.dose, Present) and p.labelled is not None and p.dose.value <= p.labelled
        for p in parts
    )


def _shared_dose(parts: Sequence[_DrugLine]) -> Amount | None:
    """The one dose every prescription repeats, when it takes all their containers to hold it."""
    doses = {p.dose.value for p in parts if isinstance(p.dose, Present)}
    labels = [p.labelled for p in parts if p.labelled is not None]
    if len(doses) != 1 or len(labels) != len(parts):
        return None
    dose = doses.pop()
    total = sum((label.value for label in labels), Decimal(0))
    fits_alone = any(dose <= label for label in labels)
    return dose if not fits_alone and dose.value <= total else None


# ---------------------------------------------------------------- putting an order together


def _order(
    parts: Sequence[_DrugLine],
    waste: Sequence[_DrugLine],
    billed: Sequence[_DrugLine],
    services: tuple[OrderLine, ...],
    drug: Drug,
    day: date,
) -> DrugOrder:
    everyone = [*parts, *billed, *waste]
    first = everyone[0]
    billing = [r.line for r in billed] + [p.line for p in parts if _bills(p.line)]
    return DrugOrder(
        drug_id=drug.id,
        group=drug.group,
        identity=_weakest_conflict(everyone),
        stage=first.line.stage,
        date_of_service=day,
        prescriptions=tuple(p.line for p in parts),
        billing=tuple(billing),
        services=services,
        dose=_total_dose(parts),
        dose_as_written=" + ".join(
            str(p.line.dose.value) for p in parts if isinstance(p.line.dose, Present)
        ),
        containers=_all_containers(parts, billed),
        supplied=_supplied(parts),
        discarded=_discarded(everyone, drug),
        wasted=tuple(r.line for r in waste),
    )


def _bills(line: OrderLine) -> bool:
    """A prescription is a billing line too when it carries a HCPCS code, units or modifiers."""
    return bool(line.codes_of("hcpcs") or line.modifiers or not isinstance(line.billed, Nothing))


def _weakest_conflict(everyone: Sequence[_DrugLine]) -> Identity:
    """The first line's identity, with the first conflict that any of the lines has."""
    conflict = next((r.identity.conflict for r in everyone if r.identity.conflict), None)
    return msgspec.structs.replace(everyone[0].identity, conflict=conflict)


def _total_dose(parts: Sequence[_DrugLine]) -> State[Amount]:
    if not parts:
        return NOTHING
    if len(parts) == 1:
        return parts[0].dose
    shared = _shared_dose(parts)
    if shared is not None:
        return Present(shared)
    total = Amount(Decimal(0), MASS)
    for part in parts:
        if not isinstance(part.dose, Present):
            return part.dose
        total = total + part.dose.value
    return Present(total)


def _all_containers(
    parts: Sequence[_DrugLine], billed: Sequence[_DrugLine]
) -> State[tuple[ContainerCount, ...]]:
    """What the prescriptions name; where they name none, what the claim lines' NDCs do."""
    stated = [p.containers for p in parts if not isinstance(p.containers, Nothing)]
    if not stated:
        stated = [r.containers for r in billed if not isinstance(r.containers, Nothing)]
    if not stated:
        return NOTHING
    unknown = next((s for s in stated if isinstance(s, Unknown)), None)
    if unknown:
        return unknown
    counts: dict[str, ContainerCount] = {}
    for state in stated:
        for opened in state.value if isinstance(state, Present) else ():
            ndc11 = opened.container.ndc
            before = counts[ndc11].count if ndc11 in counts else 0
            counts[ndc11] = ContainerCount(opened.container, before + opened.count)
    return Present(tuple(counts.values()))


def _supplied(parts: Sequence[_DrugLine]) -> State[Amount]:
    stated = [p.line.supplied for p in parts]
    return stated[0] if len(stated) == 1 else NOTHING


def _discarded(everyone: Sequence[_DrugLine], drug: Drug) -> State[Amount]:
    """All discarded amounts in mg, added up; unknown when one of them is."""
    amounts = [_discarded_mass(r.line, drug) for r in everyone]
    unknown = next((a for a in amounts if isinstance(a, Unknown)), None)
    if unknown:
        return unknown
    stated = [a.value for a in amounts if isinstance(a, Present)]
    return Present(sum(stated[1:], stated[0])) if stated else NOTHING


def _discarded_mass(line: OrderLine, drug: Drug) -> State[Amount]:
    """A discarded volume is an amount of drug only by its container's concentration."""
    if not isinstance(line.discarded, Present):
        return line.discarded
    amount = dose_in_mass(
        Present(Dose(line.discarded.value)), container_of(line, drug), drug, NOTHING
    )
    if isinstance(amount, Unknown):
        return Unknown(f"{line.discarded.value} discarded is no amount in mg that can be told")
    return amount
