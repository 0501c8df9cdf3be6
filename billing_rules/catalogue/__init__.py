"""The catalogue: drugs, payers, modifiers, codes and clinical words, read strictly from YAML."""

from billing_rules.catalogue.catalogue import (
    DATA,
    UNKNOWN_PAYER,
    Catalogue,
    Identifiers,
    PayerRecognition,
    load,
)

__all__ = ["DATA", "UNKNOWN_PAYER", "Catalogue", "Identifiers", "PayerRecognition", "load"]
