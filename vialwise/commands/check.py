"""`vialwise check`: one order, before anybody signs it, on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import click

from billing_rules.fhir import reading
from billing_rules.fhir.json.references import JsonObject
from vialwise import clock, screen
from vialwise.catalogues import catalogue, known_payer
from vialwise.checking import as_json, inputs, report, strict
from vialwise.checking import check as checking
from vialwise.checking.check import CheckResult, HookQuestion, NothingToCheck, Question
from vialwise.commands import options
from vialwise.problems import CLEAN, FINDINGS, NOT_CHECKED, Problem


@dataclass(frozen=True, slots=True)
class Input:
    """The question the user's files ask, and the resources in them."""

    question: Question | HookQuestion
    resources: tuple[JsonObject, ...] = ()


@click.command()
@click.argument("file", required=False)
@click.option("--chart", metavar="BUNDLE", help="The patient's chart, a FHIR Bundle in JSON.")
@click.option("--fhir", metavar="BASE", help="A live FHIR server to ask for the chart.")
@click.option("--patient", metavar="ID", help="With --fhir: the patient's id there.")
@click.option("--order", metavar="FILE|ID", help="With --fhir: the order, a file or its id there.")
@click.option("--token-file", metavar="FILE", help="With --fhir: holds an access token.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 600),
    default=30.0,
    show_default=True,
    help="With --fhir: for everything together.",
)
@options.on
@click.option("--timezone", metavar="ZONE", help="The clinic's, like America/New_York.")
@options.site
@click.option("--payer", metavar="ID", help="Check as if this were the payer.")
@click.option("--explain", is_flag=True, help="Say what every rule saw, and why it kept silent.")
@click.option("--json", "as_json_", is_flag=True, help="Print JSON.")
@click.option("--strict", "strict_", is_flag=True, help="Also report what is not valid FHIR R4.")
@click.pass_context
def check(
    context: click.Context,
    file: str | None,
    chart: str | None,
    fhir: str | None,
    patient: str | None,
    order: str | None,
    token_file: str | None,
    timeout: float,
    on: str | None,
    timezone: str | None,
    site: Path | None,
    payer: str | None,
    explain: bool,
    as_json_: bool,
    strict_: bool,
) -> None:
    """Checks an order and prints how it is to be billed.

    FILE is a CDS Hooks request, or an order: a MedicationRequest, ServiceRequest, ChargeItem,
    Claim or MedicationAdministration, or a Bundle of them. "-" reads standard input.

    Exit code 0: nothing to do. 1: findings. 2: something could not be checked, or the input is
    wrong.
    """
    known, day = catalogue(site), clock.day(on)
    known_payer(payer, known)
    today = clock.today(timezone)
    try:
        if fhir:
            given = _from_server(file, chart, fhir, patient, order, token_file, timeout)
        else:
            given = _from_files(file, chart, patient or order or token_file)
        checked = checking.answer(given.question, known, today, on=day, payer_id=payer)
    except NothingToCheck as error:
        raise Problem(f"{order or file}: {error}") from None
    faults = tuple(strict.invalid(given.resources)) if strict_ else ()
    if as_json_:
        document = as_json.document(checked, faults, explain)
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        report.show(checked, explain)
        _show_faults(faults, strict_)
    context.exit(exit_code(checked, faults))


def exit_code(checked: CheckResult, faults: Iterable[str] = ()) -> int:
    """What the shell is told: faults of the input before findings, findings before gaps."""
    if tuple(faults):
        return NOT_CHECKED
    if checked.has_findings:
        return FINDINGS
    return NOT_CHECKED if checked.has_gaps else CLEAN


def _from_files(file: str | None, chart: str | None, needs_server: str | None) -> Input:
    if needs_server:
        raise Problem("--patient, --order and --token-file go with --fhir BASE: name the server")
    if file is None:
        raise Problem("name a file to check, or a FHIR server: see vialwise check --help")
    body, value = inputs.read_json(file)
    if checking.is_hook_request(value):
        if chart:
            raise Problem("a CDS Hooks request brings its own chart: leave out --chart")
        return Input(checking.of_hook_request(body, value["hook"]), tuple(_sent(value)))
    charted = inputs.read_json(chart)[1] if chart else None
    question = checking.of_order(value, charted)
    return Input(question, (*reading.entries(value), *reading.entries(charted)))


def _sent(request: JsonObject) -> Iterable[JsonObject]:
    """The FHIR resources inside a hook request."""
    context, prefetch = request.get("context"), request.get("prefetch")
    for name in ("draftOrders", "appointments", "fulfillmentTasks"):
        yield from reading.entries(context.get(name) if isinstance(context, dict) else None)
    for value in prefetch.values() if isinstance(prefetch, dict) else ():
        yield from reading.entries(value)


def _from_server(
    file: str | None,
    chart: str | None,
    fhir: str,
    patient: str | None,
    order: str | None,
    token_file: str | None,
    timeout: float,
) -> Input:
    if file or chart:
        raise Problem("with --fhir the order goes to --order and the chart is the server's")
    if not patient or not order:
        raise Problem("--fhir needs --patient ID and --order FILE|ID")
    from vialwise.checking import live  # brings requests, which a file does not need

    ehr = live.client(*live.server(fhir, token_file), timeout)
    question = live.question(ehr, patient, order)
    return Input(question, tuple(reading.entries(question.drafts)))


def _show_faults(faults: tuple[str, ...], asked: bool) -> None:
    if not asked:
        return
    click.echo()
    screen.heading("Not as FHIR R4 says" if faults else "The input is valid FHIR R4.")
    screen.points(faults)
