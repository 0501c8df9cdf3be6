"""The decision-support record of every rule, read strictly from data/rules.yaml.

What an EHR must be able to show of a decision support intervention (45 CFR 170.315(b)(11)): the
citation, who made it, who paid for it, its dates, and whether it uses each of nine attributes of
the patient. Beside it the denial the rule prevents, in our words, and what it is for, for whom,
and what it cannot do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

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
from billing_rules.dates import iso_day
from billing_rules.model import Source
from billing_rules.passages import WHAT
from billing_rules.rules import DOCUMENTATION_NAMES
from billing_rules.rules.common import listed

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


class Intended(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What rules of one topic are for, for whom, and what they cannot do."""

    use: str
    user: str
    limits: tuple[str, ...]


class IntendedFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    billing: Intended
    documentation: Intended


class RuleFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One rule as written: `denials` and `citations` are ids, `codes` those under codes, `reads`
    the catalogue's values it stands on (passages.WHAT). `name` is short and in small letters, so
    that it fits into a sentence; `limits` are the rule's own."""

    name: str
    title: str
    says: str
    prevents: str
    denials: list[str]
    citations: list[str]
    codes: list[str] = []
    reads: list[str] = []
    limits: list[str] = []
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
    intended: IntendedFile
    rules: dict[str, RuleFile]


class RuleRecord(msgspec.Struct, frozen=True):
    """One rule's complete record. `revised` is a date (YYYY-MM-DD) or "none"; `denials` are the
    seed's reasons it answers, id to words; `codes` the claim adjustment and remark codes, each
    with the source that gives it."""

    id: str
    name: str
    topic: Literal["billing", "documentation"]
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
    """Every rule's record by rule id, in the order of the file, and the seed's denial reasons."""

    records: Mapping[str, RuleRecord]
    denials: Mapping[str, str]

    def answering(self, denial: str) -> tuple[RuleRecord, ...]:
        """The rules that answer one of the seed's denial reasons."""
        return tuple(r for r in self.records.values() if denial in r.denials)

    def unanswered(self) -> tuple[str, ...]:
        """The seed's denial reasons that no rule answers; the shipped file has none."""
        return tuple(denial for denial in self.denials if not self.answering(denial))

    def name(self, rule: str) -> str:
        """A rule's name as a person writes it, small: "waste modifier", "total IgE"."""
        record = self.records.get(rule)
        return record.name if record else rule.replace("_", " ")

    def names(self, rules: Iterable[str]) -> str:
        """The rules' names, each once, as the start of a sentence: "Weight and total IgE"."""
        return capital(listed(dict.fromkeys(self.name(rule) for rule in rules)))


def capital(text: str) -> str:
    """The text with its first letter large; str.capitalize would lower the others."""
    return text[:1].upper() + text[1:]


@cache
def shipped() -> RuleRecords:
    """The records that come with the program, read once."""
    return load()


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
            ("reads", rule.reads, WHAT),
        )
        for name, used, there in known:
            for key in used:
                if key not in there:
                    yield f"{rule_id}: {name} names '{key}', which is not listed"
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
    for name in ("name", "title", "says", "prevents"):
        yield name, getattr(rule, name)
    yield from (("limits", limit) for limit in rule.limits)
    yield from ((name, getattr(rule.uses, name)) for name in UseOf.__struct_fields__)


def _is_day(text: str) -> bool:
    try:
        return bool(iso_day(text))
    except ValueError:
        return False


def _record(rule_id: str, rule: RuleFile, file: RulesFile) -> RuleRecord:
    topic: Literal["billing", "documentation"]
    topic = "documentation" if rule_id in DOCUMENTATION_NAMES else "billing"
    intended: Intended = getattr(file.intended, topic)
    return RuleRecord(
        id=rule_id,
        name=rule.name,
        topic=topic,
        title=rule.title,
        says=rule.says,
        prevents=rule.prevents,
        denials={denial: file.denials[denial] for denial in rule.denials},
        codes={code: source_of(file.sources, file.codes[code]) for code in rule.codes},
        citations=tuple(_citation(file.sources[key]) for key in rule.citations),
        reads=tuple(rule.reads),
        intended=msgspec.structs.replace(intended, limits=(*intended.limits, *rule.limits)),
        developer=file.developer,
        funding=file.funding,
        released=file.released,
        revised=rule.revised,
        uses=rule.uses,
    )


def _citation(file: SourceFile) -> Source:
    return Source(file.title, file.url, file.published, cast(Any, file.certainty))
