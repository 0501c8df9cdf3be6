"""What a rule can say: a finding, silence with its reason, or that it could not check."""

from __future__ import annotations

from enum import Enum
from typing import Literal

import msgspec

from billing_rules.model.entities import Code, ContainerCount, Evidence, Source


class Topic(Enum):
    """Which of an order's two cards a finding belongs on."""

    BILLING = "billing"
    DOCUMENTATION = "documentation"


class Severity(Enum):
    """How loud. Reimbursement never goes above warning: critical is for harm (CRD cards page)."""

    WARNING = "warning"
    INFO = "info"


# ---------------------------------------------------------------- corrections


class ReplaceCode(msgspec.Struct, frozen=True):
    """Put `new` where `old` stands among the order's codings."""

    reference: str
    item: int | None
    old: Code
    new: Code


class SetBilledUnits(msgspec.Struct, frozen=True):
    """Write `units` where this resource keeps its billed units."""

    reference: str
    item: int | None
    units: int


class SetModifiers(msgspec.Struct, frozen=True):
    """Remove and add HCPCS modifiers on a Claim item; the others stay."""

    reference: str
    item: int
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


class AddDiscardedLine(msgspec.Struct, frozen=True):
    """Add a Claim item after `item`: same code, `modifier`, the discarded units."""

    reference: str
    item: int
    units: int
    modifier: str = "JW"


class RemoveLine(msgspec.Struct, frozen=True):
    """Take a Claim item out of a draft claim; the claim's other items stay as they are."""

    reference: str
    item: int


class RemoveOrder(msgspec.Struct, frozen=True):
    """Withdraw a draft that repeats another."""

    reference: str


Correction = (
    ReplaceCode | SetBilledUnits | SetModifiers | AddDiscardedLine | RemoveLine | RemoveOrder
)


# ---------------------------------------------------------------- outcomes


class _Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`rule` is the rule's id. A check leaves it out: it is filled in from the rule's row."""

    rule: str = ""


class Finding(_Outcome, frozen=True):
    """Something about the order that a person should see before signing.

    `summary` is one sentence that says what to do, under 140 characters (CDS Hooks card.summary).
    `found` says what was found; `basis` what it was seen on; `unchecked` what could not be
    checked. `corrections` all belong together and are offered as one suggestion labelled
    `correction_label`. A check states `severity` and `topic` only where its rule's row leaves a
    choice (billing_rules.rules.rule).
    """

    kind: str
    summary: str
    found: tuple[str, ...]
    basis: tuple[Evidence, ...] = ()
    sources: tuple[Source, ...] = ()
    unchecked: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    correction_label: str = ""
    severity: Severity = Severity.INFO
    topic: Topic = Topic.BILLING
    plan: tuple[ContainerCount, ...] = ()


class Silent(_Outcome, frozen=True):
    """The rule looked and had nothing to say, or does not apply; `because` says which.

    `basis` is what it was satisfied with, `sources` who asks for it: an appeal shows both.
    """

    because: str
    applies: bool = True
    basis: tuple[Evidence, ...] = ()
    sources: tuple[Source, ...] = ()


class NotChecked(_Outcome, frozen=True):
    """The rule could not be decided: `because` completes "could not be checked, because ..."."""

    because: str


Outcome = Finding | Silent | NotChecked

# Findings that say that nothing was there; they rest on a complete answer (billing_rules.states).
_NOTHING_THERE = ("none-on-file", "none-for-this-drug", "no-indication-on-file")


def standing(finding: Finding) -> Literal["missing", "to do", "to confirm"]:
    """What a finding makes of its requirement, in the one word that worksheet and form use.

    "Missing" is said only where that is sure: what is no more than information is a question.
    """
    if finding.severity is not Severity.WARNING:
        return "to confirm"
    missing = finding.kind.endswith("missing") or finding.kind in _NOTHING_THERE
    return "missing" if missing and finding.topic is Topic.DOCUMENTATION else "to do"
