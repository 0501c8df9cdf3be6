"""What every test may use."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from billing_rules import catalogue as catalogue_module
from billing_rules.catalogue import Catalogue

# How long an example may take says how busy the machine is, not whether the program is right.
hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")


def pytest_configure() -> None:
    """A run in the background of a script has Ctrl-C ignored, and every program it starts would
    inherit that: those that are ended by SIGINT would not end."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The shipped catalogue, read once."""
    return catalogue_module.load()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Any]:
    """Drives Chromium; one for all tests, because a process can have no second."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is: named by CHROMIUM, or under one of its usual names."""
    named = os.environ.get("CHROMIUM")
    found = named or shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium here: install it (Debian: apt install chromium) or set CHROMIUM")
    return found
