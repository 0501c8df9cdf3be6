"""Closing an order out after the injection: what was given, opened and discarded, as one dose.

What was entered becomes order lines of the given stage, the same that its FHIR records are read
back as, and the core's own claim_plan answers. Nothing is computed here but how the dose is spread
over the containers, so that each record can name its lot. What does not fit together is said in
words; what cannot be charted truthfully `stops`, and then there are no claim lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TypeVar

from billing_rules.catalogue import Catalogue
from billing_rules.model.chart import Chart
from billing_rules.model.entities import (
    Amount,
    Code,
    Container,
    Counted,
    Dose,
    Drug,
    DrugOrder,
    OrderLine,
    Stage,
    hyphenated_ndc,
    plain,
)
from billing_rules.model.states import NOTHING, Present, State
from billing_rules.orders.choices import PayerChoice
from billing_rules.orders.claim_lines import ClaimPlan, Doubt
from billing_rules.orders.drug_orders import MASS, drug_orders
from billing_rules.review import OrderReview, case_of

T = TypeVar("T")
GIVEN = "MedicationAdministration"


@dataclass(frozen=True, slots=True)
class OpenedContainers:
    """`count` containers of one NDC (11 digits) and lot, opened for the dose."""

    ndc: str
    count: int
    lot: str = ""
    expires: date | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """What was entered after the injection. Amounts are in mg; `discarded` None: not charted.

    `observed` is the time of observation as entered ("10:05 to 12:05, no reaction").
    """

    on: date
    dose: Amount
    opened: tuple[OpenedContainers, ...]
    discarded: Amount | None = None
    reason: str = ""
    witness: str = ""
    route: str = ""
    sites: tuple[str, ...] = ()
    observed: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """What of the dose and of the discarded amount came from one kind of container.

    `container` is None for an NDC that is not the drug's.
    """

    opened: OpenedContainers
    container: Container | None
    dose: Amount
    discarded: Amount | None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two things that do not fit together, and where: `place` is "dose", "discarded", "on" or
    "opened" with the number of the row from 0 ("opened-1")."""

    place: str
    text: str
    stops: bool = False


@dataclass(frozen=True, slots=True)
class Closed:
    """The answer to a Closing. `plan` and `order` are None while something stops it."""

    shares: tuple[Share, ...]
    order: DrugOrder | None
    plan: ClaimPlan | None
    contradictions: tuple[Contradiction, ...]
    still_open: tuple[str, ...]

    @property
    def stopped(self) -> bool:
        return any(c.stops for c in self.contradictions)


@dataclass(frozen=True, slots=True)
class Planned:
    """The order the dose was given for, and what the EHR has charted of it already: as much as the
    answer needs. `setting` is the place of service that the chart names."""

    drug_id: str
    payer_id: str
    dose: Amount | None = None
    setting: str | None = None
    charted_dose: Amount | None = None
    charted_on: date | None = None
    observation_charted: bool = False

    @classmethod
    def of(cls, review: OrderReview, chart: Chart, charted: DrugOrder | None = None) -> Planned:
        return cls(
            review.drug.id,
            review.payer.id,
            _known(review.order.dose),
            _known(chart.setting),
            _known(charted.dose) if charted else None,
            charted.date_of_service if charted else None,
            charted is not None
            and any(isinstance(x.observed, Present) for x in charted.prescriptions),
        )


def _known(state: State[T]) -> T | None:
    return state.value if isinstance(state, Present) else None


def closed(closing: Closing, planned: Planned, catalogue: Catalogue) -> Closed:
    """How the dose is billed by what was entered."""
    drug = catalogue.drug(planned.drug_id, closing.on)
    shares = shares_of(closing, drug)
    stopping = tuple(_stopping(shares))
    open_points = tuple(_still_open(closing, drug, planned))
    others = tuple(_doubtful(closing, shares, planned, catalogue))
    if stopping:
        return Closed(shares, None, None, (*stopping, *others), open_points)
    (order,) = drug_orders(lines_of(closing, shares, drug), catalogue, closing.on)
    chart = Chart(setting=Present(planned.setting) if planned.setting else NOTHING)
    payer = PayerChoice(planned.payer_id, "the payer of the order")
    case = case_of(order, (order,), chart, catalogue, payer)
    amounts = tuple(_by_the_core(case.plan))
    return Closed(shares, order, case.plan, (*amounts, *others), open_points)


