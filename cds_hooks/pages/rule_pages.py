"""Every rule's decision-support record, as a page and as JSON, for anyone to read.

The EHR must be able to show these source attributes (45 CFR 170.315(b)(11)); each card's source
links here, and the card's advice can be judged by what stands here alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from flask import Blueprint, Response

from billing_rules.citations import Passage, passages
from billing_rules.model.entities import CERTAINTY, Source
from billing_rules.rule_records import RuleRecord, shipped
from billing_rules.rules.common import capital
from cds_hooks import rule_documents
from cds_hooks.cards.writing import rule_url
from cds_hooks.errors import Refused
from cds_hooks.pages.responses import as_json, cacheable, page, wants_json
from cds_hooks.running import Running
from cds_hooks.settings import Settings

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
    return as_json(rule_documents.json_schema(), _SCHEMA)


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
        raise Refused(404, "There is no rule of that id.")
    today = here.settings.today()
    read = passages(record.reads, here.catalogue, today)
    return as_json(rule_documents.document(record, rule_url(rule_id, here.settings), read, today))


def _by_accept(response: Response) -> Response:
    """The answer depends on what the caller would rather have: caches must know."""
    response.vary.add("Accept")
    return response


def _uses(record: RuleRecord) -> list[tuple[str, str]]:
    return [(label, getattr(record.uses, name)) for name, label in rule_documents.USES.items()]


def _by_document(found: Iterable[Passage]) -> list[tuple[Source, list[Passage]]]:
    """The passages under the document they stand in."""
    documents: dict[Source, list[Passage]] = {}
    for passage in found:
        documents.setdefault(replace(passage.source, quote=""), []).append(passage)
    return list(documents.items())
