"""The claim lines one dose becomes: administered units, discarded units, JW or JZ.

With L the labelled amount of all containers opened, D the dose and U the billing unit:
administered units = ceil(D/U); discarded units = floor((L-D)/U). One or more discarded units make
a second line with JW; none makes the single line carry JZ (CMS Discarded Drugs page; whole units
only: Noridian; rounding: ACR). Overfill never counts: L is what the label says (42 CFR
414.904(a)(3)). Before the injection this is a plan; after it, only what was charted decides.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from billing_rules.model.entities import (
    Amount,
    ContainerCount,
    Drug,
    DrugOrder,
    Payer,
    Source,
    Stage,
    labelled_total,
    whole_units_down,
    whole_units_up,
)
from billing_rules.model.states import Nothing, Present, State, Unknown


class Doubt(Enum):
    """What must be known before JW or JZ can be said."""

    CODE = "the drug's own code"
    DOSE = "the dose"
    CONTAINERS = "the containers"
    DOSE_STATUS = "whether the container is single-dose"
    TOO_SMALL = "containers that hold the dose"
    CHARTING = "what was opened, given and discarded"
    PAYER = "the payer's rule"


class WasteAnswer(Enum):
    """The four answers to "which waste modifier does this claim need?"."""

    JW = "JW"
    JZ = "JZ"
    NOT_APPLICABLE = "not applicable"
    INDETERMINATE = "indeterminate"


class ClaimLine(msgspec.Struct, frozen=True):
    """One service line: code, modifiers, billing units."""

    hcpcs: str
    units: int
    modifiers: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{'-'.join((self.hcpcs, *self.modifiers))} x {self.units:,}"


class ClaimPlan(msgspec.Struct, frozen=True):
    """How one dose is billed. `because` gives the reason of the waste answer in a clause.

    `doubt` says what an indeterminate answer waits for. `computed` is True
    when the order named no containers and they were chosen from stock.
    `lines` is empty when dose or billing unit are not known, and when the containers hold less than
    the dose: nobody is billed for more than was opened.
    """

    waste: WasteAnswer
    because: str
    lines: tuple[ClaimLine, ...] = ()
    opened: tuple[ContainerCount, ...] = ()
    discarded: Amount | None = None
    computed: bool = False
    sources: tuple[Source, ...] = ()
    doubt: Doubt | None = None

    @property
    def administered_units(self) -> int | None:
        return self.lines[0].units if self.lines else None

    @property
    def discarded_units(self) -> int:
        """Discarded units that are billed: 0 without a JW line."""
        return self.lines[1].units if len(self.lines) > 1 else 0


def units_of(dose: Amount, unit: Amount) -> int:
    """Billing units that bill `dose`: whole units, rounded up."""
    return whole_units_up(dose, unit)


def discarded_units_of(dose: Amount, labelled: Amount, unit: Amount) -> int:
    """Whole billing units discarded when `labelled` was opened for `dose`; 0 or more."""
    left = labelled.to(unit.unit) - dose.to(unit.unit)
    return max(0, whole_units_down(left, unit))


# Places of service where the drug is not a separately paid Part B line, and why
# (AAFP for RHC/FQHC; inpatient prospective payment; white-bagged and self-administered drugs are
# bought by the pharmacy, not by the practice).
EXEMPT_SETTINGS = {
    "inpatient": "an inpatient stay is paid as a whole",
    "rhc-fqhc": "a rural health clinic or FQHC is paid per visit",
    "home": "a drug the patient injects at home is billed by the pharmacy",
    "white-bagged": "the pharmacy that supplied the drug bills it",
}


def claim_plan(
    order: DrugOrder,
    drug: Drug,
    payer: Payer,
    setting: str | None,
    opened: State[tuple[ContainerCount, ...]],
    computed: bool,
) -> ClaimPlan:
    """The lines for `order` and the waste answer, with its reason. Never raises."""
    if drug.hcpcs is None or drug.billing_unit is None:
        return ClaimPlan(
            WasteAnswer.INDETERMINATE,
            f"{drug.name} had no code of its own on {order.date_of_service}, and an unclassified "
            "code has no billing unit: follow the payer's instructions",
            doubt=Doubt.CODE,
        )
    if not isinstance(order.dose, Present):
        return ClaimPlan(WasteAnswer.INDETERMINATE, _dose_gap(order.dose), doubt=Doubt.DOSE)
    containers = opened.value if isinstance(opened, Present) else ()
    small = _too_small(order.dose.value, containers)
    if small:
        return ClaimPlan(WasteAnswer.INDETERMINATE, small, opened=containers, doubt=Doubt.TOO_SMALL)
    lines = (ClaimLine(drug.hcpcs, units_of(order.dose.value, drug.billing_unit)),)
    plan = _answered(order, drug, payer, setting, opened, lines)
    return msgspec.structs.replace(plan, opened=containers, computed=computed)


def _too_small(dose: Amount, opened: tuple[ContainerCount, ...]) -> str:
    """Why the containers named cannot be those of the dose; "" when they can, or none are named."""
    labelled = labelled_total(opened) if opened else None
    if labelled is None or dose.to(labelled.unit) <= labelled:
        return ""
    return f"the containers hold {labelled}, less than the dose of {dose}"


def _answered(
    order: DrugOrder,
    drug: Drug,
    payer: Payer,
    setting: str | None,
    opened: State[tuple[ContainerCount, ...]],
    lines: tuple[ClaimLine, ...],
) -> ClaimPlan:
    exempt = _not_applicable(drug, payer, setting, opened)
    if exempt:
        return ClaimPlan(WasteAnswer.NOT_APPLICABLE, exempt[0], lines, sources=exempt[1])
    doubt = _doubt(order, opened)
    if doubt:
        return ClaimPlan(WasteAnswer.INDETERMINATE, doubt[1], lines, doubt=doubt[0])
    assert isinstance(opened, Present) and isinstance(order.dose, Present)
    return _decided(order.dose.value, labelled_total(opened.value), drug, payer, lines)


def _decided(
    dose: Amount, labelled: Amount, drug: Drug, payer: Payer, lines: tuple[ClaimLine, ...]
) -> ClaimPlan:
    assert drug.hcpcs and drug.billing_unit
    discarded = labelled - dose.to(labelled.unit)
    units = discarded_units_of(dose, labelled, drug.billing_unit)
    policy, modifier = (payer.jw, WasteAnswer.JW) if units else (payer.jz, WasteAnswer.JZ)
    sources = tuple(s for s in (payer.sources.get(modifier.value.lower()),) if s)
    if policy == "not yet":
        why = f"{payer.name} did not ask for {modifier.value} on this date of service"
        return ClaimPlan(
            WasteAnswer.NOT_APPLICABLE, why, lines, discarded=discarded, sources=sources
        )
    if payer.known and policy == "not stated":
        why = f"no rule of {payer.name} on {modifier.value} is known: ask the payer"
        return ClaimPlan(
            WasteAnswer.INDETERMINATE, why, lines, discarded=discarded, doubt=Doubt.PAYER
        )
    if units:
        why = f"{labelled} opened for {dose} discards {discarded}, {units} whole units"
        lines = (*lines, ClaimLine(drug.hcpcs, units, ("JW",)))
    else:
        why = _no_waste_reason(discarded, drug.billing_unit)
        lines = (ClaimLine(drug.hcpcs, lines[0].units, ("JZ",)),)
    return ClaimPlan(modifier, why, lines, discarded=discarded, sources=sources)


def _no_waste_reason(discarded: Amount, unit: Amount) -> str:
    if discarded.value == 0:
        return "the containers hold exactly the dose: nothing is discarded"
    return f"{discarded} is left, less than one unit of {unit}: it is not billed as discarded"


def _not_applicable(
    drug: Drug, payer: Payer, setting: str | None, opened: State[tuple[ContainerCount, ...]]
) -> tuple[str, tuple[Source, ...]] | None:
    if isinstance(opened, Present):
        several = [c for c in opened.value if c.container.dose_status == "multiple-dose"]
        if several:
            source = several[0].container.dose_status_source
            why = f"{several[0].container.ndc_shown} is a multiple-dose container"
            return why, (source,) if source else ()
    if setting in EXEMPT_SETTINGS:
        return EXEMPT_SETTINGS[setting], ()
    if setting == "hospital-outpatient" and drug.opps_status == "N":
        return "the drug is packaged into the outpatient payment", ()
    if payer.jw == "denies":
        source = payer.sources.get("jw")
        why = f"{payer.name} denies JW lines: the discarded amount is charted, never billed"
        return why, (source,) if source else ()
    return None


def _doubt(order: DrugOrder, opened: State[tuple[ContainerCount, ...]]) -> tuple[Doubt, str] | None:
    """Why neither JW nor JZ may be said, or None. Missing documentation is never a silent JZ."""
    if not isinstance(opened, Present):
        why = opened.because if isinstance(opened, Unknown) else "no containers are named"
        return (Doubt.CHARTING if order.stage is Stage.GIVEN else Doubt.CONTAINERS), why
    assert isinstance(order.dose, Present)
    unclear = [c for c in opened.value if c.container.dose_status == "unknown"]
    if unclear:
        shown = unclear[0].container.ndc_shown
        return Doubt.DOSE_STATUS, f"whether {shown} is a single-dose container is not known"
    labelled = labelled_total(opened.value)
    return _charting_doubt(order, labelled) if order.stage is Stage.GIVEN else None


def _charting_doubt(order: DrugOrder, labelled: Amount) -> tuple[Doubt, str] | None:
    assert isinstance(order.dose, Present)
    left = labelled - order.dose.value.to(labelled.unit)
    if isinstance(order.discarded, Unknown):
        return Doubt.CHARTING, order.discarded.because
    if isinstance(order.discarded, Present):
        charted = order.discarded.value.to(labelled.unit)
        if charted != left:
            why = f"{charted} is charted as discarded, but {left} was left of {labelled}"
            return Doubt.CHARTING, why
        return None
    if left.value:
        why = f"{left} of {labelled} was not given and no discarded amount is charted"
        return Doubt.CHARTING, why
    return None


def _dose_gap(dose: State[Amount]) -> str:
    if isinstance(dose, Unknown):
        return dose.because
    assert isinstance(dose, Nothing)
    return "the order states no dose"
