"""The checks of tokens, without HTTP: keys that rotate, servers of keys, tokens used twice."""

from __future__ import annotations

import json
import multiprocessing
import threading
import time
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import RSAKey
from pydantic import ValidationError

from cds_hooks.auth import client_tokens
from cds_hooks.auth.client_tokens import (
    CHECKS,
    FORM,
    ISSUER,
    LAST,
    TENANT,
    ClientKeys,
    Gate,
    UsedTokens,
    digest,
    read_keys,
)
from cds_hooks.record.store import client_tokens_seen, temporary
from cds_hooks.settings import SANDBOX_KEY, Client, Clients, faults
from ehr_access import signed_tokens
from ehr_access.signed_tokens import Fetched, NotKeys, kept_for
from sandbox_ehr.moods import Answer, Raw, Reply, Request, dripping
from service_parts.web import Bucket
from tests.cds_hooks.hostile_tokens import HOSTILE, HOSTILE_ADDRESSES, Hostile
from tests.cds_hooks.tokens import (
    EC,
    EC_256,
    ISS,
    JKU,
    OTHER,
    RSA,
    SERVICE_URL,
    claims,
    jwks,
    key,
    key_server,
    registered,
    signed,
)
from tests.databases import KEYS, rows, store_at

HERE = frozenset({SERVICE_URL})


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Server:
    """Answers with the keys of `kids`, or fails while there are none."""

    def __init__(self, *kids: str, seconds: float = 600.0) -> None:
        self.kids = kids
        self.seconds = seconds
        self.asked: list[str] = []

    def __call__(self, jku: str) -> Fetched:
        self.asked.append(jku)
        if not self.kids:
            raise NotKeys("it is down")
        return Fetched(jwks(*self.kids).encode(), self.seconds)


def gate(*clients: Client, **more: Any) -> Gate:
    return Gate(
        clients or (registered(),), more.pop("used", None) or UsedTokens(temporary(KEYS)), **more
    )


def failed(authorization: str, *clients: Client, **more: Any) -> str:
    return gate(*clients, **more).verdict(authorization, HERE).failed


def fetching(server: Callable[[str], Fetched], clock: Clock | None = None) -> ClientKeys:
    return ClientKeys([registered(jku=JKU)], fetch=server, clock=clock or Clock())


# ---------------------------------------------------------------- the table


def test_a9_every_check_stops_some_hostile_token() -> None:
    tried = {row.check for row in (*HOSTILE, *HOSTILE_ADDRESSES)}
    by_hand = {"first-use"}
    assert {FORM, ISSUER, TENANT, *CHECKS} == tried
    assert set(LAST) == by_hand
    assert len({row.tries for row in HOSTILE}) == len(HOSTILE) >= 30


@pytest.mark.parametrize("by", [EC, RSA])
def test_a9_2_a_token_of_each_recommended_algorithm_is_accepted(by: str) -> None:
    client = registered()
    assert gate(client).verdict(signed(by=by), HERE).client == client
    assert failed(signed(by=by)) == ""


@pytest.mark.parametrize(("by", "alg"), [(EC_256, "ES256"), (RSA, "RS256")])
def test_a9_2_others_are_accepted_where_they_are_registered(by: str, alg: str) -> None:
    client = registered(algorithms=frozenset({alg}))
    assert failed(signed(by=by, alg=alg), client) == ""
    assert failed(signed(), client) == "algorithm"


@pytest.mark.parametrize(
    "header",
    [
        {"typ": None},
        {"typ": "jwt"},
        {"x5c": ["MII" * 900]},
        {"jwk": {"kty": "EC"}},
        {"x5u": "https://evil.example/chain"},
        {"x5t": "abc"},
        {"nonce": "of no standard"},
    ],
)
def test_a9_2_headers_that_prove_nothing_are_not_looked_at(header: dict[str, Any]) -> None:
    assert failed(signed(**header)) == ""


