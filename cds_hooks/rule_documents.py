"""A rule's decision-support record as JSON: its shape, and filling it.

`sourceAttributes` holds the thirteen of 45 CFR 170.315(b)(11) for evidence-based decision support,
in the regulation's order; none is ever blank.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import msgspec

from billing_rules.citations import Passage
from billing_rules.model.entities import CERTAINTY, Source
from billing_rules.rule_records import RuleRecord
from billing_rules.rules.rule import UseOf

# The nine attributes in plain words, by their names in UseOf.
USES = {
    "race": "race",
    "ethnicity": "ethnicity",
    "language": "language",
    "sexual_orientation": "sexual orientation",
    "gender_identity": "gender identity",
    "sex": "sex",
    "date_of_birth": "date of birth",
    "social_determinants": "social determinants of health data",
    "health_status_assessment": "health status assessment data",
}


class _Part(
    msgspec.Struct, rename="camel", frozen=True, forbid_unknown_fields=True, omit_defaults=True
):
    """Unknown members are refused, so that reading a record back tests its shape."""


class CitedSource(_Part, frozen=True):
    """`quote` is left out where nothing is quoted."""

    title: str
    url: str
    published: date
    certainty: str
    certainty_means: str
    quote: str = ""


class ReadPassage(_Part, frozen=True):
    what: str
    of: list[str]
    source: CitedSource


class DenialReason(_Part, frozen=True):
    id: str
    words: str


class DenialCode(_Part, frozen=True):
    code: str
    source: CitedSource


class ReleaseAndRevision(_Part, frozen=True):
    released: date
    revised: str


class SourceAttributes(_Part, frozen=True):
    """The thirteen source attributes."""

    bibliographic_citation: list[CitedSource]
    developer: str
    funding_source: str
    release_and_revision: ReleaseAndRevision
    use_of_race: str
    use_of_ethnicity: str
    use_of_language: str
    use_of_sexual_orientation: str
    use_of_gender_identity: str
    use_of_sex: str
    use_of_date_of_birth: str
    use_of_social_determinants: str
    use_of_health_status_assessment: str


class IntendedUse(_Part, frozen=True):
    use: str
    user: str
    limits: list[str]


class Denial(_Part, frozen=True):
    """`codes` are claim adjustment and remark codes, only those that a source gives."""

    prevents: str
    reasons: list[DenialReason]
    codes: list[DenialCode]


class RuleDocument(_Part, frozen=True):
    """A whole record; `reads` are the catalogue's values as they stood on `readsOn`."""

    id: str
    url: str
    name: str
    title: str
    topic: str
    version: str
    says: str
    denial: Denial
    intended: IntendedUse
    source_attributes: SourceAttributes
    reads: list[ReadPassage]
    reads_on: date


def document(record: RuleRecord, url: str, passages: Iterable[Passage], on: date) -> dict[str, Any]:
    """The record, ready for JSON."""
    built = RuleDocument(
        id=record.id,
        url=url,
        name=record.name,
        title=record.title,
        topic=record.topic,
        version=record.version,
        says=record.says,
        denial=_denial(record),
        intended=IntendedUse(
            record.intended.use, record.intended.user, list(record.intended.limits)
        ),
        source_attributes=_attributes(record),
        reads=[ReadPassage(p.what, list(p.of), _cited(p.source)) for p in passages],
        reads_on=on,
    )
    plain: dict[str, Any] = msgspec.to_builtins(built)
    return plain


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a record."""
    return msgspec.json.schema(RuleDocument)


def _denial(record: RuleRecord) -> Denial:
    return Denial(
        prevents=record.prevents,
        reasons=[DenialReason(key, words) for key, words in record.denials.items()],
        codes=[DenialCode(code, _cited(source)) for code, source in record.codes.items()],
    )


def _attributes(record: RuleRecord) -> SourceAttributes:
    uses = {f"use_of_{name}": getattr(record.uses, name) for name in UseOf.__struct_fields__}
    return SourceAttributes(
        bibliographic_citation=[_cited(source) for source in record.citations],
        developer=record.developer,
        funding_source=record.funding,
        release_and_revision=ReleaseAndRevision(record.released, record.revised),
        **uses,
    )


def _cited(source: Source) -> CitedSource:
    means = CERTAINTY[source.certainty]
    return CitedSource(
        source.title, source.url, source.published, source.certainty, means, source.quote
    )
