"""What may be said of a request afterwards: in the log, in the audit and in the metrics.

One note a request, written along its way and read once at its end (request_log.py). Only what is
this program's own word is ever shown of it: registered ids, UUIDs, counts and times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from flask import g, has_app_context

from cds_hooks.cards.plan import HeldBack, PlannedCard
from cds_hooks.record.entries import RuleAndKind
from cds_hooks.request.hook_request import HookRequest

UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
OPEN = "open"  # the client, where clients are not told apart
ANSWERED, REFUSED, FAILED = "answered", "refused", "failed"
NOT_OURS, NOT_STAFF, ANOTHER_PATIENT = "not ours", "not for staff", "another patient"


@dataclass(slots=True, repr=False)
class CallNote:
    """`client` is the issuer of a registered client, or OPEN. `outcome` is one of the words above,
    "" as long as the status alone says it. `hops` are seconds.
    `database_failures` names what the database did not do."""

    started: float = field(default_factory=perf_counter)
    client: str = ""
    tenant: str = ""
    hook: str = ""
    instance: str = ""
    body: bytes = b""
    outcome: str = ""
    audited: bool = False
    plan: Sequence[PlannedCard] = ()
    card_ids: tuple[str, ...] = ()
    held: Sequence[HeldBack] = ()
    hops: dict[str, float] = field(default_factory=dict)
    database_failures: list[str] = field(default_factory=list)

    def parsed(self, hook: HookRequest) -> None:
        """The request could be read: what comes of it is audited, unless it is passed over."""
        self.hook = hook.hook
        self.instance = hook.instance if UUID.fullmatch(hook.instance) else ""
        self.audited = True

    def passed_over(self, outcome: str) -> tuple[()]:
        """The call is answered without cards, and without touching the database."""
        self.outcome = outcome
        self.audited = False
        return ()

    def shows(
        self,
        plan: Sequence[PlannedCard],
        cards: Sequence[Mapping[str, Any]],
        held: Sequence[HeldBack] = (),
    ) -> None:
        """`plan` is shown, `held` is kept and not shown; `cards` are sent. They are those of
        `plan`, or none of them is seen."""
        self.plan, self.held = plan, held
        self.card_ids = tuple(card["uuid"] for card in cards)

    @property
    def findings(self) -> tuple[RuleAndKind, ...]:
        """What was found, each once, in the order of the cards; what is held back comes last."""
        cards = [*self.plan, *(card for part in self.held for card in part.cards)]
        return tuple(dict.fromkeys((f.rule, f.kind) for card in cards for f in card.findings))

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that spoke on cards that are shown."""
        return tuple(dict.fromkeys(f.rule for card in self.plan for f in card.findings))

    @property
    def held_back(self) -> dict[str, int]:
        """How many cards are kept and not shown, by reason."""
        return {part.because: len(part.cards) for part in self.held}

    @contextmanager
    def hop(self, name: str) -> Iterator[None]:
        """Times what is done inside; what is done twice is added up."""
        started = perf_counter()
        try:
            yield
        finally:
            self.hops[name] = self.hops.get(name, 0.0) + perf_counter() - started


def of_request() -> CallNote:
    """The current request's note; outside of a request one that nobody reads."""
    note: CallNote | None = g.get("call_note") if has_app_context() else None
    return note or CallNote()