@pytest.mark.parametrize("row", HOSTILE_ADDRESSES, ids=lambda row: row.tries)
def test_a9_3_no_address_but_the_registered_one_is_fetched(row: Hostile) -> None:
    server = Server(EC)
    assert failed(row.sends(), registered(jku=JKU), fetch=server) == row.check
    assert server.asked == []


@pytest.mark.parametrize(
    "row",
    [row for row in HOSTILE if row.check in ("issuer", "tenant", "algorithm", "type")],
    ids=lambda row: row.tries,
)
def test_a9_3_nothing_is_fetched_for_a_stranger(row: Hostile) -> None:
    server = Server(EC)
    assert failed(row.sends(), registered(jku=JKU), fetch=server) == row.check
    assert server.asked == []


def test_a9_3_keys_that_were_handed_over_need_no_address() -> None:
    """The CRD request generator names an address that is no JWKS."""
    assert failed(signed(jku="http://localhost:3001/jwt/auth/RS384/key")) == ""


@pytest.mark.parametrize(
    "changes",
    [
        lambda now: {"exp": int(now) - 30, "iat": int(now) - 330},
        lambda now: {"iat": int(now) + 30},
        lambda now: {"iat": now, "exp": now + 299.5},
        lambda now: {"nbf": int(now) - 300, "exp": int(now) + 900},
        lambda now: {"exp": int(now) + 3590},
        lambda now: {"aud": ["https://other.example", SERVICE_URL]},
        lambda now: {"sub": "anything", "more": {"deep": [1]}},
    ],
    ids=["clock behind", "clock ahead", "fractions", "as Epic", "an hour", "list", "more claims"],
)
def test_a9_tokens_of_real_ehrs_are_accepted(changes: Callable[[float], dict[str, Any]]) -> None:
    assert failed(signed(claims(**changes(time.time())))) == ""


def test_a9_5_an_audience_typed_in_at_the_ehr_is_accepted_where_registered() -> None:
    """Meld sends `sand_man`; at Epic a person types it in."""
    token = signed(claims(aud="sand_man"))
    assert failed(token) == "audience"
    assert failed(token, registered(audiences=frozenset({"sand_man"}))) == ""


def test_a9_6_an_ehr_may_be_held_to_shorter_lives() -> None:
    assert failed(signed(), registered(longest_life=299)) == "lifetime"
    assert failed(signed(), registered(longest_life=300)) == ""


def test_a9_8_tenants_of_one_issuer_are_clients_of_their_own() -> None:
    seven, eight = registered(), registered(tenant="clinic-8", jwks=jwks(OTHER))
    both = gate(seven, eight)
    assert both.verdict(signed(), HERE).client == seven
    assert both.verdict(signed(claims(tenant="clinic-8"), by=OTHER), HERE).client == eight
    crossed = both.verdict(signed(claims(tenant="clinic-8")), HERE)
    assert crossed.failed == "key-known"


def test_a9_8_a_client_without_a_tenant_takes_any() -> None:
    assert failed(signed(claims(tenant=None)), registered(tenant="")) == ""
    assert failed(signed(claims(tenant="x")), registered(tenant="")) == ""


def test_a_check_that_breaks_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError

    seen = UsedTokens(temporary(KEYS))
    monkeypatch.setattr(seen, "first_use", breaks)
    assert failed(signed(), used=seen) == "first-use"
    monkeypatch.setattr(ClientKeys, "find", breaks)
    assert failed(signed()) == "key-known"


