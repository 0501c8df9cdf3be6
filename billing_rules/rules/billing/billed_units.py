"""The billed units are what the dose comes to: neither too many nor too few.

One unit of J2357 is 5 mg, so milligrams typed as units bill five times the drug. The finding
names the mistake when the numbers show which one it was (CMS RAC topic 0074).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from billing_rules.evidence.documentation import (
    because,
    billed_seen,
    containers_seen,
    dose_seen,
    drug_sources,
    labelled,
    listed,
    money,
    text_caveat,
    units_word,
)
from billing_rules.model.entities import Counted, OrderLine, plain
from billing_rules.model.findings import (
    AddDiscardedLine,
    Correction,
    Finding,
    NotChecked,
    Outcome,
    SetBilledUnits,
    Silent,
    Topic,
)
from billing_rules.model.states import Nothing, Present, Unknown
from billing_rules.orders.case import Case
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, billed_units

CONTAINER_WORDS = ("vial", "syringe", "pen", "injector", "cartridge", "pack", "carton", "kit")


def check(case: Case) -> Stated:
    groups = [
        [line for line in group if "JW" not in line.modifiers] for group in case.billed_together
    ]
    billing = [g for g in groups if any(not isinstance(line.billed, Nothing) for line in g)]
    if case.plan.administered_units is None:
        return NotChecked(_no_units_reason(case))
    return [_judged(case, group, case.plan.administered_units) for group in billing]


def _no_units_reason(case: Case) -> str:
    if case.drug.hcpcs is None or isinstance(case.order.dose, Present):
        return case.plan.because
    return because(case.order.dose, "the order states no dose to compare the units with")


def _judged(case: Case, group: Sequence[OrderLine], right: int) -> Outcome:
    unread = next((line.billed for line in group if isinstance(line.billed, Unknown)), None)
    if unread:
        return NotChecked(unread.because)
    billed = [line.billed.value for line in group if isinstance(line.billed, Present)]
    total = sum((counted.value for counted in billed), Decimal(0))
    if total == right and not any(_is_other_unit(c) for c in billed):
        return Silent(
            f"{plain(total)} units bill {case.order.dose_as_written}",
            basis=dose_seen(case),
            sources=drug_sources(case, "billing_unit"),
        )
    mistake = _mistake(case, billed, total, right)
    corrections = _corrections(case, group, mistake, right)
    return Finding(
        kind=mistake.kind,
        summary=_summary(case, total, right),
        found=(
            mistake.what,
            f"{case.order.dose_as_written or 'The dose'} at {case.drug.billing_unit} a unit is "
            f"{units_word(right)} of {case.drug.hcpcs}.",
            _difference(case, total, right),
        ),
        basis=(
            *billed_seen(group),
            *dose_seen(case),
            *containers_seen(case),
        ),
        sources=drug_sources(case, "billing_unit"),
        unchecked=text_caveat(case),
        corrections=corrections,
        correction_label=_label(case, right, corrections),
    )


def _is_other_unit(counted: Counted) -> bool:
    unit = counted.unit.lower()
    return unit in ("ml", "mg") or any(word in unit for word in CONTAINER_WORDS)


class _Mistake(msgspec.Struct, frozen=True):
    kind: str
    what: str


def _summary(case: Case, total: Decimal, right: int) -> str:
    # A hostile quantity can have hundreds of digits; the summary stays a sentence.
    shown = plain(total) if total < 10**9 else "far too many"
    return f"Bill {units_word(right)} of {case.drug.hcpcs}, not {shown}, for this dose"


def _difference(case: Case, total: Decimal, right: int) -> str:
    if total > right:
        extra = int(total - right) if total < 10**9 else 0
        times = f", {plain(total / right)} times the drug" if total % right == 0 else ""
        return f"The order bills more than the dose{times}{money(case, extra)}."
    missing = right - int(total) if total > 0 else right
    return f"The order bills less than the dose{money(case, missing)}."


def _mistake(case: Case, billed: Sequence[Counted], total: Decimal, right: int) -> _Mistake:
    """The mistake the numbers point to, most telling first."""
    for tell in (_milligrams, _containers, _millilitres, _whole_containers, _rounded, _repeated):
        mistake = tell(case, billed, total, right)
        if mistake:
            return mistake
    if total <= 0 or total != total.to_integral_value():
        return _Mistake("units-not-whole", f"{plain(total)} is no whole number of billing units.")
    kind = "units-above-dose" if total > right else "units-below-dose"
    return _Mistake(kind, f"{plain(total)} units are billed.")


def _milligrams(
    case: Case, billed: Sequence[Counted], total: Decimal, right: int
) -> _Mistake | None:
    dose = case.order.dose
    same_number = isinstance(dose, Present) and total == dose.value.to("mg").value != right
    if not same_number and not any(c.unit.lower() == "mg" for c in billed):
        return None
    return _Mistake(
        "milligrams-as-units", f"{plain(total)} mg was entered where billing units belong."
    )


def _containers(
    case: Case, billed: Sequence[Counted], total: Decimal, right: int
) -> _Mistake | None:
    worded = [c for c in billed if any(word in c.unit.lower() for word in CONTAINER_WORDS)]
    count = sum(c.count for c in case.plan.opened) if not case.plan.computed else 0
    if not worded and (total != count or total == right):
        return None
    what = str(worded[0]) if worded else f"{count} ({listed(case.plan.opened)})"
    return _Mistake(
        "containers-as-units", f"The number of containers, {what}, stands where units belong."
    )


def _millilitres(
    case: Case, billed: Sequence[Counted], total: Decimal, right: int
) -> _Mistake | None:
    volumes = [c.container.volume for c in case.plan.opened]
    worded = any(c.unit.lower() == "ml" for c in billed)
    opened = sum(
        (
            c.container.volume.to("mL").value * c.count
            for c in case.plan.opened
            if c.container.volume
        ),
        Decimal(0),
    )
    matches = bool(volumes) and all(volumes) and total == opened and total != right
    if not worded and not matches:
        return None
    return _Mistake(
        "millilitres-as-units", f"{plain(total)} mL was entered where billing units belong."
    )


def _whole_containers(
    case: Case, billed: Sequence[Counted], total: Decimal, right: int
) -> _Mistake | None:
    unit = case.drug.billing_unit
    if unit is None or case.plan.discarded is None or case.plan.discarded.value <= 0:
        return None
    if total * unit.to("mg").value != labelled(case.plan.opened):
        return None
    return _Mistake(
        "discarded-amount-on-administered-line",
        f"{plain(total)} units are the whole of {listed(case.plan.opened)}: the discarded "
        f"{case.plan.discarded} is billed as if it had been given.",
    )


def _rounded(case: Case, billed: Sequence[Counted], total: Decimal, right: int) -> _Mistake | None:
    dose, unit = case.order.dose, case.drug.billing_unit
    if not isinstance(dose, Present) or unit is None:
        return None
    exact = dose.value.to(unit.unit).value / unit.value
    if exact == exact.to_integral_value() or total not in (right - 1, exact):
        return None
    return _Mistake(
        "units-not-rounded-up",
        f"{dose.value} is {plain(exact)} units; a part of a unit is billed as a whole one.",
    )


def _repeated(case: Case, billed: Sequence[Counted], total: Decimal, right: int) -> _Mistake | None:
    if len(billed) < 2 or any(c.value != right for c in billed):
        return None
    return _Mistake("same-units-billed-twice", f"{len(billed)} lines each bill the whole dose.")


def _corrections(
    case: Case, group: Sequence[OrderLine], mistake: _Mistake, right: int
) -> tuple[Correction, ...]:
    """The right units, where one line keeps them; never more than dose and waste support."""
    lines = [line for line in group if isinstance(line.billed, Present)]
    if len(lines) != 1 or case.order.identity.conflict:
        return ()
    line = lines[0]
    fix: tuple[Correction, ...] = (SetBilledUnits(line.reference, line.item, right),)
    waste = case.plan.discarded_units
    whole = mistake.kind == "discarded-amount-on-administered-line"
    if whole and waste and line.item is not None and not case.plan.computed:
        fix += (AddDiscardedLine(line.reference, line.item, waste),)
    return fix


def _label(case: Case, right: int, corrections: tuple[Correction, ...]) -> str:
    if not corrections:
        return ""
    extra = f" and {units_word(case.plan.discarded_units)} JW" if len(corrections) > 1 else ""
    return f"Set {units_word(right)}{extra}"


RULE = Rule(
    id="billed_units",
    check=check,
    requires=(billed_units,),
    topic=Topic.BILLING,
    rank=50,
    warns=(
        "milligrams-as-units",
        "containers-as-units",
        "millilitres-as-units",
        "discarded-amount-on-administered-line",
        "units-not-rounded-up",
        "same-units-billed-twice",
        "units-not-whole",
        "units-above-dose",
        "units-below-dose",
    ),
    corrected_at={Topic.BILLING: Place.CLAIM_PLAN},
    suggests=(SetBilledUnits, AddDiscardedLine),
    hooks=ORDERS,
    queries=("weight",),
    record=Record(
        name="billed units",
        title="Units are what the dose comes to",
        says=(
            "Billed units must be the dose in whole billing units, rounded up; milligrams are "
            "no units."
        ),
        prevents="Too many or too few units for the dose that was ordered.",
        denials=("incorrect-dosage",),
        citations=("rac", "rounding"),
        reads=("drug.billing_unit",),
    ),
)
