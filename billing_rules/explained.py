"""How a rule ended, in words: for the command line's --explain and for developers."""

from __future__ import annotations

from billing_rules.model.entities import Evidence
from billing_rules.model.findings import Finding, NotChecked, Outcome


def explained(outcome: Outcome) -> tuple[str, str]:
    """How a rule ended, and what it saw or why."""
    if isinstance(outcome, Finding):
        seen = "; ".join(evidence(e) for e in outcome.basis)
        return "spoke", f"{' '.join(outcome.found)}{f' Saw {seen}.' if seen else ''}"
    if isinstance(outcome, NotChecked):
        return "could not check", f"{outcome.because}."
    return ("silent" if outcome.applies else "does not apply"), f"{outcome.because}."


def evidence(seen: Evidence) -> str:
    """What was seen, where and when."""
    where = f" in {seen.reference}" if seen.reference else ""
    return f"{seen.what} {seen.value}{where}{f' ({seen.on})' if seen.on else ''}"
