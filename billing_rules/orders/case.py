"""What a rule is given: one order with everything already resolved for its date of service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cached_property
from typing import TypeVar, cast

import msgspec

from billing_rules.catalogue import Catalogue
from billing_rules.catalogue.terms import Terms
from billing_rules.model.chart import Chart
from billing_rules.model.entities import (
    Criteria,
    Drug,
    DrugOrder,
    KnownCode,
    Modifier,
    Need,
    OrderLine,
    Payer,
    Site,
)
from billing_rules.model.form import EnteredRow
from billing_rules.model.states import State
from billing_rules.orders.claim_lines import ClaimPlan
from billing_rules.orders.history import History
from billing_rules.orders.indications import IndicationChoice
from billing_rules.orders.payers import PayerChoice

T = TypeVar("T")


class CodesInForce(msgspec.Struct, frozen=True):
    """What HCPCS codes and modifiers meant on the date of service."""

    _catalogue: Catalogue
    _on: date

    def modifier(self, code: str) -> Modifier | None:
        return self._catalogue.modifier(code, self._on)

    def starts_later(self, modifier: str) -> date | None:
        """The start of a modifier that did not exist yet on the date of service."""
        dated = self._catalogue.modifiers.get(modifier)
        starts = [day for day, value in dated.changes() if value] if dated else []
        return min((day for day in starts if day > self._on), default=None)

    def not_a_modifier(self, code: str) -> str | None:
        """What is known of a code that is often taken for a modifier."""
        return self._catalogue.not_modifiers.get(code)

    def code(self, code: str) -> KnownCode | None:
        return self._catalogue.known_code(code, self._on)

    def drug_ever(self, code: str) -> str | None:
        """The drug a HCPCS code belongs to on any date."""
        return self._catalogue.identifiers.hcpcs.get(code)


class Case(msgspec.Struct, frozen=True, dict=True):
    """One order under review. Frozen; every dated value is the one of the date of service.

    `drafts` are all orders of the same request, this one included. `plan` is how the order is to
    be billed, worked out once for every rule. `entered` is what counts of Vialwise's own form; the
    chart and history hold it too, as what it is evidence of.
    """

    order: DrugOrder
    chart: Chart
    drug: Drug
    payer: Payer
    payer_choice: PayerChoice
    codes: CodesInForce
    site: Site
    plan: ClaimPlan
    drafts: tuple[DrugOrder, ...]
    indication: IndicationChoice
    terms: Terms
    setting: str | None
    history: History
    entered: tuple[EnteredRow, ...] = ()

    def once(self, work_out: Callable[[Case], T]) -> T:
        """What `work_out` gives for this case, worked out the first time: several rules need the
        baseline or the days of doses, and a case never changes."""
        known = self._known
        if work_out not in known:
            known[work_out] = work_out(self)
        return cast(T, known[work_out])

    @cached_property
    def _known(self) -> dict[object, object]:
        return {}

    @cached_property
    def criteria(self) -> Criteria | None:
        """What the payer wants for this drug and indication; None when nothing is known."""
        chosen = self.indication.indication
        return self.payer.criteria.get((self.drug.id, chosen.id)) if chosen else None

    def need(self, what: str) -> Need | None:
        """The payer's wish for one kind of evidence, else the label's, else None."""
        chosen = self.indication.indication
        label = chosen.needs if chosen else ()
        payer = self.criteria.needs if self.criteria else ()
        return next((need for need in (*payer, *label) if need.what == what), None)

    @cached_property
    def past_visits(self) -> State[tuple[DrugOrder, ...]]:
        """The doses given up to the date of service that are not this order itself, newest
        first."""
        return self.history.before(self.order)

    @cached_property
    def drug_lines(self) -> tuple[OrderLine, ...]:
        """The order's billing lines that bill the drug, not its administration."""
        return tuple(line for line in self.order.billing if not self.is_service(line))

    def is_service(self, line: OrderLine) -> bool:
        """Whether the line's only billing codes are those of an administration service."""
        codes = [code.code for code in line.codes if code.system in ("cpt", "hcpcs")]
        known = [self.codes.code(code) for code in codes]
        return bool(known) and all(code and code.kind == "administration" for code in known)

    @cached_property
    def billed_together(self) -> tuple[tuple[OrderLine, ...], ...]:
        """Billing lines in the groups that are added up: the items of one Claim, and all
        resources of one other kind. Different kinds repeat each other and are never summed."""
        groups: dict[str, list[OrderLine]] = {}
        for line in self.drug_lines:
            key = line.reference if line.kind == "Claim" else line.kind
            groups.setdefault(key, []).append(line)
        return tuple(tuple(group) for group in groups.values())
