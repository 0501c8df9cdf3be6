"""One rule's row: every fact about a rule, stated once, at the foot of its own module.

The registry (billing_rules.rules) collects the rows and refuses what is incomplete. The services,
the queries of the chart, the app's links and form, and the rule's page are derived from them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

import msgspec

from billing_rules.model.findings import Correction, Finding, Outcome, Severity, Topic
from billing_rules.orders.case import Case
from billing_rules.rules.requirements import Requirement

# What a check gives: one outcome, or several.
Stated = Outcome | Iterable[Outcome]

# The hooks (CDS Hooks) at which a rule can speak, by what is looked at there.
ORDERS = ("order-select", "order-sign", "order-dispatch")
GIVEN = ("encounter-discharge", "patient-view")
BOOKING = ("appointment-book",)
HOOKS = (*ORDERS, *GIVEN, *BOOKING)


class Place(Enum):
    """Where a finding is corrected: the order in the EHR, or what a screen of the app shows."""

    EHR_ORDER = "EHR order"
    DOSING_TABLE = "dosing table"
    CLAIM_PLAN = "claim plan"
    CONTAINERS = "containers"
    PAST_DOSES = "past doses"
    AUTHORIZATIONS = "authorizations"
    FORM = "documentation form"
    CLOSE_OUT = "close-out"


class UseOf(msgspec.Struct, frozen=True, kw_only=True):
    """The nine attributes of a patient that 45 CFR 170.315(b)(11) names: "not used", or what the
    rule uses them for."""

    race: str = "not used"
    ethnicity: str = "not used"
    language: str = "not used"
    sexual_orientation: str = "not used"
    gender_identity: str = "not used"
    sex: str = "not used"
    date_of_birth: str = "not used"
    social_determinants: str = "not used"
    health_status_assessment: str = "not used"


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What an EHR must be able to show of the rule, and the denial that it prevents.

    `name` is short and in small letters, so that it fits into a sentence. `denials`, `citations`
    and `codes` (claim adjustment and remark codes) are ids of data/rules.yaml; `reads` are values
    of the catalogue that the rule stands on (billing_rules.citations.WHAT). `limits` are the
    rule's own. `revised` is YYYY-MM-DD, or "none" since the release.
    """

    name: str
    title: str
    says: str
    prevents: str
    denials: tuple[str, ...]
    citations: tuple[str, ...]
    codes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    uses: UseOf = UseOf()
    revised: str = "none"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rule:
    """One rule. `requires` is what must be there for it to have anything to look at
    (billing_rules.rules.requirements); `check` is called only where all of it is.

    `rank` is its place on the cards, within its topic: the lower, the more urgent.
    `warns` and `informs` are the kinds of its findings by severity. A check states the severity of
    a kind that stands in both; that of every other kind is the row's.
    `corrected_at` has the cards on which its findings stand, and where each is corrected. A check
    states the topic of a finding only where there are two.
    `hooks` are those at which it speaks, `queries` the keys of billing_rules.data_needed that it
    reads, `form_groups` the groups of the documentation form that it finds open or answered, and
    `suggests` the kinds of correction that its suggestions make.
    """

    id: str
    check: Callable[[Case], Stated]
    requires: tuple[Requirement, ...] = ()
    topic: Topic
    rank: int
    warns: tuple[str, ...] = ()
    informs: tuple[str, ...] = ()
    corrected_at: Mapping[Topic, Place]
    suggests: tuple[type[Correction], ...] = ()
    hooks: tuple[str, ...]
    queries: tuple[str, ...] = ()
    form_groups: tuple[str, ...] = ()
    record: Record
    only_severity: dict[str, Severity] = field(init=False, repr=False)
    only_topic: Topic | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        only = dict.fromkeys(self.warns, Severity.WARNING)
        only |= dict.fromkeys(self.informs, Severity.INFO)
        for kind in set(self.warns) & set(self.informs):
            del only[kind]
        object.__setattr__(self, "only_severity", only)
        topics = tuple(self.corrected_at)
        object.__setattr__(self, "only_topic", topics[0] if len(topics) == 1 else None)

    def outside(self, outcome: Outcome) -> str:
        """What of an outcome the row does not allow, as a sentence; "" where it allows all."""
        if not isinstance(outcome, Finding):
            return ""
        kinds = self.warns if outcome.severity is Severity.WARNING else self.informs
        if outcome.kind not in kinds:
            return f"{self.id} does not state '{outcome.kind}' as {outcome.severity.value}"
        if outcome.topic not in self.corrected_at:
            return f"{self.id} states no place to correct {outcome.topic.value}"
        unstated = [c for c in outcome.corrections if not isinstance(c, self.suggests)]
        return f"{self.id} does not state that it suggests {unstated[0]}" if unstated else ""
