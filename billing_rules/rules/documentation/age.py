"""The patient's age is in the range the label states for the indication.

Where the label speaks of the age at start of therapy, the first dose on file decides, else the
date of service.
"""

from __future__ import annotations

from billing_rules.evidence.documentation import (
    birth_seen,
    indication,
    indication_seen,
    sources,
    start_of_therapy,
)
from billing_rules.evidence.pretreatment import age_at_start
from billing_rules.model.entities import Evidence, Indication
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import Nothing, Present, State, Unknown, age_on
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


def check(case: Case) -> Stated:
    chosen = case.indication.indication
    birth = case.chart.birth_date
    if chosen is None or (chosen.age_from is None and chosen.age_below is None):
        return Silent(f"no age is stated for {indication(case)}", applies=False)
    elif isinstance(birth, Unknown):
        return NotChecked(birth.because)
    elif isinstance(birth, Nothing):
        return Finding(
            kind="birth-date-missing",
            summary=f"No birth date is on file: add it, {case.drug.name} is labelled by age",
            found=(f"Labelled {_range(chosen)} for {chosen.name}.",),
            basis=(Evidence("Patient", "birth date", "none on file"), *indication_seen(case)),
            sources=sources(chosen.sources.get("age_from"), chosen.sources.get("age_below")),
        )
    else:
        return _judged(case, chosen)


def _judged(case: Case, chosen: Indication) -> Outcome:
    age = _age(case, chosen)
    if isinstance(age, Unknown):
        return NotChecked(age.because)
    assert isinstance(age, Present)
    if _in_range(age.value, chosen):
        return Silent(
            f"{age.value} years, labelled {_range(chosen)}",
            basis=birth_seen(case),
            sources=sources(chosen.sources.get("age_from"), chosen.sources.get("age_below")),
        )
    return _out_of_range(case, chosen, age.value)


def _age(case: Case, chosen: Indication) -> State[int]:
    """The age that decides. With the start not known, an age below the range today was below it
    then as well; anything else cannot be told."""
    birth = case.chart.birth_date
    assert isinstance(birth, Present)
    now = age_on(birth.value, case.order.date_of_service)
    if not chosen.age_at_start or (chosen.age_from is not None and now < chosen.age_from):
        return Present(now)
    return age_at_start(case)


def _in_range(age: int, chosen: Indication) -> bool:
    old_enough = chosen.age_from is None or age >= chosen.age_from
    return old_enough and (chosen.age_below is None or age < chosen.age_below)


def _range(chosen: Indication) -> str:
    if chosen.age_below is None:
        return f"from {chosen.age_from} years"
    if chosen.age_from is None:
        return f"below {chosen.age_below} years"
    return f"from {chosen.age_from} to below {chosen.age_below} years"


def _out_of_range(case: Case, chosen: Indication, age: int) -> Finding:
    when = "at start of therapy" if chosen.age_at_start else "on the date of service"
    return Finding(
        kind="age-outside-label",
        summary=f"Age {age} is outside the label for {chosen.name[:50]}: is the order intended?",
        found=(f"{age} years {when}; labelled {_range(chosen)}.",),
        basis=(*birth_seen(case), *_start_seen(case, chosen), *indication_seen(case)),
        sources=sources(chosen.sources.get("age_from"), chosen.sources.get("age_below")),
    )


def _start_seen(case: Case, chosen: Indication) -> tuple[Evidence, ...]:
    start = start_of_therapy(case)
    on = case.order.date_of_service
    if not chosen.age_at_start or not isinstance(start, Present) or start.value == on:
        return (Evidence(case.order.references[0], "date of service", str(on), on),)
    return (Evidence("", "first dose on file", str(start.value), start.value),)


RULE = Rule(
    id="age",
    check=check,
    requires=(chosen_indication,),
    topic=Topic.DOCUMENTATION,
    rank=30,
    warns=("age-outside-label",),
    informs=("birth-date-missing",),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("patient", "administrations"),
    record=Record(
        name="age",
        title="Age within the label",
        says="The patient's age is compared with the range labelled for the indication.",
        prevents="A denial because the age is outside the labelled range.",
        denials=("coverage-criteria",),
        citations=("label",),
        reads=("indication.age_from",),
        uses=UseOf(date_of_birth="the age on the date of service or at start of therapy"),
    ),
)
