"""No JW line for a payer that denies them: the waste is charted, not billed."""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.case import Case
from billing_rules.findings import Finding, Outcome, Severity, Silent
from billing_rules.rules.common import payer_seen, seen, sources

RULE = "payer_denied_modifier"


def check(case: Case) -> Iterator[Outcome]:
    if case.payer.jw != "denies":
        yield Silent(RULE, f"{case.payer.name} is not known to deny JW lines", applies=False)
        return
    lines = [line for line in case.drug_lines() if "JW" in line.modifiers]
    if not lines:
        yield Silent(RULE, f"{case.payer.name} denies JW lines, and there is none")
        return
    yield Finding(
        rule=RULE,
        kind="payer-denies-jw",
        severity=Severity.WARNING,
        summary="This payer denies JW lines: remove the JW line and chart the discarded amount",
        found=(f"{case.payer.name} denies lines with JW.",),
        basis=(*(seen(line, "modifiers", ", ".join(line.modifiers)) for line in lines),
               *payer_seen(case)),
        sources=sources(case.payer.sources.get("jw")),
    )
