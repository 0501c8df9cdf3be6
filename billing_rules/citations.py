"""The catalogue's passages that a rule stands on: whose value, and the words it was taken from.

A record names them by kind ("drug.hcpcs", "need.weight"); here they are looked up as they are in
force on a date. What a site states in its own file is left out: these are shown to anyone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date

from billing_rules.catalogue import Catalogue
from billing_rules.model.entities import Criteria, Drug, Indication, Source

# What a record may name under `reads`, in plain words.
WHAT = {
    "drug.hcpcs": "the drug's code",
    "drug.billing_unit": "the billing unit",
    "drug.unclassified_codes": "unclassified codes",
    "drug.medically_unlikely_units": "units a day CMS calls unlikely",
    "drug.labelled_doses": "labelled doses",
    "drug.labelled_dose_per_weight": "labelled dose by weight",
    "drug.intervals": "labelled intervals",
    "drug.supervised_doses": "first doses to supervise",
    "container": "the container",
    "container.dose_status": "single-dose or not",
    "code.drug": "codes of other drugs",
    "code.unclassified": "unclassified codes",
    "code.administration": "codes of the administration",
    "modifier.JB": "the modifier",
    "modifier.JG": "the modifier",
    "modifier.JW": "the modifier",
    "modifier.JZ": "the modifier",
    "modifier.Q0": "the modifier",
    "modifier.Q1": "the modifier",
    "modifier.TB": "the modifier",
    "payer.jw": "whether JW is wanted",
    "payer.jz": "whether JZ is wanted",
    "payer.medically_unlikely_edits": "whether CMS's limits are applied",
    "payer.wanted_modifiers": "other modifiers wanted",
    "indication.labelled": "the indication",
    "indication.age_from": "the labelled age",
    "indication.total_ige": "the window of total IgE",
    "indication.doses": "labelled doses",
    "indication.intervals": "labelled intervals",
    "criteria.diagnoses": "covered diagnoses",
    "criteria.wants_severity": "whether a severity is wanted",
    "criteria.authorization": "prior authorization",
    "criteria.first_period": "the first period of authorization",
    "criteria.next_period": "later periods of authorization",
    "criteria.most_units": "most units in a period",
    "need.total_ige": "total IgE",
    "need.weight": "body weight",
    "need.sensitisation": "sensitisation",
    "need.eosinophils": "blood eosinophils",
    "need.inhaled_corticosteroid": "an inhaled corticosteroid first",
    "need.second_controller": "a second controller first",
    "need.h1_antihistamine": "an H1 antihistamine first",
    "need.nasal_corticosteroid": "a nasal corticosteroid first",
    "table": "the dosing table",
}


@dataclass(frozen=True, slots=True)
class Passage:
    """`what` is a text of WHAT; `of` says whose value it is: drugs, indications, payers, codes."""

    what: str
    of: tuple[str, ...]
    source: Source


_Found = Iterator[tuple[str, Source | None]]


def passages(reads: tuple[str, ...], catalogue: Catalogue, on: date) -> tuple[Passage, ...]:
    """The passages in force on `on`, each once with all it stands for."""
    owners: dict[tuple[str, Source], list[str]] = {}
    for read in reads:
        kind, _, name = read.partition(".")
        for of, source in _KINDS[kind](name, catalogue, on):
            if source and source.certainty != "S":
                owners.setdefault((WHAT[read], source), []).append(of)
    return tuple(
        Passage(what, tuple(dict.fromkeys(of)), source) for (what, source), of in owners.items()
    )


def _drugs(catalogue: Catalogue, on: date) -> Iterator[Drug]:
    return (catalogue.drug(drug_id, on) for drug_id in catalogue.drug_ids())


def _drug(name: str, catalogue: Catalogue, on: date) -> _Found:
    return ((drug.name, drug.sources.get(name)) for drug in _drugs(catalogue, on))


def _container(name: str, catalogue: Catalogue, on: date) -> _Found:
    for drug in _drugs(catalogue, on):
        for one in drug.containers:
            source = one.dose_status_source if name == "dose_status" else one.source
            yield drug.name, source


def _code(kind: str, catalogue: Catalogue, on: date) -> _Found:
    known = (catalogue.known_code(code, on) for code in catalogue.known_codes)
    others = (found for found in known if found and found.drug_id is None)
    return ((found.code, found.source) for found in others if found.kind == kind)


def _modifier(code: str, catalogue: Catalogue, on: date) -> _Found:
    found = catalogue.modifier(code, on)
    return iter([(code, found.source)] if found else [])


def _payer(name: str, catalogue: Catalogue, on: date) -> _Found:
    for payer_id in catalogue.payer_files:
        payer = catalogue.payer(payer_id, on)
        if name == "wanted_modifiers":
            yield from ((payer.name, one.source) for one in payer.wanted_modifiers.values())
        else:
            yield payer.name, payer.sources.get(name)


def _indications(catalogue: Catalogue, on: date) -> Iterator[tuple[str, Indication]]:
    for drug in _drugs(catalogue, on):
        yield from ((f"{drug.name}, {one.name}", one) for one in drug.indications)


def _indication(name: str, catalogue: Catalogue, on: date) -> _Found:
    return ((of, one.sources.get(name)) for of, one in _indications(catalogue, on))


def _all_criteria(catalogue: Catalogue, on: date) -> Iterator[tuple[str, Criteria]]:
    names = {drug.id: {i.id: i.name for i in drug.indications} for drug in _drugs(catalogue, on)}
    for payer_id in catalogue.payer_files:
        payer = catalogue.payer(payer_id, on)
        for (drug_id, key), one in payer.criteria.items():
            yield f"{payer.name}: {drug_id}, {names[drug_id].get(key, key)}", one


def _criteria(name: str, catalogue: Catalogue, on: date) -> _Found:
    return ((of, one.sources.get(name)) for of, one in _all_criteria(catalogue, on))


def _need(what: str, catalogue: Catalogue, on: date) -> _Found:
    label = ((of, need) for of, one in _indications(catalogue, on) for need in one.needs)
    payers = ((of, need) for of, one in _all_criteria(catalogue, on) for need in one.needs)
    return ((of, need.source) for of, need in (*label, *payers) if need.what == what)


def _table(_: str, catalogue: Catalogue, on: date) -> _Found:
    for of, one in _indications(catalogue, on):
        yield from ((f"{of} ({table.name})", table.source) for table in one.tables)


_KINDS: dict[str, Callable[[str, Catalogue, date], _Found]] = {
    "drug": _drug,
    "container": _container,
    "code": _code,
    "modifier": _modifier,
    "payer": _payer,
    "indication": _indication,
    "criteria": _criteria,
    "need": _need,
    "table": _table,
}
