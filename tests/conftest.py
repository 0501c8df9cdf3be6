"""What every test may use."""

from __future__ import annotations

import pytest

from billing_rules import catalogue as catalogue_module
from billing_rules.catalogue import Catalogue


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The shipped catalogue, read once."""
    return catalogue_module.load()
