"""What a rule needs before it has anything to look at, and what is said where that is not there.

A closed set: rows name these (`requires`), the runner (billing_rules.review) asks each once a case,
in the row's order, and enters no rule whose requirement is not met.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from billing_rules.evidence.authorizations import authorization_wanted, no_authorization_wanted
from billing_rules.evidence.documentation import without_indication, without_need
from billing_rules.evidence.past_doses import no_criteria, payer_criteria, planned_interval
from billing_rules.model.entities import Stage
from billing_rules.model.findings import NotChecked, Silent
from billing_rules.model.states import Nothing, Present, Unknown
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import EXEMPT_SETTINGS
from billing_rules.rules.common import because

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
