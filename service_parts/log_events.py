"""What is logged: events of fixed words, and faults without their messages (conformance A10.5)."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

Fields = Mapping[str, Any]


class Event:
    """A log message with fields: `log.info(Event("call", {"status": 200}))`.

    The name and the values are this program's own words; nothing of a request is among them.
    """

    __slots__ = ("fields", "name")

    def __init__(self, name: str, fields: Fields) -> None:
        self.name = name
        self.fields = {key: value for key, value in fields.items() if value not in ("", None)}

    def __str__(self) -> str:
        return " ".join([self.name, *(f"{k}={_words(v)}" for k, v in self.fields.items())])


def fault(error: BaseException) -> str:
    """The kind of an exception and its place in the program; never its message, which could
    repeat chart text."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return type(error).__name__
    place = f"{PurePath(frames[-1].filename).name}:{frames[-1].lineno}"
    return f"{type(error).__name__} at {place}"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{key}:{inner}" for key, inner in value.items())
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value)) or "-"
    text = str(value)
    return f'"{text}"' if " " in text else text
