"""The settings of the server, around those of the CDS service and of the app."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from cds_hooks import settings as cds_hooks
from cds_hooks.quiet import Quiet
from cds_hooks.settings import Link
from cds_hooks.trusted_clients import Client
from service_parts.setting_fields import Setting, default_of, setting, settings_of
from smart_app import settings as smart_app
from smart_app.settings import RegisteredEhr

APP = "/app"  # where the app is, below the service
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8417


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """The settings of `vialwise serve`. What is "" or empty is not set. `service` and `app` are
    those of the rooms; in a file and in the environment all stand side by side."""

    host: str = setting(DEFAULT_HOST, "The address to listen on.", "0.0.0.0", min_length=1)
    port: int = setting(DEFAULT_PORT, "Port to listen on; 0 takes a free one.", within=(0, 65535))
    trusted_proxies: int = setting(
        0,
        "How many proxies of your own stand in front, one behind another. Only they are believed "
        "who called and whether over TLS (X-Forwarded-For and -Proto, as many entries from the "
        "end); with 0 nobody is.",
        1,
        within=(0, 10),
    )
    site: str = setting(
        "", "The clinic's own file: stock, prices, values of its own.", "clinic.yaml", path=True
    )
    timezone: str = setting("", "The clinic's. Otherwise this machine's.", "America/New_York")
    database: str = setting(
        "",
        "Where calls, cards and feedback are kept: a file for SQLite, or a postgresql:// address. "
        "Otherwise a file of this user.",
        "postgresql://vialwise@db.example/vialwise",
        path=True,
    )
    record_secret_file: str = setting(
        "",
        "A file with the secret of the record's hashes, 32 characters or more, that its user "
        "alone may read. With SQLite one is made beside the database.",
        "/etc/vialwise/record-secret",
        path=True,
    )
    record_secret: bytes = setting(
        b"", "The same secret itself, for where there are no files.", secret=True
    )
    keep_days: int = setting(
        0,
        "Days that cards and their feedback are kept; older ones are deleted once a day. 0 keeps "
        "them for good.",
        400,
        within=(0, 36_500),
    )
    keep_audit_days: int = setting(
        0, "Days that the audit of calls is kept; 0 keeps it for good.", 2200, within=(0, 36_500)
    )
    service: cds_hooks.Settings = field(default_factory=cds_hooks.Settings)
    app: smart_app.Settings = field(default_factory=smart_app.Settings)


# Where settings stand, by the name of the member of ServeSettings; "" is ServeSettings itself.
ROOMS: dict[str, type] = {
    "": ServeSettings,
    "service": cds_hooks.Settings,
    "app": smart_app.Settings,
}
# The settings that are lists of tables.
TABLES: dict[str, type] = {
    "clients": Client,
    "links": Link,
    "quiet": Quiet,
    "ehrs": RegisteredEhr,
}


@dataclass(frozen=True, slots=True)
class Place:
    """A setting of the file, and where its value is."""

    name: str
    room: str
    known: Setting

    @property
    def table(self) -> type:
        return ROOMS[self.room]

    @property
    def default(self) -> Any:
        return default_of(self.table, self.name)

    @property
    def variable(self) -> str:
        """Its name in the environment; "" where it can only stand in the file."""
        return "" if self.name in TABLES else f"VIALWISE_{self.name.upper()}"

    def value(self, settings: ServeSettings) -> Any:
        return getattr(getattr(settings, self.room) if self.room else settings, self.name)


def _places() -> Iterator[Place]:
    for room, table in ROOMS.items():
        for name, known in settings_of(table).items():
            yield Place(name, room, known)


PLACES: dict[str, Place] = {place.name: place for place in _places()}
