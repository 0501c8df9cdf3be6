"""The settings for people to read: docs/settings.md, made from the models."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

from service_parts.setting_fields import REQUIRED, Setting, default_of, settings_of
from vialwise.settings.models import PLACES, TABLES
from vialwise.settings.reading import CONFIG_VARIABLE, toml

HIDDEN = "********"
_WIDTH = 100

_HEAD = f"""\
# Settings of `vialwise serve`

Made by `vialwise settings --markdown`; a test holds that it is up to date.

A setting is taken from the command line, else from the environment, else from the file, else its
default. The file is TOML, named by `--config` or `{CONFIG_VARIABLE}`; there is none by default.
Paths in the file are relative to it. In the environment a list is written with commas.

Everything is checked at start-up, and every problem is named at once with its remedy; a name that
is not a setting is a problem too. `vialwise settings` shows what is in force, secrets masked.

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


_SECTIONS = {"": "The server", "service": "The CDS service", "app": "The SMART app"}


def markdown() -> str:
    """docs/settings.md."""
    parts = [_HEAD]
    for room, title in _SECTIONS.items():
        parts.append(f"## {title}\n")
        places = [place for place in PLACES.values() if place.room == room]
        parts.append(_entries((p.name, p.known, p.default, p.variable) for p in places))
    for name, table in TABLES.items():
        parts.append(f"## In {'an' if name[0] in 'aeiou' else 'a'} [[{name}]] table\n")
        known = settings_of(table).items()
        parts.append(_entries((key, of, default_of(table, key), "") for key, of in known))
    return "\n".join([*parts, _EXAMPLE])


def _entries(rows: Iterable[tuple[str, Setting, Any, str]]) -> str:
    """One entry a setting: its meaning, default, variable and an example."""
    entries = []
    for name, known, default, variable in rows:
        where = " In the environment only:" if known.secret else " Environment:"
        text = f"`{name}`: {known.meaning} Default: {default_text(default)}."
        text += f"{where} `{variable}`." if variable else ""
        entries.append(
            textwrap.fill(
                text,
                _WIDTH,
                initial_indent="- ",
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )
        if known.example is not None:
            entries.append(f"  Example: `{name} = {toml(known.example)}`")
    return "\n".join(entries) + "\n"


def default_text(default: Any) -> str:
    if default is REQUIRED:
        return "none, it must be written"
    return f"`{toml(default)}`" if is_set(default) else "not set"


def is_set(value: Any) -> bool:
    """Whether it says anything: what is "" or empty is not set."""
    return value not in ("", b"", (), frozenset())


def shown(known: Setting, value: Any) -> str:
    """A value for a terminal; of a secret only that it is set."""
    if not is_set(value):
        return "not set"
    return HIDDEN if known.secret else toml(value)
