"""`vialwise`: the group of commands, and the one place where errors become one line."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from vialwise.terminal import NOT_CHECKED, plain

INTERRUPTED = 130
# Each by its module in vialwise.commands, and its name there.
COMMANDS = {
    "demo": "demo:demo",
    "check": "check:check",
    "doctor": "doctor:doctor",
    "serve": "serve:serve",
    "ehr": "ehr:ehr",
    "catalogue": "catalogue:catalogue",
    "feedback": "feedback:feedback",
    "fixtures": "fixtures:fixtures",
    "forget": "forget:forget",
    "settings": "settings:show_settings",
    "app-keys": "app_keys:app_keys",
}


class Commands(click.Group):
    """The commands. One is imported when it is asked for, as Flask, gunicorn and SQLAlchemy take
    longer to import than most commands need. Every failure is one line on standard error; no
    traceback reaches a user."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        found = getattr(importlib.import_module(f"vialwise.commands.{module}"), name)
        assert isinstance(found, click.Command)
        return found

    def main(self, args: Any = None, standalone_mode: bool = True, **extra: Any) -> Any:  # type: ignore[override]
        try:
            code = super().main(args, standalone_mode=False, **extra)
        except click.ClickException as error:
            code = _told(_one_line(error), error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            code = INTERRUPTED
        except BrokenPipeError:  # `| head` has seen enough
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - the exit flushes it
            code = 0
        except Exception as error:
            code = _told(_own_fault(error), NOT_CHECKED)
        if standalone_mode:
            sys.exit(code if isinstance(code, int) else 0)
        return code


def _told(line: str, code: int) -> int:
    click.echo(f"vialwise: {plain(line)}", err=True)
    return code


def _one_line(error: click.ClickException) -> str:
    message = error.format_message()
    if not isinstance(error, click.UsageError) or error.ctx is None:
        return message
    return f"{message.rstrip('.')}: see {error.ctx.command_path} --help"


def _own_fault(error: Exception) -> str:
    """Names the place in the program, never the message: that could hold chart text."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{os.path.basename(last.filename)}:{last.lineno}"
    return f"failed itself ({type(error).__name__} at {place}): please report this place"


def _show_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        from vialwise.catalogues import installed_version  # brings the catalogue's reader

        click.echo(f"vialwise {installed_version()}")
        context.exit()


@click.group(cls=Commands)
@click.option(
    "--version",
    is_flag=True,
    expose_value=False,
    is_eager=True,
    callback=_show_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(context: click.Context) -> None:
    """Checks a draft order for a drug billed by the unit before it becomes a claim.

    Code, units, modifiers, containers: as a CDS Hooks service for an EHR, or for a file
    or a FHIR server here on the command line. It advises on billing; it gives no legal or
    clinical advice.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def main() -> None:
    """The console script."""
    cli(prog_name="vialwise")