# ---------------------------------------------------------------- registrations


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"iss": ""}, "iss is missing"),
        ({"iss": "https://a b"}, "holds spaces"),
        ({"iss": "https://sandbox.cds-hooks.org"}, "publishes its private key"),
        ({"jku": "https://SANDBOX.cds-hooks.org/jwks.json"}, "publishes its private key"),
        ({"jwks": ""}, "give either jku"),
        ({"jku": "http://ehr.example/jwks"}, "not a plain https"),
        ({"jku": "http://127.0.0.1/jwks"}, "not a plain https"),
        ({"jku": "https://a@ehr.example/jwks"}, "not a plain https"),
        ({"jku": "https://ehr.example/jwks#x"}, "not a plain https"),
        ({"jku": "ftp://ehr.example/jwks"}, "not a plain https"),
        ({"algorithms": frozenset({"HS256"})}, "algorithms can only be"),
        ({"algorithms": frozenset({"none"})}, "algorithms can only be"),
        ({"algorithms": frozenset()}, "algorithms can only be"),
        ({"audiences": frozenset({" "})}, "audience is blank"),
        ({"tenant": "a b"}, "tenant"),
        ({"fhir_base": "http://ehr.example/r4"}, "write the https address"),
        ({"fhir_base": "ehr.example"}, "https://ehr.example/r4"),
    ],
)
def test_a_fault_of_a_registration_says_what_to_write(changes: dict[str, Any], word: str) -> None:
    (fault,) = faults([registered(**changes)], development=False)
    assert word in fault


@pytest.mark.parametrize("name", ["longest_life", "calls_per_minute"])
@pytest.mark.parametrize("number", [0, 1_000_001, "60"])
def test_a_number_out_of_bounds_is_no_registration(name: str, number: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        registered(**{name: number})


def test_a_good_registration_has_no_fault() -> None:
    ehr = registered(fhir_base="https://ehr.example/r4")
    assert faults([ehr, registered(tenant="2", jku=JKU)], False) == []


def test_development_allows_the_sandbox_and_this_machine() -> None:
    sandbox = Client(iss="https://sandbox.cds-hooks.org", jku="http://127.0.0.1:8080/jwks.json")
    assert faults([sandbox], development=True) == []
    assert faults([Client(iss=ISS, jku="http://ehr.example/jwks")], development=True)


@pytest.mark.parametrize("tenants", [("", ""), ("a", "a"), ("a", "")])
def test_one_issuer_twice_needs_two_tenants(tenants: tuple[str, str]) -> None:
    (fault,) = faults([registered(tenant=tenant) for tenant in tenants], development=False)
    assert "stands more than once" in fault


def test_an_issuer_is_not_added_by_asking_for_it() -> None:
    clients = Clients([registered()])
    assert clients.find("https://x", "") is None
    assert not clients.has_issuer("https://x")


# ---------------------------------------------------------------- reading keys


@pytest.mark.filterwarnings("ignore:Key size")
def test_keys_that_cannot_verify_are_passed_over() -> None:
    good = json.loads(jwks(EC))["keys"][0]
    weak = RSAKey.generate_key(1024, {"kid": "weak"}).as_dict(private=False)
    others = [
        weak,
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": None},
        {**good, "kid": ""},
        {**good, "kid": "off", "x": good["y"]},
        {**good, "kid": "sign", "use": "sig", "key_ops": ["sign"]},
        {**good, "kid": "curve", "crv": "P-999"},
        {"kty": "oct", "kid": "oct", "k": "c2VjcmV0"},
        {"kty": "EC", "kid": "bare"},
        {**good, "kid": "private", "d": good["x"]},
        "text",
        None,
    ]
    assert list(read_keys(json.dumps({"keys": [*others, good]}))) == [EC]


def test_certificates_beside_a_key_are_not_looked_at() -> None:
    assert list(read_keys(jwks(EC, x5c=5, x5u="nonsense", ext=True))) == [EC]


def test_a9_9_the_sandbox_key_is_refused_under_any_name() -> None:
    sandbox = {
        "kty": "EC",
        "crv": "P-384",
        "kid": "ours",
        "x": SANDBOX_KEY,
        "y": "Sm3mLE-n1zYNla_aiE3cb3nZsL51RbC7ysw3q8aJLxGm-hx79RPMYpITDjp7kgzy",
    }
    document = json.dumps({"keys": [sandbox]})
    assert read_keys(document) == {}
    assert list(read_keys(document, development=True)) == ["ours"]


@pytest.mark.parametrize("document", [b"", b"<html>", b"[]", b'{"keys":{}}', b"{}", b"[" * 9999])
def test_what_is_no_jwks(document: bytes) -> None:
    with pytest.raises(NotKeys):
        read_keys(document)


def test_the_first_of_two_keys_with_one_id_counts() -> None:
    mine, other = (json.loads(jwks(kid))["keys"][0] for kid in (EC, OTHER))
    (found,) = read_keys(json.dumps({"keys": [mine, {**other, "kid": EC}]})).values()
    assert found.thumbprint() == key(EC).thumbprint()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 600),
        ({"Cache-Control": "public, max-age=900"}, 900),
        ({"Cache-Control": "max-age=86400"}, 3600),
        ({"Cache-Control": "max-age=5"}, 60),
        ({"Cache-Control": "no-store"}, 60),
        ({"Cache-Control": "no-cache, max-age=900"}, 60),
        ({"Cache-Control": "max-age=900", "Age": "300"}, 600),
        ({"Cache-Control": 'max-age="900"', "Age": "x"}, 900),
        ({"Cache-Control": "max-age=-1"}, 600),
    ],
)
def test_a9_4_cache_control_is_kept_within_a_minute_and_an_hour(
    headers: dict[str, str], seconds: float
) -> None:
    assert kept_for(headers) == seconds


