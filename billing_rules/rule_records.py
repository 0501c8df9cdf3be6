"""The decision-support record of every rule: its own, from its row, and what all records share.

What they share is read strictly from data/rules.yaml.

What an EHR must be able to show of a decision support intervention (45 CFR 170.315(b)(11)): the
citation, who made it, who paid for it, its dates, and whether it uses each of nine attributes of
the patient. Beside it the denial the rule prevents, in our words, and what it is for, for whom,
and what it cannot do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from pathlib import Path

import msgspec

from billing_rules.catalogue import DATA
from billing_rules.catalogue.files import (
    CatalogueError,
    Sourced,
    SourceFile,
    as_file,
    check_sources,
    read_yaml,
)
from billing_rules.catalogue.values import source_of
from billing_rules.citations import WHAT
from billing_rules.model.entities import Source
from billing_rules.model.findings import Topic
from billing_rules.rules import RULE_BY_ID, RULES
from billing_rules.rules.common import capital, listed
from billing_rules.rules.rule import Rule, UseOf

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
        ("reads", own.reads, WHAT, "billing_rules.citations"),
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
