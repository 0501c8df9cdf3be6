"""Authentication as an EHR meets it (conformance A9). Refused is 401 and not a word why."""

from __future__ import annotations

import json
import logging
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import fixtures
from billing_rules import catalogue as catalogues
from cds_hooks import Settings, create_app
from cds_hooks.auth import client_auth
from cds_hooks.record.store import card_shown, client_tokens_seen, temporary
from cds_hooks.settings import Client, FhirTrust
from tests.cds_hooks.conftest import BASE, SERVICE, TODAY, Body
from tests.cds_hooks.conftest import Client as ClientWith
from tests.cds_hooks.hostile_tokens import HOSTILE, Hostile
from tests.cds_hooks.tokens import (
    EC,
    ISS,
    RSA,
    SERVICE_URL,
    TENANT,
    claims,
    key_server,
    registered,
    signed,
)
from tests.databases import KEYS, rows, store_at

FEEDBACK = f"{SERVICE}/feedback"
ONE_ENTRY = {
    "feedback": [
        {
            "card": "5e0d0c4c-6b8c-4b6e-9d0e-6a6f2b1c0d3e",
            "outcome": "accepted",
            "outcomeTimestamp": "2026-11-23T12:00:00Z",
        }
    ]
}


@pytest.fixture(scope="module")
def trusting(
    client_with: ClientWith, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FlaskClient]:
    """The service with one registered EHR and a store."""
    file = tmp_path_factory.mktemp("auth") / "store.sqlite"
    with store_at(f"sqlite:///{file}") as store:
        yield client_with(store=store, open=False, clients=(registered(),))


@pytest.fixture(autouse=True)
def all_log_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


def post(client: FlaskClient, token: str, body: Any = None, path: str = SERVICE) -> Any:
    headers = {"Authorization": token} if token else {}
    sent = fixtures.hook_request("fhir-authorization-null") if body is None else body
    return client.post(path, json=sent, headers=headers)


# ---------------------------------------------------------------- in, or out


@pytest.mark.parametrize("by", [EC, RSA])
def test_a9_1_a_registered_client_gets_its_cards(
    trusting: FlaskClient, wrong_code: Body, by: str
) -> None:
    answer = post(trusting, signed(by=by), wrong_code)
    assert answer.status_code == 200
    assert answer.json["cards"]


@pytest.mark.parametrize("row", HOSTILE, ids=lambda row: row.tries)
def test_a9_1_a_hostile_token_gets_401_and_only_our_log_says_why(
    trusting: FlaskClient, row: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    token = row.sends()
    answer = post(trusting, token.encode("latin-1", "replace").decode("latin-1"))
    refused = trusting.post(SERVICE, data=b"")
    assert answer.status_code == refused.status_code == 401
    assert answer.data == refused.data, "every refusal is the same"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json == {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "login"}],
    }
    assert f"check={row.check}" in caplog.text
    for part in token.removeprefix("Bearer ").split("."):
        assert len(part) < 20 or part not in caplog.text


def test_a9_1_two_authorization_headers_are_none(trusting: FlaskClient) -> None:
    headers = [("Authorization", signed()), ("Authorization", signed())]
    assert trusting.post(SERVICE, json={}, headers=headers).status_code == 401


def test_a9_1_a_stranger_learns_nothing_of_what_there_is(trusting: FlaskClient) -> None:
    there, absent = (trusting.post(f"/cds-services/{id_}") for id_ in ("vialwise-orders", "none"))
    assert (there.status_code, there.data) == (absent.status_code, absent.data)
    assert there.status_code == 401


