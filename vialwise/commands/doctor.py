"""`vialwise doctor`: what an EHR's FHIR server offers, and which rules can be answered there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import click

from billing_rules.data_needed import DATA_NEEDED
from billing_rules.model.states import Nothing, Unknown
from billing_rules.rule_records import rule_heading
from ehr_access.client import EhrClient
from ehr_access.limits import Deadline
from ehr_access.query import ID, query_for
from ehr_access.server_metadata import Capability, SmartConfiguration, read_smart_configuration
from ehr_access.transport import Transport
from vialwise import terminal
from vialwise.checking import fhir_server
from vialwise.ehrs import query_support
from vialwise.ehrs.query_support import Ehr, QuerySupport, RuleSupport
from vialwise.terminal import CLEAN, FINDINGS, CommandProblem


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one server. `tried` is what each query gave for a patient, when one was
    named; `ehr` is what a vendor's documents say, without a server."""

    where: str
    version: str
    support: tuple[QuerySupport, ...]
    smart: SmartConfiguration | Unknown
    tried: dict[str, str]
    ehr: Ehr | None = None


@click.command()
@click.option("--fhir", metavar="BASE", help="A live FHIR server.")
@click.option(
    "--ehr",
    "ehr_name",
    metavar="NAME",
    help=f"Or what is publicly known of an EHR: {', '.join(query_support.ehr_names())}.",
)
@click.option("--patient", metavar="ID", help="With --fhir: also ask every query about this one.")
@click.option("--token-file", metavar="FILE", help="With --fhir: holds an access token.")
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(0.1, 600),
    default=30.0,
    show_default=True,
    help="With --fhir: for everything together.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def doctor(
    context: click.Context,
    fhir: str | None,
    ehr_name: str | None,
    patient: str | None,
    token_file: str | None,
    timeout: float,
    as_json: bool,
) -> None:
    """Says what an EHR offers and which rules that answers.

    Exit code 0: everything can be asked. 1: something cannot. 2: wrong input, or no answer.
    """
    if bool(fhir) == bool(ehr_name):
        raise CommandProblem("name a server with --fhir BASE, or an EHR with --ehr NAME")
    if fhir:
        seen = _of_server(fhir, patient, token_file, timeout)
    else:
        if patient or token_file:
            raise CommandProblem("--patient and --token-file go with --fhir BASE")
        seen = _of_ehr(str(ehr_name))
    rules = query_support.rule_support(seen.support)
    if as_json:
        click.echo(json.dumps(_document(seen, rules), indent=2, ensure_ascii=False))
    else:
        _show(seen, rules)
    whole = all(rule.whole for rule in rules)
    context.exit(CLEAN if whole else FINDINGS)


# ---------------------------------------------------------------- what is seen


def _of_ehr(name: str) -> Seen:
    if name not in query_support.ehr_names():
        raise CommandProblem(
            f"--ehr {name} is not known; these are: {', '.join(query_support.ehr_names())}"
        )
    said = query_support.ehr(name)
    unread = Unknown("it is each site's own")
    return Seen(said.name, said.fhir_version, query_support.support_of_ehr(said), unread, {}, said)


def _of_server(fhir: str, patient: str | None, token_file: str | None, timeout: float) -> Seen:
    (base, token), transport = fhir_server.server(fhir, token_file), Transport()
    if patient and not ID.fullmatch(patient):
        raise CommandProblem("--patient takes the id alone, like 12345, not a reference or a name")
    ehr = fhir_server.client(base, token, timeout, transport)
    with terminal.progress("Asking the FHIR server"):
        capability = ehr.capability()
        smart = read_smart_configuration(base, transport, Deadline.after(timeout))
        tried = _tried(ehr, patient) if patient else {}
    if isinstance(capability, Unknown) and isinstance(smart, Unknown) and not tried:
        raise CommandProblem(
            f"{fhir} gave no capability statement, because {capability.because}: check --fhir"
        )
    version = capability.fhir_version if isinstance(capability, Capability) else ""
    return Seen(base.url, version, query_support.support_of_server(capability), smart, tried)


def _tried(ehr: EhrClient, patient: str) -> dict[str, str]:
    """What each query gives for this patient: how much, none, or why it is not known."""
    asked = {
        need.key: query
        for need in DATA_NEEDED
        if (query := query_for(need, patient, "")) is not None
    }
    told = {}
    for key, part in ehr.fetch(asked).items():
        if isinstance(part, Unknown):
            told[key] = f"not known, because {part.because}"
        else:
            told[key] = "none" if isinstance(part, Nothing) else f"{len(part.value)} found"
    return told


