"""From draft lines to drug orders: which lines are one dose of one drug on one day.

One dose can be spread over several resources: two prescriptions for two syringes, and a charge
that bills both. Prescriptions say dose and containers; ServiceRequest, ChargeItem and Claim lines
say codes, units and modifiers. Several prescriptions are added up only when their containers show
that they are parts of one dose; otherwise each is an order of its own and nothing is summed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from billing_rules import ndc
from billing_rules.amounts import Amount, UnitNotUnderstood, UnitsDiffer
from billing_rules.catalogue import Catalogue
from billing_rules.chart import Measured
from billing_rules.model import (
    Container,
    ContainerCount,
    Counted,
    Dose,
    Drug,
    DrugOrder,
    Identity,
    OrderLine,
    Stage,
    labelled_total,
)
from billing_rules.recognise import recognise
from billing_rules.states import NOTHING, Nothing, Present, State, Unknown

PRESCRIBING = ("MedicationRequest", "MedicationAdministration")
MASS = "mg"


@dataclass(frozen=True, slots=True)
class _Recognised:
    line: OrderLine
    drug_id: str
    identity: Identity


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
    known = [r for line in lines if (r := _recognised(line, catalogue))]
    services = tuple(line for line in lines if _is_service(line))
    stated = _stated_days(known)
    groups: dict[tuple[str, date, Stage], list[_Recognised]] = {}
    for r in known:
        kind = (r.drug_id, r.line.stage)
        day = r.line.date_of_service or stated.get(kind, today)
        groups.setdefault((r.drug_id, day, r.line.stage), []).append(r)
    return tuple(
        order
        for (drug_id, day, _), group in groups.items()
        for order in _orders(group, services, catalogue.drug(drug_id, day), day, weights)
    )


def _recognised(line: OrderLine, catalogue: Catalogue) -> _Recognised | None:
    found = recognise(line, catalogue)
    return _Recognised(line, *found) if found else None


def _stated_days(known: Iterable[_Recognised]) -> dict[tuple[str, Stage], date]:
    """The day that a drug's lines of one stage state, where they state a single one."""
    days: dict[tuple[str, Stage], set[date]] = {}
    for r in known:
        if r.line.date_of_service:
            days.setdefault((r.drug_id, r.line.stage), set()).add(r.line.date_of_service)
    return {kind: one.pop() for kind, one in days.items() if len(one) == 1}


def _is_service(line: OrderLine) -> bool:
    """Lines with a CPT code: drugs have none, so each is a service that was done with them."""
    return bool(line.codes_of("cpt"))


def _orders(
    group: list[_Recognised],
    services: tuple[OrderLine, ...],
    drug: Drug,
    day: date,
    weights: State[tuple[Measured, ...]],
) -> Iterable[DrugOrder]:
    prescribed = [r for r in group if r.line.kind in PRESCRIBING and not r.line.not_given]
    waste = [r for r in group if _is_waste(r.line)]
    billed = [r for r in group if r.line.kind not in PRESCRIBING]
    if not prescribed and not billed:
        return
    parts = [_Part.of(r, drug, weights) for r in prescribed]
    if len(parts) <= 1 or _add_up(parts):
        yield _order(parts, waste, billed, services, drug, day)
        return
    for part in parts:
        yield _order([part], [], [], services, drug, day)
    if billed:
        why = f"{len(parts)} draft orders for {drug.name} could be its dose"
        yield replace(_order([], [], billed, services, drug, day), dose=Unknown(why))


def _is_waste(line: OrderLine) -> bool:
    """A record of waste counts without its amount too: then how much was discarded is not known,
    which is not the same as nothing charted."""
    return line.not_given and not isinstance(line.discarded, Nothing)


# ---------------------------------------------------------------- one prescription


@dataclass(frozen=True, slots=True)
class _Part:
    recognised: _Recognised
    dose: State[Amount]
    containers: State[tuple[ContainerCount, ...]]

    @classmethod
    def of(cls, r: _Recognised, drug: Drug, weights: State[tuple[Measured, ...]]) -> _Part:
        container = container_of(r.line, drug)
        return cls(
            r,
            dose_in_mass(r.line.dose, container, drug, weights),
            containers_of(r.line, drug),
        )

    @property
    def labelled(self) -> Amount | None:
        if not isinstance(self.containers, Present):
            return None
        return labelled_total(self.containers.value).to(MASS)


