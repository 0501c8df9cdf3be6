"""`vialwise demo`: the main job on invented patients, through real HTTP."""

from __future__ import annotations

import contextlib
import json
import logging
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
from cds_hooks.trusted_clients import Client
from vialwise import clock, screen
from vialwise.catalogues import catalogue
from vialwise.checking.report import show_card
from vialwise.problems import Problem
from vialwise.serving import logs, server, start, storage
from vialwise.settings.models import DEFAULT_HOST, DEFAULT_PORT, ServeSettings

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
    from vialwise.serving import practice

    stays = sys.stdin.isatty() if stay is None else stay
    known = catalogue()
    bound = server.bound_socket(DEFAULT_HOST, port)
    ehr_bound = server.bound_socket(DEFAULT_HOST, _ehr_port(port, ehr_port))
    url, ehr_url = server.address_of(bound), server.address_of(ehr_bound)
    key = new_key(ITSELF, f"{ITSELF}/jwks.json")
    with tempfile.TemporaryDirectory(prefix="vialwise-demo-") as directory:
        kept = storage.opened(str(Path(directory) / "demo.sqlite"))
        settings = ServeSettings(
            billing_plan=True,  # so that a clean order has something to show too
            clients=(practice.registration(ehr_url), _itself(key)),
            development=True,  # the practice EHR's keys are on this machine, without https
            quiet_days=0,  # a story that is told again says the same again
            ehrs=(practice.ehr_at(ehr_url),),
        )
        service = start.service_settings(settings, url, open_=False, context_key=kept.secret)
        app, _ = smart.beside(create_app(known, service, kept.store), settings, known, url, kept)
        ehr = practice.application(ehr_url, url, clock.today(None), (practice.app_at(url),))
        logs.to_standard_error(logging.WARNING)
        with (
            server.running(app, bound) as process,
            server.running(ehr, ehr_bound, practice.WORKERS),
        ):
            _wait_for(f"{url}/cds-services")
            _wait_for(ehr_url)
            _show(url, key)
            if stays:
                _say_what_next(url, ehr_url)
                _stay(process)


def _ehr_port(port: int, ehr_port: int | None) -> int:
    if ehr_port is not None:
        return ehr_port
    return port + 1 if 0 < port < 65535 else 0


def _itself(key: SigningKey) -> Client:
    """This command as a client of the service: it posts the bundled orders."""
    return Client(iss=key.issuer, jwks=json.dumps(key.jwks()))


def _show(url: str, key: SigningKey) -> None:
    screen.say(
        f"Vialwise runs at {url} on its built-in catalogue and a SQLite file that it deletes "
        "at the end. Orders it is sent:"
    )
    for story in STORIES:
        _tell(story, url, key)


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
    raise Problem("the service did not start in time: run `vialwise serve --open` to see why")


def _tell(story: Story, url: str, key: SigningKey) -> None:
    days = (clock.today(None) - fixtures.WRITTEN_ON).days
    body = fixtures.moved(fixtures.hook_request(story.request), days)
    signed = {"Authorization": f"Bearer {key.token(start.orders_url(url))}"}
    answer = requests.post(start.orders_url(url), json=body, headers=signed, timeout=10)
    click.echo()
    screen.heading(story.title)
    screen.say(_one_line(body, answer), "  ", dim=True)
    cards = answer.json().get("cards", []) if answer.ok else []
    for card in cards:
        click.echo()
        show_card(card)
    if not cards:
        screen.say("no card: nothing to do", "  ", fg="green")


def _one_line(request: Mapping[str, Any], answer: requests.Response) -> str:
    context = request["context"]
    drafts = [entry["resource"] for entry in context["draftOrders"]["entry"]]
    kinds = ", ".join(f"{draft['resourceType']}/{draft.get('id', '')}" for draft in drafts)
    milliseconds = answer.elapsed.total_seconds() * 1000
    return f"POST {request['hook']}, {kinds}: HTTP {answer.status_code}, {milliseconds:.0f} ms"


def _say_what_next(url: str, ehr_url: str) -> None:
    click.echo()
    screen.heading(f"Open {ehr_url} in a browser: six stories at the order desk.")
    screen.say(
        f"The practice EHR there calls the service at {url}/cds-services with signed tokens. Both "
        "stay up until Ctrl-C. For requests of your own: `vialwise serve --open`."
    )


def _stay(process: BaseProcess) -> None:
    """Until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        process.join()
        raise Problem("the service ended by itself: run `vialwise serve --open` to see why")
    click.echo("\nEnded.")
