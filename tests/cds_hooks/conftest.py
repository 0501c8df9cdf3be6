"""The service as a test client, and requests to send it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from billing_rules.catalogue import Catalogue
from cds_hooks import Settings, create_app
from cds_hooks.record.store import Store, temporary
from tests.databases import KEYS, database_url, postgresql, store_at  # noqa: F401 - fixtures

TODAY = date(2026, 11, 23)
# A card says the minute it was made in; two answers are compared, and a minute may end between.
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BASE = "https://cds.example"
SERVICE = "/cds-services/vialwise-orders"

Body = dict[str, Any]
Client = Callable[..., FlaskClient]


@pytest.fixture(scope="session")
def client_with(catalogue: Catalogue) -> Client:
    """A client of the service with any settings changed: `client_with(open=False)`."""

    def client(store: Store | None = None, metrics: Any = None, **changes: Any) -> FlaskClient:
        settings = {
            "public_url": BASE,
            "today": lambda: TODAY,
            "clock": lambda: NOON,
            "open": True,
        }
        told = Settings(**{**settings, **changes})
        return create_app(catalogue, told, store or temporary(KEYS), metrics).test_client()

    return client


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store of its own, in a SQLite file."""
    with store_at(f"sqlite:///{tmp_path}/store.sqlite") as made:
        yield made


@pytest.fixture(scope="session")
def client(client_with: Client) -> FlaskClient:
    """A client of the open service."""
    return client_with()


@pytest.fixture
def body() -> Body:
    """A clean order-sign request: 300 mg, one syringe, Medicare, chart complete."""
    return fixtures.hook_request("fhir-authorization-null")


@pytest.fixture
def wrong_code() -> Body:
    """An order-sign request whose omalizumab order carries tezepelumab's code."""
    return fixtures.hook_request("story-j2356-on-omalizumab")


def cards_of(client: FlaskClient, body: Body | bytes) -> list[dict[str, Any]]:
    """The cards of an answer that must be a success."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = client.post(SERVICE, data=sent, content_type="application/json")
    assert response.status_code == 200, response.get_data(as_text=True)
    return json.loads(response.data)["cards"]


def billing(cards: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The billing cards among `cards`."""
    return [card for card in cards if card["source"]["topic"]["code"] == "claim"]


def draft(body: Body, place: int = 0) -> dict[str, Any]:
    """A draft resource in a request body."""
    return body["context"]["draftOrders"]["entry"][place]["resource"]


def with_draft(body: Body, resource: dict[str, Any]) -> Body:
    """The request with one more draft."""
    changed = copy.deepcopy(body)
    changed["context"]["draftOrders"]["entry"].append({"resource": resource})
    return changed
