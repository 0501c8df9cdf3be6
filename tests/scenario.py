"""Scenarios a biller can read: an order in words, what must be found, what must stay silent.

A scenario is YAML under tests/scenarios/, named by its sentence (`says`). Keys:

  payer    a payer's id; without it the unknown payer
  date     the date of service
  order    list of drafts: kind (MedicationRequest), ndc, hcpcs, text, rxnorm, dose, containers
           ("2 vial"), billed ("45" or "45 unit"), modifiers, supplied, claim (the Claim's id: its
           items are drafts with one claim id), stage (given), discarded, lot, not_given
  chart    weight ("70 kg", "none", "unknown: reason"), coverage ("none", "unknown: reason"),
           setting
  site     stocked [NDC], prices {code: dollars}, setting
  finds    the findings, each "rule: kind"; exactly these and no others
  not_checked  rules that must say they could not check
  lines    the planned claim lines; waste: the planned answer
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from billing_rules import ndc
from billing_rules.amounts import Amount, UnitNotUnderstood
from billing_rules.catalogue import Catalogue
from billing_rules.catalogue_files import SiteFile, Sourced, SourceFile
from billing_rules.chart import Chart, Measured
from billing_rules.model import Code, Counted, Dose, OrderLine, Stage
from billing_rules.review import OrderReview, review
from billing_rules.states import NOTHING, Present, State, Unknown

FOLDER = Path(__file__).parent / "scenarios"
TODAY = date(2026, 11, 23)


def all_scenarios() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        for scenario in yaml.safe_load(path.read_text(encoding="utf-8")):
            yield f"{path.stem}: {scenario['says']}", scenario


def reviewed(scenario: dict[str, Any], catalogue: Catalogue) -> tuple[OrderReview, ...]:
    on = scenario.get("date", TODAY)
    lines = [_line(draft, place, on) for place, draft in enumerate(scenario["order"])]
    with_site = _with_site(catalogue, scenario.get("site"))
    chart = _chart(scenario.get("chart", {}))
    return review(lines, chart, with_site, on, scenario.get("payer"))


def _line(draft: dict[str, Any], place: int, on: date) -> OrderLine:
    unknown = set(draft) - KNOWN
    assert not unknown, f"unknown keys in the scenario's order: {unknown}"
    claim = draft.get("claim")
    kind = "Claim" if claim else draft.get("kind", "MedicationRequest")
    return OrderLine(
        reference=f"{kind}/{claim or place}",
        kind=kind,
        stage=Stage(draft.get("stage", "planned")),
        item=place if claim else None,
        codes=tuple(_codes(draft)),
        names=(draft["text"],) if "text" in draft else (),
        dose=_dose(draft.get("dose")),
        billed=_counted(draft.get("billed")),
        containers=_counted(draft.get("containers")),
        supplied=_amount(draft.get("supplied")),
        modifiers=tuple(draft.get("modifiers", ())),
        date_of_service=draft.get("date", on),
        discarded=_amount(draft.get("discarded")),
        not_given=draft.get("not_given", False),
    )


KNOWN = {
    "kind", "claim", "stage", "ndc", "hcpcs", "rxnorm", "cpt", "text", "dose", "billed",
    "containers", "supplied", "modifiers", "date", "discarded", "not_given",
}


def _codes(draft: dict[str, Any]) -> Iterator[Code]:
    for system in ("hcpcs", "rxnorm", "cpt", "ndc"):
        value = draft.get(system, [])
        for code in [value] if isinstance(value, str) else value:
            forms = ndc.candidates(code) if system == "ndc" else (code,)
            yield Code(system, forms[0] if len(forms) == 1 else code)


def _dose(text: str | None) -> State[Dose]:
    if text is None:
        return NOTHING
    if text.startswith("unknown:"):
        return Unknown(text.removeprefix("unknown:").strip())
    try:
        return Present(Dose(Amount.parse(text)))
    except UnitNotUnderstood:
        return Present(Dose(_count(text)))


def _count(text: str) -> Counted:
    value, _, unit = text.partition(" ")
    return Counted(Decimal(value), unit)


def _counted(text: str | None) -> State[Counted]:
    if text is None:
        return NOTHING
    if text.startswith("unknown:"):
        return Unknown(text.removeprefix("unknown:").strip())
    return Present(_count(text))


def _amount(text: str | None) -> State[Amount]:
    return NOTHING if text is None else Present(Amount.parse(text))


def _chart(words: dict[str, str]) -> Chart:
    return Chart(
        weights=_weights(words.get("weight")),
        setting=Present(words["setting"]) if "setting" in words else NOTHING,
    )


def _weights(text: str | None) -> State[tuple[Measured, ...]]:
    if text in (None, "none"):
        return NOTHING
    if text.startswith("unknown:"):
        return Unknown(text.removeprefix("unknown:").strip())
    return Present((Measured("Observation/weight", (), text, Amount.parse(text), text, TODAY),))


def _with_site(catalogue: Catalogue, site: dict[str, Any] | None) -> Catalogue:
    if site is None:
        return catalogue
    source = {"site": SourceFile("Site file", "https://clinic.example", TODAY, "S")}
    prices = {
        code: {date(2026, 1, 1): Sourced(price, "site", price)}
        for code, price in site.get("prices", {}).items()
    }
    file = SiteFile(
        name="Example clinic",
        sources=source,
        stocked=site.get("stocked", []),
        prices=prices,
        setting=site.get("setting"),
    )
    return replace(catalogue, site_file=file)
