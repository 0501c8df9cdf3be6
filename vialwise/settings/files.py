"""What the files that the settings name hold: public keys of clients, keys of the app, secrets.

A problem is a sentence with its remedy, and never anything of a file.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from cds_hooks.record.entries import SHORTEST_SECRET
from cds_hooks.settings import Client
from smart_app.settings import RegisteredEhr
from vialwise import secret_file
from vialwise.settings.models import ServeSettings
from vialwise.terminal import CommandProblem

_LARGEST_JWKS = 256 * 1024
_LARGEST_FILE = 64 * 1024
NOT_READ = "a file that could not be read"  # so that a registration's other faults are found too

T = TypeVar("T")


def with_files(settings: ServeSettings) -> tuple[ServeSettings, list[str]]:
    """The settings with what their files hold, and what is wrong with the files. Those of the app
    are read where an EHR is registered for it."""
    problems: list[str] = []

    def found(read: Callable[[], T], otherwise: T, of: str = "") -> T:
        try:
            return read()
        except CommandProblem as problem:
            problems.append(f"{of}{problem.format_message()}")
            return otherwise

    changes: dict[str, Any] = {}
    for name in ("operator_secret", "record_secret"):
        secret, file = getattr(settings, name), getattr(settings, f"{name}_file")
        changes[name] = found(partial(_secret, name, secret, file), b"")
    clients = list(settings.clients)
    for n, client in enumerate(clients):
        if client.jwks_file:
            read = partial(_jwks, client, settings.development)
            jwks = found(read, NOT_READ, f"client {client.iss}: ")
            clients[n] = client.model_copy(update={"jwks": jwks})
    changes["clients"] = tuple(clients)
    if settings.ehrs:
        ehrs = list(settings.ehrs)
        for n, ehr in enumerate(ehrs):
            if ehr.client_secret_file:
                secret = found(partial(_client_secret, ehr), NOT_READ, f"ehr {ehr.id}: ")
                ehrs[n] = ehr.model_copy(update={"client_secret": secret})
        secrets = settings.window_secrets
        of_windows = partial(_window_secrets, secrets, settings.window_secrets_file)
        changes["window_secrets"] = found(of_windows, secrets)
        changes["app_keys"] = found(partial(_app_keys, settings.app_keys_file), NOT_READ)
        changes["ehrs"] = tuple(ehrs)
    return settings.model_copy(update=changes), problems


def _jwks(client: Client, development: bool) -> str:
    """The JWKS that was handed over. Raises Problem."""
    from cds_hooks.auth.client_tokens import read_keys  # cryptography, only where it is needed
    from ehr_access.signed_tokens import NotKeys

    file = Path(client.jwks_file)
    try:
        document = file.read_bytes()[:_LARGEST_JWKS]
        keys = read_keys(document, development)
    except OSError as error:
        raise CommandProblem(f"{file} cannot be read ({error.strerror}): check jwks_file") from None
    except NotKeys as error:
        raise CommandProblem(f"{file} is not a JWKS, {error}: save the EHR's JWKS there") from None
    if not keys:
        raise CommandProblem(
            f"{file} holds no key that can be used: it needs public RSA (2048 bits or more) or EC "
            "keys with a kid"
        )
    return document.decode()


def _secret(name: str, value: bytes, file: str) -> bytes:
    """The secret, b"" when none is set. Raises Problem."""
    if value and file:
        raise CommandProblem(f"{name} and {name}_file are both set: remove one")
    if file:
        return _private(file, f"{name}_file")
    if value and len(value) < SHORTEST_SECRET:
        raise CommandProblem(f"{name} is too short: give {SHORTEST_SECRET} characters or more")
    return value


def _client_secret(ehr: RegisteredEhr) -> str:
    return _private(ehr.client_secret_file, "client_secret_file", shortest=1).decode()


def _app_keys(file: str) -> str:
    """The app's JWKS, "" when none is named. Raises Problem."""
    from smart_app.launch.registration import AppKeys, NotAppKeys

    if not file:
        return ""
    try:
        return AppKeys.read(_private(file, "app_keys_file", shortest=1).decode()).text()
    except NotAppKeys as error:
        raise CommandProblem(
            f"{file} holds no keys of the app, {error}: make them with `vialwise app-keys add`"
        ) from None


def _window_secrets(values: tuple[bytes, ...], file: str) -> tuple[bytes, ...]:
    if values and file:
        raise CommandProblem("window_secrets and window_secrets_file are both set: remove one")
    if file:
        return window_secrets_in(file, "window_secrets_file")
    return _long_enough(values, "window_secrets")


def window_secrets_in(file: str, where: str) -> tuple[bytes, ...]:
    """The secrets of windows in a file, the newest first. Raises Problem."""
    return _long_enough(tuple(_private(file, "window_secrets_file").split()), where)


def _long_enough(secrets: tuple[bytes, ...], where: str) -> tuple[bytes, ...]:
    if any(len(secret) < SHORTEST_SECRET for secret in secrets):
        raise CommandProblem(
            f"{where} holds a secret that is too short: give {SHORTEST_SECRET} characters"
        )
    return secrets


def _private(named: str, setting: str, shortest: int = SHORTEST_SECRET) -> bytes:
    """What a file holds that its user alone may read, as UTF-8. Raises Problem."""
    file = Path(named)
    if not file.is_file():
        raise CommandProblem(f"{setting} names no file: check the path")
    try:
        content = secret_file.read(file, shortest, _LARGEST_FILE)
        content.decode()
    except OSError as error:
        raise CommandProblem(f"{file} cannot be read ({error.strerror}): check its owner") from None
    except UnicodeDecodeError:
        raise CommandProblem(f"{file} is not UTF-8: save it as UTF-8") from None
    return content
