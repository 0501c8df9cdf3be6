"""The ordered dose and interval against the labelled ones; a difference is a question.

By total IgE before treatment, weight and age at start where the label has a table, by weight where
it states mg/kg, else by its list. A table not seen in the US label itself never warns, and where
no table could be read (food allergy) nothing is computed.
"""

from __future__ import annotations

from decimal import Decimal

from billing_rules.evidence.documentation import (
    because,
    birth_seen,
    dose_amount,
    dose_seen,
    drug_sources,
    indication,
    indication_seen,
    listed,
    measured_seen,
    seen,
    sources,
)
from billing_rules.evidence.pretreatment import (
    TOTAL_IGE,
    Labelled,
    current_weight,
    doubtful_weight,
    kilograms,
    labelled_at_last_dose,
    labelled_now,
)
from billing_rules.model.entities import Amount, Evidence, Indication, Source
from billing_rules.model.findings import Finding, NotChecked, Outcome, Severity, Silent, Topic
from billing_rules.model.states import Present, Unknown
from billing_rules.orders.case import Case
from billing_rules.rules.rule import (
    BOOKING,
    ORDERS,
    Place,
    Record,
    Rule,
    Stated,
    UseOf,
    chosen_indication,
)

UNVERIFIED = "This dosing table was not seen in the US label itself: compare it with the label."
# Ours: a dose by weight is drawn up in whole milligrams, rounded up or down.
ROUNDING = Decimal(1)
Schedule = tuple[Amount, Amount]


def check(case: Case) -> Stated:
    chosen = case.indication.indication
    dose = case.order.dose
    if not isinstance(dose, Present):
        return NotChecked(because(dose, "the order states no dose"))
    elif case.drug.labelled_dose_per_weight:
        return _by_weight(case, dose.value, case.drug.labelled_dose_per_weight)
    elif chosen and chosen.tables:
        return _by_table(case)
    elif chosen and any(need.what == TOTAL_IGE for need in chosen.needs):
        return NotChecked(f"the dosing table for {chosen.name} could not be read")
    else:
        return _by_list(case, chosen)


# ---------------------------------------------------------------- by table


def _by_table(case: Case) -> Outcome:
    labelled = case.once(labelled_now)
    if isinstance(labelled, Unknown):
        return NotChecked(labelled.because)
    if not isinstance(labelled, Present):
        return Silent("no dosing table is for the age at start of therapy", applies=False)
    if doubtful_weight(case):
        return NotChecked("the weight on file is doubtful: that is asked first")
    if not labelled.value.ige_fits:
        return NotChecked("total IgE is outside the table: that is asked first")
    return _compared(case, labelled.value)


def _compared(case: Case, now: Labelled) -> Outcome:
    if now.dose is None:
        return Finding(
            kind="no-dose-labelled",
            severity=Severity.WARNING if now.table.verified else Severity.INFO,
            summary=f"Is {_ordered(case)} intended? The label gives no dose "
            "for this IgE and weight",
            found=("The labelled table recommends no dose here: insufficient data.",),
            basis=_basis(case, now),
            sources=(now.table.source,),
            unchecked=_unchecked(case, now),
        )
    if is_ordered(case, now.dose):
        return Silent(
            f"{every(now.dose)} is labelled for this total IgE and weight",
            basis=(measured_seen(now.ige), measured_seen(now.weight, "weight")),
            sources=(now.table.source,),
        )
    then = labelled_at_last_dose(case, now)
    if then and then.dose not in (None, now.dose) and is_ordered(case, then.dose):
        return Silent("the dose is that of the earlier weight: asked with the weight")
    return Finding(
        kind="dose-differs-from-label",
        severity=Severity.WARNING if now.table.verified else Severity.INFO,
        summary=f"Is {_ordered(case)} intended? The labelled table gives {every(now.dose)}",
        found=(
            f"Ordered: {_ordered(case)}. Table, for this total IgE and weight: {every(now.dose)}.",
        ),
        basis=_basis(case, now),
        sources=(now.table.source,),
        unchecked=_unchecked(case, now),
    )


def is_ordered(case: Case, schedule: Schedule | None) -> bool:
    """Whether the order has this dose and, where it states one, this interval."""
    dose = case.order.dose
    if schedule is None or not isinstance(dose, Present):
        return False
    same = dose.value.to("mg") == schedule[0]
    return same and all(i.to("d") == schedule[1].to("d") for i in ordered_intervals(case))


def ordered_intervals(case: Case) -> tuple[Amount, ...]:
    stated = (line.interval for line in case.order.prescriptions)
    return tuple(i.value for i in stated if isinstance(i, Present) and i.value.is_a("time"))


def every(schedule: Schedule | None) -> str:
    """ "300 mg every 4 weeks"."""
    return f"{schedule[0]} every {schedule[1]}" if schedule else "no dose"


def _ordered(case: Case) -> str:
    interval = next(iter(ordered_intervals(case)), None)
    return f"{dose_amount(case)} every {interval}" if interval else dose_amount(case)


