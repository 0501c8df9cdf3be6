"""FHIR R4 to billing words: everything a caller needs to read orders and chart."""

from __future__ import annotations

from billing_rules.fhir.json.decoding import SearchPage, bundle_resources, entries, resolver
from billing_rules.fhir.read.chart import chart
from billing_rules.fhir.read.orders import draft_orders, named_by_themselves

__all__ = [
    "SearchPage",
    "bundle_resources",
    "chart",
    "draft_orders",
    "entries",
    "named_by_themselves",
    "resolver",
]
