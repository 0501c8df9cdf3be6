"""The whole engine: draft lines and chart in, every rule's outcome for every order out.

Pure: dates are resolved here, once, from each order's date of service; `today` is given by the
caller, in the clinic's time zone, and used only for orders that state no date.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import msgspec

from billing_rules.catalogue import Catalogue
from billing_rules.forms.answers import with_entered
from billing_rules.model.chart import Chart
from billing_rules.model.entities import (
    Container,
    ContainerCount,
    Drug,
    DrugOrder,
    OrderLine,
    Payer,
    Site,
    Stage,
)
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent
from billing_rules.model.states import NOTHING, Nothing, Present, State, Unknown
from billing_rules.orders.case import Case, CodesInForce, Past, history_of, past_of
from billing_rules.orders.choices import PayerChoice, indication_of, payer_of
from billing_rules.orders.claim_lines import ClaimPlan, claim_plan
from billing_rules.orders.drug_orders import (
    NoContainerPlan,
    container_of,
    drug_orders,
    least_discarded,
    stocked_containers,
)
from billing_rules.rules import RULES
from billing_rules.rules.rule import Requirement, Rule, Stated

# Takes a fault of the program: what failed, in this program's own words, and the exception.
Failed = Callable[[str, Exception], None]


@dataclass(frozen=True, slots=True)
class OrderReview:
    """One order, how it is to be billed, and what every rule said of it, in rule order.

    `together` are the references of all orders that were judged beside it, its own first: who
    looks at the order again must look at the same ones to be told the same.
    """

    order: DrugOrder
    drug: Drug
    payer: Payer
    payer_choice: PayerChoice
    plan: ClaimPlan
    outcomes: tuple[Outcome, ...]
    together: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(o for o in self.outcomes if isinstance(o, Finding))

    @property
    def not_checked(self) -> tuple[NotChecked, ...]:
        return tuple(o for o in self.outcomes if isinstance(o, NotChecked))


def review(
    lines: Sequence[OrderLine],
    chart: Chart,
    catalogue: Catalogue,
    today: date,
    payer_id: str | None = None,
    failed: Failed | None = None,
    past: Past | None = None,
) -> tuple[OrderReview, ...]:
    """Every order for a catalogued drug among `lines`, reviewed. Deterministic; never raises
    for anything an order or chart can hold. `payer_id` asks "what if this were the payer?";
    without it the payer is recognised from the chart's coverages. `past` is the chart's, where
    that is known already.

    `failed` is told of a fault of the program in one rule or order, which then silences nothing
    else: the rule counts as not checked, the order is left out. Without it faults are raised.
    Raises RuntimeError when there are orders and none could be judged.
    """
    found, orders = [], cases(lines, chart, catalogue, today, payer_id, past)
    for order, case in orders:
        try:
            found.append(reviewed(case(), failed))
        except Exception as error:
            if failed is None:
                raise
            failed(f"an order of {order.drug_id} was not judged", error)
    if orders and not found:
        raise RuntimeError("no order could be judged")
    return tuple(found)


def cases(
    lines: Sequence[OrderLine],
    chart: Chart,
    catalogue: Catalogue,
    today: date,
    payer_id: str | None = None,
    past: Past | None = None,
) -> list[tuple[DrugOrder, Callable[[], Case]]]:
    """Every order for a catalogued drug among `lines`, and what makes its case when it is needed:
    most pages of the app look at one order of many."""
    orders = drug_orders(lines, catalogue, today, chart.weights)
    chosen = PayerChoice(payer_id, "named by the caller") if payer_id else None
    past = past or (past_of(chart, catalogue) if orders else None)
    return [(o, partial(case_of, o, orders, chart, catalogue, chosen, past)) for o in orders]


def reviewed(case: Case, failed: Failed | None = None) -> OrderReview:
    """Every rule's outcome for one order, with what its row states filled in. `failed` as in
    `review`."""
    found: list[tuple[Rule, Outcome]] = []
    unmet: dict[Requirement, Outcome | None] = {}
    for rule in RULES:
        try:
            stated: Stated | None = None
            for requirement in rule.requires:
                if requirement not in unmet:
                    unmet[requirement] = requirement(case)
                if stated := unmet[requirement]:
                    break
            if stated is None:
                stated = rule.check(case)
            if isinstance(stated, Finding | Silent | NotChecked):
                stated = (stated,)
            found += [(rule, outcome) for outcome in stated]
        except Exception as error:
            if failed is None:
                raise
            failed(f"rule {rule.id} failed", error)
            found.append((rule, NotChecked("the check itself failed")))
    every = (case.order, *case.drafts)
    together = tuple(dict.fromkeys(ref for order in every for ref in order.references))
    return OrderReview(
        order=case.order,
        drug=case.drug,
        payer=case.payer,
        payer_choice=case.payer_choice,
        plan=case.plan,
        outcomes=filled_in(found),
        together=together,
    )


def filled_in(found: Sequence[tuple[Rule, Outcome]]) -> tuple[Outcome, ...]:
    """Each outcome with its rule, a finding also with the severity and topic of the rule's row
    where that leaves no choice."""
    whole: list[Outcome] = []
    for rule, outcome in found:
        own: dict[str, object] = {"rule": rule.id}
        if isinstance(outcome, Finding):
            own["severity"] = rule.only_severity.get(outcome.kind, outcome.severity)
            own["topic"] = rule.only_topic or outcome.topic
        whole.append(msgspec.structs.replace(outcome, **own))
    return tuple(whole)


def case_of(
    order: DrugOrder,
    drafts: tuple[DrugOrder, ...],
    chart: Chart,
    catalogue: Catalogue,
    chosen: PayerChoice | None = None,
    past: Past | None = None,
) -> Case:
    """Everything a rule needs about `order`, resolved for its date of service. `past` is the
    chart's, where that is known already."""
    past = past or past_of(chart, catalogue)
    on = order.date_of_service
    drug = catalogue.drug(order.drug_id, on)
    choice = chosen or payer_of(order, chart.coverages, catalogue)
    payer = catalogue.payer(choice.payer_id, on)
    site = catalogue.site(on)
    opened, computed = containers_opened(order, drug, site)
    setting = site.setting or (chart.setting.value if isinstance(chart.setting, Present) else None)
    plan = claim_plan(order, drug, payer, setting, opened, computed)
    case = Case(
        order=order,
        chart=chart,
        drug=drug,
        payer=payer,
        payer_choice=choice,
        codes=CodesInForce(catalogue, on),
        site=site,
        plan=plan,
        drafts=drafts,
        indication=indication_of(order, drug, chart),
        terms=past.terms,
        setting=setting,
        history=history_of(order, past, catalogue),
    )
    return with_entered(case, catalogue.payer_files)


