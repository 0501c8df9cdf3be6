"""Where the drug is not a line of its own: inpatient, RHC or FQHC, white-bagged, at home.

There neither the drug line nor a waste modifier applies. A lasting fact about the place of
service, so it is information; the discarded amount is charted in any case.
"""

from __future__ import annotations

from billing_rules.evidence.documentation import capital, seen
from billing_rules.model.entities import Evidence, OrderLine
from billing_rules.model.findings import Finding, Silent, Topic
from billing_rules.model.states import Present
from billing_rules.orders.case import Case
from billing_rules.orders.claim_lines import EXEMPT_SETTINGS
from billing_rules.rules.rule import ORDERS, Place, Record, Rule, Stated, exempt_setting


def check(case: Case) -> Stated:
    billed = [line for line in case.drug_lines if _bills(line)]
    setting = case.setting or ""
    if not billed:
        return Silent(f"no line bills the drug, and {EXEMPT_SETTINGS[setting]}")
    return _finding(case, setting, billed)


def _bills(line: OrderLine) -> bool:
    """A line that bills: not a prescription that only carries a code to say what it is."""
    return bool(line.modifiers or isinstance(line.billed, Present)) or line.kind in (
        "Claim",
        "ChargeItem",
    )


def _finding(case: Case, setting: str, billed: list[OrderLine]) -> Finding:
    why = EXEMPT_SETTINGS[setting]
    marked = sorted({m for line in billed for m in line.modifiers if m in ("JW", "JZ")})
    waste = f" {' and '.join(marked)} does not apply either." if marked else ""
    return Finding(
        kind="drug-line-in-exempt-setting",
        summary=f"Check the drug line: {why}",
        found=(f"{capital(why)}: no drug line is paid beside it.{waste}",),
        basis=(
            *(
                seen(line, "drug line", " ".join(("x", _units(line), *line.modifiers)))
                for line in billed
            ),
            _setting_seen(case, setting),
        ),
    )


def _units(line: OrderLine) -> str:
    return str(line.billed.value) if isinstance(line.billed, Present) else "units not stated"


def _setting_seen(case: Case, setting: str) -> Evidence:
    return Evidence("", "setting, from the site file" if case.site.setting else "setting", setting)


RULE = Rule(
    id="setting",
    check=check,
    requires=(exempt_setting,),
    topic=Topic.BILLING,
    rank=190,
    informs=("drug-line-in-exempt-setting",),
    corrected_at={Topic.BILLING: Place.EHR_ORDER},
    hooks=ORDERS,
    queries=("encounter",),
    record=Record(
        name="setting",
        title="Settings without a drug line",
        says=(
            "For inpatients, RHC and FQHC, white-bagged drugs and home use no drug line is billed."
        ),
        prevents="A drug line where the drug is paid another way.",
        denials=("administration-billed-as-drug", "modifier-use"),
        citations=("discarded-drugs",),
    ),
)
