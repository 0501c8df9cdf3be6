"""`vialwise demo`: the main job on invented patients, through real HTTP."""

from __future__ import annotations

import contextlib
import html
import json
import logging
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import requests

import fixtures
from cds_hooks.app import create_app
from cds_hooks.settings import Client
from vialwise import clock, database, terminal
from vialwise.catalogues import catalogue
from vialwise.serving import server
from vialwise.serving import server as logs
from vialwise.serving import service as start
from vialwise.settings.models import DEFAULT_HOST, DEFAULT_PORT, ServeSettings
from vialwise.terminal import CommandProblem

if TYPE_CHECKING:
    from sandbox_ehr.cds_client import SigningKey

START_SECONDS = 20.0
ITSELF = "https://demo.vialwise.example"  # who posts the bundled orders below


@dataclass(frozen=True, slots=True)
class Story:
    """A bundled request, and what it is about in one line."""

    request: str
    title: str


STORIES = (
    Story("story-j2356-on-omalizumab", "Omalizumab ordered with code J2356"),
    Story("story-300-mg-typed-as-300-units", "300 mg typed where billing units belong"),
    Story("story-225-mg-two-vials", "225 mg from two 150 mg vials"),
    Story("story-225-mg-two-syringes", "The same 225 mg from two syringes"),
    Story("story-payer-denies-jw", "Two vials again, but the payer denies JW lines"),
)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--ehr-port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="Port of the practice EHR.  [default: the next one; 0 takes a free one]",
)
@click.option(
    "--stay/--no-stay",
    default=None,
    help="Stay up afterwards, or end.  [default: stay up on a terminal]",
)
def demo(port: int, ehr_port: int | None, stay: bool | None) -> None:
    """Runs the main job on bundled orders.

    Starts the service, posts orders of invented patients to it through HTTP and shows the cards
    that come back. Beside it runs a practice EHR, whose order desk tells the same stories in the
    browser.
    """
    # The EHR and the app take a second to import, and other commands need neither.
    from sandbox_ehr.cds_client import new_key
    from vialwise.serving import app as smart
    from vialwise.serving import practice_ehr

    stays = sys.stdin.isatty() if stay is None else stay
    known = catalogue()
    bound = server.bound_socket(DEFAULT_HOST, port)
    if ehr_port is None:
        ehr_port = port + 1 if 0 < port < 65535 else 0
    ehr_bound = server.bound_socket(DEFAULT_HOST, ehr_port)
    url, ehr_url = server.address_of(bound), server.address_of(ehr_bound)
    key = new_key(ITSELF, f"{ITSELF}/jwks.json")
    with tempfile.TemporaryDirectory(prefix="vialwise-demo-") as directory:
        kept = database.open_storage(str(Path(directory) / "demo.sqlite"))
        settings = ServeSettings(
            billing_plan=True,  # so that a clean order has something to show too
            clients=(
                practice_ehr.registration(ehr_url),
                # This command, which posts the bundled orders.
                Client(iss=key.issuer, jwks=json.dumps(key.jwks())),
            ),
            development=True,  # the practice EHR's keys are on this machine, without https
            quiet_days=0,  # a story that is told again says the same again
            ehrs=(practice_ehr.ehr_at(ehr_url),),
        )
        service = start.service_settings(settings, url, open_=False, context_key=kept.secret)
        app, _ = smart.beside(create_app(known, service, kept.store), settings, known, url, kept)
        ehr = practice_ehr.application(ehr_url, url, clock.today(None), (practice_ehr.app_at(url),))
        logs.to_standard_error(logging.WARNING)
        with (
            server.running(app, bound) as process,
            server.running(ehr, ehr_bound, practice_ehr.WORKERS),
        ):
            _wait_for(f"{url}/cds-services")
            _wait_for(ehr_url)
            terminal.say(
                f"Vialwise runs at {url} on its built-in catalogue and a SQLite file that it "
                "deletes at the end. Orders it is sent:"
            )
            for story in STORIES:
                _show_answer(story, url, key)
            if stays:
                _stay(process, url, ehr_url)


def _wait_for(url: str) -> None:
    """Until that address answers. Raises Problem when it does not."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    raise CommandProblem(
        "the service did not start in time: run `vialwise serve --open` to see why"
    )


def _show_answer(story: Story, url: str, key: SigningKey) -> None:
    days = (clock.today(None) - fixtures.WRITTEN_ON).days
    body = fixtures.moved(fixtures.hook_request(story.request), days)
    signed = {"Authorization": f"Bearer {key.token(start.orders_url(url))}"}
    answer = requests.post(start.orders_url(url), json=body, headers=signed, timeout=10)
    click.echo()
    terminal.heading(story.title)
    drafts = [entry["resource"] for entry in body["context"]["draftOrders"]["entry"]]
    orders = ", ".join(f"{draft['resourceType']}/{draft.get('id', '')}" for draft in drafts)
    took = f"{answer.elapsed.total_seconds() * 1000:.0f} ms"
    line = f"POST {body['hook']}, {orders}: HTTP {answer.status_code}, {took}"
    terminal.say(line, "  ", dim=True)
    cards = answer.json().get("cards", []) if answer.ok else []
    for card in cards:
        click.echo()
        show_card(card)
    if not cards:
        terminal.say("no card: nothing to do", "  ", fg="green")


def _stay(process: BaseProcess, url: str, ehr_url: str) -> None:
    """Say what next, and wait for Ctrl-C. Raises Problem when the service ends by itself."""
    click.echo()
    terminal.heading(f"Open {ehr_url} in a browser: six stories at the order desk.")
    terminal.say(
        f"The practice EHR there calls the service at {url}/cds-services with signed tokens. Both "
        "stay up until Ctrl-C. For requests of your own: `vialwise serve --open`."
    )
    with contextlib.suppress(KeyboardInterrupt):
        process.join()
        raise CommandProblem("the service ended by itself: run `vialwise serve --open` to see why")
    click.echo("\nEnded.")


# ---------------------------------------------------------------- cards, as an EHR shows them


_COLORS = {"info": "cyan", "warning": "yellow", "critical": "red"}
_INDENT = " " * 4
_TITLE = re.compile(r"\*\*([^*]+)\*\*")
_LINK = re.compile(r"(?<!\\)\[((?:[^\]\\]|\\.)*)\]\(https?://[^\s()]*\)")
_ESCAPED = re.compile(r"\\(.)")


def show_card(card: Mapping[str, Any]) -> None:
    """Indicator and summary, the detail in its little Markdown, what can be accepted, links."""
    indicator = str(card.get("indicator", ""))
    label = f"  {indicator.upper().ljust(8)} "
    terminal.say(str(card.get("summary", "")), label, fg=_COLORS.get(indicator, "white"))
    for line in map(str.strip, str(card.get("detail") or "").splitlines()):
        if title := _TITLE.fullmatch(line):
            terminal.heading(title[1], len(_INDENT))
        elif line.startswith("- "):
            terminal.say(words(line[2:]), _INDENT + "- ")
        elif line:
            terminal.say(words(line), _INDENT)
    for suggestion in card.get("suggestions") or ():
        terminal.say(f"[ {suggestion.get('label', '')} ]", _INDENT, fg="green")
    for link in card.get("links") or ():
        terminal.say(f"{link.get('label', '')} {link.get('url', '')}", _INDENT + "link: ", 10)


def words(markdown: str) -> str:
    """The words a reader of the rendered Markdown sees: a link shows its title only."""
    text = _LINK.sub(r"\1", markdown).replace("**", "")
    return html.unescape(_ESCAPED.sub(r"\1", text))