def containers_opened(
    order: DrugOrder, drug: Drug, site: Site
) -> tuple[State[tuple[ContainerCount, ...]], bool]:
    """The containers for the dose, and whether they were computed because none were named.

    After the injection nothing is computed: only charted containers decide.
    """
    if not isinstance(order.containers, Nothing):
        return order.containers, False
    if order.stage is Stage.GIVEN or not isinstance(order.dose, Present):
        return NOTHING, False
    choices = container_choices(order, drug, site)
    if isinstance(choices, Unknown):
        return choices, False
    try:
        return Present(least_discarded(order.dose.value, choices)), True
    except NoContainerPlan as error:
        return Unknown(str(error)), False


def container_choices(order: DrugOrder, drug: Drug, site: Site) -> tuple[Container, ...] | Unknown:
    """The containers an order that counts none may be filled from: the one its NDC names, else
    what the site stocks, else all marketed on the date of service."""
    named = [container_of(line, drug) for line in order.prescriptions]
    unlisted = next((state for state in named if isinstance(state, Unknown)), None)
    if unlisted:
        return unlisted
    choices = tuple(state.value for state in named if isinstance(state, Present))
    choices = choices or stocked_containers(drug, order.date_of_service, site)
    if len({c.dose_status for c in choices}) > 1:
        return Unknown(f"{drug.name} is sold in single-dose and other containers: name the NDC")
    return choices
