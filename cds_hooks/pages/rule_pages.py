"""A rule's decision-support record as JSON: its shape, and filling it.

`sourceAttributes` holds the thirteen of 45 CFR 170.315(b)(11) for evidence-based decision support,
in the regulation's order; none is ever blank."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import partial
from typing import Any

import msgspec
from flask import Blueprint, Response
from msgspec import structs

from billing_rules.evidence.documentation import capital
from billing_rules.model.entities import CERTAINTY, Source
from billing_rules.rule_records import Passage, RuleRecord, passages, shipped
from billing_rules.rules.rule import UseOf
from cds_hooks.cards.writing import rule_url
from cds_hooks.errors import RequestRefused
from cds_hooks.pages.responses import as_json, cacheable, page, wants_json
from cds_hooks.running import Running
from cds_hooks.settings import Settings

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


# ----------------------------------------------------------------------
# Every rule's decision-support record, as a page and as JSON, for anyone to read.
#
# The EHR must be able to show these source attributes (45 CFR 170.315(b)(11)); each card's source
# links here, and the card's advice can be judged by what stands here alone.


_ROOT = "../"  # from a page under /rules/ to the front page
_SCHEMA = "application/schema+json"


def blueprint(here: Running) -> Blueprint:
    """The pages; a record that cannot be read ends the program at its start, not at a card."""
    shipped()
    pages = Blueprint("rules", __name__)
    pages.add_app_template_filter(capital)
    pages.add_url_rule("/rules/", "index", partial(index, here.settings))
    pages.add_url_rule("/rules/index.json", "index_json", partial(index_json, here.settings))
    pages.add_url_rule("/rules/schema.json", view_func=schema)
    pages.add_url_rule("/rules/<rule_id>", "rule", partial(rule, here))
    pages.add_url_rule("/rules/<rule_id>.json", "rule_json", partial(rule_json, here))
    return pages


def index(settings: Settings) -> Response:
    """GET /rules/: all rules and, by denial reason, those that answer it."""
    if wants_json():
        return _by_accept(index_json(settings))
    known = shipped()
    return _by_accept(
        cacheable(
            page(
                "rules.html",
                root=_ROOT,
                rules=known.records,
                denials=known.denials,
                answering=known.answering,
            )
        )
    )


def index_json(settings: Settings) -> Response:
    """Every rule's id, name and address."""
    return as_json(
        {
            "rules": [
                {
                    "id": record.id,
                    "name": record.name,
                    "topic": record.topic,
                    "version": record.version,
                    "url": rule_url(record.id, settings),
                }
                for record in shipped().records.values()
            ]
        }
    )


def schema() -> Response:
    """The JSON Schema of a record."""
    return as_json(json_schema(), _SCHEMA)


def rule(here: Running, rule_id: str) -> Response:
    """GET /rules/<id>: the record as a page, or as JSON where the caller prefers it."""
    if wants_json():
        return _by_accept(rule_json(here, rule_id))
    record = shipped().records.get(rule_id)
    if record is None:
        return _by_accept(page("no_rule.html", root=_ROOT, status=404))
    today = here.settings.today()
    return _by_accept(
        cacheable(
            page(
                "rule.html",
                root=_ROOT,
                rule=record,
                uses=_uses(record),
                documents=_by_document(passages(record.reads, here.catalogue, today)),
                on=today,
                certainty=CERTAINTY,
            )
        )
    )


def rule_json(here: Running, rule_id: str) -> Response:
    """GET /rules/<id>.json. Raises Refused (404)."""
    record = shipped().records.get(rule_id)
    if record is None:
        raise RequestRefused(404, "There is no rule of that id.")
    today = here.settings.today()
    read = passages(record.reads, here.catalogue, today)
    return as_json(document(record, rule_url(rule_id, here.settings), read, today))


def _by_accept(response: Response) -> Response:
    """The answer depends on what the caller would rather have: caches must know."""
    response.vary.add("Accept")
    return response


def _uses(record: RuleRecord) -> list[tuple[str, str]]:
    return [(label, getattr(record.uses, name)) for name, label in USES.items()]


def _by_document(found: Iterable[Passage]) -> list[tuple[Source, list[Passage]]]:
    """The passages under the document they stand in."""
    documents: dict[Source, list[Passage]] = {}
    for passage in found:
        documents.setdefault(structs.replace(passage.source, quote=""), []).append(passage)
    return list(documents.items())
