"""`vialwise catalogue denials`: which rule answers which reason for denial, and the other way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click

from billing_rules.catalogue.files import CatalogueError
from billing_rules.model.entities import CERTAINTY
from billing_rules.rule_records import RuleRecord, RuleRecords, shipped
from billing_rules.rules.common import capital
from vialwise import screen
from vialwise.problems import FINDINGS, Problem

_WIDTH = 10  # of the names of the fields


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead.")
@click.pass_context
def denials(context: click.Context, as_json: bool) -> None:
    """Shows which reasons for denial the rules answer.

    Rule by rule, with the claim adjustment and remark codes that a source gives, and reason by
    reason with its rules. Exit code 1 when a reason is without a rule.
    """
    records = _records()
    if as_json:
        click.echo(json.dumps(document(records), indent=2, ensure_ascii=False))
    else:
        _show_rules(records)
        _show_reasons(records)
    if records.unanswered():
        context.exit(FINDINGS)


def _records() -> RuleRecords:
    try:
        return shipped()
    except CatalogueError as error:
        raise Problem(str(error)) from None


def _show_rules(records: RuleRecords) -> None:
    screen.heading("Rule by rule")
    for record in records.records.values():
        screen.heading(capital(record.name), 2)
        screen.fields(_fields(record), 4, _WIDTH)
    click.echo()


def _fields(record: RuleRecord) -> Iterator[tuple[str, str]]:
    yield "prevents", record.prevents
    for place, words in enumerate(record.denials.values()):
        yield "" if place else "answers", words
    if record.codes:
        yield "codes", _codes(record)


def _codes(record: RuleRecord) -> str:
    """The codes, with how certain their sources are."""
    letters = dict.fromkeys(source.certainty for source in record.codes.values())
    told = " and ".join(CERTAINTY[letter] for letter in letters)
    return f"{', '.join(record.codes)} (by {told})"


def _show_reasons(records: RuleRecords) -> None:
    screen.heading("Reason by reason")
    for reason, words in records.denials.items():
        screen.say(words, "  ", 4)
        names = ", ".join(record.name for record in records.answering(reason))
        if names:
            screen.say(names, "      ")
        else:
            screen.say("NO RULE", "      ", fg="red")
    without = records.unanswered()
    total = len(records.denials)
    click.echo()
    if without:
        screen.say(f"{len(without)} of {total} reasons are without a rule.", fg="red")
    else:
        screen.say(f"All {total} reasons are answered by {len(records.records)} rules.")


def document(records: RuleRecords) -> dict[str, Any]:
    """The same for programs; `rules` of a reason are rule ids."""
    return {
        "rules": [
            {
                "id": record.id,
                "name": record.name,
                "prevents": record.prevents,
                "reasons": list(record.denials),
                "codes": [
                    {"code": code, "source": source.title, "certainty": source.certainty}
                    for code, source in record.codes.items()
                ],
            }
            for record in records.records.values()
        ],
        "reasons": [
            {
                "id": reason,
                "words": words,
                "rules": [record.id for record in records.answering(reason)],
            }
            for reason, words in records.denials.items()
        ],
        "unanswered": list(records.unanswered()),
    }