# ---------------------------------------------------------------- keeping keys


def test_a9_4_keys_are_fetched_once_and_again_when_stale() -> None:
    clock, server = Clock(), Server(EC)
    keys = fetching(server, clock)
    client = registered(jku=JKU)
    for _ in range(5):
        assert keys.find(client, EC)
    assert server.asked == [JKU]
    clock.now += 599
    assert keys.find(client, EC) and len(server.asked) == 1
    clock.now += 1
    assert keys.find(client, EC) and len(server.asked) == 2


def test_a9_4_a_rotated_key_is_found_and_invented_ids_ask_once_a_minute() -> None:
    clock, server = Clock(), Server(EC)
    keys, client = fetching(server, clock), registered(jku=JKU)
    assert keys.find(client, EC)
    clock.now += 61
    server.kids = (EC, RSA)
    assert keys.find(client, RSA), "one refetch for an id that is not known"
    for place in range(100):
        assert keys.find(client, f"invented-{place}") is None
    assert len(server.asked) == 2
    clock.now += 61
    assert keys.find(client, "invented") is None
    assert len(server.asked) == 3


def test_a9_4_a_withdrawn_key_is_gone_with_the_next_fetch() -> None:
    clock, server = Clock(), Server(EC, RSA)
    keys, client = fetching(server, clock), registered(jku=JKU)
    assert keys.find(client, RSA)
    server.kids = (EC,)
    clock.now += 601
    assert keys.find(client, RSA) is None


def test_a9_4_while_the_server_is_down_keys_serve_an_hour_and_no_longer() -> None:
    clock, server = Clock(), Server(EC, seconds=60)
    keys, client = fetching(server, clock), registered(jku=JKU)
    assert keys.find(client, EC)
    server.kids = ()
    clock.now += 3599
    assert keys.find(client, EC)
    clock.now += 2
    assert keys.find(client, EC) is None
    before = len(server.asked)
    assert keys.find(client, EC) is None
    assert len(server.asked) == before, "not again within ten seconds"
    server.kids = (EC,)
    clock.now += 11
    assert keys.find(client, EC)


def test_a9_4_a_document_without_keys_does_not_replace_good_ones() -> None:
    clock, server = Clock(), Server(EC)
    keys, client = fetching(server, clock), registered(jku=JKU)
    assert keys.find(client, EC)
    keys._fetched[JKU]._fetch = lambda _: Fetched(b'{"keys":[]}', 600)
    clock.now += 700
    assert keys.find(client, EC)


