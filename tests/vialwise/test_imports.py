"""A check of a file loads what it needs and no more: the shell waits for every import."""

from __future__ import annotations

import subprocess
import sys

from fixtures import path

PROGRAM = """
import sys
from vialwise.cli import cli
cli(["check", sys.argv[1]], standalone_mode=False)
print(" ".join(sys.modules), file=sys.stderr)
"""
NOT_NEEDED = {
    "flask": "the web application is cds_hooks.app; nothing that reads a request may import it",
    "werkzeug": "the web application is cds_hooks.app; nothing that reads a request may import it",
    "sqlalchemy": "nothing is kept by a check",
    "requests": "a file needs no network; only vialwise.checking.fhir_server asks a server",
    "cryptography": "nothing is signed or sealed by a check",
    "pydantic": "only --strict needs the models of fhir.resources",
    "gunicorn": "nothing is served by a check",
    "vialwise.settings.models": "a check has no settings",
    "cds_hooks.app": "ask for create_app only where the service is started",
    "smart_app": "the app has no part in a check",
    "importlib.metadata": "only --version needs it",
}


def test_a_check_of_a_file_loads_neither_web_nor_database_nor_settings() -> None:
    file = str(path("story-225-mg-two-vials"))
    command = [sys.executable, "-c", PROGRAM, file]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "J2357" in result.stdout, result.stderr
    loaded = set(result.stderr.split())
    for module, remedy in NOT_NEEDED.items():
        assert module not in loaded, f"check loads {module}: {remedy}"
