"""`vialwise app-keys`: the keys with which the app proves to EHRs which app it is."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vialwise import secret_file, terminal
from vialwise.terminal import CommandProblem

if TYPE_CHECKING:  # cryptography, only where it is needed
    from smart_app.launch.registration import AppKeys

_ALGORITHMS = ("RS384", "ES384")
_MOST = 4  # of each algorithm one signs, and one is next
_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
_ALGORITHM = click.option(
    "--algorithm", type=click.Choice(_ALGORITHMS), required=True, help="What the key signs with."
)


@click.group("app-keys")
def app_keys() -> None:
    """Makes and changes the app's keys.

    FILE is what the setting app_keys_file names. EHRs fetch the public parts from the app's
    /jwks.json, or take what `show` prints. To change a key: add the next one, wait until every EHR
    has fetched it (a day), switch, wait a day again, remove the old one; after each step restart
    the service.
    """


@app_keys.command()
@_FILE
@_ALGORITHM
def add(file: Path, algorithm: str) -> None:
    """Adds a key to FILE, or makes FILE.

    The first key of an algorithm signs at once; a second one is only published.
    """
    from smart_app.launch.registration import AppKeys, new_key

    keys = _read(file) if file.exists() else AppKeys()
    if len(keys.keys) >= _MOST:
        raise CommandProblem(f"{file} holds {_MOST} keys already: remove an old one first")
    signs = keys.signing(algorithm) is None
    made = new_key(algorithm)
    _write(file, keys.with_next(made).text())
    what = "signs from the next start on" if signs else "is published, and signs after `switch`"
    terminal.say(f"{made.kid} ({algorithm}) {what}.")


@app_keys.command()
@_FILE
@_ALGORITHM
def switch(file: Path, algorithm: str) -> None:
    """Lets the newest key of an algorithm sign."""
    keys = _read(file)
    if keys.signing(algorithm) is None:
        raise CommandProblem(f"{file} holds no {algorithm} key: add one first")
    switched = keys.switched(algorithm)
    _write(file, switched.text())
    key = switched.signing(algorithm)
    terminal.say(f"{key.kid if key else ''} ({algorithm}) signs from the next start on.")


@app_keys.command()
@_FILE
@click.argument("kid")
def remove(file: Path, kid: str) -> None:
    """Removes the key with that KID from FILE."""
    keys = _read(file)
    left = keys.without(kid)
    if len(left.keys) == len(keys.keys):
        raise CommandProblem(
            f"{file} holds no key with that kid: `vialwise app-keys show` names them"
        )
    if not left.keys:
        raise CommandProblem("that is the only key: add the next one first, or delete the file")
    _write(file, left.text())
    terminal.say("Removed.")


@app_keys.command()
@_FILE
def show(file: Path) -> None:
    """Prints the public keys of FILE as a JWKS, for EHRs that want it handed over."""
    click.echo(json.dumps(_read(file).published(), indent=2))


def _read(file: Path) -> AppKeys:
    from smart_app.launch.registration import AppKeys, NotAppKeys

    try:
        return AppKeys.read(secret_file.read(file, 1, 64 * 1024).decode())
    except OSError as error:
        raise CommandProblem(f"{file} cannot be read ({error.strerror}): check the path") from None
    except (NotAppKeys, UnicodeDecodeError) as error:
        why = str(error) if isinstance(error, NotAppKeys) else "it is not UTF-8"
        raise CommandProblem(f"{file} holds no keys of the app, {why}: name another file") from None


def _write(file: Path, text: str) -> None:
    """Whole or not at all, for its user only."""
    try:
        handle, made = tempfile.mkstemp(dir=file.absolute().parent, prefix=f".{file.name}.")
        with os.fdopen(handle, "w") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(made, file)
    except OSError as error:
        raise CommandProblem(
            f"{file} cannot be written ({error.strerror}): check the path"
        ) from None
