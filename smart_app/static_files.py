"""Static files under addresses that change with their content, so that browsers keep them long."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from flask import Flask

_FOLDER = Path(__file__).parent / "static"


def install(app: Flask) -> None:
    app.url_defaults(_with_version)


def _with_version(endpoint: str, values: dict[str, object]) -> None:
    if endpoint == "static" and "filename" in values:
        values.setdefault("v", _version(str(values["filename"])))


@lru_cache(maxsize=256)
def _version(filename: str) -> str | None:
    """A few characters of the file's hash; None, and so left out, where there is no such file."""
    file = (_FOLDER / filename).resolve()
    if not file.is_relative_to(_FOLDER) or not file.is_file():
        return None
    return hashlib.sha256(file.read_bytes()).hexdigest()[:12]
