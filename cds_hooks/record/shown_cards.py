"""What is kept of cards and of the answers to them, in words without any database.

No patient, user, name, resource or token is among them: patient and order stand as keyed hashes
that only this installation can make (conformance A8.8).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

RuleAndKind = tuple[str, str]
Outcome = Literal["accepted", "overridden"]
ByOrder = Mapping[str, frozenset[RuleAndKind]]  # order key -> findings


@dataclass(frozen=True, slots=True)
class ShownCard:
    """One card of an answer. `client` and `tenant` are "" for callers that are not told apart;
    `held_back` says why it was not shown, "" for one that was."""

    card: str
    suggestions: tuple[str, ...]
    service: str
    hook: str
    findings: tuple[RuleAndKind, ...]
    rule_set: str
    payer_id: str
    drug_id: str
    topic: str
    indicator: str
    patient_key: str
    order_key: str
    client: str = ""
    tenant: str = ""
    held_back: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Feedback:
    """What became of one card (CDS Hooks 2.0.1, "Feedback"); `outcome_at` is the client's time.

    The reason stands as the client sent it. `comment` is free text that may name a patient: ""
    unless the site asked to keep it.
    """

    card: str
    outcome: Outcome
    outcome_at: datetime
    accepted: tuple[str, ...] = ()
    reason_code: str = ""
    reason_system: str = ""
    reason_display: str = ""
    comment_sent: bool = False
    comment: str = ""


@dataclass(frozen=True, slots=True)
class AuditedCall:
    """One call and what became of it (conformance A10.6). `hook_instance` is "" unless it is a
    UUID; `code_sets` the key of the catalogue's sources; `input_hash` the keyed hash of the body;
    `cards` the UUIDs of the cards sent."""

    client: str
    tenant: str
    service: str
    hook: str
    hook_instance: str
    rule_set: str
    code_sets: str
    input_hash: str
    status: int
    outcome: str
    cards: tuple[str, ...]
    findings: tuple[RuleAndKind, ...]
    milliseconds: int
