"""Checklist A10.5: nothing of a chart reaches the log, the database, the metrics or an error.

Every hook request of the fixtures goes through every way a call can end, with canaries for all
that is a person's (canaries.py).
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

import fixtures
from billing_rules import review
from billing_rules.rules import RULES
from cds_hooks.calls import call_log
from cds_hooks.calls.metrics import Metrics
from cds_hooks.cards import writing
from cds_hooks.record.store import Store, call_audit, card_shown
from cds_hooks.recording import JsonLines
from cds_hooks.services import SERVICES
from tests.cds_hooks.canaries import CANARY, HEADERS, QUERY, leaks, planted
from tests.cds_hooks.conftest import Client
from tests.cds_hooks.test_appointment import booking
from tests.cds_hooks.test_dispatch import dispatch
from tests.cds_hooks.test_given import NOT_CHARTED, view
from tests.databases import rows

REQUESTS = {name: planted(fixtures.hook_request(name)) for name in fixtures.names("hook_requests")}
CALL_FIELDS = {
    "time",
    "level",
    "event",
    "service",
    "hook",
    "hook_instance",
    "client",
    "status",
    "outcome",
    "cards",
    "rules",
    "bytes",
    "ms",
    "pid",
}


@dataclass
class Watched:
    """A service with everything it writes: its log as shipped, its database file, its metrics."""

    client: FlaskClient
    metrics: Metrics
    directory: Path
    log: io.StringIO
    answers: list[TestResponse] = field(default_factory=list)

    def post(self, body: Any, service: str = "", **extra: Any) -> TestResponse:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        service = service or service_of(body)
        path = f"/cds-services/{service}{QUERY}"
        headers = {**HEADERS, **extra}
        answer = self.client.post(path, data=sent, headers=headers, content_type="application/json")
        self.answers.append(answer)
        return answer

    def lines(self, event: str = "call") -> list[dict[str, Any]]:
        read = map(json.loads, self.log.getvalue().splitlines())
        return [line for line in read if line["event"] == event]

    def check(self, *statuses: int) -> None:
        """That it ended as meant, and that nothing leaked."""
        assert {answer.status_code for answer in self.answers} == set(statuses)
        assert leaks(self.log.getvalue()) == []
        assert leaks(self.metrics.text()) == []
        for file in self.directory.iterdir():
            assert leaks(file.read_bytes()) == [], file.name
        for answer in self.answers:
            assert leaks(str(answer.headers)) == []
            if answer.status_code >= 400:
                assert leaks(answer.data) == []


def service_of(body: Any) -> str:
    hook = body.get("hook") if isinstance(body, dict) else ""
    return next((id_ for id_, s in SERVICES.items() if hook in s.hooks), "vialwise-orders")


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any package logs, at every level, as `serve` would write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


Make = Callable[..., Watched]


@pytest.fixture
def watched(client_with: Client, store: Store, tmp_path: Path, log: io.StringIO) -> Make:
    """A watched service with any settings changed."""

    def make(**changes: Any) -> Watched:
        metrics = Metrics()
        client = client_with(store, metrics=metrics, **{"fetch_seconds": 0.3, **changes})
        return Watched(client, metrics, tmp_path, log)

    return make


# ---------------------------------------------------------------- ways a call can end


def test_answers(watched: Make, tmp_path: Path) -> None:
    service = watched()
    for body in REQUESTS.values():
        service.post(body)
    service.check(200)
    said = b"".join(answer.data for answer in service.answers)
    assert CANARY.encode() in said, "the chart did get as far as the cards"
    url = f"sqlite:///{tmp_path}/store.sqlite"
    lines = service.lines()
    assert len(lines) == len(REQUESTS)
    assert sum(line["cards"] for line in lines) == len(rows(url, card_shown)) > 20
    assert len(rows(url, call_audit)) == sum(line["outcome"] != call_log.NOT_OURS for line in lines)


def test_the_log_line_of_a_call_holds_these_words_only(watched: Make) -> None:
    service = watched()
    for body in REQUESTS.values():
        service.post(body)
    rules = {rule.id for rule in RULES}
    for line in service.lines():
        assert set(line) <= CALL_FIELDS
        assert line["service"] in SERVICES and line["hook"] in SERVICES[line["service"]].hooks
        assert line["client"] == call_log.OPEN and set(line["rules"]) <= rules
        assert call_log.UUID.fullmatch(line["hook_instance"])
        assert set(line["ms"]) <= {"total", "parse", "review", "ehr", "cards", "store", "audit"}


def test_a_hook_instance_that_is_no_uuid_is_not_repeated(watched: Make) -> None:
    service = watched()
    service.post({**REQUESTS["seed-case"], "hookInstance": "zqzqinstance"})
    service.check(200)
    assert "hook_instance" not in service.lines()[0]


def test_malformed_requests(watched: Make) -> None:
    service = watched()
    for body in REQUESTS.values():
        whole = json.dumps(body).encode()
        for broken in (
            whole[: len(whole) // 2],
            {**body, "hook": "zqzqhook"},
            {**body, "hookInstance": {"zqzq": "zqzq"}},
            {**body, "context": {**body["context"], "patientId": ["zqzq"]}},
            {**body, "context": {**body["context"], "draftOrders": "zqzqdrafts"}},
            {**body, "prefetch": "zqzqprefetch"},
            {**body, "fhirAuthorization": "zqzqtoken"},
            [whole.decode()],
        ):
            service.post(broken, service=service_of(body))
    service.check(400)


def test_strangers(watched: Make) -> None:
    service = watched(open=False)
    for body in REQUESTS.values():
        service.post(body)
    service.post(REQUESTS["seed-case"], Authorization="zqzqscheme zqzq")
    service.check(401)
    assert all("hook" not in line and line["outcome"] == "refused" for line in service.lines())


def test_wrong_addresses(watched: Make) -> None:
    service = watched()
    for body in REQUESTS.values():
        service.post(body, service="zqzqservice")
        service.post(body, service="vialwise-orders/zqzqpatient")
    service.answers.append(service.client.get(f"/Patient/zqzqpatient{QUERY}"))
    service.check(404)
    service.answers = [service.client.put("/cds-services/vialwise-orders", data=b"zqzq")]
    service.check(405)


def test_bodies_that_are_too_large(watched: Make) -> None:
    service = watched(max_body_bytes=65_536)
    for body in REQUESTS.values():
        service.post({**body, "extension": {"padding": " " * 65_536}})
    service.check(413)


def test_another_patients_data(watched: Make) -> None:
    service = watched()
    for body in REQUESTS.values():
        patient = {"resourceType": "Patient", "id": "zqzqsomebody", "birthDate": "1931-02-27"}
        service.post({**body, "prefetch": {**(body.get("prefetch") or {}), "patient": patient}})
    service.check(200)
    refused = [line for line in service.lines() if line["outcome"] == call_log.ANOTHER_PATIENT]
    assert len(refused) > 20 and all(line["cards"] == 0 for line in refused)


def test_rules_that_fail(watched: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(case: Any) -> Any:
        raise ValueError(f"zqzqrule {case}")

    rules = (*RULES[:5], replace(RULES[5], check=fails))
    monkeypatch.setattr(review, "RULES", rules)
    service = watched()
    for body in REQUESTS.values():
        service.post(body)
    service.check(200)
    assert "ValueError at test_canaries.py" in service.log.getvalue()


def test_crashes(watched: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*everything: Any, **more: Any) -> Any:
        log = logging.getLogger("somebody.elses")
        try:
            raise ValueError("zqzqcause")
        except ValueError as error:
            log.exception("zqzq")
            log.error("failed for %s", everything)
            raise RuntimeError(f"zqzqcrash {everything}") from error

    monkeypatch.setattr(writing, "written", fails)
    service = watched()
    for body in REQUESTS.values():
        service.post(body)
    service.check(200, 500)
    kept = rows(f"sqlite:///{tmp_path}/store.sqlite", call_audit)
    failed = [row for row in kept if row["status"] == 500]
    assert len(failed) > 20
    assert all(row["outcome"] == "failed" and not row["cards"] for row in failed)


def test_a_database_that_is_away(
    watched: Make, tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = watched()
    (tmp_path / "store.sqlite").rename(tmp_path / "away")
    for body in REQUESTS.values():
        service.post(body)
    service.check(200)
    assert "call not audited" in service.log.getvalue()
    assert b'vialwise_database_failures_total{what="call audited"}' in service.metrics.text()


def test_the_other_services(watched: Make) -> None:
    service = watched(today=lambda: NOT_CHARTED)
    service.post(planted(view()))
    service.post(planted(view("encounter-discharge")))
    service.post(planted(booking()))
    service.check(200)
    assert all(line["cards"] for line in service.lines())


def test_what_cannot_be_had(watched: Make) -> None:
    service = watched()
    failed = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "zqzqdiagnostics"}]}
    for body in (
        dispatch("MedicationRequest/zqzqorder"),
        view(prefetched=False),
        {**view(), "prefetch": {"administrations": failed}},
    ):
        service.post(planted(body))
    service.check(412)
    assert all(line["ms"]["review"] > 0 for line in service.lines())
    assert any("ehr" in line["ms"] for line in service.lines())


def test_feedback(watched: Make) -> None:
    service = watched()
    for body in REQUESTS.values():
        for card in service.post(body).json["cards"]:
            entry = {
                "card": card["uuid"],
                "outcome": "overridden",
                "outcomeTimestamp": "2026-11-23T12:00:00Z",
                "overrideReason": {"reason": {"code": "other"}, "userComment": "zqzqcomment"},
            }
            said = {"feedback": [{**entry, "userId": "zqzquser"}, {**entry, "card": "zqzqcard"}]}
            service.post({"feedback": said["feedback"][:1]}, "vialwise-orders/feedback")
            service.post(said, "vialwise-orders/feedback")
    service.check(200, 400)
    assert {line["status"] for line in service.lines("feedback")} == {200, 400}


def test_the_canaries_are_found_where_there_are_any(watched: Make) -> None:
    """The test itself is tested: a line with a canary is a leak."""
    service = watched()
    logging.getLogger("cds_hooks").info("patient %s", "zqzq1")
    with pytest.raises(AssertionError):
        service.check()
