"""Any JSON value in place of any element of a request: 200 or 400, never 500 (issue 2)."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fixtures
from tests.cds_hooks import invariants
from tests.cds_hooks.conftest import SERVICE, Client

Path = tuple[str | int, ...]
REQUESTS = (
    "seed-case",
    "story-payer-denies-jw",
    "order-select-one-of-two",
    "story-reslizumab-per-kg",
    "odd-shapes-together",
    "duplicate-orders",
    "epic-shaped",
)
NASTY: tuple[Any, ...] = (
    None,
    "",
    "x",
    0,
    -1,
    1.5,
    10**30,
    True,
    [],
    {},
    [None],
    [[]],
    {"x": None},
    [{}],
    "J2357",
    "omalizumab",
    "-0",
    "2026-13-45",
    "Patient/1",
    "\u0000\u202e",
    "9" * 400,
)
SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(NASTY)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    SCALARS | FLOATS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def paths(value: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a JSON tree."""
    yield path
    members: Any = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list):
        members = enumerate(value)
    for key, member in members:
        yield from paths(member, (*path, key))


def replaced(value: Any, path: Path, new: Any) -> Any:
    """A copy with `new` at `path`."""
    if not path:
        return new
    changed = copy.copy(value)
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


def check(client: FlaskClient, sent: Any) -> None:
    try:
        data = json.dumps(sent).encode()
    except UnicodeEncodeError:
        return
    response = client.post(SERVICE, data=data)
    # 412: what is left names the drug by a reference alone, and no FHIR server is there to ask.
    assert response.status_code in (200, 400, 412), response.get_data(as_text=True)
    answer = json.loads(response.data)
    if response.status_code == 412:
        assert "reference alone" in answer["issue"][0]["diagnostics"]
    if response.status_code == 200:
        invariants.check(answer, sent)
    else:
        assert answer["resourceType"] == "OperationOutcome"


@pytest.fixture(scope="module")
def talkative(client_with: Client) -> FlaskClient:
    """A client that shows the plan too, so that every order gives a card."""
    return client_with(billing_plan=True)


@pytest.mark.parametrize("name", REQUESTS)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_json_value_anywhere(talkative: FlaskClient, name: str, data: st.DataObject) -> None:
    body = fixtures.hook_request(name)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(paths(body))))
        body = replaced(body, path, data.draw(JSON))
    check(talkative, body)


@pytest.mark.parametrize("value", NASTY, ids=lambda value: json.dumps(value)[:12])
def test_every_element_of_the_drafts_replaced_by_something_nasty(
    talkative: FlaskClient, value: Any
) -> None:
    body = fixtures.hook_request("seed-case")
    body["prefetch"] = {"coverage": body["prefetch"]["coverage"]}
    for path in paths(body):
        check(talkative, replaced(body, path, value))
