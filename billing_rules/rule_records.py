"""The decision-support record of every rule, read strictly from data/rules.yaml.

What an EHR must be able to show of a decision support intervention (45 CFR 170.315(b)(11)): the
citation, who made it, who paid for it, its dates, and whether it uses each of nine attributes of
the patient. Beside it the denial the rule prevents, in our words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, cast

import msgspec

from billing_rules.catalogue import DATA
from billing_rules.catalogue_files import (
    CatalogueError,
    Sourced,
    SourceFile,
    as_file,
    check_sources,
    read_yaml,
)
from billing_rules.model import Source

NAME = "rules.yaml"


class UseOf(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The nine attributes: "not used", or what they are used for."""

    race: str = "not used"
    ethnicity: str = "not used"
    language: str = "not used"
    sexual_orientation: str = "not used"
    gender_identity: str = "not used"
    sex: str = "not used"
    date_of_birth: str = "not used"
    social_determinants: str = "not used"
    health_status_assessment: str = "not used"


class RuleFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One rule as written: `denials` and `citations` are ids, `codes` those under codes."""

    title: str
    says: str
    prevents: str
    denials: list[str]
    citations: list[str]
    codes: list[str] = []
    uses: UseOf = UseOf()
    revised: str = "none"


class RulesFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`denials` are the reasons the seed names, each with the seed's own words; `codes` the claim
    adjustment and remark codes that a source gives for them."""

    developer: str
    funding: str
    released: date
    denials: dict[str, str]
    sources: dict[str, SourceFile]
    codes: dict[str, Sourced]
    rules: dict[str, RuleFile]


class RuleRecord(msgspec.Struct, frozen=True):
    """One rule's complete record. `revised` is a date (YYYY-MM-DD) or "none"; `denials` are the
    seed's reasons it answers, id to words."""

    id: str
    title: str
    says: str
    prevents: str
    denials: dict[str, str]
    codes: tuple[str, ...]
    citations: tuple[Source, ...]
    developer: str
    funding: str
    released: date
    revised: str
    uses: UseOf


class RuleRecords(msgspec.Struct, frozen=True):
    """Every rule's record by rule id, in the order of the file, and the seed's denial reasons."""

    records: Mapping[str, RuleRecord]
    denials: Mapping[str, str]

    def answering(self, denial: str) -> tuple[RuleRecord, ...]:
        """The rules that answer one of the seed's denial reasons."""
        return tuple(r for r in self.records.values() if denial in r.denials)


def load(path: Path = DATA / NAME) -> RuleRecords:
    """Read the records. Raises CatalogueError with file, place and remedy for a blank, an id that
    is not listed, or a code that no source gives."""
    file = as_file(read_yaml(path), RulesFile, path.name)
    check_sources(file.sources, file.codes.values(), path.name)
    for problem in _problems(file):
        raise CatalogueError(f"{path.name}: {problem}")
    records = {rule_id: _record(rule_id, rule, file) for rule_id, rule in file.rules.items()}
    return RuleRecords(records, file.denials)


def _problems(file: RulesFile) -> Iterator[str]:
    for rule_id, rule in file.rules.items():
        known = (
            ("denials", rule.denials, file.denials),
            ("citations", rule.citations, file.sources),
            ("codes", rule.codes, file.codes),
        )
        for name, used, listed in known:
            for key in used:
                if key not in listed:
                    yield f"{rule_id}: {name} names '{key}', which the file does not list"
        yield from (f"{rule_id}: {problem}" for problem in _gaps(rule))
    for name in ("developer", "funding"):
        if not getattr(file, name).strip():
            yield f"{name} is blank; write 'none' where that is so"


def _gaps(rule: RuleFile) -> Iterator[str]:
    if not rule.citations:
        yield "cite at least one source"
    for name, text in _texts(rule):
        if not text.strip():
            yield f"{name} is blank; write 'none' or 'not used' where that is so"
    if rule.revised != "none" and not _is_day(rule.revised):
        yield f"revised is '{rule.revised}'; write YYYY-MM-DD in quotes, or none"


def _texts(rule: RuleFile) -> Iterator[tuple[str, str]]:
    yield from (("title", rule.title), ("says", rule.says), ("prevents", rule.prevents))
    yield from ((name, getattr(rule.uses, name)) for name in UseOf.__struct_fields__)


def _is_day(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def _record(rule_id: str, rule: RuleFile, file: RulesFile) -> RuleRecord:
    return RuleRecord(
        id=rule_id,
        title=rule.title,
        says=rule.says,
        prevents=rule.prevents,
        denials={denial: file.denials[denial] for denial in rule.denials},
        codes=tuple(rule.codes),
        citations=tuple(_citation(file.sources[key]) for key in rule.citations),
        developer=file.developer,
        funding=file.funding,
        released=file.released,
        revised=rule.revised,
        uses=rule.uses,
    )


def _citation(file: SourceFile) -> Source:
    return Source(file.title, file.url, file.published, cast(Any, file.certainty))
