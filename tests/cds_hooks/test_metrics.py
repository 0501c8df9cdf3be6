"""What is counted, in a form Prometheus reads, with labels that no request can make."""

from __future__ import annotations

import copy

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

import fixtures
from billing_rules.rules import RULES
from cds_hooks.calls.metrics import Metrics
from cds_hooks.services import SERVICES
from tests.cds_hooks.conftest import SERVICE, Body, Client

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture
def counted(client_with: Client) -> FlaskClient:
    return client_with(metrics=Metrics(), rule_set="1.0+rules")


def samples(client: FlaskClient) -> Samples:
    response = client.get("/metrics")
    assert response.status_code == 200 and response.mimetype == "text/plain"
    families = text_string_to_metric_families(response.get_data(as_text=True))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(client: FlaskClient, name: str, **labels: str) -> float:
    return samples(client).get((f"vialwise_{name}", tuple(sorted(labels.items()))), 0.0)


def test_calls_cards_and_findings(counted: FlaskClient, wrong_code: Body, body: Body) -> None:
    for sent in (wrong_code, wrong_code, body):
        counted.post(SERVICE, json=sent)
    counted.post(SERVICE, json=fixtures.hook_request("amoxicillin"))
    counted.post(SERVICE, data=b"{")
    of = {"service": "vialwise-orders", "hook": "order-sign"}
    assert value(counted, "calls_total", **of, outcome="answered") == 3
    assert value(counted, "calls_total", **of, outcome="not ours") == 1
    assert value(counted, "calls_total", **{**of, "hook": "unread"}, outcome="refused") == 1
    assert value(counted, "requests_total", kind="call", status="200") == 4
    assert value(counted, "findings_total", rule="wrong_code") == 2
    assert value(counted, "call_seconds_count", service="vialwise-orders") == 5
    assert value(counted, "hop_seconds_count", hop="review") == 4
    assert value(counted, "rule_set_info", rule_set="1.0+rules") == 1


def test_labels_are_our_own_words_whatever_is_sent(counted: FlaskClient, body: Body) -> None:
    for hook in ("order-sign", "strange", "x" * 99):
        for service in ("vialwise-orders", "strange", "%0A"):
            sent = {**copy.deepcopy(body), "hook": hook}
            counted.post(f"/cds-services/{service}?strange=1", json=sent)
    counted.open("/strange", method="STRANGE")
    words = {"call", "page", "no such address", "unread", "answered", "refused", "1.0+rules"}
    words |= {"parse", "review", "cards", "store", "ehr", "audit", "info", "warning", "critical"}
    words |= {"billing", "documentation", *SERVICES}
    words |= {hook for service in SERVICES.values() for hook in service.hooks}
    words |= {rule.id for rule in RULES}
    for _, labels in samples(counted):
        for label, said in labels:
            assert label == "le" or said in words or said.isdigit(), (label, said)


def test_probes_and_scrapes_are_not_counted(counted: FlaskClient) -> None:
    for path in ("/healthz", "/readyz", "/metrics"):
        assert counted.get(path).status_code == 200
    assert not [key for key in samples(counted) if key[0] == "vialwise_requests_total"]


def test_two_applications_count_apart(client_with: Client, wrong_code: Body) -> None:
    one, other = (client_with(metrics=Metrics()) for _ in range(2))
    one.post(SERVICE, json=wrong_code)
    assert value(one, "findings_total", rule="wrong_code") == 1
    assert value(other, "findings_total", rule="wrong_code") == 0


def test_a_service_that_counts_nothing_says_so(client: FlaskClient) -> None:
    assert client.get("/metrics").status_code == 404
