"""A setting as a room writes it down: one field of a frozen data class, with all
that is known of it.

    quiet_days: int = setting(30, "Days a finding is not repeated.", within=(0, 3650))

The field is what the room uses; what reads a file of settings, checks it and prints its page takes
type, default, meaning, example and bounds from here. A field without `setting` is put in by the
program itself and cannot be set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

_KEY = "setting"
REQUIRED: Any = MISSING  # as a default: there is none, the setting has to be written


@dataclass(frozen=True, slots=True)
class Setting:
    """`bounds` are those of msgspec.Meta (ge, le, gt, min_length, max_length, pattern). `wanted`
    says in words what a value has to be where type and bounds do not. `path`: it names a file,
    relative to the file of settings. `secret`: it stands in the environment only, and is never
    shown."""

    meaning: str
    example: Any
    bounds: Mapping[str, Any]
    wanted: str = ""
    path: bool = False
    secret: bool = False


def setting(
    default: Any,
    meaning: str,
    example: Any = None,
    *,
    within: tuple[float, float] | None = None,
    wanted: str = "",
    path: bool = False,
    secret: bool = False,
    **bounds: Any,
) -> Any:
    """A field that can be set. Where `example` is left out the default is one; tables and secrets
    have none. `within` are the least and the greatest number."""
    if within:
        bounds |= {"ge": within[0], "le": within[1]}
    if example is None and isinstance(default, int | float):
        example = default
    known = Setting(meaning, example, bounds, wanted, path, secret)
    return field(default=default, metadata={_KEY: known}, repr=not secret)


def settings_of(table: type) -> dict[str, Setting]:
    """What can be set of a room or table, by name, in the order it is written down in."""
    return {f.name: f.metadata[_KEY] for f in fields(table) if _KEY in f.metadata}


def default_of(table: type, name: str) -> Any:
    """Its default; REQUIRED where it has none."""
    return next(f for f in fields(table) if f.name == name).default
