"""What the rules said of an order, as requirements a person can go through one by one.

Nothing is decided here: a requirement repeats outcomes of the review that a card is written from.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from billing_rules.evidence.documentation import sentence
from billing_rules.model.entities import Evidence, Source
from billing_rules.model.findings import Finding, NotChecked, Outcome, Topic, standing
from billing_rules.orders.claim_lines import ClaimPlan, WasteAnswer
from billing_rules.review import OrderReview
from billing_rules.rule_records import RuleRecord, rule_name, shipped
from billing_rules.rules import DOCUMENTATION_NAMES


class State(Enum):
    """How a requirement stands, worst first."""

    MISSING = "missing"
    TO_DO = "to do"
    UNCHECKED = "could not be checked"
    TO_CONFIRM = "to confirm"
    MET = "met"
    OFF = "does not apply"


_WORST_FIRST = list(State)
_RULE_ID = re.compile("|".join(rf"\b{id_}\b" for id_ in shipped().records if "_" in id_))


@dataclass(frozen=True, slots=True)
class Point:
    """One outcome. `says` is the sentence to read first, `more` what was found beside it.

    `remedy` is what would satisfy it, "" where nothing is to be done. `to_chart`: the chart is to
    be corrected, not the order (a card of its own, cds_hooks/cards).
    """

    state: State
    says: str
    more: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    sources: tuple[Source, ...] = ()
    unchecked: tuple[str, ...] = ()
    remedy: str = ""
    to_chart: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """One rule, with everything it said of this order."""

    rule: str
    record: RuleRecord
    points: tuple[Point, ...]

    @property
    def state(self) -> State:
        return min((p.state for p in self.points), key=_WORST_FIRST.index)

    @property
    def sources(self) -> tuple[Source, ...]:
        """Whom the points cite; where they cite nobody, whom the rule itself rests on."""
        cited = tuple(dict.fromkeys(s for p in self.points for s in p.sources))
        return cited or self.record.citations

    @property
    def is_documentation(self) -> bool:
        return self.rule in DOCUMENTATION_NAMES or any(p.to_chart for p in self.points)


@dataclass(frozen=True, slots=True)
class Headline:
    """What stands at the top of the worksheet: its state and the words for it."""

    state: State
    words: str


def requirements(review: OrderReview) -> tuple[Requirement, ...]:
    """Every rule's requirement, the worst first, in card order within a state."""
    by_rule: dict[str, list[Outcome]] = {}
    for outcome in review.outcomes:
        by_rule.setdefault(outcome.rule, []).append(outcome)
    records = shipped().records
    found = [
        Requirement(rule, records[rule], tuple(_point(o) for o in outcomes))
        for rule, outcomes in by_rule.items()
    ]
    return tuple(sorted(found, key=lambda r: _WORST_FIRST.index(r.state)))


def _point(outcome: Outcome) -> Point:
    if isinstance(outcome, Finding):
        return Point(
            State(standing(outcome)),
            outcome.summary,
            outcome.found,
            outcome.basis,
            outcome.sources,
            outcome.unchecked,
            outcome.correction_label,
            outcome.topic is Topic.DOCUMENTATION,
        )
    if isinstance(outcome, NotChecked):
        return Point(State.UNCHECKED, f"Could not be checked, because {outcome.because}.")
    state = State.MET if outcome.applies else State.OFF
    # Other rules by their names: the reason may say who judges instead.
    because = _RULE_ID.sub(lambda match: f"\u201c{rule_name(match[0])}\u201d", outcome.because)
    return Point(state, sentence(because), (), outcome.basis, outcome.sources)


# ---------------------------------------------------------------- the two answers


def documentation(found: Sequence[Requirement]) -> Headline:
    """Whether the chart shows what the claim needs; complete only when all of it was checked."""
    states = Counter(r.state for r in found if r.is_documentation)
    gaps = states[State.MISSING] + states[State.TO_DO]
    if gaps:
        return Headline(State.MISSING, f"Not complete: {_count(gaps)} missing or to do")
    if states[State.UNCHECKED]:
        open_ = _count(states[State.UNCHECKED])
        return Headline(State.UNCHECKED, f"Could not be checked: {open_} still open")
    if states[State.TO_CONFIRM]:
        open_ = _count(states[State.TO_CONFIRM])
        return Headline(State.TO_CONFIRM, f"Nothing missing; {open_} to confirm")
    return Headline(State.MET, "Complete")


def billing(found: Sequence[Requirement], plan: ClaimPlan) -> Headline:
    """Whether the order as written would become the planned claim; a claim whose JW or JZ is open
    is not ready, whatever card that stands on."""
    states = Counter(r.state for r in found if not r.is_documentation)
    gaps = states[State.MISSING] + states[State.TO_DO]
    if gaps:
        return Headline(State.TO_DO, f"{_count(gaps, 'thing')} to do before it is billed")
    if states[State.UNCHECKED]:
        return Headline(State.UNCHECKED, f"{_count(states[State.UNCHECKED])} could not be checked")
    if states[State.TO_CONFIRM]:
        return Headline(State.TO_CONFIRM, f"{_count(states[State.TO_CONFIRM])} to confirm")
    if plan.lines and plan.waste is WasteAnswer.INDETERMINATE:
        return Headline(State.UNCHECKED, "Not ready to bill: JW or JZ is still open")
    return Headline(State.MET, "Nothing to do before it is billed")


def _count(count: int, thing: str = "point") -> str:
    return f"{count} {thing}" + ("" if count == 1 else "s")
