"""The rules, listed by hand in card order: most urgent first.

A rule is a function of one frozen `Case` that yields at least one outcome: a finding, silence
with its reason, or that it could not check. It knows no date, no clock and no FHIR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from billing_rules.case import Case
from billing_rules.findings import Outcome
from billing_rules.rules.billing import (
    administration_service,
    billed_units,
    container_mix,
    contractor_modifier,
    contradicting_modifiers,
    dose_supplied,
    dose_unit,
    drug_identity,
    duplicate_orders,
    medically_unlikely_units,
    ndc_marketed,
    payer_denied_modifier,
    setting,
    smallest_container,
    two_biologics,
    unclassified_code,
    unknown_modifier,
    waste_modifier,
    wrong_code,
)
from billing_rules.rules.documentation import (
    age,
    concurrent_biologic,
    diagnosis_on_list,
    dose_interval,
    eosinophils,
    indication,
    labelled_dose,
    past_administrations,
    past_waste,
    prior_authorization,
    prior_therapy,
    reauthorization,
    research_modifier,
    sensitisation,
    supervised_doses,
    total_ige,
    units_per_period,
    weight,
)

Rule = Callable[[Case], Iterator[Outcome]]

# What the order bills: codes, units, modifiers, containers.
BILLING_RULES: tuple[Rule, ...] = (
    drug_identity.check,
    wrong_code.check,
    unclassified_code.check,
    dose_unit.check,
    billed_units.check,
    medically_unlikely_units.check,
    unknown_modifier.check,
    contradicting_modifiers.check,
    payer_denied_modifier.check,
    waste_modifier.check,
    dose_supplied.check,
    ndc_marketed.check,
    two_biologics.check,
    duplicate_orders.check,
    administration_service.check,
    container_mix.check,
    smallest_container.check,
    contractor_modifier.check,
    setting.check,
)

# What the chart must show for the claim to be paid.
DOCUMENTATION_RULES: tuple[Rule, ...] = (
    indication.check,
    diagnosis_on_list.check,
    age.check,
    total_ige.check,
    weight.check,
    sensitisation.check,
    eosinophils.check,
    labelled_dose.check,
    prior_authorization.check,
    prior_therapy.check,
    dose_interval.check,
    units_per_period.check,
    concurrent_biologic.check,
    past_administrations.check,
    past_waste.check,
    reauthorization.check,
    supervised_doses.check,
    research_modifier.check,
)

RULES: tuple[Rule, ...] = BILLING_RULES + DOCUMENTATION_RULES


def name_of(rule: Rule) -> str:
    """A rule's name: its module's."""
    return rule.__module__.rpartition(".")[2]


DOCUMENTATION_NAMES = frozenset(name_of(rule) for rule in DOCUMENTATION_RULES)
