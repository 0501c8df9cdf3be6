"""The container and claim plan, and what it would be with another dose, container, payer or day."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from flask import Blueprint, request

from billing_rules.catalogue import Catalogue
from billing_rules.claims.claim_form import (
    MOST_CONTAINERS,
    Change,
    alternatives,
    changed,
    claim_form,
    segments,
)
from billing_rules.model.entities import Amount, ContainerCount, Drug, labelled_total
from billing_rules.model.states import Present, iso_day
from billing_rules.orders.case import Case
from smart_app.screens.order_page import no_order, open_order, page

# ----------------------------------------------------------------------
# The what-if form of the claim screen: what was typed, what it means, and what is wrong with it.
#
# Nothing typed is lost: every field comes back as it was, with a sentence beside what cannot be
# used.


MOST_DOSE = Decimal(100_000)  # mg; more is a typing error
# As a person writes it: Decimal alone would take 1e-999999 and 2_2_5 as well.
_MILLIGRAMS = re.compile(r"\d{1,6}(\.\d{1,4})?", re.ASCII)
_COUNT = re.compile(r"\d{1,4}", re.ASCII)
AS_ORDERED, LEAST = "", "least"


@dataclass(frozen=True, slots=True)
class WhatIf:
    """The form. `typed` is as it was sent, `problems` a sentence for each field that is wrong."""

    typed: Mapping[str, str]
    change: Change
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self.change == Change() and not self.problems


FIELDS = ("dose", "fill", "payer", "on")


def what_if(sent: Mapping[str, str], case: Case, catalogue: Catalogue) -> WhatIf:
    """What the form changes of `case`; what is wrong in it changes nothing."""
    typed = {name: sent.get(name, "").strip()[:100] for name in FIELDS}
    problems: dict[str, str] = {}
    dose = _dose(typed["dose"], problems)
    on = _day(typed["on"], problems)
    payer = typed["payer"] or None
    if payer and payer not in catalogue.payer_files:
        payer, problems["payer"] = None, "Choose a payer of the list."
    drug = catalogue.drug(case.drug.id, on or case.order.date_of_service)
    opened = _opened(typed["fill"], drug, problems)
    ordered = case.order.containers
    named = opened if opened is not None else ordered.value if isinstance(ordered, Present) else ()
    if named and dose and labelled_total(named).to("mg") < dose:
        whose = "These containers" if opened else "The containers as ordered"
        problems["fill"] = (
            f"{whose} hold {labelled_total(named)}, less than {dose}: choose others, or the ones "
            "that discard least."
        )
        opened = None
    return WhatIf(typed, Change(dose, opened, payer, on), problems)


def fill_value(opened: tuple[ContainerCount, ...]) -> str:
    """A way to fill the dose as a form value: "50242004062x2,..."."""
    return ",".join(f"{c.container.ndc}x{c.count}" for c in opened)


def _dose(text: str, problems: dict[str, str]) -> Amount | None:
    if not text:
        return None
    number = text.lower().removesuffix("mg").strip()
    value = Decimal(number) if _MILLIGRAMS.fullmatch(number) else Decimal(0)
    if not 0 < value <= MOST_DOSE:
        problems["dose"] = "Write the dose as a number of milligrams, like 225 or 213.9."
        return None
    return Amount(value, "mg")


def _day(text: str, problems: dict[str, str]) -> date | None:
    if not text:
        return None
    try:
        day = iso_day(text)
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 2100:
        problems["on"] = "Write the date of service as year-month-day, like 2026-11-24."
        return None
    return day


def _opened(text: str, drug: Drug, problems: dict[str, str]) -> tuple[ContainerCount, ...] | None:
    if text == AS_ORDERED:
        return None
    if text == LEAST:
        return ()
    opened: list[ContainerCount] = []
    for part in text.split(","):
        ndc, _, number = part.partition("x")
        container = drug.container(ndc)
        count = int(number) if _COUNT.fullmatch(number) else 0
        if container is None or not 0 < count <= MOST_CONTAINERS:
            problems["fill"] = "Choose containers of the list."
            return None
        opened.append(ContainerCount(container, count))
    return tuple(opened)


# ----------------------------------------------------------------------
# The container and claim plan, and what it would be with another dose, container, payer or day.


def blueprint() -> Blueprint:
    made = Blueprint("claim", __name__)
    made.add_url_rule("/claim", view_func=show, endpoint="show")
    return made


def show() -> str:
    at = open_order()
    if at.order is None:
        return no_order(at)
    ordered, catalogue = at.order.case, at.catalogue
    form_sent = what_if(request.args, ordered, catalogue)
    case = ordered if form_sent.is_empty else changed(ordered, form_sent.change, catalogue)
    form, on = claim_form(case), case.order.date_of_service
    payers = [(id_, catalogue.payer(id_, on).name) for id_ in catalogue.payer_files]
    return page(
        "claim.html",
        at,
        case=case,
        form=form,
        segments={line.number: segments(line) for line in form.lines},
        ways=alternatives(case),
        choices=alternatives(ordered),
        fill_value=fill_value,
        what_if=form_sent,
        payers=sorted(payers, key=lambda payer: payer[1].lower()),
    )
