"""What the models of settings share: a setting is a field with a description.

Type, default, description, example and bounds of the field are all there is of a setting; reading,
`vialwise settings` and docs/settings.md follow from them. A field without a description is put in
by the program itself and cannot be set. `title` says in words what a value has to be where type and
bounds do not.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

_FILE = "names a file, relative to the file of settings"
FileName = Annotated[str, _FILE]


class SettingsModel(BaseModel):
    """Frozen; errors never repeat what was written, it could be secret."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def settings_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """What can be set of a room or table, by name, in the order it is written down in."""
    return {name: field for name, field in model.model_fields.items() if field.description}


def names_file(field: FieldInfo) -> bool:
    return _FILE in field.metadata


def is_secret(field: FieldInfo) -> bool:
    """Whether it stands in the environment only, and is never shown."""
    return bool(field.description) and not field.repr


def example_of(field: FieldInfo) -> Any:
    """A value as it may be written; None for tables and secrets."""
    if field.examples:
        return field.examples[0]
    return field.default if isinstance(field.default, int | float) else None
