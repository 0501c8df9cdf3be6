"""FHIR R4 to billing words: everything a caller needs to read orders and chart."""

from __future__ import annotations

from billing_rules.fhir.chart import chart
from billing_rules.fhir.draft_orders import draft_orders, named_by_themselves
from billing_rules.fhir.references import entries, resolver
from billing_rules.fhir.searchset import SearchPage, bundle_resources

__all__ = [
    "SearchPage",
    "bundle_resources",
    "chart",
    "draft_orders",
    "entries",
    "named_by_themselves",
    "resolver",
]