# ---------------------------------------------------------------- text


def _show(seen: Seen, rules: tuple[RuleSupport, ...]) -> None:
    terminal.heading(seen.where)
    terminal.say(f"FHIR {seen.version or 'version not known'}", "  ")
    if seen.ehr:
        source = seen.ehr.source
        terminal.say(
            f"As declared in: {source.title}, captured {source.captured}. A hospital's own "
            "server may differ: ask it with --fhir.",
            "  ",
        )
    _titled("What the rules ask for")
    terminal.columns([(o.need.key, o.need.resource_type, _in_words(o, seen)) for o in seen.support])
    whole = [rule for rule in rules if rule.whole]
    _titled(f"Rules that can be answered: {len(whole)} of {len(rules)}")
    terminal.say(", ".join(rule_heading(rule.rule) for rule in whole), "  ")
    _show_rules("In part", [rule for rule in rules if rule.in_part])
    _show_rules("Not at all", [rule for rule in rules if not rule.whole and not rule.in_part])
    _titled("Signing in (SMART)")
    if isinstance(seen.smart, Unknown):
        terminal.say(f"not known, because {seen.smart.because}", "  ")
    else:
        checks = query_support.smart_checks(seen.smart)
        terminal.columns([(name, "yes" if there else "no", why) for name, there, why in checks])
    _titled("To ask the EHR team for")
    terminal.points(_asks(seen) or ["nothing: everything the rules read can be asked for"])
    if seen.ehr:
        _titled("Also known")
        terminal.points(f"{n.says} ({n.source}, captured {n.captured})" for n in seen.ehr.notes)


def _in_words(offer: QuerySupport, seen: Seen) -> str:
    if not offer.can_be_asked:
        said = f"no: {offer.why_not}" if offer.known else "not known"
    elif offer.left_out:
        said = f"yes, without narrowing by {', '.join(sorted(offer.left_out))}"
    else:
        said = "yes"
    tried = seen.tried.get(offer.need.key)
    return f"{said}; asked: {tried}" if tried else said


def _show_rules(title: str, rules: list[RuleSupport]) -> None:
    if not rules:
        return
    _titled(title)
    for rule in rules:
        lacking = ", ".join(query_support.names(rule.lacking))
        terminal.say(f"{rule_heading(rule.rule)}: without {lacking}", "  - ")


def _asks(seen: Seen) -> list[str]:
    asked = query_support.to_ask(seen.support)
    if seen.ehr:
        return [*asked, *seen.ehr.ask]
    return [*asked, *query_support.smart_to_ask(seen.smart)]


def _titled(title: str) -> None:
    click.echo()
    terminal.heading(title)


# ---------------------------------------------------------------- JSON


def _document(seen: Seen, rules: tuple[RuleSupport, ...]) -> dict[str, Any]:
    """The same, as one object; no key is null."""
    said: dict[str, Any] = {
        "where": seen.where,
        "queries": [_query(offer, seen) for offer in seen.support],
        "rules": [_rule(rule) for rule in rules],
        "ask": _asks(seen),
    }
    if seen.version:
        said["fhirVersion"] = seen.version
    if isinstance(seen.smart, Unknown):
        said["smart"] = {"because": seen.smart.because}
    else:
        said["smart"] = {name: there for name, there, _ in query_support.smart_checks(seen.smart)}
    if seen.ehr:
        said["source"] = {"title": seen.ehr.source.title, "captured": seen.ehr.source.captured}
        said["notes"] = [
            {"says": n.says, "source": n.source, "captured": n.captured} for n in seen.ehr.notes
        ]
    return said


def _query(offer: QuerySupport, seen: Seen) -> dict[str, Any]:
    said: dict[str, Any] = {
        "key": offer.need.key,
        "type": offer.need.resource_type,
        "offered": "yes" if offer.can_be_asked else "no" if offer.known else "not known",
    }
    if offer.why_not:
        said["because"] = offer.why_not
    if offer.left_out:
        said["leftOut"] = sorted(offer.left_out)
    if offer.need.key in seen.tried:
        said["asked"] = seen.tried[offer.need.key]
    return said


def _rule(rule: RuleSupport) -> dict[str, Any]:
    answered = "whole" if rule.whole else "in part" if rule.in_part else "no"
    said: dict[str, Any] = {"rule": rule.rule, "answered": answered}
    if rule.lacking:
        said["without"] = query_support.names(rule.lacking)
    return said
