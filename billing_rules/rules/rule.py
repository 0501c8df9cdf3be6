"""What a rule needs before it has anything to look at, and what is said where that is not there.

A closed set: rows name these (`requires`), the runner (billing_rules.review) asks each once a case,
in the row's order, and enters no rule whose requirement is not met."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache, partial

import msgspec

from billing_rules.evidence.authorizations import authorization_wanted, no_authorization_wanted
from billing_rules.evidence.documentation import (
    because,
    no_criteria,
    payer_criteria,
    planned_interval,
    without_indication,
    without_need,
)
from billing_rules.model.entities import Stage
from billing_rules.model.findings import (
    Correction,
    Finding,
    NotChecked,
    Outcome,
    Severity,
    Silent,
    Topic,
)
from billing_rules.model.states import Nothing, Present, Unknown
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import EXEMPT_SETTINGS

# What is said instead of the rule; None where the requirement is met.
Requirement = Callable[[Case], Silent | NotChecked | None]

BILLING_KINDS = ("Claim", "ChargeItem")
RESEARCH = ("Q0", "Q1")
WASTE = ("JW", "JZ")


def _absent(because: str) -> Silent:
    return Silent(because, applies=False)


# ---------------------------------------------------------------- of the order


def contradicting_identifiers(case: Case) -> Silent | None:
    identity = case.order.identity
    if identity.conflict is not None:
        return None
    return Silent(f"recognised as {case.drug.name} by {identity.by} {identity.shown(case.drug)}")


def hcpcs_code(case: Case) -> Silent | None:
    return None if case.order.hcpcs_codes else _absent("the order carries no HCPCS code")


def unclassified_code(case: Case) -> Silent | None:
    known = (case.codes.code(code) for code in case.order.hcpcs_codes)
    carried = any(code is not None and code.kind == "unclassified" for code in known)
    return None if carried else _absent("the order carries no unclassified code")


def billed_units(case: Case) -> Silent | None:
    for line in case.drug_lines:
        if "JW" not in line.modifiers and not isinstance(line.billed, Nothing):
            return None
    return _absent("the order carries no billed units")


def modifier(case: Case) -> Silent | None:
    for line in case.order.lines:
        if line.modifiers:
            return None
    return _absent("the order carries no modifier")


def waste_modifier(case: Case) -> Silent | None:
    for line in case.drug_lines:
        if "JW" in line.modifiers or "JZ" in line.modifiers:
            return None
    return _absent("the order carries neither JW nor JZ")


def billing_line(case: Case) -> Silent | None:
    """A line of a claim or charge, or a drug line whose code could stand for a service."""
    for line in case.drug_lines + case.order.services:
        if line.kind in BILLING_KINDS or line.codes_of("hcpcs") or line.codes_of("cpt"):
            return None
    return _absent("the order bills no lines")


def ndc_code(case: Case) -> Silent | None:
    for line in case.order.lines:
        if line.codes_of("ndc"):
            return None
    return _absent("the order carries no NDC")


def containers_to_choose(case: Case) -> Silent | None:
    """Containers that the order names and that are not opened yet: others can be proposed."""
    if case.order.stage is not Stage.PLANNED:
        return _absent("the containers of a dose given are opened already")
    if isinstance(case.order.containers, Present):
        return None
    return _absent(because(case.order.containers, "the order names no containers"))


def exempt_setting(case: Case) -> Silent | NotChecked | None:
    """A place of service where the drug is not a line of its own."""
    if case.setting in EXEMPT_SETTINGS:
        return None
    if case.setting is None and isinstance(case.chart.setting, Unknown):
        return NotChecked(case.chart.setting.because)
    shown = case.setting or "no special one"
    return Silent(f"the setting is {shown}: the drug is billed by line")


def supervised_doses_at_home(case: Case) -> Silent | NotChecked | None:
    if case.drug.supervised_doses is None:
        return _absent("the label asks for no supervised first doses")
    if case.setting is None and isinstance(case.chart.setting, Unknown):
        return NotChecked(f"the setting: {case.chart.setting.because}")
    return None if case.setting == "home" else _absent("the order is not for the patient's home")


@cache
def earlier_draft(otherwise: str) -> Requirement:
    """An order that was drafted before this one. `otherwise` may name {drug} and {group}."""

    def unmet(case: Case) -> Silent | None:
        if case.drafts.index(case.order):
            return None
        return Silent(otherwise.format(drug=case.drug.name, group=case.drug.group))

    return unmet


# ---------------------------------------------------------------- of the payer


def payer_that_denies_jw(case: Case) -> Silent | None:
    denies = case.payer.jw == "denies"
    return None if denies else _absent(f"{case.payer.name} is not known to deny JW lines")


def modifiers_of_payer_or_site(case: Case) -> Silent | None:
    for stated in (case.payer.wanted_modifiers, case.site.wanted_modifiers):
        if stated and ("all" in stated or (case.drug.hcpcs or "") in stated):
            return None
    return _absent("neither payer nor site states one")


def payers_list_of_diagnoses(case: Case) -> Silent | None:
    if case.criteria and case.criteria.diagnoses:
        return None
    return _absent(f"no list of diagnoses of {case.payer.name} is known")


def limit_of_units(case: Case) -> Silent | NotChecked | None:
    criteria = payer_criteria(case)
    if isinstance(criteria, Unknown):
        return NotChecked(criteria.because)
    if isinstance(criteria, Present) and criteria.value.most_units is not None:
        return None
    return _absent(f"no limit: {no_criteria(case)}")


def authorization_required(case: Case) -> Silent | NotChecked | None:
    wanted = authorization_wanted(case)
    if isinstance(wanted, Unknown):
        return NotChecked(wanted.because)
    return None if isinstance(wanted, Present) else _absent(no_authorization_wanted(case))


# ---------------------------------------------------------------- of label and chart


def planned_doses(case: Case) -> Silent | None:
    """The interval between two doses."""
    interval = case.once(planned_interval)
    return _absent("neither order nor label states an interval") if interval is None else None


def chosen_indication(case: Case) -> Silent | NotChecked | None:
    return without_indication(case)


@cache
def wanted(what: str) -> Requirement:
    """A kind of evidence that label or payer wants for the indication."""
    return partial(without_need, what=what)


def study_or_research_modifier(case: Case) -> Silent | NotChecked | None:
    studies = case.chart.studies
    if isinstance(studies, Unknown):
        return NotChecked(studies.because)
    if isinstance(studies, Present) and studies.value:
        return None
    for line in case.order.lines:
        if not set(RESEARCH).isdisjoint(line.modifiers):
            return None
    return Silent("no active study is on file")


@cache
def past_doses(otherwise: str) -> Requirement:
    """Records of what was given; `otherwise` is said where there are none and may name {drug}."""

    def unmet(case: Case) -> Silent | NotChecked | None:
        visits = case.history.visits
        if isinstance(visits, Unknown):
            return NotChecked(visits.because)
        none = isinstance(visits, Nothing)
        return Silent(otherwise.format(drug=case.drug.name)) if none else None

    return unmet


# ----------------------------------------------------------------------
# One rule's row: every fact about a rule, stated once, at the foot of its own module.
#
# The registry (billing_rules.rules) collects the rows and refuses what is incomplete. The
# services, the queries of the chart, the app's links and form, and the rule's page are derived
# from them.


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
    of the catalogue that the rule stands on (billing_rules.rule_records.WHAT). `limits` are the
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
    (billing_rules.rules.rule); `check` is called only where all of it is.

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