def test_a9_1_the_log_names_who_was_refused_but_never_free_text(
    trusting: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    post(trusting, signed(claims(jti="7f3a-1", aud="x")))
    assert f"iss={ISS} tenant={TENANT} jti=7f3a-1" in caplog.text
    caplog.clear()
    post(trusting, signed(claims(jti="Jane Doe\nrefused", aud="x")))
    assert "Jane" not in caplog.text and "check=audience" in caplog.text
    caplog.clear()
    post(trusting, signed(claims(iss="https://canary.example", jti="canary")))
    assert "canary" not in caplog.text and "check=issuer" in caplog.text


def test_discovery_and_preflight_need_no_token(client_with: ClientWith, store: Any) -> None:
    origin = "https://ehr.example"
    client = client_with(
        store=store, open=False, clients=(registered(),), cors_origins=frozenset({origin})
    )
    assert client.get("/cds-services").status_code == 200
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    assert client.options(SERVICE, headers=headers).status_code == 204
    refused = client.post(SERVICE, headers={"Origin": origin})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == origin
    assert refused.headers["Cache-Control"] == "no-store"


def test_without_a_registered_client_everyone_is_refused(client_with: ClientWith) -> None:
    assert post(client_with(open=False), signed()).status_code == 401


# ---------------------------------------------------------------- for what, and whose


@pytest.mark.parametrize("aud", [SERVICE_URL, SERVICE_URL + "/feedback", [SERVICE_URL]])
def test_a9_5_feedback_takes_its_own_address_or_the_services(
    trusting: FlaskClient, aud: object
) -> None:
    answer = post(trusting, signed(claims(aud=aud)), ONE_ENTRY, FEEDBACK)
    assert answer.status_code == 200


def test_a9_5_the_host_header_has_no_say(trusting: FlaskClient) -> None:
    aud = SERVICE_URL.replace("cds.example", "evil.example")
    headers = {"Authorization": signed(claims(aud=aud)), "X-Forwarded-Host": "evil.example"}
    answer = trusting.post(SERVICE, json={}, headers=headers, base_url="https://evil.example")
    assert answer.status_code == 401


def test_a9_5_behind_a_prefix_the_public_address_counts(
    client_with: ClientWith, store: Any
) -> None:
    client = client_with(
        store=store,
        open=False,
        clients=(registered(),),
        public_url="https://proxy.example/cds/",
    )
    aud = "https://proxy.example/cds/cds-services/vialwise-orders"
    assert post(client, signed(claims(aud=aud))).status_code == 200
    assert post(client, signed()).status_code == 401


def test_a9_8_cards_are_kept_under_their_client_and_its_fhir_base_is_trusted(
    client_with: ClientWith, tmp_path: Path, wrong_code: Body
) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    base = "https://ehr.example/r4"
    ehr = registered(fhir_base=base, subject="vialwise")
    trusted: list[FhirTrust] = []
    with store_at(url) as store:
        client = client_with(store=store, open=False, clients=(ehr,))
        client.application.after_request(
            lambda response: trusted.append(client_auth.trust_of_request(Settings())) or response
        )
        assert post(client, signed(), wrong_code).json["cards"]
    assert trusted == [FhirTrust(frozenset({base}), "vialwise")]
    assert {(row["client"], row["tenant"]) for row in rows(url, card_shown)} == {(ISS, TENANT)}


def test_a9_4_keys_come_from_the_registered_address(client_with: ClientWith) -> None:
    with key_server(EC) as server:
        ehr = registered(jku=server.url)
        client = client_with(open=False, development=True, clients=(ehr,))
        for jku in (None, server.url):
            assert post(client, signed(jku=jku)).status_code == 200
        assert post(client, signed(by=RSA)).status_code == 401, "not published yet"
        assert server.asked == ["/jwks.json"]


def test_a10_7_too_many_calls_are_429_with_a_time(client_with: ClientWith, store: Any) -> None:
    client = client_with(store=store, open=False, clients=(registered(calls_per_minute=2),))
    answers = [post(client, signed()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 25 <= int(answers[2].headers["Retry-After"]) <= 30
    assert answers[2].json["issue"][0]["code"] == "throttled"


# ---------------------------------------------------------------- used twice


def test_a9_7_a_replayed_token_is_refused(
    trusting: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    token = signed()
    assert [post(trusting, token).status_code for _ in range(2)] == [200, 401]
    assert "check=first-use" in caplog.text


def _worker(url: str, tokens: list[str], clients: tuple[Client, ...], start: Any, to: Any) -> None:
    settings = Settings(public_url=BASE, today=lambda: TODAY, clients=clients)
    body = fixtures.hook_request("fhir-authorization-null")
    with store_at(url) as store:
        client = create_app(catalogues.load(), settings, store).test_client()
        start.wait(60)
        to.put([post(client, token, body).status_code for token in tokens])


def test_a9_7_two_workers_answer_a_replayed_token_once(database_url: str) -> None:
    with store_at(database_url):
        pass
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Barrier(2), spawn.Queue()
    work = (database_url, [signed() for _ in range(20)], (registered(),), start, answers)
    workers = [spawn.Process(target=_worker, args=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    both = [answers.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(30)
    assert all(sorted(pair) == [200, 401] for pair in zip(*both, strict=True))
    assert len(rows(database_url, client_tokens_seen)) == 20


def test_while_the_database_is_away_cards_are_answered_and_feedback_is_503(
    client_with: ClientWith, tmp_path: Path, wrong_code: Body
) -> None:
    with store_at(f"sqlite:///{tmp_path}/store.sqlite") as store:
        client = client_with(store=store, open=False, clients=(registered(),))
        with store.engine.begin() as connection:
            for table in ("client_tokens_seen", "card_feedback"):
                connection.exec_driver_sql(f"DROP TABLE {table}")
        token = signed()
        assert post(client, token, wrong_code).json["cards"]
        assert post(client, token, wrong_code).status_code == 401, "this worker remembers"
        assert post(client, signed(), ONE_ENTRY, FEEDBACK).status_code == 503


# ---------------------------------------------------------------- at start-up


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"open": True}, "everyone may call"),
        ({"clients": (registered(iss=""), registered(jwks=""))}, "iss is missing.*give either jku"),
        ({"clients": (Client(iss="https://sandbox.cds-hooks.org", jwks="x"),)}, "private key"),
    ],
)
def test_what_must_not_start(client_with: ClientWith, changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        client_with(**{"open": False, "clients": (registered(),), **changes})


def test_without_registered_clients_nothing_of_cryptography_is_loaded() -> None:
    code = (
        "import sys, datetime; from billing_rules import catalogue; import cds_hooks\n"
        "s = cds_hooks.Settings(public_url='http://x', today=datetime.date.today, open=True)\n"
        "from cds_hooks.record.entries import KeyedHashes\n"
        "from cds_hooks.record.store import temporary\n"
        "store = temporary(KeyedHashes(b'a secret for tests, 32 bytes long'))\n"
        "cds_hooks.create_app(catalogue.load(), s, store)\n"
        "assert 'joserfc' not in sys.modules and 'cryptography' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_guard_names_every_fault_at_once() -> None:
    clients = (registered(jwks=""), registered(iss=""))
    settings = Settings(public_url=BASE, today=lambda: TODAY, open=True, clients=clients)
    with pytest.raises(ValueError) as raised:
        client_auth.guard(settings, temporary(KEYS))
    assert str(raised.value).count(";") >= 2


def test_a_refusal_is_json_without_a_body_to_read(trusting: FlaskClient) -> None:
    """Whoever may not call has nothing read of what was sent."""
    answer = trusting.post(SERVICE, data=b"{" * 100_000)
    assert answer.status_code == 401
    assert json.loads(answer.data)["resourceType"] == "OperationOutcome"
