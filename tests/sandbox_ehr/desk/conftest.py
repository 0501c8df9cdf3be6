"""One practice EHR and one CDS service for all tests of the desk's pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from billing_rules.catalogue import Catalogue
from tests.practice import Pair, running_pair


@pytest.fixture(scope="session")
def running(catalogue: Catalogue, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_pair(catalogue, tmp_path_factory.mktemp("pair")) as pair:
        yield pair


@pytest.fixture
def pair(running: Pair) -> Iterator[Pair]:
    """With its charts as in the beginning, and its own CDS service afterwards."""
    services = running.desk.services
    running.app.test_client().post("/reset")
    yield running
    running.with_services(*services)
