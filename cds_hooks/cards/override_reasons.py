"""Why a user may set a card aside (CDS Hooks 2.0.1, "overrideReasons"; each with its display)."""

from __future__ import annotations

from cds_hooks.settings import Settings

CODE_SYSTEM_PATH = "/code-systems/override-reason"

# Of the 3.0.0-ballot's reasons those that fit a check of billing and documentation; most of its
# others speak of a patient's wishes or of clinical harm.
SHARED_SYSTEM = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
SHARED: dict[str, str] = {
    "action-completed": "Recommended action was already completed",
    "policy-contradicts": "Institutional policy/guideline contradicts the recommended action",
    "need-more-info": (
        "Could not address recommended action due to need for more information/pending "
        "results/pending consult"
    ),
}

REASONS: dict[str, str] = {
    "documented-elsewhere": "Documented elsewhere",
    "billing-by-pharmacy": "Billing handled by pharmacy",
    "payer-rule-differs": "Payer rule differs",
    "correct-as-ordered": "Correct as ordered",
    "will-correct-later": "Will correct later",
}


def override_reasons(settings: Settings) -> list[dict[str, str]]:
    """The reasons as Codings: the service's own, then those it shares with others."""
    systems = ((settings.url(CODE_SYSTEM_PATH), REASONS), (SHARED_SYSTEM, SHARED))
    return [
        {"code": code, "system": system, "display": display}
        for system, reasons in systems
        for code, display in reasons.items()
    ]