# ---------------------------------------------------------------- as order lines


def shares_of(closing: Closing, drug: Drug) -> tuple[Share, ...]:
    """The dose filled from the containers in the order they were entered; what was discarded is
    the rest of the last one."""
    left = closing.dose.to(MASS)
    nothing = Amount(Decimal(0), MASS)
    shares = []
    for place, row in enumerate(closing.opened, 1):
        container = drug.container(row.ndc)
        holds = container.strength.to(MASS) * row.count if container else left
        last = place == len(closing.opened)
        taken = left if last or left <= holds else holds
        shares.append(Share(row, container, taken, closing.discarded if last else None))
        left = max(nothing, left - taken)
    return tuple(shares)


def lines_of(closing: Closing, shares: tuple[Share, ...], drug: Drug) -> tuple[OrderLine, ...]:
    """What the records of the dose and of the discarded amount are read back as."""
    given = [_line(closing, share, drug, f"{GIVEN}/entered-{n}") for n, share in enumerate(shares)]
    if closing.discarded is None or closing.discarded.value == 0 or not shares:
        return tuple(given)
    wasted = OrderLine(
        f"{GIVEN}/entered-discarded",
        GIVEN,
        stage=Stage.GIVEN,
        codes=_codes(shares[-1]),
        names=(drug.name,),
        date_of_service=closing.on,
        discarded=Present(closing.discarded),
        not_given=True,
    )
    return (*given, wasted)


def _line(closing: Closing, share: Share, drug: Drug, reference: str) -> OrderLine:
    row = share.opened
    form = share.container.form if share.container else "container"
    return OrderLine(
        reference,
        GIVEN,
        stage=Stage.GIVEN,
        codes=_codes(share),
        names=(drug.name,),
        dose=Present(Dose(share.dose)),
        containers=Present(Counted(Decimal(row.count), form)),
        date_of_service=closing.on,
        route=Present(closing.route) if closing.route else NOTHING,
        site=Present("; ".join(closing.sites)) if closing.sites else NOTHING,
        observed=Present("noted") if closing.observed else NOTHING,
        lot=Present(row.lot) if row.lot else NOTHING,
    )


def _codes(share: Share) -> tuple[Code, ...]:
    return (Code("ndc", share.opened.ndc),)


# ---------------------------------------------------------------- what does not fit together


def _stopping(shares: tuple[Share, ...]) -> Iterator[Contradiction]:
    """What no record could say truthfully.

    An administration of 0 mg is none. On a container of which nothing was given, no text of CMS was
    read; what was read speaks of the rest of a vial after the dose (2016 FAQ, one secondary
    source). So it is neither billed as discarded here nor called unpaid.
    """
    for place, share in enumerate(shares):
        at, count = f"opened-{place}", share.opened.count
        if share.container is None:
            text = (
                f"NDC {hyphenated_ndc(share.opened.ndc)} is none of this drug's containers: "
                "compare it with the box."
            )
            yield Contradiction(at, text, stops=True)
        elif share.dose.value <= 0 or share.dose <= share.container.strength.to(MASS) * (count - 1):
            text = (
                f"Was the last {share.container.name} of this row opened for this dose? The dose "
                "is reached without it, so no record can say that any of it was given. Leave it "
                "out here and note a spoiled one in the stock record; whether the payer pays for "
                "it is for the payer to say."
            )
            yield Contradiction(at, text, stops=True)


def _by_the_core(plan: ClaimPlan) -> Iterator[Contradiction]:
    """The core's own reason why neither JW nor JZ can be said of these amounts."""
    if plan.doubt is Doubt.CHARTING:
        yield Contradiction("discarded", f"{_sentence(plan.because)}.")
    elif plan.doubt is Doubt.TOO_SMALL:
        yield Contradiction("dose", f"{_sentence(plan.because)}.")


