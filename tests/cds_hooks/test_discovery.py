"""GET /cds-services: conformance A2."""

from __future__ import annotations

import json
import re

import pytest
from flask.testing import FlaskClient

from billing_rules.rules import RULES, rules_reading
from billing_rules.rules.rule import HOOKS
from cds_hooks.answers import ANSWERS
from cds_hooks.request.hook_request import READERS
from cds_hooks.services import SERVICES, Service
from tests.cds_hooks.conftest import Client
from tests.cds_hooks.invariants import nothing_empty

SEMVER = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")


def test_a2_1_discovery_stands_exactly_at_cds_services(client: FlaskClient) -> None:
    assert client.get("/cds-services").status_code == 200
    for other in ("/cds-services/", "/x//cds-services", "/.well-known/cds-services"):
        response = client.get(other)
        assert response.status_code in (404, 405), f"A2.1: {other} answers {response.status_code}"
        assert "Location" not in response.headers


def test_a2_3_every_service_has_its_required_strings(client: FlaskClient) -> None:
    services = client.get("/cds-services").get_json()["services"]
    assert services
    for service in services:
        for key in ("hook", "id", "title", "description", "usageRequirements"):
            assert isinstance(service[key], str) and service[key].strip(), f"A2.3: {key}"
        assert re.fullmatch(r"[a-z0-9-]+", service["id"])
        assert all(isinstance(v, str) for v in service["prefetch"].values())


def test_a2_4_version_is_the_specifications_and_each_hook_has_its_own(client: FlaskClient) -> None:
    for service in client.get("/cds-services").get_json()["services"]:
        assert service["version"] == "2.0.1" and SEMVER.fullmatch(service["version"])
        assert service["hookVersion"] == ("1.1" if service["hook"] == "order-dispatch" else "1.0")


def test_a2_5_one_id_for_order_select_and_order_sign_replaces_stale_cards(
    client: FlaskClient,
) -> None:
    services = client.get("/cds-services").get_json()["services"]
    assert {(s["id"], s["hook"]) for s in services} == {
        ("vialwise-orders", "order-select"),
        ("vialwise-orders", "order-sign"),
        ("vialwise-dispatch", "order-dispatch"),
        ("vialwise-given", "patient-view"),
        ("vialwise-given", "encounter-discharge"),
        ("vialwise-appointment", "appointment-book"),
    }


def test_a_client_that_keeps_one_hook_of_an_id_keeps_the_one_that_matters(
    client: FlaskClient,
) -> None:
    """The public CDS Hooks Sandbox keeps the last it is told (docs/try-it.md)."""
    services = client.get("/cds-services").get_json()["services"]
    kept = {s["id"]: s["hook"] for s in services}
    assert kept["vialwise-orders"] == "order-sign" and kept["vialwise-given"] == "patient-view"


def test_every_listed_hook_has_its_own_context_and_answer() -> None:
    assert set(ANSWERS) == set(SERVICES)
    hooks = {hook for service in SERVICES.values() for hook in service.hooks}
    assert hooks == set(READERS) == set(HOOKS)


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.id)
def test_a_rule_speaks_at_all_hooks_of_a_service_or_at_none(service: Service) -> None:
    """An EHR that answers a later hook of a service replaces the cards of the earlier one."""
    at_some = {rule.id for rule in RULES if set(rule.hooks) & set(service.hooks)}
    assert at_some == service.rules


@pytest.mark.parametrize("service", SERVICES.values(), ids=lambda service: service.id)
def test_a4_13_every_prefetch_key_feeds_a_rule_of_its_service(service: Service) -> None:
    """Minimum necessary. The medications of a booking are its orders too."""
    for need in service.needs:
        assert need.always or set(rules_reading(need.key)) & service.rules, need.key
    if "order-dispatch" in service.hooks:
        assert not any("encounterId" in need.template for need in service.needs)


def test_a2_6_discovery_needs_no_token_even_when_services_do(client_with: Client) -> None:
    assert client_with(open=False).get("/cds-services").status_code == 200


def test_a2_7_discovery_is_the_same_for_everyone_and_cacheable(client: FlaskClient) -> None:
    first = client.get("/cds-services")
    assert first.headers["Cache-Control"] == "public, max-age=3600"
    again = client.get("/cds-services", headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and not again.data
    assert client.get("/cds-services?patient=1").data == first.data


def test_a1_2_discovery_holds_nothing_empty(client: FlaskClient) -> None:
    response = client.get("/cds-services")
    assert response.content_type == "application/json"
    nothing_empty(json.loads(response.data), allowed=())


@pytest.mark.parametrize("method", ["post", "put", "delete"])
def test_discovery_answers_get_only(client: FlaskClient, method: str) -> None:
    assert getattr(client, method)("/cds-services").status_code == 405
