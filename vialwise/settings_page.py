"""The settings for people to read: docs/settings.md, made from vialwise/settings.py."""

from __future__ import annotations

import textwrap
from typing import Any

import msgspec

from vialwise import settings
from vialwise.settings import ClientTable, EhrTable, LinkTable, QuietTable, ServeSettings, Table
from vialwise.settings_reading import CONFIG_VARIABLE, toml

HIDDEN = "********"
_WIDTH = 100

_HEAD = f"""\
# Settings of `vialwise serve`

Made by `vialwise settings --markdown`; a test holds that it is up to date.

A setting is taken from the command line, else from the environment, else from the file, else its
default. The file is TOML, named by `--config` or `{CONFIG_VARIABLE}`; there is none by default.
Paths in the file are relative to it. In the environment a list is written with commas.

Everything is checked at start-up, every problem is told at once with its remedy, and a name that is
no setting is a problem too. `vialwise settings` shows what is in force, secrets masked.

`--open` answers everyone; it is an option only and refuses to start with registered clients or with
a `public_url` that is not of this machine.
"""

_EXAMPLE = """\
## Example

```toml
public_url = "https://cds.clinic.example"
timezone = "America/New_York"
site = "clinic.yaml"
app_keys_file = "app-keys.json"

[[clients]]
iss = "https://ehr.example/r4"
jku = "https://ehr.example/jwks.json"
fhir_base = "https://ehr.example/r4"

[[clients]]
iss = "https://cds-hooks.vendor.example"
tenant = "clinic-7"
jwks_file = "vendor-jwks.json"
algorithms = ["RS384"]
audiences = ["vialwise"]

[[links]]
label = "How we bill biologics"
url = "https://clinic.example/billing"

[[quiet]]
rule = "dose_interval"
shadow = true

[[quiet]]
client = "https://ehr.example/r4"
days = ["fri", "sat"]
start = "22:00"
end = "06:30"

[[ehrs]]
id = "main-hospital"
name = "Main Hospital"
fhir_base = "https://ehr.example/r4"
client_id = "5d1c0b1e-vialwise"
client = "private_key_jwt"
algorithm = "ES384"
frame_ancestors = ["https://ehr.example"]
```

A [[quiet]] table names what is quiet (a rule, a client, a tenant, any of them or none for all) and
when: `shadow = true` for always, or hours. What is quiet is evaluated and kept, and not shown; the
page /feedback and the metrics count it apart.

Give `jku` or `jwks_file`, not both. Keys from `jku` are kept as long as the answer's Cache-Control
says, one minute to one hour; a key id that is not known makes them be fetched again, once a minute
at most. `calls_per_minute` counts in each worker process; one more is answered 429 with
Retry-After. It bounds clients that prove who they are: limit strangers in front of the service.

The app answers under `/app` of the public address; docs/smart-app.md says what to register.

The public CDS Hooks Sandbox is refused unless `development` is set: its private key is public.
"""


def markdown() -> str:
    """docs/settings.md."""
    parts = [
        _HEAD,
        "## All settings\n",
        _rows(ServeSettings),
        "## In a [[clients]] table\n",
        _rows(ClientTable),
        "## In a [[links]] table\n",
        _rows(LinkTable),
        "## In a [[quiet]] table\n",
        _rows(QuietTable),
        "## In an [[ehrs]] table\n",
        _rows(EhrTable),
        _EXAMPLE,
    ]
    return "\n".join(parts)


def _rows(table: Table) -> str:
    """One entry a setting: its meaning, default, variable and an example."""
    entries = []
    for name in settings.names(table):
        meaning = settings.meta(table, name).description
        text = f"`{name}`: {meaning} Default: {default_text(table, name)}.{_where(table, name)}"
        entries.append(_wrapped(text))
        example = example_of(table, name)
        if example:
            entries.append(f"  Example: `{example}`")
    return "\n".join(entries) + "\n"


def _wrapped(text: str) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent="- ",
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _where(table: Table, name: str) -> str:
    if table is not ServeSettings:
        return ""
    if name in settings.ENVIRONMENT_ONLY:
        return f" In the environment only: `{settings.variable(name)}`."
    return f" Environment: `{settings.variable(name)}`." if settings.in_environment(name) else ""


def default_text(table: Table, name: str) -> str:
    value = settings.default(table, name)
    if value is msgspec.NODEFAULT:
        return "none, it must be given"
    return "not set" if value in ("", ()) else f"`{toml(value)}`"


def example_of(table: Table, name: str) -> str:
    examples = settings.meta(table, name).examples
    return f"{name} = {toml(examples[0])}" if examples else ""


def shown(name: str, value: Any) -> str:
    """A value for a terminal; of a secret only that it is set."""
    if value in ("", ()):
        return "not set"
    if name in settings.SECRET:
        return HIDDEN
    return toml(value)
