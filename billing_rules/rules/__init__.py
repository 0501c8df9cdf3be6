"""The rules, listed by hand in card order: most urgent first.

A rule is a function of one frozen `Case` that yields at least one outcome: a finding, silence
with its reason, or that it could not check. It knows no date, no clock and no FHIR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from billing_rules.case import Case
from billing_rules.findings import Outcome
from billing_rules.rules import (
    administration_service,
    billed_units,
    container_mix,
    contradicting_modifiers,
    dose_supplied,
    dose_unit,
    drug_identity,
    duplicate_orders,
    medically_unlikely_units,
    ndc_marketed,
    payer_denied_modifier,
    smallest_container,
    two_biologics,
    unclassified_code,
    unknown_modifier,
    waste_modifier,
    wrong_code,
)

Rule = Callable[[Case], Iterator[Outcome]]

RULES: tuple[Rule, ...] = (
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
)