def _doubtful(
    closing: Closing,
    shares: tuple[Share, ...],
    planned: Planned,
    catalogue: Catalogue,
) -> Iterator[Contradiction]:
    """What can be true and is asked about all the same."""
    yield from _other_dose(closing, planned.dose, "ordered")
    yield from _other_dose(closing, planned.charted_dose, "charted in the EHR")
    if planned.charted_on and planned.charted_on != closing.on:
        text = f"The EHR has this dose on {planned.charted_on}, here it is {closing.on}."
        yield Contradiction("on", text)
    stocked = catalogue.site(closing.on).stocked
    for place, share in enumerate(shares):
        yield from _doubtful_container(closing, share, f"opened-{place}", stocked)
    yield from _two_expiries(closing)


def _other_dose(closing: Closing, dose: Amount | None, where: str) -> Iterator[Contradiction]:
    if dose is None or dose.to(MASS) == closing.dose.to(MASS):
        return
    text = f"{closing.dose} is entered as given, but {dose} is {where}: is that meant?"
    yield Contradiction("dose", text)


def _doubtful_container(
    closing: Closing, share: Share, at: str, stocked: frozenset[str]
) -> Iterator[Contradiction]:
    row, container = share.opened, share.container
    if row.expires and row.expires < closing.on:
        lot = f"Lot {row.lot}" if row.lot else "This container"
        yield Contradiction(at, f"{lot} expired on {row.expires}, before it was given: report it.")
    if container is None:
        return
    if stocked and row.ndc not in stocked:
        text = f"{container.ndc_shown} is not among the containers this clinic stocks: is it right?"
        yield Contradiction(at, text)
    if not container.marketed_on(closing.on):
        text = f"{container.ndc_shown} was not on the market on {closing.on}: compare the NDC."
        yield Contradiction(at, text)
    if container.dose_status == "multiple-dose":
        text = f"{container.ndc_shown} is a multi-dose container: it has neither JW nor JZ."
        yield Contradiction(at, text)


def _two_expiries(closing: Closing) -> Iterator[Contradiction]:
    seen: dict[tuple[str, str], date] = {}
    for place, row in enumerate(closing.opened):
        if not row.lot or not row.expires:
            continue
        before = seen.setdefault((row.ndc, row.lot), row.expires)
        if before != row.expires:
            text = f"Lot {row.lot} has two expiry dates here, {before} and {row.expires}."
            yield Contradiction(f"opened-{place}", text)


def _still_open(closing: Closing, drug: Drug, planned: Planned) -> Iterator[str]:
    """What a record of a dose has and this one lacks."""
    if any(not row.lot for row in closing.opened):
        yield "the lot number"
    if not closing.sites:
        yield f"the {drug.giving} site"
    observed = closing.observed or planned.observation_charted
    if drug.supervised_doses is not None and not observed:
        yield f"the observation after the {drug.giving}"
    if closing.discarded is not None and closing.discarded.value > 0 and not closing.witness:
        yield "who witnessed the discarding, where the clinic wants it"


def _sentence(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


def shown_ndc(row: OpenedContainers, drug: Drug) -> str:
    """The NDC as printed on the box, or as entered when it is not the drug's."""
    return drug.ndc_shown(row.ndc)


def opened_words(row: OpenedContainers, drug: Drug) -> str:
    """ "2 x 150 mg vials, NDC 50242-040-62, lot A1, expires 2028-04-30"."""
    container = drug.container(row.ndc)
    name = f"{container.name}{'s' if row.count > 1 else ''}" if container else "containers"
    parts = [f"{plain(Decimal(row.count))} x {name}", f"NDC {shown_ndc(row, drug)}"]
    parts += [f"lot {row.lot}"] if row.lot else []
    parts += [f"expires {row.expires}"] if row.expires else []
    return ", ".join(parts)
