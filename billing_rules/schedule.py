"""How often a drug is given, and which payer criteria an order stands under."""

from __future__ import annotations

from collections.abc import Iterable

from billing_rules.amounts import Amount
from billing_rules.case import Case
from billing_rules.model import Criteria, Drug, Source
from billing_rules.states import NOTHING, Present, State, Unknown


def planned_interval(case: Case) -> int | None:
    """The days between two doses that the order states, else the shortest labelled ones."""
    stated = [line.interval for line in case.order.prescriptions]
    days = _in_days(s.value for s in stated if isinstance(s, Present))
    if days:
        return min(days)
    chosen = case.indication.indication
    labelled = chosen.intervals if chosen and chosen.intervals else case.drug.intervals
    return min(_in_days(labelled), default=None)


def interval_source(case: Case) -> Source | None:
    """Where the labelled interval stands."""
    chosen = case.indication.indication
    if chosen and chosen.intervals and "intervals" in chosen.sources:
        return chosen.sources["intervals"]
    return case.drug.sources.get("intervals")


def longest_interval(drug: Drug) -> int | None:
    """The longest labelled days between two doses: how long one dose is meant to last."""
    return max(_in_days(drug.intervals), default=None)


def payer_criteria(case: Case) -> State[Criteria]:
    """What the payer wants for this order: none when it states nothing for the drug or the
    indication, unknown when it does but the indication could not be told."""
    if not any(drug_id == case.drug.id for drug_id, _ in case.payer.criteria):
        return NOTHING
    if case.indication.indication is None:
        return Unknown(f"the indication is not known: {case.indication.because}")
    return Present(case.criteria) if case.criteria else NOTHING


def no_criteria(case: Case) -> str:
    """Why there is nothing to compare with."""
    if not case.payer.known:
        return f"payer rules were not applied: {case.payer_choice.because}"
    return f"nothing of the kind is known of {case.payer.name} for this drug and indication"


def _in_days(amounts: Iterable[Amount]) -> list[int]:
    return [int(a.to("d").value) for a in amounts if a.is_a("time")]
