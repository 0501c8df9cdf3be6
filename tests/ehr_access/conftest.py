"""A fake EHR and a client for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ehr_access.base import FhirBase
from ehr_access.client import EhrClient
from ehr_access.limits import Limits
from ehr_access.server_metadata import Capabilities
from ehr_access.transport import Transport
from tests.practice_ehr import Ehr, declares, practice_ehr


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    """One that declares three types."""
    with practice_ehr() as server:
        declares(server)
        yield server


@pytest.fixture
def client_for(ehr: Ehr) -> Iterator[Callable[..., EhrClient]]:
    transport = Transport()

    def make(limits: Limits | None = None, token: str | None = None) -> EhrClient:
        capabilities = Capabilities(transport, limits)
        base = FhirBase.parse(ehr.url)
        return EhrClient(base, transport, capabilities, token=token, limits=limits)

    yield make
    transport.close()


@pytest.fixture
def client(client_for: Callable[..., EhrClient]) -> EhrClient:
    return client_for()