def container_of(line: OrderLine, drug: Drug) -> State[Container]:
    """The one container the line's NDC names: none without NDC, unknown when it is not listed."""
    codes = line.codes_of("ndc")
    if not codes:
        return NOTHING
    found = {c.ndc: c for code in codes for f in ndc.candidates(code) if (c := drug.container(f))}
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
    found = (drug.container(form) for form in ndc.candidates(code))
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


def _add_up(parts: Sequence[_Part]) -> bool:
    """Whether the parts are one dose: different products whose containers hold what is ordered."""
    if parts[0].recognised.line.stage is Stage.GIVEN:
        return _given_parts(parts)
    products = {p.recognised.line.codes_of("ndc") for p in parts}
    if len(products) != len(parts) or () in products:
        return False
    return _shared_dose(parts) is not None or _own_doses(parts)


def _given_parts(parts: Sequence[_Part]) -> bool:
    """Given doses of one visit add up: two injection sites are often two records."""
    return all(isinstance(p.dose, Present) for p in parts)


def _own_doses(parts: Sequence[_Part]) -> bool:
    """Each prescription's dose fits into its own containers, and no dose is repeated: two orders
    of one dose in different packages are more likely the same order twice."""
    doses = [p.dose for p in parts]
    return len(set(doses)) == len(doses) and all(
        isinstance(p.dose, Present) and p.labelled is not None and p.dose.value <= p.labelled
        for p in parts
    )


def _shared_dose(parts: Sequence[_Part]) -> Amount | None:
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
    parts: Sequence[_Part],
    waste: Sequence[_Recognised],
    billed: Sequence[_Recognised],
    services: tuple[OrderLine, ...],
    drug: Drug,
    day: date,
) -> DrugOrder:
    everyone = [p.recognised for p in parts] + list(billed) + list(waste)
    first = everyone[0]
    billing = [r.line for r in billed] + [
        p.recognised.line for p in parts if _bills(p.recognised.line)
    ]
    return DrugOrder(
        drug_id=drug.id,
        group=drug.group,
        identity=_weakest_conflict(everyone),
        stage=first.line.stage,
        date_of_service=day,
        prescriptions=tuple(p.recognised.line for p in parts),
        billing=tuple(billing),
        services=services,
        dose=_total_dose(parts),
        dose_as_written=" + ".join(
            str(p.recognised.line.dose.value)
            for p in parts
            if isinstance(p.recognised.line.dose, Present)
        ),
        containers=_all_containers(parts, billed, drug),
        supplied=_supplied(parts),
        discarded=_discarded(everyone, drug),
        wasted=tuple(r.line for r in waste),
    )


def _bills(line: OrderLine) -> bool:
    """A prescription is a billing line too when it carries a HCPCS code, units or modifiers."""
    return bool(line.codes_of("hcpcs") or line.modifiers or not isinstance(line.billed, Nothing))


def _weakest_conflict(everyone: Sequence[_Recognised]) -> Identity:
    """The first line's identity, with the first conflict that any of the lines has."""
    conflict = next((r.identity.conflict for r in everyone if r.identity.conflict), None)
    return replace(everyone[0].identity, conflict=conflict)


def _total_dose(parts: Sequence[_Part]) -> State[Amount]:
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
    parts: Sequence[_Part], billed: Sequence[_Recognised], drug: Drug
) -> State[tuple[ContainerCount, ...]]:
    """What the prescriptions name; where they name none, what the claim lines' NDCs do."""
    stated = [p.containers for p in parts if not isinstance(p.containers, Nothing)]
    if not stated:
        stated = [c for r in billed if not isinstance(c := containers_of(r.line, drug), Nothing)]
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


def _supplied(parts: Sequence[_Part]) -> State[Amount]:
    stated = [p.recognised.line.supplied for p in parts]
    return stated[0] if len(stated) == 1 else NOTHING


def _discarded(everyone: Sequence[_Recognised], drug: Drug) -> State[Amount]:
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
