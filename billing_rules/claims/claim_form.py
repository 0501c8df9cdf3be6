"""The lines of a claim plan as they stand on the CMS-1500 form and in an 837P transaction.

On paper the NDC stands in the shaded half of box 24 as N4, 11 digits, unit and quantity; in 837P in
loop 2410: LIN03 the NDC, CTP04 the quantity, CTP05 its unit. Whether several NDCs of one dose are
several lines or one is the payer's to say: Palmetto GBA wants one line with the second NDC in the
note (NTE02, box 19), others one line for each NDC."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from typing import Literal

from msgspec.structs import replace

from billing_rules.catalogue import Catalogue
from billing_rules.model.entities import (
    Amount,
    Container,
    ContainerCount,
    Source,
    labelled_total,
    plain,
)
from billing_rules.model.states import NOTHING, Present, State, Unknown
from billing_rules.orders.case import Case
from billing_rules.orders.choices import PayerChoice
from billing_rules.orders.claim_lines import ClaimLine, ClaimPlan, claim_plan
from billing_rules.orders.drug_orders import NoContainerPlan, least_discarded, stocked_containers
from billing_rules.review import case_of

FORM_SOURCE = Source(
    "Palmetto GBA, WEDI and Stedi on drugs in 837P and on the CMS-1500",
    "https://www.palmettogba.com/",
    date(2024, 10, 25),
    "B",
)
# CMS place of service codes that follow from what is known of the visit; the others are for the
# clinic to choose (on or off campus, for one).
_PLACES_OF_SERVICE = {"office": "11", "home": "12", "inpatient": "21"}


@dataclass(frozen=True, slots=True)
class LineNdc:
    """One NDC on a line, with the amount of drug that comes from it."""

    container: Container
    amount: Amount
    quantity: State[Quantity]

    @property
    def shaded(self) -> str:
        """As it stands in the shaded half of box 24: N4, the NDC, unit and quantity."""
        quantity = self.quantity
        number = str(quantity.value) if isinstance(quantity, Present) else "?"
        return f"N4{self.container.ndc} {number}"


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """One line of box 24, or one loop 2400.

    `ndcs` is the NDC of the line and, behind it, those that go into the note. `charge` is the
    site's price for the units, None where it configured none.
    """

    number: int
    on: date
    place: str
    hcpcs: str
    modifiers: tuple[str, ...]
    units: int
    diagnosis_pointer: str
    ndcs: tuple[LineNdc, ...]
    charge: Decimal | None

    @property
    def note(self) -> str:
        """What NTE02 or box 19 must carry: every NDC behind the first."""
        return "; ".join(ndc.shaded for ndc in self.ndcs[1:])


@dataclass(frozen=True, slots=True)
class ClaimForm:
    """All lines of one dose. `caveats` are sentences on what a payer has to be asked about."""

    lines: tuple[ServiceLine, ...]
    diagnoses: tuple[str, ...]
    caveats: tuple[str, ...]
    sources: tuple[Source, ...]

    @property
    def charge(self) -> Decimal | None:
        charges = [line.charge for line in self.lines]
        return None if None in charges else sum((c for c in charges if c), Decimal(0))


def claim_form(case: Case) -> ClaimForm:
    """The claim form of an order; without lines where none can be planned."""
    plan = case.plan
    split = list(_split(case, plan))
    codes = tuple(c.code for c in case.indication.diagnoses if c.system == "icd10cm")
    pointer = "A" if codes else ""
    place = _PLACES_OF_SERVICE.get(case.setting or "", "")
    price = case.site.prices.get(case.drug.hcpcs or "")
    lines = tuple(
        ServiceLine(
            number,
            case.order.date_of_service,
            place,
            line.hcpcs,
            line.modifiers,
            line.units,
            pointer,
            ndcs,
            _charge(price, line.units),
        )
        for number, (line, ndcs) in enumerate(split, 1)
    )
    stated = case.payer.sources.get("lines_per_ndc")
    sources = tuple(s for s in (stated, FORM_SOURCE, *_quantity_sources(lines)) if s)
    return ClaimForm(lines, codes[:1], tuple(_caveats(case, lines)), sources)


def _quantity_sources(lines: Iterable[ServiceLine]) -> Iterator[Source]:
    """What the qualifiers shown rest on, each once."""
    quantities = [ndc.quantity for line in lines for ndc in line.ndcs]
    shown = (q.value.qualifier for q in quantities if isinstance(q, Present))
    return (SOURCES[qualifier] for qualifier in dict.fromkeys(shown))


def _charge(price: Decimal | None, units: int) -> Decimal | None:
    return None if price is None else (price * units).quantize(Decimal("0.01"), ROUND_HALF_UP)


# ---------------------------------------------------------------- which NDC on which line


def _split(case: Case, plan: ClaimPlan) -> Iterator[tuple[ClaimLine, tuple[LineNdc, ...]]]:
    """Each line of the plan with its NDCs; where the payer wants that, one line for each NDC."""
    if not plan.lines or not isinstance(case.order.dose, Present):
        return
    given, discarded = _shares(case.order.dose.value, plan.opened)
    per_ndc = case.payer.lines_per_ndc == "one line per NDC" and len(given) > 1
    administered = plan.lines[0]
    if per_ndc and (parts := _units_each(administered.units, given, case.drug.billing_unit)):
        for ndc, units in zip(given, parts, strict=True):
            yield ClaimLine(administered.hcpcs, units, administered.modifiers), (ndc,)
    else:
        yield administered, given
    for line in plan.lines[1:]:
        yield line, discarded


def _shares(
    dose: Amount, opened: Sequence[ContainerCount]
) -> tuple[tuple[LineNdc, ...], tuple[LineNdc, ...]]:
    """What of each kind of container is given and what discarded: all are emptied but the last."""
    given: list[LineNdc] = []
    discarded: list[LineNdc] = []
    left = dose
    for counted in opened:
        labelled = counted.labelled.to(dose.unit)
        taken = labelled if labelled <= left else left
        rest = labelled - taken
        left = left - taken
        given += _share(counted.container, taken)
        discarded += _share(counted.container, rest)
    return tuple(given), tuple(discarded)


def _share(container: Container, amount: Amount) -> list[LineNdc]:
    return [LineNdc(container, amount, quantity_of(amount, container))] if amount.value else []


def _units_each(units: int, shares: Sequence[LineNdc], unit: Amount | None) -> list[int] | None:
    """The units of each share; None where a container holds no whole number of them."""
    if unit is None:
        return None
    each = [share.amount.to(unit.unit).value / unit.value for share in shares]
    if any(number != int(number) for number in each) or sum(each) != units:
        return None
    return [int(number) for number in each]


# ---------------------------------------------------------------- what to ask about


def _caveats(case: Case, lines: Iterable[ServiceLine]) -> Iterator[str]:
    shown = tuple(lines)
    kinds = {ndc.container.ndc for line in shown for ndc in line.ndcs}
    if len(kinds) > 1:
        yield _several_ndcs(case)
    if len(kinds) > 1 and any("JW" in line.modifiers for line in shown):
        yield "From which of the containers the rest was discarded is for the chart to say."
    if any(_is_part(ndc) for line in shown for ndc in line.ndcs):
        yield (
            "A vial of powder that was not used up is shown as a part of one; no source that we "
            "read says whether a payer wants whole vials."
        )
    unknown = {ndc.container.ndc_shown: ndc.quantity for line in shown for ndc in line.ndcs}
    for shown_as, quantity in unknown.items():
        if not isinstance(quantity, Present):
            why = getattr(quantity, "because", "")
            yield f"The NDC quantity of {shown_as} is not known: {why}."
    if shown and not kinds:
        yield "No container is known, so no NDC can be shown."


def _several_ndcs(case: Case) -> str:
    name, wish = case.payer.name, case.payer.lines_per_ndc
    if wish == "one line":
        return f"{name} wants one line; the further NDC goes into the note (NTE02, box 19)."
    if wish == "one line per NDC":
        return f"{name} wants one line for each NDC."
    return (
        f"Whether {name} wants one line for each NDC, or one line with the further NDC in the "
        "note, is not known: ask the payer. Shown is one line."
    )


def _is_part(ndc: LineNdc) -> bool:
    quantity = ndc.quantity
    return (
        isinstance(quantity, Present)
        and quantity.value.qualifier == "UN"
        and quantity.value.number != int(quantity.value.number)
    )


# ---------------------------------------------------------------- 837P


def segments(line: ServiceLine) -> tuple[str, ...]:
    """Loop 2400 and 2410 of a line, without what the clinic's system adds (charges it sets itself,
    provider). A value that is not known stands as "?"."""
    code = ":".join(("HC", line.hcpcs, *line.modifiers))
    charge = "?" if line.charge is None else f"{line.charge:f}"
    pointer = "1" if line.diagnosis_pointer else "?"
    found = [
        f"LX*{line.number}~",
        f"SV1*{code}*{charge}*UN*{line.units}*{line.place or '?'}**{pointer}~",
        f"DTP*472*D8*{line.on:%Y%m%d}~",
    ]
    if line.note:
        found.append(f"NTE*ADD*{line.note}~")
    if line.ndcs:
        first = line.ndcs[0]
        found.append(f"LIN**N4*{first.container.ndc}~")
        found.append(_ctp(first.quantity))
    return tuple(found)


def _ctp(quantity: State[Quantity]) -> str:
    if not isinstance(quantity, Present):
        return "CTP****?*?~"
    number = f"{quantity.value.number:f}"
    return f"CTP****{number}*{quantity.value.qualifier}~"


# ----------------------------------------------------------------------
# The quantity of an NDC on a claim line: another number than the HCPCS units beside it.
#
# Liquid is counted in millilitres (ML), powder for injection in vials (UN). Where the catalogue
# does not say what a container holds, or how many millilitres, the quantity is not known.


def _source(quote: str) -> Source:
    return Source(
        "Community First Health Plans, NDC billing guidelines",
        "https://communityfirsthealthplans.com/hhsc-news/provider-notice-ndc-billing-guidelines",
        date(2026, 11, 24),
        "B",
        quote,
    )


# what each qualifier rests on
SOURCES = {
    "UN": _source("UN (Unit) — Powder-filled vials for injection (needs to be reconstituted)"),
    "ML": _source("ML (Milliliter) — Liquid, solution, or suspension"),
}
_PLACES = Decimal("0.001")  # "numeric quantity ... followed by three decimal places" (Medi-Cal)


@dataclass(frozen=True, slots=True)
class Quantity:
    """`number` of `qualifier`: UN is a unit, here a vial; ML a millilitre."""

    number: Decimal
    qualifier: Literal["UN", "ML"]

    def __str__(self) -> str:
        return f"{self.qualifier}{plain(self.number).replace(',', '')}"


def quantity_of(drug_amount: Amount, container: Container) -> State[Quantity]:
    """The quantity that holds `drug_amount`, of one kind of container."""
    share = drug_amount.to(container.strength.unit).value / container.strength.value
    if container.contents == "powder":
        return Present(Quantity(_rounded(share), "UN"))
    if container.contents == "not stated":
        return Unknown("the catalogue does not say whether it holds powder or liquid")
    if container.volume is None:
        return Unknown("the catalogue does not say how many millilitres it holds")
    return Present(Quantity(_rounded(share * container.volume.to("mL").value), "ML"))


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(_PLACES, ROUND_HALF_UP).normalize()


# ----------------------------------------------------------------------
# The ways to fill one dose from the containers there are, with what each would discard.


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
