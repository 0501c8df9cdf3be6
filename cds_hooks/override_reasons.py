"""Why a user may set a card aside (CDS Hooks 2.0.1, "overrideReasons"; each with its display)."""

from __future__ import annotations

from cds_hooks.settings import Settings

CODE_SYSTEM_PATH = "/code-systems/override-reason"

REASONS: dict[str, str] = {
    "documented-elsewhere": "Documented elsewhere",
    "billing-by-pharmacy": "Billing handled by pharmacy",
    "payer-rule-differs": "Payer rule differs",
    "correct-as-ordered": "Correct as ordered",
    "will-correct-later": "Will correct later",
}


def override_reasons(settings: Settings) -> list[dict[str, str]]:
    """The reasons as Codings of the service's own code system."""
    system = settings.url(CODE_SYSTEM_PATH)
    return [
        {"code": code, "system": system, "display": display} for code, display in REASONS.items()
    ]
