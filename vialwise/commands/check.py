"""`vialwise check`: one order, before anybody signs it, on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from billing_rules.fhir import reading
from billing_rules.fhir.json.decoding import JsonObject, own_reference
from vialwise import clock, terminal
from vialwise.catalogues import catalogue, known_payer
from vialwise.checking import check as checking
from vialwise.checking import check as inputs
from vialwise.checking import report
from vialwise.checking import report as as_json
from vialwise.checking.check import CheckResult, HookQuestion, NothingToCheck, Question
from vialwise.commands import options
from vialwise.terminal import CLEAN, FINDINGS, NOT_CHECKED, CommandProblem

# ----------------------------------------------------------------------
# What is not as FHIR R4 says, by the models of fhir.resources; for `vialwise check --strict`.


MOST = 20  # sentences of one resource


def faults_of_fhir(resources: Iterable[JsonObject]) -> Iterator[str]:
    """A sentence for each fault, never with the value that is wrong: that is chart text."""
    from fhir.resources.R4B import get_fhir_model_class  # slow to import, and seldom needed
    from pydantic import ValidationError

    for position, resource in enumerate(resources):
        name = own_reference(resource, position)
        try:
            get_fhir_model_class(str(resource.get("resourceType"))).model_validate(dict(resource))
        except KeyError:
            yield f"{name}: is not a FHIR R4 resource type"
        except ValidationError as error:
            for fault in error.errors(include_input=False, include_url=False)[:MOST]:
                place = ".".join(str(step) for step in fault["loc"])
                yield f"{name}: {place}: {fault['msg']}"
        except (ValueError, TypeError, RecursionError):
            yield f"{name}: cannot be read as FHIR R4"


# ----------------------------------------------------------------------
# `vialwise check`: one order, before anybody signs it, on the command line.


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
        raise CommandProblem(f"{order or file}: {error}") from None
    faults = tuple(faults_of_fhir(given.resources)) if strict_ else ()
    if as_json_:
        document = as_json.as_json(checked, faults, explain)
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
        raise CommandProblem(
            "--patient, --order and --token-file go with --fhir BASE: name the server"
        )
    if file is None:
        raise CommandProblem("name a file to check, or a FHIR server: see vialwise check --help")
    body, value = inputs.read_json(file)
    if checking.is_hook_request(value):
        if chart:
            raise CommandProblem("a CDS Hooks request brings its own chart: leave out --chart")
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
        raise CommandProblem("with --fhir the order goes to --order and the chart is the server's")
    if not patient or not order:
        raise CommandProblem("--fhir needs --patient ID and --order FILE|ID")
    from vialwise.checking import fhir_server  # brings requests, which a file does not need

    ehr = fhir_server.client(*fhir_server.server(fhir, token_file), timeout)
    question = fhir_server.question(ehr, patient, order)
    return Input(question, tuple(reading.entries(question.drafts)))


def _show_faults(faults: tuple[str, ...], asked: bool) -> None:
    if not asked:
        return
    click.echo()
    terminal.heading("Not as FHIR R4 says" if faults else "The input is valid FHIR R4.")
    terminal.points(faults)