def test_threads_that_miss_a_key_share_one_fetch_and_others_do_not_wait() -> None:
    started, go = threading.Event(), threading.Event()
    clock = Clock()
    server = Server(EC)

    def slow(jku: str) -> Fetched:
        started.set()
        assert go.wait(5)
        return server(jku)

    keys, client = fetching(server, clock), registered(jku=JKU)
    assert keys.find(client, EC)
    keys._fetched[JKU]._fetch = slow
    clock.now += 700
    server.kids = (EC, RSA)
    found: list[object] = []
    waiting = [
        threading.Thread(target=lambda: found.append(keys.find(client, RSA))) for _ in range(4)
    ]
    for thread in waiting:
        thread.start()
    assert started.wait(5)
    assert keys.find(client, EC), "who has a key goes on with it"
    go.set()
    for thread in waiting:
        thread.join(5)
    assert len(found) == 4 and all(found)
    assert len(server.asked) == 2


# ---------------------------------------------------------------- fetching, over HTTP


def endless(request: Request, answer: Answer) -> Raw:
    return Raw(chain([b"HTTP/1.1 200 OK\r\n\r\n"], repeat(b" " * 65_536)))


def silent(request: Request, answer: Answer) -> Raw:
    time.sleep(1.5)
    return Raw()


def test_keys_are_fetched_with_how_long_they_may_be_kept() -> None:
    with key_server(EC, **{"Cache-Control": "max-age=120"}) as server:
        fetched = signed_tokens.fetch(server.url)
    assert list(read_keys(fetched.document)) == [EC]
    assert fetched.seconds == 120
    assert server.tokens == [None]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(status=404), "HTTP 404"),
        (Reply(status=302, headers={"Location": "/elsewhere.json"}), "HTTP 302"),
        (endless, "too large"),
        (dripping, "too long"),
        (silent, "too long"),
    ],
    ids=["absent", "redirect", "endless", "dripping", "silent"],
)
def test_a9_4_a_server_of_keys_that_misbehaves(
    monkeypatch: pytest.MonkeyPatch, reply: Any, why: str
) -> None:
    monkeypatch.setattr(signed_tokens, "SECONDS", 0.5)
    with key_server(EC) as server:
        server.replies["/jwks.json"] = reply
        server.replies["/elsewhere.json"] = Reply(json.loads(jwks(EC)))
        started = time.monotonic()
        with pytest.raises(NotKeys, match=why):
            signed_tokens.fetch(server.url)
        assert time.monotonic() - started < 1.4 or reply is endless
        assert server.asked == ["/jwks.json"]


def test_a_server_of_keys_that_is_not_there() -> None:
    with pytest.raises(NotKeys, match="could not be reached"):
        signed_tokens.fetch("http://127.0.0.1:1/jwks.json")


# ---------------------------------------------------------------- used twice


def test_a9_7_a_token_is_for_one_call() -> None:
    token, at = signed(), gate()
    assert [at.verdict(token, HERE).failed for _ in range(3)] == ["", "first-use", "first-use"]
    assert at.verdict(signed(), HERE).failed == ""


def test_a9_7_the_same_id_of_another_issuer_is_another_token() -> None:
    other = "https://other.example"
    at = gate(registered(), registered(iss=other))
    assert at.verdict(signed(claims(jti="1")), HERE).failed == ""
    assert at.verdict(signed(claims(jti="1", iss=other)), HERE).failed == ""
    assert digest("ab", "c") != digest("a", "bc")


def test_a9_7_a_refused_token_is_not_used_up() -> None:
    said = claims(aud="elsewhere")
    at = gate()
    assert at.verdict(signed(said), HERE).failed == "audience"
    assert at.verdict(signed({**said, "aud": SERVICE_URL}), HERE).failed == ""


