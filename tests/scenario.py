"""Scenarios a biller can read: an order in words, what must be found, what must stay silent.

A scenario is YAML under tests/scenarios/, named by its sentence (`says`). Keys:

  payer    a payer's id; without it the unknown payer
  date     the date of service
  order    list of drafts: kind (MedicationRequest), ndc, hcpcs, text, rxnorm, dose, containers
           ("2 vial"), billed ("45" or "45 unit"), modifiers, supplied, claim (the Claim's id: its
           items are drafts with one claim id), stage (given), discarded, lot, not_given, interval
           ("4 wk"), route, reasons ([J45.50, "426656000 Severe asthma", "polyps"]),
           reason_references ([Condition/0]), coverages ([Coverage/0])
  chart    what is on file; see below
  site     stocked [NDC], prices {code: dollars}, setting, wanted_modifiers {code: JB}
  finds    the findings, each "rule: kind"; exactly these and no others
  not_checked  rules that must say they could not check
  lines    the planned claim lines; waste: the planned answer
  summary  a finding's whole summary; found: words that some finding says

Every key of `chart` may be "none" (asked, complete, nothing there) or "unknown: reason"; a key
that is not there was not asked, which is unknown too. Otherwise one item or a list of items, each
a string or a map. A string may end with its date, or with "2026-01-01 to 2026-06-30" where it has
a period. Maps take `id` for the resource's id (Observation/<id>); else ids count from 0.

  born            1990-05-20
  weight          "70 kg 2026-11-01" (no date: the date of service) or {value, date}; newest first
  results         "total_ige 350 IU/mL 2026-01-10" (a kind of the catalogue, the value, its date)
                  or {kind | loinc and text, value: ">2000 IU/mL", date, interpretation: [POS],
                  final: false}; the value POS or NEG alone is an interpretation
  conditions      "J45.50", "426656000 Severe persistent asthma", "asthma 2020-01-01" or {icd10cm,
  allergies       snomed, cpt, loinc, text, date, resolved: true, provisional: true, kind: family
  procedures      history}
  therapies       "inhaled_corticosteroid dispense 2026-01-01 to 2026-06-30" (a class of the
                  catalogue or the drug's words; request, statement, dispense or administration)
                  or {class | text | rxnorm, kind, from, to, active: false}
  given           (site and observed are charted unless said `site: null`)
                  past administrations: "omalizumab 300 mg 2026-10-26" or a map with the keys of
                  an order's draft ({dose: 300 mg, date: 2026-10-26, ndc: 50242-227-01, lot: A1,
                  discarded: 75 mg, not_given: true}); omalizumab when no drug is named
  authorizations  "granted J2357 2026-01-01 to 2026-12-31" (granted, denied, pending) or {answer,
                  codes, number, text, insurer, from, to, date, kind: Coverage}
  studies         "NCT01 2026-01-01 to 2026-12-31" or {study, active: false, from, to}
  coverage        "Medicare Part B" or {name, types: ["sopt 121"], identifier, class, order,
                  active: false}; used only when the scenario names no payer
  setting         inpatient, home, ...
  entered         what was saved in Vialwise's form: {form: omalizumab-asthma-commercial, saved:
                  2026-11-20, authorization.0.number: PA-9}; `auto` lists names the chart filled in,
                  and a group's bare name (authorization: "") is one whose answers were taken back
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from billing_rules import review
from billing_rules.catalogue import Catalogue
from billing_rules.catalogue.files import SiteFile, Sourced, SourceFile
from billing_rules.model.entities import (
    Amount,
    Code,
    Counted,
    Dose,
    OrderLine,
    Stage,
    UnitNotUnderstood,
    ndc_candidates,
)
from billing_rules.model.states import NOTHING, Present, State, Unknown
from billing_rules.orders.case import Case
from billing_rules.review import OrderReview
from tests import scenario_chart

FOLDER = Path(__file__).parents[1] / "tests" / "scenarios"
TODAY = date(2026, 11, 23)


def all_scenarios() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.yaml")):
        for scenario in yaml.safe_load(path.read_text(encoding="utf-8")):
            yield f"{path.stem}: {scenario['says']}", scenario


def reviewed(scenario: dict[str, Any], catalogue: Catalogue) -> tuple[OrderReview, ...]:
    return tuple(map(review.reviewed, cases(scenario, catalogue)))


def cases(scenario: dict[str, Any], catalogue: Catalogue) -> tuple[Case, ...]:
    """What the rules are given of each order of the scenario."""
    on = scenario.get("date", TODAY)
    lines = [_line(draft, place, on) for place, draft in enumerate(scenario["order"])]
    sited = with_site(catalogue, scenario.get("site"))
    words = scenario.get("chart", {})
    chart = scenario_chart.chart(words, catalogue.terms, on, _given)
    return tuple(case() for _, case in review.cases(lines, chart, sited, on, scenario.get("payer")))


def _line(draft: dict[str, Any], place: int, on: date) -> OrderLine:
    unknown = set(draft) - KNOWN
    assert not unknown, f"unknown keys in the scenario's order: {unknown}"
    claim = draft.get("claim")
    kind = "Claim" if claim else draft.get("kind", "MedicationRequest")
    return OrderLine(
        reference=f"{kind}/{claim or draft.get('id', place)}",
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
        interval=_amount(draft.get("interval")),
        route=_text(draft.get("route")),
        site=_text(draft.get("site")),
        observed=_text(draft.get("observed")),
        reasons=tuple(code for text in draft.get("reasons", ()) for code in _reason(text)),
        reason_references=tuple(draft.get("reason_references", ())),
        coverages=tuple(draft.get("coverages", ())),
        lot=_text(draft.get("lot")),
        discarded=_amount(draft.get("discarded")),
        not_given=draft.get("not_given", False),
    )


KNOWN = {
    "kind",
    "claim",
    "stage",
    "ndc",
    "hcpcs",
    "rxnorm",
    "cpt",
    "text",
    "dose",
    "billed",
    "containers",
    "supplied",
    "modifiers",
    "date",
    "discarded",
    "not_given",
    "interval",
    "route",
    "site",
    "observed",
    "reasons",
    "reason_references",
    "coverages",
    "lot",
    "id",
}


def _given(words: Any, place: int) -> OrderLine:
    """A past administration."""
    if isinstance(words, str):
        text, dose, unit, day = words.split()
        words = {"text": text, "dose": f"{dose} {unit}", "date": date.fromisoformat(day)}
    named = {"ndc", "hcpcs", "rxnorm", "text"} & set(words)
    charted = {"site": "left arm", "observed": "noted"}
    record = {"kind": "MedicationAdministration", "stage": "given", "id": f"given-{place}"}
    draft = {**record, **charted, **words}
    assert "date" in draft, f"give the administration a date, or `date: null`: {words}"
    return _line(draft if named else {**draft, "text": "omalizumab"}, place, draft["date"])


def _reason(text: str) -> tuple[Code, ...]:
    coded, said = scenario_chart.codes(text)
    return coded or (Code("", "", said),)


def _codes(draft: dict[str, Any]) -> Iterator[Code]:
    for system in ("hcpcs", "rxnorm", "cpt", "ndc"):
        value = draft.get(system, [])
        for code in [value] if isinstance(value, str) else value:
            forms = ndc_candidates(code) if system == "ndc" else (code,)
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
    if text is not None and text.startswith("unknown:"):
        return Unknown(text.removeprefix("unknown:").strip())
    return NOTHING if text is None else Present(Amount.parse(text))


def _text(text: str | None) -> State[str]:
    return NOTHING if text is None else Present(text)


def with_site(catalogue: Catalogue, site: dict[str, Any] | None) -> Catalogue:
    if site is None:
        return catalogue
    source = SourceFile(
        title="Site file", url="https://clinic.example", published=TODAY, certainty="S"
    )
    prices = {
        code: {date(2026, 1, 1): Sourced(price, "site", price)}
        for code, price in site.get("prices", {}).items()
    }
    file = SiteFile(
        name="Example clinic",
        sources={"site": source},
        stocked=site.get("stocked", []),
        prices=prices,
        setting=site.get("setting"),
        wanted_modifiers={
            code: {date(2026, 1, 1): Sourced(modifier, "site", modifier)}
            for code, modifier in site.get("wanted_modifiers", {}).items()
        },
    )
    return replace(catalogue, site_file=file)
