"""Files the user names: read within bounds, told apart, and refused in one line."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from vialwise.problems import Problem

LARGEST = 64 * 1024 * 1024
STDIN = "-"


def read_json(name: str) -> tuple[bytes, dict[str, Any]]:
    """The file's bytes, and the JSON object in them. Raises Problem."""
    content = read_bytes(name)
    shown = "standard input" if name == STDIN else name
    if not content.strip():
        raise Problem(f"{shown} is empty: give a CDS Hooks request or a FHIR resource in JSON")
    try:
        value = json.loads(content)
    except UnicodeDecodeError:
        raise Problem(f"{shown} is not text: give JSON, in UTF-8") from None
    except RecursionError:
        raise Problem(f"{shown} is nested too deeply to be FHIR: check the file") from None
    except ValueError as error:
        place = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise Problem(f"{shown} is not JSON{place}: FHIR in XML must be converted first") from None
    if not isinstance(value, dict):
        raise Problem(f"{shown} holds no JSON object: give a CDS Hooks request or a FHIR resource")
    return content, value


def read_bytes(name: str) -> bytes:
    """The content of a file, or of standard input for "-". Raises Problem."""
    try:
        if name == STDIN:
            content = sys.stdin.buffer.read(LARGEST + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise Problem(f"{name} does not exist: check the path") from None
    except IsADirectoryError:
        raise Problem(f"{name} is a folder: name one JSON file in it") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a path"
        raise Problem(f"{name} cannot be read ({why}): check the path and its rights") from None
    if len(content) > LARGEST:
        raise Problem(f"{name} has more than {LARGEST >> 20} MB: give the order and its chart only")
    return content
