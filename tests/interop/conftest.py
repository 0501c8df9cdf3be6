"""Each server once, holding every well-shaped fixture; skipped where it cannot be had."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

import fixtures
from tests.interop.servers import SERVERS, NotHere

_PATIENCE = 300  # seconds


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    base: str


@pytest.fixture(scope="session", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A FHIR server of somebody else's, with the fixtures."""
    started = SERVERS[request.param]()
    try:
        base = started.__enter__()
    except NotHere as why:
        pytest.skip(f"no {request.param}: {why}")
    try:
        _fill(base)
        yield Server(request.param, base)
    finally:
        started.__exit__(None, None, None)


def _fill(base: str) -> None:
    """One transaction, every resource under its own id."""
    entries = [
        {"resource": r, "request": {"method": "PUT", "url": f"{r['resourceType']}/{r['id']}"}}
        for r in fixtures.resources(drafts=True)
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    headers = {"Content-Type": "application/fhir+json"}
    said = requests.post(base, json=bundle, headers=headers, timeout=_PATIENCE)
    assert said.status_code == 200, said.text[:500]
    assert len(said.json()["entry"]) == len(entries)
