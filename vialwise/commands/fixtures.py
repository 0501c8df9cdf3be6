"""`vialwise fixtures`: the invented patients on a FHIR server of somebody else's, and off it."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import click

from vialwise import clock, terminal
from vialwise.checking import fhir_server
from vialwise.ehrs import fixture_loading
from vialwise.ehrs.fixture_loading import Resource, Server
from vialwise.terminal import CLEAN, NOT_CHECKED, CommandProblem

_TAG = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _of_a_server(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of both commands."""
    for option in (
        click.option(
            "--timeout",
            metavar="SECONDS",
            type=click.FloatRange(0.1, 600),
            default=30.0,
            show_default=True,
            help="For each request.",
        ),
        click.option("--token-file", metavar="FILE", help="Holds an access token."),
        click.option(
            "--tag",
            metavar="CODE",
            default=fixture_loading.TAG,
            show_default=True,
            help="Marks what is ours there, in meta.tag.",
        ),
        click.option("--fhir", metavar="BASE", required=True, help="The FHIR R4 server."),
    ):
        command = option(command)
    return command


@click.group()
def fixtures() -> None:
    """Loads invented patients into a FHIR server, or removes them."""


@fixtures.command()
@_of_a_server
@click.option("--all", "everything", is_flag=True, help="Every fixture, not the stories alone.")
def load(fhir: str, tag: str, token_file: str | None, timeout: float, everything: bool) -> None:
    """Puts the stories' charts and orders on a server.

    Dates are moved so that they are current; loading again moves them again. Nothing that does not
    carry the tag is overwritten.
    """
    server, today = _server(fhir, tag, token_file, timeout), clock.today()
    waiting = fixture_loading.fixtures_to_load(everything)
    there: dict[str, str] = {}
    with click.progressbar(waiting, label="Putting resources there", file=sys.stderr) as shown:
        for resource in shown:
            ready = fixture_loading.with_references(
                fixture_loading.with_tag_and_dates(resource, tag, today), there
            )
            there[fixture_loading.reference_to(resource)] = server.put(ready, tag)
    types = Counter(resource["resourceType"] for resource in waiting).most_common()
    counted = ", ".join(f"{n} {kind}" for kind, n in types)
    terminal.say(f"{len(waiting)} resources are on {fhir}, {server.way}: {counted}.")
    days = fixture_loading.days_since(today)
    moved = f"{days} day{'' if days == 1 else 's'}"
    terminal.say(
        f"Their dates were moved by {moved}. All carry the tag {fixture_loading.SYSTEM}|{tag}."
    )
    click.echo()
    terminal.heading("The stories: patient and draft order there")
    for name, patient in fixture_loading.story_patients().items():
        order = there[fixture_loading.story_order(name)]
        terminal.say(
            f"{there[f'Patient/{patient}']} {order}", f"  {name.removeprefix('story-'):<27}"
        )
    click.echo()
    marked = "" if tag == fixture_loading.TAG else f" --tag {tag}"
    terminal.say(f"To take them off again: vialwise fixtures unload --fhir {fhir}{marked}")


@fixtures.command()
@_of_a_server
@click.pass_context
def unload(
    context: click.Context, fhir: str, tag: str, token_file: str | None, timeout: float
) -> None:
    """Deletes what carries the tag, and nothing else.

    Exit code 0: all of it is gone. 2: the server kept something.
    """
    server = _server(fhir, tag, token_file, timeout)
    kinds = fixture_loading.types()
    found: list[Resource] = []
    with click.progressbar(kinds, label="Looking for the tag", file=sys.stderr) as shown:
        for kind in shown:
            found += server.tagged(kind, tag)
    if not found:
        terminal.say(f"Nothing on {fhir} carries the tag {fixture_loading.SYSTEM}|{tag}.")
        context.exit(CLEAN)
    kept = _deleted(server, found, tag)
    gone = len(found) - len(kept)
    terminal.say(
        f"{gone} of {len(found)} resources with the tag {fixture_loading.SYSTEM}|{tag} are gone."
    )
    if kept:
        terminal.say("The server kept these:")
        terminal.points(f"{reference} {why}" for reference, why in kept.items())
    context.exit(NOT_CHECKED if kept else CLEAN)


def _deleted(server: Server, found: list[Resource], tag: str) -> dict[str, str]:
    """What could not be deleted, and why. A server refuses what is still referred to, so it is
    asked again as long as something goes."""
    waiting = found
    while waiting:
        kept: dict[str, str] = {}
        with click.progressbar(waiting, label="Deleting", file=sys.stderr) as shown:
            for resource in shown:
                if why := server.delete(resource, tag):
                    kept[fixture_loading.reference_to(resource)] = why
        if len(kept) == len(waiting):
            return kept
        waiting = [r for r in waiting if fixture_loading.reference_to(r) in kept]
    return {}


def _server(fhir: str, tag: str, token_file: str | None, timeout: float) -> Server:
    """Raises Problem for what is not an address, a tag or a token."""
    base, token = fhir_server.server(fhir, token_file)
    if not _TAG.fullmatch(tag):
        raise CommandProblem("--tag takes letters, digits, '.', '_' and '-', at most 64")
    return Server(base, token, timeout)
