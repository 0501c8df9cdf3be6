"""What the chart's records are in the catalogue's words: doses given, therapies, authorizations.

Resolved once for an order, so that a rule asks for drugs and never for codes. What was given is
read as orders are: the records of one drug on one day are one visit, two injection sites added up
and its discarded amount kept beside the dose."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TypeVar, cast

import msgspec

from billing_rules.catalogue import Catalogue
from billing_rules.catalogue.terms import Terms
from billing_rules.model.chart import Authorization, Chart, Measured, Therapy
from billing_rules.model.entities import (
    Amount,
    Container,
    Criteria,
    Drug,
    DrugOrder,
    KnownCode,
    Modifier,
    Need,
    OrderLine,
    Payer,
    Site,
    Stage,
)
from billing_rules.model.form import EnteredRow
from billing_rules.model.states import Present, State, mapped
from billing_rules.orders.choices import IndicationChoice, PayerChoice
from billing_rules.orders.claim_lines import ClaimPlan
from billing_rules.orders.drug_orders import (
    container_of,
    drug_of_ndc,
    drug_orders,
    drugs_named,
    recognise,
)

_T = TypeVar("_T")


class DrugTherapy(msgspec.Struct, frozen=True):
    """A therapy record of a catalogued drug."""

    therapy: Therapy
    drug_id: str


class DrugAuthorization(msgspec.Struct, frozen=True):
    """An authorization and the catalogued drugs it names.

    `unclear` when it names none that could be told: no code, an unclassified code, or only the
    code of an administration service. `outdone` when it was entered in Vialwise's form and the
    EHR's own record says otherwise.
    """

    authorization: Authorization
    drug_ids: frozenset[str]
    unclear: bool
    outdone: bool = False


class History(msgspec.Struct, frozen=True):
    """The chart's past as of one order's date of service.

    `visits` are doses given up to and including that day, newest first; `undated` the drugs of
    records that do not say when. `drugs` are those named anywhere here, as of that day.
    """

    visits: State[tuple[DrugOrder, ...]]
    undated: frozenset[str]
    therapies: State[tuple[DrugTherapy, ...]]
    authorizations: State[tuple[DrugAuthorization, ...]]
    drugs: Mapping[str, Drug]

    def before(self, order: DrugOrder) -> State[tuple[DrugOrder, ...]]:
        """The visits that are not `order` itself: a dose under review is no past dose."""
        references = set(order.references)
        return mapped(
            self.visits,
            lambda visits: tuple(v for v in visits if not _same(v, order, references)),
        )

    def container(self, line: OrderLine, drug_id: str) -> State[Container]:
        """The container the NDC of a record of `drug_id` names."""
        return container_of(line, self.drugs[drug_id])


def _same(visit: DrugOrder, order: DrugOrder, references: set[str]) -> bool:
    if visit.drug_id != order.drug_id:
        return False
    same_visit = order.stage is Stage.GIVEN and visit.date_of_service == order.date_of_service
    return same_visit or not references.isdisjoint(visit.references)


@dataclass(frozen=True, slots=True, repr=False)
class Past:
    """A chart's past of every date, resolved once for all orders of the patient.

    `visits` are newest first. `apart`: whether they are the same whatever else the chart holds, as
    doses per kilogram are not; then those of an earlier date need not be put together anew. `terms`
    remember what was said of this patient, so they end with it.
    """

    visits: State[tuple[DrugOrder, ...]]
    undated: frozenset[str]
    therapies: State[tuple[DrugTherapy, ...]]
    authorizations: State[tuple[DrugAuthorization, ...]]
    terms: Terms
    apart: bool

    def as_of(self, day: date, chart: Chart, catalogue: Catalogue) -> Past:
        """The past on an earlier `day`, of which `chart` is the chart."""
        if not self.apart:
            return replace(past_of(chart, catalogue), terms=self.terms)
        known = {id(a) for a in _each(chart.authorizations)}
        found = {id(t) for t in _each(chart.therapies)}
        visits = tuple(v for v in _each(self.visits) if v.date_of_service <= day)
        therapies = tuple(t for t in _each(self.therapies) if id(t.therapy) in found)
        answers = tuple(a for a in _each(self.authorizations) if id(a.authorization) in known)
        return replace(
            self,
            visits=mapped(chart.administrations, lambda _: visits),
            therapies=mapped(chart.therapies, lambda _: therapies),
            authorizations=mapped(chart.authorizations, lambda _: answers),
        )


def past_of(chart: Chart, catalogue: Catalogue) -> Past:
    """The past of `chart`. Never raises for anything the chart holds."""
    lines = [line for line in _each(chart.administrations) if line.date_of_service]
    visits = mapped(chart.administrations, lambda _: _visits(lines, chart.weights, catalogue))
    return Past(
        visits=visits,
        undated=_undated(chart, catalogue),
        therapies=mapped(chart.therapies, lambda found: _therapies(found, catalogue)),
        authorizations=mapped(
            chart.authorizations, lambda found: tuple(_authorization(a, catalogue) for a in found)
        ),
        terms=catalogue.terms.for_one_review(),
        apart=not any(map(_is_by_weight, lines)),
    )


def _is_by_weight(line: OrderLine) -> bool:
    amount = line.dose.value.amount if isinstance(line.dose, Present) else None
    return isinstance(amount, Amount) and amount.is_a("dose per body weight")


def history_of(order: DrugOrder, past: Past, catalogue: Catalogue) -> History:
    """The past as `order` needs it, up to its date of service."""
    on = order.date_of_service
    visits = mapped(past.visits, lambda found: tuple(v for v in found if v.date_of_service <= on))
    named = {order.drug_id, *past.undated}
    named |= {v.drug_id for v in _each(visits)} | {t.drug_id for t in _each(past.therapies)}
    named |= {drug_id for a in _each(past.authorizations) for drug_id in a.drug_ids}
    drugs = {drug_id: catalogue.drug(drug_id, on) for drug_id in sorted(named)}
    return History(visits, past.undated, past.therapies, past.authorizations, drugs)


def _each(state: State[tuple[_T, ...]]) -> tuple[_T, ...]:
    return state.value if isinstance(state, Present) else ()


def _visits(
    lines: Sequence[OrderLine], weights: State[tuple[Measured, ...]], catalogue: Catalogue
) -> tuple[DrugOrder, ...]:
    visits = drug_orders(lines, catalogue, date.max, weights)  # every line has a day of its own
    return tuple(sorted(visits, key=lambda visit: visit.date_of_service, reverse=True))


def _undated(chart: Chart, catalogue: Catalogue) -> frozenset[str]:
    found = (
        recognise(line, catalogue)
        for line in _each(chart.administrations)
        if line.date_of_service is None and not line.not_given
    )
    return frozenset(drug[0] for drug in found if drug)


def _therapies(therapies: Iterable[Therapy], catalogue: Catalogue) -> tuple[DrugTherapy, ...]:
    known: dict[tuple[object, str], str | None] = {}  # a chart repeats its medicines
    found = []
    for therapy in therapies:
        said = (therapy.codes, therapy.text)
        if said not in known:
            known[said] = _drug_of_therapy(therapy, catalogue)
        if drug_id := known[said]:
            found.append(DrugTherapy(therapy, drug_id))
    return tuple(found)


def _drug_of_therapy(therapy: Therapy, catalogue: Catalogue) -> str | None:
    names = (therapy.text, *(c.display for c in therapy.codes))
    found = recognise(OrderLine(therapy.reference, "", codes=therapy.codes, names=names), catalogue)
    return found[0] if found else None


def _authorization(a: Authorization, catalogue: Catalogue) -> DrugAuthorization:
    """By its codes where they name a drug, else by its words: the claim is paid by the code."""
    by_code = _coded_drugs(a, catalogue)
    texts = (a.text, *(c.display for c in a.codes))
    named = by_code or {drug for _, drug in drugs_named(texts, catalogue.identifiers)}
    return DrugAuthorization(a, frozenset(named), not named and not _names_other(a, catalogue))


def _coded_drugs(a: Authorization, catalogue: Catalogue) -> set[str]:
    known = catalogue.identifiers
    found = {known.hcpcs.get(c.code) for c in a.codes if c.system == "hcpcs"}
    found |= {drug_of_ndc(c.code, known) for c in a.codes if c.system == "ndc"}
    rxnorm = {**known.rxnorm_ingredients, **known.rxnorm_products}
    found |= {rxnorm.get(c.code) for c in a.codes if c.system == "rxnorm"}
    return {drug_id for drug_id in found if drug_id}


def _names_other(a: Authorization, catalogue: Catalogue) -> bool:
    """Whether a HCPCS code on it is of some other drug: neither unclassified nor a service."""
    codes = [c.code for c in a.codes if c.system == "hcpcs"]
    return any(not _names_no_drug(code, catalogue) for code in codes)


def _names_no_drug(code: str, catalogue: Catalogue) -> bool:
    dated = catalogue.known_codes.get(code)
    return dated is not None and all(k.kind != "drug" for k in dated.ever())


# ----------------------------------------------------------------------
# What a rule is given: one order with everything already resolved for its date of service.


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