def _basis(case: Case, now: Labelled) -> tuple[Evidence, ...]:
    return (
        *dose_seen(case),
        *(
            seen(line, "interval", line.interval.value)
            for line in case.order.prescriptions
            if isinstance(line.interval, Present)
        ),
        measured_seen(now.ige, "baseline total IgE"),
        measured_seen(now.weight, "weight"),
        *birth_seen(case),
        *indication_seen(case),
    )


def _unchecked(case: Case, now: Labelled) -> tuple[str, ...]:
    interval = () if ordered_intervals(case) else ("The interval: the order states none.",)
    return interval if now.table.verified else (*interval, UNVERIFIED)


# ---------------------------------------------------------------- by weight, by list


def _by_weight(case: Case, dose: Amount, per_weight: Amount) -> Outcome:
    weight = case.once(current_weight)
    if not isinstance(weight, Present):
        return NotChecked(because(weight, "no weight is on file"))
    if doubtful_weight(case):
        return NotChecked("the weight on file is doubtful: that is asked first")
    kg = kilograms(weight.value).value
    labelled = Amount(per_weight.to("mg/kg").value * kg, "mg")
    if abs(dose.to("mg").value - labelled.value) <= ROUNDING:
        return Silent(
            f"{dose} is {per_weight} for {weight.value.as_written}",
            basis=(measured_seen(weight.value, "weight"),),
            sources=drug_sources(case, "labelled_dose_per_weight"),
        )
    rounded = Amount(labelled.value.quantize(Decimal("0.1")), "mg")
    return Finding(
        kind="dose-differs-from-label",
        severity=Severity.INFO,
        summary=f"Is {dose} intended? {per_weight} is labelled: {rounded} for this weight",
        found=(f"{per_weight} for {weight.value.as_written} is {rounded}; ordered {dose}.",),
        basis=(*dose_seen(case), measured_seen(weight.value, "weight"), *indication_seen(case)),
        sources=drug_sources(case, "labelled_dose_per_weight"),
    )


def _by_list(case: Case, chosen: Indication | None) -> Outcome:
    doses = (chosen.doses if chosen else ()) or case.drug.labelled_doses
    intervals = (chosen.intervals if chosen else ()) or case.drug.intervals
    if not doses:
        return Silent(f"no labelled dose of {indication(case)} is known", applies=False)
    dose = case.order.dose
    dose_fits = isinstance(dose, Present) and dose.value.to("mg") in [d.to("mg") for d in doses]
    days = [i.to("d") for i in intervals]
    interval_fits = not days or all(i.to("d") in days for i in ordered_intervals(case))
    if dose_fits and interval_fits:
        return Silent(
            f"{_ordered(case)} is among the labelled doses",
            basis=dose_seen(case),
            sources=_dose_sources(case),
        )
    return _not_listed(case, doses, intervals)


def _not_listed(case: Case, doses: tuple[Amount, ...], intervals: tuple[Amount, ...]) -> Finding:
    often = f" every {' or '.join(str(i) for i in intervals)}" if intervals else ""
    labelled = f"{listed(doses)}{often}"
    return Finding(
        kind="dose-not-labelled",
        summary=f"Is {_ordered(case)} intended? It is no labelled dose for {indication(case)[:50]}",
        found=(f"Labelled: {labelled}. Ordered: {_ordered(case)}.",),
        basis=(*dose_seen(case), *indication_seen(case)),
        sources=_dose_sources(case),
    )


def _dose_sources(case: Case) -> tuple[Source, ...]:
    chosen = case.indication.indication
    own = chosen.sources if chosen else {}
    return sources(own.get("doses") or case.drug.sources.get("labelled_doses"))


RULE = Rule(
    id="labelled_dose",
    check=check,
    requires=(chosen_indication,),
    topic=Topic.DOCUMENTATION,
    rank=80,
    warns=("dose-differs-from-label", "no-dose-labelled"),
    informs=("dose-differs-from-label", "no-dose-labelled", "dose-not-labelled"),
    corrected_at={Topic.DOCUMENTATION: Place.DOSING_TABLE},
    hooks=(*ORDERS, *BOOKING),
    queries=("weight", "observations"),
    record=Record(
        name="labelled dose",
        title="The dose of the labelled table",
        says=(
            "The ordered dose and interval are compared with the label, and a difference is "
            "asked about."
        ),
        prevents="A denial because the dose differs from the label.",
        denials=("incorrect-dosage", "coverage-criteria"),
        citations=("label",),
        reads=(
            "table",
            "indication.doses",
            "drug.labelled_doses",
            "drug.labelled_dose_per_weight",
            "indication.intervals",
            "drug.intervals",
        ),
        limits=(
            (
                "A table that was not seen in the US label itself is named as such and never "
                "makes a warning."
            ),
            "No food-allergy dose is worked out, because its table could not be read.",
        ),
        uses=UseOf(date_of_birth="the age decides which labelled dosing table applies"),
    ),
)
