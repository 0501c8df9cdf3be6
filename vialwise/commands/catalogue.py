"""`vialwise catalogue`: what the rules know, from where, and whether it can be read."""

from __future__ import annotations

import itertools
from datetime import date
from pathlib import Path

import click

from billing_rules.catalogue import Catalogue
from billing_rules.model.entities import CERTAINTY, Container, Drug, Payer, Source
from vialwise import clock, screen
from vialwise.catalogues import catalogue as read_catalogue
from vialwise.catalogues import known_drug
from vialwise.commands import options
from vialwise.commands.denials import denials


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
    screen.heading(f"Drugs on {day}")
    drugs = [known.drug(drug_id, day) for drug_id in known.drug_ids()]
    screen.columns([(d.id, d.hcpcs or "no own code", _unit(d), d.brand) for d in drugs])
    click.echo()
    screen.heading("Payers")
    screen.columns([(payer_id, file.name) for payer_id, file in known.payer_files.items()])


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
    screen.heading(f"{shown.name} ({shown.brand}) on {day}")
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
    screen.fields([(name, text)])
    _show_source(source, 16)


def _show_source(source: Source | None, indent: int, what: str = "") -> None:
    if source:
        screen.say(f"{what}{described(source)}", " " * indent, indent + 2, dim=True)


def described(source: Source) -> str:
    """A source in one line: title, date, how certain (the letter is explained below it all)."""
    return f"{source.title} ({source.published}) [{source.certainty}]"


def _show_containers(drug: Drug, day: date) -> None:
    click.echo()
    screen.heading("Containers")
    for source, containers in itertools.groupby(
        drug.containers, lambda container: described(container.source)
    ):
        for container in containers:
            screen.say(_described(container, day), f"  {container.ndc_shown.ljust(14)}")
        screen.say(source, " " * 16, 18, dim=True)


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
    screen.heading("Payers")
    for payer_id in known.payer_files:
        payer = known.payer(payer_id, day)
        screen.say(f"{payer.name}: {_policies(payer)}", "  ", 4)
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
    screen.say("; ".join(letters), dim=True)


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
