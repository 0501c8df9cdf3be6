"""The settings of `vialwise serve`: those of the server, of the CDS service and of the app, side by
side as in the file and in the environment."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field, StrictInt
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from cds_hooks.settings import CardLink, Client, Quiet, ServiceOptions
from service_parts.setting_fields import FileName, settings_of
from smart_app.settings import AppOptions, RegisteredEhr

APP = "/app"  # where the app is, below the service
DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8417
PREFIX = "VIALWISE_"


class ServeSettings(ServiceOptions, AppOptions, BaseSettings):
    """The settings of `vialwise serve`. What is "" or empty is not set. reading.py takes them from
    command line, environment and file."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True)

    host: str = Field(
        DEFAULT_HOST, description="The address to listen on.", examples=["0.0.0.0"], min_length=1
    )
    port: StrictInt = Field(
        DEFAULT_PORT, description="Port to listen on; 0 takes a free one.", ge=0, le=65535
    )
    trusted_proxies: StrictInt = Field(
        0,
        description="How many proxies of your own stand in front, one behind another. Only they "
        "are believed who called and whether over TLS (X-Forwarded-For and -Proto, as many entries "
        "from the end); with 0 nobody is.",
        examples=[1],
        ge=0,
        le=10,
    )
    site: FileName = Field(
        "",
        description="The clinic's own file: stock, prices, values of its own.",
        examples=["clinic.yaml"],
    )
    timezone: str = Field(
        "", description="The clinic's. Otherwise this machine's.", examples=["America/New_York"]
    )
    database: FileName = Field(
        "",
        description="Where calls, cards and feedback are kept: a file for SQLite, or a "
        "postgresql:// address. Otherwise a file of this user.",
        examples=["postgresql://vialwise@db.example/vialwise"],
    )
    record_secret_file: FileName = Field(
        "",
        description="A file with the secret of the record's hashes, 32 characters or more, that "
        "its user alone may read. With SQLite one is made beside the database.",
        examples=["/etc/vialwise/record-secret"],
    )
    record_secret: bytes = Field(
        b"", description="The same secret itself, for where there are no files.", repr=False
    )
    keep_days: StrictInt = Field(
        0,
        description="Days that cards and their feedback are kept; older ones are deleted once a "
        "day. 0 keeps them for good.",
        examples=[400],
        ge=0,
        le=36_500,
    )
    keep_audit_days: StrictInt = Field(
        0,
        description="Days that the audit of calls is kept; 0 keeps it for good.",
        examples=[2200],
        ge=0,
        le=36_500,
    )

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: Any, init_settings: Any, *others: Any, **more: Any
    ) -> Any:
        """What is made in a program, as the demo does, is what it says and nothing else."""
        return (init_settings,)

    def of(self, room: type[BaseModel]) -> dict[str, Any]:
        """Those of one room, by name."""
        return {name: getattr(self, name) for name in room.model_fields}


def _sections() -> dict[str, dict[str, FieldInfo]]:
    service, app = settings_of(ServiceOptions), settings_of(AppOptions)
    server = {
        name: field
        for name, field in settings_of(ServeSettings).items()
        if name not in service and name not in app
    }
    return {"The server": server, "The CDS service": service, "The SMART app": app}


SECTIONS = _sections()
SETTINGS = {name: field for section in SECTIONS.values() for name, field in section.items()}
# The settings that are lists of tables; they can stand in the file only.
TABLES: dict[str, type[BaseModel]] = {
    "clients": Client,
    "links": CardLink,
    "quiet": Quiet,
    "ehrs": RegisteredEhr,
}
VARIABLES = {name: f"{PREFIX}{name.upper()}" for name in SETTINGS if name not in TABLES}
