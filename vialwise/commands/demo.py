"""`vialwise demo`: the main job on invented patients, through real HTTP."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import click
import requests
from flask import Flask

from vialwise import logs, screen, server, storage
from vialwise.card_text import show_card
from vialwise.catalogues import catalogue
from vialwise.problems import Problem
from vialwise.service import application, orders_url

REQUESTS = Path(__file__).parents[2] / "fixtures" / "hook_requests"
START_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Story:
    """A bundled request, and what it is about in one line."""

    file: str
    title: str


STORIES = (
    Story("story-j2356-on-omalizumab.json", "Omalizumab ordered with code J2356"),
    Story("story-300-mg-typed-as-300-units.json", "300 mg typed where billing units belong"),
    Story("story-225-mg-two-vials.json", "225 mg from two 150 mg vials"),
    Story("story-225-mg-two-syringes.json", "The same 225 mg from two syringes"),
    Story("story-payer-denies-jw.json", "Two vials again, but the payer denies JW lines"),
)


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=server.DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option(
    "--stay/--no-stay",
    default=None,
    help="Stay up afterwards, or end.  [default: stay up on a terminal]",
)
def demo(port: int, stay: bool | None) -> None:
    """Runs the main job on bundled orders.

    Starts the service, posts orders of invented patients to it through HTTP and shows the cards
    that come back.
    """
    stays = sys.stdin.isatty() if stay is None else stay
    known = catalogue()
    bound = server.bound_socket(server.DEFAULT_HOST, port)
    url = server.address_of(bound)
    with tempfile.TemporaryDirectory(prefix="vialwise-demo-") as directory:
        kept = storage.opened(str(Path(directory) / "demo.sqlite"))
        # The billing plan is shown, so that a clean order has something to show too.
        app = application(known, url, open_=True, billing_plan=True, store=kept.store)
        _show(app, bound, url, stays)


def _show(app: Flask, bound: socket.socket, url: str, stays: bool) -> None:
    logs.to_standard_error(logging.WARNING)
    with server.running(app, bound) as process:
        _wait_for(url)
        screen.say(
            f"Vialwise runs at {url} on its built-in catalogue and a SQLite file that it deletes "
            "at the end. Orders it is sent:"
        )
        for story in STORIES:
            _tell(story, url)
        if stays:
            _say_what_next(url)
            _stay(process)


def _wait_for(url: str) -> None:
    """Until the service answers. Raises Problem when it does not."""
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            if requests.get(f"{url}/cds-services", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.05)
    raise Problem("the service did not start in time: run `vialwise serve --open` to see why")


def _tell(story: Story, url: str) -> None:
    body = (REQUESTS / story.file).read_bytes()
    answer = requests.post(
        orders_url(url), data=body, headers={"Content-Type": "application/json"}, timeout=10
    )
    click.echo()
    screen.heading(story.title)
    screen.say(_one_line(json.loads(body), answer), "  ", dim=True)
    cards = answer.json().get("cards", []) if answer.ok else []
    for card in cards:
        click.echo()
        show_card(card)
    if not cards:
        screen.say("no card: nothing to mend", "  ", fg="green")


def _one_line(request: Mapping[str, Any], answer: requests.Response) -> str:
    context = request["context"]
    drafts = [entry["resource"] for entry in context["draftOrders"]["entry"]]
    kinds = ", ".join(f"{draft['resourceType']}/{draft.get('id', '')}" for draft in drafts)
    milliseconds = answer.elapsed.total_seconds() * 1000
    return f"POST {request['hook']}, {kinds}: HTTP {answer.status_code}, {milliseconds:.0f} ms"


def _say_what_next(url: str) -> None:
    click.echo()
    screen.heading(f"The service stays up at {url}/cds-services until Ctrl-C.")
    screen.say("Send it an order of your own, like this bundled one:")
    click.echo(f"  curl -s {orders_url(url)} \\")
    click.echo("    -H 'Content-Type: application/json' \\")
    click.echo(f"    -d @{_short(REQUESTS / STORIES[0].file)}")


def _stay(process: BaseProcess) -> None:
    """Until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        process.join()
        raise Problem("the service ended by itself: run `vialwise serve --open` to see why")
    click.echo("\nEnded.")


def _short(path: Path) -> Path:
    try:
        return path.relative_to(Path.cwd())
    except ValueError:
        return path
