"""`vialwise ehr`: the practice EHR alone."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from sandbox_ehr import charts, moods
from sandbox_ehr import charts as quirks
from sandbox_ehr.charts import PLAIN, Quirks
from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.records import Records
from sandbox_ehr.moods import Mood
from sandbox_ehr.settings import EhrSettings, RegisteredApp
from vialwise import clock, terminal
from vialwise.serving import server
from vialwise.serving import server as logs
from vialwise.settings.models import DEFAULT_HOST
from vialwise.terminal import CommandProblem

DEFAULT_PORT = 8418


class MoodName(click.ParamType):  # type: ignore[type-arg]
    """The name of a simulated error."""

    name = "mood"

    def convert(
        self, value: object, param: click.Parameter | None, context: click.Context | None
    ) -> Mood:
        try:
            return moods.named(str(value))
        except ValueError as error:
            self.fail(str(error), param, context)


@click.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="FHIR R4 resources or Bundles in .json or .ndjson. Otherwise invented patients.",
)
@click.option(
    "--like",
    type=click.Choice(quirks.quirk_names()),
    help="Differ from FHIR as this EHR does.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    default=DEFAULT_PORT,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@click.option("--open", "open_", is_flag=True, help="Answer calls that carry no access token.")
@click.option(
    "--app",
    "apps",
    nargs=3,
    multiple=True,
    metavar="ID LAUNCH_URL REDIRECT_URI",
    help="Register a public SMART app. May be repeated.",
)
@click.option(
    "--fault",
    "--mood",
    "wanted",
    type=MoodName(),
    multiple=True,
    metavar="NAME",
    help="Misbehave on purpose, like auth_access_denied or busy_once. May be repeated.",
)
def ehr(
    data: Path | None,
    like: str | None,
    port: int,
    open_: bool,
    apps: tuple[tuple[str, str, str], ...],
    wanted: tuple[Mood, ...],
) -> None:
    """Runs a practice EHR: FHIR R4 with SMART authorization.

    It listens on this machine only, keeps everything in memory and forgets it at the end.
    """
    from sandbox_ehr.app import create_app

    ways = quirks.quirks_of(like) if like else PLAIN
    records = _records(data, ways)
    bound = server.bound_socket(DEFAULT_HOST, port)
    settings = EhrSettings(
        server.address_of(bound),
        clock.today(),
        tuple(
            RegisteredApp(id_, id_, launch_url=at, redirect_uris=(back,)) for id_, at, back in apps
        ),
        ways,
        frozenset(wanted),
        open=open_,
    )
    app = create_app(records, settings)
    _say(settings, records)
    logs.to_standard_error(logging.WARNING)
    server.run(app, bound, workers=1)


def _records(data: Path | None, ways: Quirks) -> Records:
    """What it opens with. Raises Problem."""
    try:
        resources = charts.of_folder(data) if data else charts.invented(clock.today())
        return Records.of(charts.shaped_like(resources, ways), new_id=charts.new_ids(ways.ids))
    except charts.Unreadable as error:
        raise CommandProblem(str(error)) from None
    except FhirError as error:
        raise CommandProblem(f"--data holds a resource that cannot be kept: {error}") from None


def _say(settings: EhrSettings, records: Records) -> None:
    patients = len(records.search("Patient"))
    of = f", like {settings.quirks.title}" if settings.quirks is not PLAIN else ""
    terminal.say(f"Practice EHR{of}: FHIR R4 at {settings.fhir_base}, {patients} patients.")
    for client in settings.clients:
        terminal.say(
            f"Open {client.id} with {settings.base_url}/auth/launch?client_id={client.id}"
            "&patient=ID"
        )
    if settings.moods:
        terminal.say(f"Simulated errors: {', '.join(sorted(f.key for f in settings.moods))}.")
    text = (
        "Open: calls without a token are answered. Ctrl-C ends it."
        if settings.open
        else "Calls need an access token; with --open they do not. Ctrl-C ends it."
    )
    terminal.say(text, fg="yellow")
