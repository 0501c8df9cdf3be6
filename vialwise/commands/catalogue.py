"""`vialwise catalogue`: what the rules know, from where, and whether it can be read."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import click

from billing_rules.catalogue import Catalogue
from billing_rules.catalogue.files import CatalogueError
from billing_rules.evidence.documentation import capital
from billing_rules.model.entities import CERTAINTY, Container, Drug, Payer, Source
from billing_rules.rule_records import RuleRecord, RuleRecords, shipped
from vialwise import clock, terminal
from vialwise.catalogues import catalogue as read_catalogue
from vialwise.catalogues import known_drug
from vialwise.commands import options
from vialwise.terminal import FINDINGS, CommandProblem

# ----------------------------------------------------------------------
# `vialwise catalogue denials`: which rule answers which reason for denial, and the other way.


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
        click.echo(json.dumps(denials_document(records), indent=2, ensure_ascii=False))
    else:
        _show_rules(records)
        _show_reasons(records)
    if records.unanswered():
        context.exit(FINDINGS)


def _records() -> RuleRecords:
    try:
        return shipped()
    except CatalogueError as error:
        raise CommandProblem(str(error)) from None


def _show_rules(records: RuleRecords) -> None:
    terminal.heading("Rule by rule")
    for record in records.records.values():
        terminal.heading(capital(record.name), 2)
        terminal.fields(_fields(record), 4, _WIDTH)
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
    terminal.heading("Reason by reason")
    for reason, words in records.denials.items():
        terminal.say(words, "  ", 4)
        names = ", ".join(record.name for record in records.answering(reason))
        if names:
            terminal.say(names, "      ")
        else:
            terminal.say("NO RULE", "      ", fg="red")
    without = records.unanswered()
    total = len(records.denials)
    click.echo()
    if without:
        terminal.say(f"{len(without)} of {total} reasons are without a rule.", fg="red")
    else:
        terminal.say(f"All {total} reasons are answered by {len(records.records)} rules.")


def denials_document(records: RuleRecords) -> dict[str, Any]:
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


# ----------------------------------------------------------------------
# `vialwise catalogue`: what the rules know, from where, and whether it can be read.


@click.group()
def catalogue() -> None:
    """Shows and verifies the built-in drugs, payers, codes and rules."""


catalogue.add_command(denials)


@catalogue.command("list")
@options.site
@options.on
def list_drugs(site: Path | None, on: str | None) -> None:
    """Lists the drugs and payers, as they stand on a date."""
    known, day = read_catalogue(site), clock.day(on) or clock.today()
    terminal.heading(f"Drugs on {day}")
    drugs = [known.drug(drug_id, day) for drug_id in known.drug_ids()]
    terminal.columns([(d.id, d.hcpcs or "no own code", _unit(d), d.brand) for d in drugs])
    click.echo()
    terminal.heading("Payers")
    terminal.columns([(payer_id, file.name) for payer_id, file in known.payer_files.items()])


def _unit(drug: Drug) -> str:
    return f"{drug.billing_unit} a unit" if drug.billing_unit else ""


@catalogue.command()
@click.argument("drug")
@options.site
@options.on
def show(drug: str, site: Path | None, on: str | None) -> None:
    """Shows one drug on a date.

    Its code, unit, containers and the payers' rules, each with its source.

    DRUG is an id, a name or a HCPCS code: omalizumab, Xolair, J2357.
    """
    known, day = read_catalogue(site), clock.day(on) or clock.today()
    shown = known.drug(known_drug(drug, known), day)
    terminal.heading(f"{shown.name} ({shown.brand}) on {day}")
    _show_codes(shown)
    _show_containers(shown, day)
    _show_payers(known, day)
    _show_legend()


def _show_codes(drug: Drug) -> None:
    own = drug.hcpcs or f"none of its own; unclassified: {', '.join(drug.unclassified_codes)}"
    _stated("Code", own, drug.sources.get("hcpcs"))
    if drug.billing_unit:
        _stated("Billing unit", str(drug.billing_unit), drug.sources.get("billing_unit"))
    most = drug.medically_unlikely_units
    text = f"over {most} units a day" if most else "not stated on this date"
    _stated("Unlikely", text, drug.sources.get("medically_unlikely_units"))
    if drug.labelled_doses:
        doses = ", ".join(str(dose) for dose in drug.labelled_doses)
        _stated("Doses", doses, drug.sources.get("labelled_doses"))
    if drug.labelled_dose_per_weight:
        per_weight = drug.sources.get("labelled_dose_per_weight")
        _stated("Dose", str(drug.labelled_dose_per_weight), per_weight)
    if drug.routes:
        _stated("Route", ", ".join(drug.routes), drug.sources.get("routes"))


def _stated(name: str, text: str, source: Source | None) -> None:
    terminal.fields([(name, text)])
    _show_source(source, 16)


def _show_source(source: Source | None, indent: int, what: str = "") -> None:
    if source:
        terminal.say(f"{what}{described(source)}", " " * indent, indent + 2, dim=True)


def described(source: Source) -> str:
    """A source in one line: title, date, how certain (the letter is explained below it all)."""
    return f"{source.title} ({source.published}) [{source.certainty}]"


def _show_containers(drug: Drug, day: date) -> None:
    click.echo()
    terminal.heading("Containers")
    for source, containers in itertools.groupby(
        drug.containers, lambda container: described(container.source)
    ):
        for container in containers:
            terminal.say(_described(container, day), f"  {container.ndc_shown.ljust(14)}")
        terminal.say(source, " " * 16, 18, dim=True)


def _described(container: Container, day: date) -> str:
    volume = f" in {container.volume}" if container.volume else ""
    unclear = container.dose_status == "unknown"
    parts = [
        f"{container.name}{volume}",
        "single-dose or not is unknown" if unclear else container.dose_status,
        f"from {container.marketed_from}" if container.marketed_from else "",
        f"until {container.marketed_until}" if container.marketed_until else "",
        "" if container.marketed_on(day) else "NOT MARKETED on this date",
    ]
    return ", ".join(part for part in parts if part)


def _show_payers(known: Catalogue, day: date) -> None:
    click.echo()
    terminal.heading("Payers")
    for payer_id in known.payer_files:
        payer = known.payer(payer_id, day)
        terminal.say(f"{payer.name}: {_policies(payer)}", "  ", 4)
        for name, what in _RULE_NAMES.items():
            _show_source(payer.sources.get(name), 4, f"{what}: ")


_RULE_NAMES = {
    "jw": "JW",
    "jz": "JZ",
    "medically_unlikely_edits": "unlikely units",
    "lines_per_ndc": "lines per NDC",
}
_POLICIES = {"denies": "denied", "not yet": "not asked for yet"}


def _policies(payer: Payer) -> str:
    if not payer.known:
        return "no payer rules are applied"
    parts = [
        f"JW {_POLICIES.get(payer.jw, payer.jw)}",
        f"JZ {_POLICIES.get(payer.jz, payer.jz)}",
        f"medically unlikely edits {'applied' if payer.medically_unlikely_edits else 'not stated'}",
    ]
    if payer.lines_per_ndc != "not stated":
        parts.append(f"several NDCs: {payer.lines_per_ndc}")
    return ", ".join(parts)


def _show_legend() -> None:
    click.echo()
    letters = (f"[{letter}] {meaning}" for letter, meaning in CERTAINTY.items())
    terminal.say("; ".join(letters), dim=True)


@catalogue.command()
@options.site
def verify(site: Path | None) -> None:
    """Reads every file strictly and counts.

    What is wrong is said in one line, with its place and remedy.
    """
    known = read_catalogue(site)
    containers = len(known.identifiers.ndcs)
    click.echo(
        f"The catalogue is good: {len(known.drug_files)} drugs, {containers} containers, "
        f"{len(known.payer_files)} payers,\n{len(known.modifiers)} modifiers, "
        f"{len(known.known_codes)} codes{', with the site file over it' if site else ''}."
    )
