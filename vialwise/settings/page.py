"""The settings for people to read: docs/settings.md, made from the models."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from service_parts.setting_fields import example_of, is_secret, settings_of
from vialwise.settings.models import SECTIONS, TABLES, VARIABLES
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


def markdown() -> str:
    """docs/settings.md."""
    parts = [_HEAD]
    for title, section in SECTIONS.items():
        parts += [f"## {title}\n", _entries(section, VARIABLES)]
    for name, table in TABLES.items():
        title = f"In {'an' if name[0] in 'aeiou' else 'a'} [[{name}]] table"
        parts += [f"## {title}\n", _entries(settings_of(table), {})]
    return "\n".join([*parts, _EXAMPLE])


def _entries(settings: Mapping[str, FieldInfo], variables: Mapping[str, str]) -> str:
    """One entry a setting: its meaning, default, variable and an example."""
    entries = []
    for name, field in settings.items():
        where = " In the environment only:" if is_secret(field) else " Environment:"
        text = f"`{name}`: {field.description} Default: {default_text(field)}."
        text += f"{where} `{variables[name]}`." if name in variables else ""
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
        example = example_of(field)
        if example is not None:
            entries.append(f"  Example: `{name} = {toml(example)}`")
    return "\n".join(entries) + "\n"


def default_text(field: FieldInfo) -> str:
    if field.is_required():
        return "none, it must be written"
    return f"`{toml(field.default)}`" if is_set(field.default) else "not set"


def is_set(value: Any) -> bool:
    """Whether it says anything: what is "" or empty is not set."""
    return value not in ("", b"", (), frozenset())


def shown(field: FieldInfo, value: Any) -> str:
    """A value for a terminal; of a secret only that it is set."""
    if not is_set(value):
        return "not set"
    return HIDDEN if is_secret(field) else toml(value)