def test_a9_7_used_tokens_are_forgotten_when_they_have_expired(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    clock = Clock()
    with store_at(url) as store:
        seen = UsedTokens(store, clock)
        assert seen.first_use(ISS, "1", until=1100)
        assert not seen.first_use(ISS, "1", until=1100)
        assert len(rows(url, client_tokens_seen)) == 1
        clock.now = 1200
        assert seen.first_use(ISS, "2", until=1500)
        assert len(seen._until) == 1
        assert [row["token"] for row in rows(url, client_tokens_seen)] == [digest(ISS, "2")]


def test_a9_7_every_database_says_once(database_url: str) -> None:
    with store_at(database_url) as store:
        one, two = UsedTokens(store), UsedTokens(store)  # as in two workers
        until = time.time() + 300
        assert one.first_use(ISS, "1", until)
        assert not two.first_use(ISS, "1", until)
        assert two.first_use(ISS, "2", until)
        assert not one.first_use(ISS, "2", until)
        assert set(rows(database_url, client_tokens_seen)[0]) == {"token", "expires_at"}


def _uses(url: str, tokens: int, start: Any, answers: Any) -> None:
    with store_at(url) as store:
        seen = UsedTokens(store)
        start.wait(30)
        answers.put([seen.first_use(ISS, str(i), time.time() + 300) for i in range(tokens)])


def test_a9_7_of_two_processes_one_is_the_first(database_url: str) -> None:
    with store_at(database_url):
        pass
    spawn = multiprocessing.get_context("spawn")
    start, answers = spawn.Barrier(2), spawn.Queue()
    workers = [
        spawn.Process(target=_uses, args=(database_url, 50, start, answers)) for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    one, two = answers.get(timeout=60), answers.get(timeout=60)
    for worker in workers:
        worker.join(30)
    assert all(a != b for a, b in zip(one, two, strict=True)), "each token once, none lost"


def test_a_database_that_is_away_leaves_each_worker_its_own_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with store_at(f"sqlite:///{tmp_path}/store.sqlite") as store:
        with store.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE client_tokens_seen")
        seen = UsedTokens(store)
        assert seen.first_use(ISS, "jti-1", time.time() + 300)
        assert not seen.first_use(ISS, "jti-1", time.time() + 300)
        assert "used tokens are not shared: OperationalError" in caplog.text
        store.backoff.leave_alone(float("inf"))
        monkeypatch.setattr(client_tokens, "use", lambda *_: pytest.fail("it has a rest"))
        assert seen.first_use(ISS, "jti-2", time.time() + 300)
        assert not seen.first_use(ISS, "jti-2", time.time() + 300)


# ---------------------------------------------------------------- how often


def test_a_bucket_is_refilled_evenly() -> None:
    clock = Clock()
    bucket = Bucket(6, clock)
    for _ in range(6):
        assert bucket.wait() == 0
        bucket.take()
    assert bucket.wait() == 10
    clock.now += 9
    assert bucket.wait() == 1
    clock.now += 1
    assert bucket.wait() == 0
    clock.now += 3600
    for _ in range(6):
        assert bucket.wait() == 0
        bucket.take()
    assert bucket.wait() == 10


def test_a10_7_a_client_that_calls_too_often_waits_and_its_token_is_still_good() -> None:
    clock = Clock()
    other = "https://other.example"
    at = gate(registered(calls_per_minute=2), registered(iss=other), clock=clock)
    assert [at.verdict(signed(), HERE).wait for _ in range(3)] == [0, 0, 30]
    token = signed()
    assert at.verdict(token, HERE).wait == 30
    assert at.verdict(signed(claims(iss=other)), HERE).wait == 0, "others are not held up"
    clock.now += 30
    verdict = at.verdict(token, HERE)
    assert (verdict.failed, verdict.wait) == ("", 0)


def test_a10_7_strangers_and_replays_take_nothing_of_a_clients_calls() -> None:
    at = gate(registered(calls_per_minute=2), clock=Clock())
    used = signed()
    assert at.verdict(used, HERE).failed == ""
    for _ in range(5):
        assert at.verdict(used, HERE).failed == "first-use"
        assert at.verdict(signed(by=OTHER), HERE).failed == "key-known"
    assert at.verdict(signed(), HERE).failed == ""
