"""The order names one drug: its NDC, RxNorm code and words do not contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.case import Case
from billing_rules.findings import Finding, Outcome, Severity, Silent
from billing_rules.rules.common import seen

RULE = "drug_identity"


def check(case: Case) -> Iterator[Outcome]:
    identity = case.order.identity
    if identity.conflict is None:
        seen_as = f"{identity.by} {identity.shown(case.drug)}"
        yield Silent(RULE, f"recognised as {case.drug.name} by {seen_as}")
        return
    line = case.order.lines[0]
    yield Finding(
        rule=RULE,
        kind="identifiers-name-different-drugs",
        severity=Severity.WARNING,
        summary="The order names two different drugs: correct its NDC, code or name before signing",
        found=(identity.conflict[0].upper() + identity.conflict[1:] + ".",),
        basis=tuple(seen(line, c.system, c.code) for c in line.codes),
        sources=tuple({c.source for c in case.drug.containers[:1]}),
        unchecked=("No code is proposed until the order names one drug.",),
    )
