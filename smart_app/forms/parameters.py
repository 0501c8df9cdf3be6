"""The what-if form of the claim screen: what was typed, what it means, and what is wrong with it.

Nothing typed is lost: every field comes back as it was, with a sentence beside what cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from billing_rules.catalogue import Catalogue
from billing_rules.claims.alternatives import MOST_CONTAINERS, Change
from billing_rules.model.amounts import Amount
from billing_rules.model.dates import iso_day
from billing_rules.model.entities import ContainerCount, Drug, labelled_total
from billing_rules.model.states import Present
from billing_rules.orders.case import Case

MOST_DOSE = Decimal(100_000)  # mg; more is a typing error
# As a person writes it: Decimal alone would take 1e-999999 and 2_2_5 as well.
_MILLIGRAMS = re.compile(r"\d{1,6}(\.\d{1,4})?", re.ASCII)
_COUNT = re.compile(r"\d{1,4}", re.ASCII)
AS_ORDERED, LEAST = "", "least"


@dataclass(frozen=True, slots=True)
class Asked:
    """The form. `typed` is as it was sent, `problems` a sentence for each field that is wrong."""

    typed: Mapping[str, str]
    change: Change
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return self.change == Change() and not self.problems


FIELDS = ("dose", "fill", "payer", "on")


def asked(sent: Mapping[str, str], case: Case, catalogue: Catalogue) -> Asked:
    """What the form asks, as a change of `case`; what is wrong changes nothing."""
    typed = {name: sent.get(name, "").strip()[:100] for name in FIELDS}
    problems: dict[str, str] = {}
    dose = _dose(typed["dose"], problems)
    on = _day(typed["on"], problems)
    payer = _payer(typed["payer"], catalogue, problems)
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
    return Asked(typed, Change(dose, opened, payer, on), problems)


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


def _payer(text: str, catalogue: Catalogue, problems: dict[str, str]) -> str | None:
    if text and text not in catalogue.payer_files:
        problems["payer"] = "Choose a payer of the list."
        return None
    return text or None


def _opened(text: str, drug: Drug, problems: dict[str, str]) -> tuple[ContainerCount, ...] | None:
    if text == AS_ORDERED:
        return None
    if text == LEAST:
        return ()
    counted = [_count(part, drug) for part in text.split(",")]
    found = tuple(one for one in counted if one)
    if len(found) != len(counted):
        problems["fill"] = "Choose containers of the list."
        return None
    return found


def _count(text: str, drug: Drug) -> ContainerCount | None:
    ndc, _, number = text.partition("x")
    container = drug.container(ndc)
    count = int(number) if _COUNT.fullmatch(number) else 0
    return ContainerCount(container, count) if container and 0 < count <= MOST_CONTAINERS else None
