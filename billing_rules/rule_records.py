"""The catalogue's passages that a rule stands on: whose value, and the words it was taken from.

A record names them by kind ("drug.hcpcs", "need.weight"); here they are looked up as they are in
force on a date. What a site states in its own file is left out: these are shown to anyone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import msgspec

from billing_rules.catalogue import DATA, Catalogue
from billing_rules.catalogue.files import (
    CatalogueError,
    Sourced,
    SourceFile,
    as_file,
    check_sources,
    read_yaml,
)
from billing_rules.catalogue.values import source_of
from billing_rules.evidence.documentation import capital, listed
from billing_rules.model.entities import Criteria, Drug, Evidence, Indication, Source
from billing_rules.model.findings import Finding, NotChecked, Outcome, Topic
from billing_rules.rules import RULE_BY_ID, RULES
from billing_rules.rules.rule import Rule, UseOf

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


# ----------------------------------------------------------------------
# The decision-support record of every rule: its own, from its row, and what all records share.
#
# What they share is read strictly from data/rules.yaml.
#
# What an EHR must be able to show of a decision support intervention (45 CFR 170.315(b)(11)): the
# citation, who made it, who paid for it, its dates, and whether it uses each of nine attributes
# of the patient. Beside it the denial the rule prevents, in our words, and what it is for, for
# whom, and what it cannot do.


NAME = "rules.yaml"


class Intended(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What rules of one topic are for, for whom, and what they cannot do."""

    use: str
    user: str
    limits: tuple[str, ...]


class IntendedFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    billing: Intended
    documentation: Intended


class SharedFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the records of all rules share. `denials` are the reasons the seed names, each with the
    seed's own words; `codes` the claim adjustment and remark codes that a source gives for them."""

    developer: str
    funding: str
    released: date
    denials: dict[str, str]
    sources: dict[str, SourceFile]
    codes: dict[str, Sourced]
    intended: IntendedFile


class RuleRecord(msgspec.Struct, frozen=True):
    """One rule's complete record. `revised` is a date (YYYY-MM-DD) or "none"; `denials` are the
    seed's reasons it answers, id to words; `codes` the claim adjustment and remark codes, each
    with the source that gives it."""

    id: str
    name: str
    topic: str
    title: str
    says: str
    prevents: str
    denials: dict[str, str]
    codes: dict[str, Source]
    citations: tuple[Source, ...]
    reads: tuple[str, ...]
    intended: Intended
    developer: str
    funding: str
    released: date
    revised: str
    uses: UseOf

    @property
    def version(self) -> str:
        """The day of the last revision, or of the release where there was none."""
        return str(self.released) if self.revised == "none" else self.revised


class RuleRecords(msgspec.Struct, frozen=True):
    """Every rule's record by rule id, in the order of the cards, and the seed's denial reasons."""

    records: Mapping[str, RuleRecord]
    denials: Mapping[str, str]

    def answering(self, denial: str) -> tuple[RuleRecord, ...]:
        """The rules that answer one of the seed's denial reasons."""
        return tuple(r for r in self.records.values() if denial in r.denials)

    def unanswered(self) -> tuple[str, ...]:
        """The seed's denial reasons that no rule answers; the shipped file has none."""
        return tuple(denial for denial in self.denials if not self.answering(denial))


def rule_name(rule: str) -> str:
    """A rule's name as a person writes it, small: "waste modifier", "total IgE"."""
    known = RULE_BY_ID.get(rule)
    return known.record.name if known else rule.replace("_", " ")


def rule_heading(rule: str) -> str:
    """The same at the start of a line: "Waste modifier"."""
    return capital(rule_name(rule))


def rule_names(rules: Iterable[str]) -> str:
    """The rules' names, each once, as the start of a sentence: "Weight and total IgE"."""
    return capital(listed(dict.fromkeys(map(rule_name, rules))))


@cache
def shipped() -> RuleRecords:
    """The records that come with the program, read once."""
    return load()


def load(path: Path = DATA / NAME, rules: Iterable[Rule] = RULES) -> RuleRecords:
    """The records of `rules`. Raises CatalogueError with place and remedy for a blank, an id that
    is not listed, or a code that no source gives."""
    shared = as_file(read_yaml(path), SharedFile, path.name)
    check_sources(shared.sources, shared.codes.values(), path.name)
    for name in ("developer", "funding"):
        if not getattr(shared, name).strip():
            raise CatalogueError(f"{path.name}: {name} is blank; write 'none' where that is so")
    records = {rule.id: _record(rule, shared, path.name) for rule in rules}
    return RuleRecords(records, shared.denials)


def _record(rule: Rule, shared: SharedFile, file: str) -> RuleRecord:
    own = rule.record
    for name, used, known, where in (
        ("denials", own.denials, shared.denials, file),
        ("citations", own.citations, shared.sources, f"the sources of {file}"),
        ("codes", own.codes, shared.codes, file),
        ("reads", own.reads, WHAT, "billing_rules.rule_records"),
    ):
        for key in used:
            if key not in known:
                raise CatalogueError(
                    f"{rule.check.__module__}: {name} names '{key}', which is not in {where}"
                )
    intended = shared.intended.billing
    if rule.topic is Topic.DOCUMENTATION:
        intended = shared.intended.documentation
    return RuleRecord(
        id=rule.id,
        name=own.name,
        topic=rule.topic.value,
        title=own.title,
        says=own.says,
        prevents=own.prevents,
        denials={denial: shared.denials[denial] for denial in own.denials},
        codes={code: source_of(shared.sources, shared.codes[code]) for code in own.codes},
        citations=tuple(_citation(shared.sources[key]) for key in own.citations),
        reads=own.reads,
        intended=msgspec.structs.replace(intended, limits=(*intended.limits, *own.limits)),
        developer=shared.developer,
        funding=shared.funding,
        released=shared.released,
        revised=own.revised,
        uses=own.uses,
    )


def _citation(file: SourceFile) -> Source:
    return file.cited("")


# ----------------------------------------------------------------------
# How a rule ended, in words: for the command line's --explain and for developers.


def explained(outcome: Outcome) -> tuple[str, str]:
    """How a rule ended, and what it saw or why."""
    if isinstance(outcome, Finding):
        seen = "; ".join(evidence(e) for e in outcome.basis)
        return "spoke", f"{' '.join(outcome.found)}{f' Saw {seen}.' if seen else ''}"
    if isinstance(outcome, NotChecked):
        return "could not check", f"{outcome.because}."
    return ("silent" if outcome.applies else "does not apply"), f"{outcome.because}."


def evidence(seen: Evidence) -> str:
    """What was seen, where and when."""
    where = f" in {seen.reference}" if seen.reference else ""
    return f"{seen.what} {seen.value}{where}{f' ({seen.on})' if seen.on else ''}"
