"""What went wrong, in one line that says the remedy, and the exit code that goes with it."""

from __future__ import annotations

import click

CLEAN, FINDINGS, NOT_CHECKED = 0, 1, 2


class Problem(click.ClickException):
    """Ends the command with one line on standard error and exit code 2."""

    exit_code = NOT_CHECKED
