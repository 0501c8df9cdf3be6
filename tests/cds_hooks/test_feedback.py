"""POST /cds-services/{id}/feedback, and the service while its database fails: conformance A8."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fixtures
from cds_hooks.pages.feedback import MOST_ENTRIES
from cds_hooks.record import store as store_module
from cds_hooks.record.store import Store, card_feedback, card_finding, card_shown
from tests.cds_hooks.conftest import SERVICE, Body, Client, cards_of, draft
from tests.cds_hooks.test_any_json import JSON, paths, replaced
from tests.databases import NOON, rows, store_at

FEEDBACK = f"{SERVICE}/feedback"
UNKNOWN = "5e0d0c4c-6b8c-4b6e-9d0e-6a6f2b1c0d3e"


def entry(card: str = UNKNOWN, **changes: Any) -> dict[str, Any]:
    """A card set aside, as the CDS Hooks specification writes it."""
    said = {
        "card": card,
        "outcome": "overridden",
        "overrideReason": {
            "reason": {
                "code": "correct-as-ordered",
                "system": "https://cds.example/code-systems/override-reason",
                "display": "Correct as ordered",
            }
        },
        "outcomeTimestamp": "2026-11-23T12:00:00Z",
    }
    return {**said, **changes}


def now_entry(card: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The override of a card that was shown a moment ago."""
    return entry(card["uuid"], outcomeTimestamp=store_module.utc_now().isoformat(), **changes)


def post(client: FlaskClient, *entries: Any, path: str = FEEDBACK) -> Any:
    return client.post(path, json={"feedback": list(entries)})


@contextmanager
def service(client_with: Client, url: str, **changes: Any) -> Iterator[FlaskClient]:
    with store_at(url) as store:
        yield client_with(store, **changes)


# ---------------------------------------------------------------- what is taken


def test_a8_feedback_on_a_shown_card_is_kept_beside_it(
    client_with: Client, wrong_code: Body, database_url: str
) -> None:
    with service(client_with, database_url) as client:
        (card,) = cards_of(client, wrong_code)
        suggestion = card["suggestions"][0]["uuid"]
        accepted = entry(card["uuid"], outcome="accepted", acceptedSuggestions=[{"id": suggestion}])
        del accepted["overrideReason"]
        response = post(client, accepted)
    assert (response.status_code, response.data) == (200, b"{}")
    assert response.content_type == "application/json"
    (shown,) = rows(database_url, card_shown)
    assert shown["card"] == card["uuid"] and shown["suggestions"] == [suggestion]
    assert (shown["service"], shown["hook"]) == ("vialwise-orders", "order-sign")
    assert (shown["drug_id"], shown["payer_id"]) == ("omalizumab", "medicare-part-b")
    assert (shown["topic"], shown["indicator"]) == ("billing", "warning")
    assert "wrong_code" in {row["rule"] for row in rows(database_url, card_finding)}
    (kept,) = rows(database_url, card_feedback)
    assert (kept["outcome"], kept["accepted"]) == ("accepted", [suggestion])


def test_a8_2_a_batch_again_and_again_is_kept_once(client_with: Client, database_url: str) -> None:
    batch = [entry(str(uuid.uuid4())) for _ in range(20)]
    with service(client_with, database_url) as client:
        for _ in range(3):
            assert post(client, *batch, batch[0]).status_code == 200
        assert post(client).status_code == 200, "an empty batch"
    assert len(rows(database_url, card_feedback)) == 20


REASONS: list[tuple[Any, tuple[str, str, str]]] = [
    (None, ("", "", "")),
    ("", ("", "", "")),
    ({}, ("", "", "")),
    ({"reason": None, "userComment": None}, ("", "", "")),
    ({"reason": {"code": "own"}}, ("own", "", "")),
    ({"reason": {"code": "c", "system": "urn:x", "display": "D"}}, ("c", "urn:x", "D")),
    ({"reason": {"code": "a\n\0b" + "9" * 300}}, ("a b" + "9" * 196 + "…", "", "")),
]


@pytest.mark.parametrize("said, kept", REASONS)
def test_a8_3_a_reason_is_kept_as_sent_and_bounded(
    client_with: Client, store: Store, tmp_path: Path, said: Any, kept: tuple[str, str, str]
) -> None:
    assert post(client_with(store), entry(overrideReason=said)).status_code == 200
    (row,) = rows(f"sqlite:///{tmp_path}/store.sqlite", card_feedback)
    assert (row["reason_code"], row["reason_system"], row["reason_display"]) == kept


def test_a8_3_no_reason_at_all(client_with: Client, store: Store) -> None:
    bare = entry()
    del bare["overrideReason"]
    assert post(client_with(store), bare).status_code == 200


@pytest.mark.parametrize("keep", [False, True])
def test_a8_4_a_comment_is_kept_only_where_the_site_wants_it(
    client_with: Client, store: Store, tmp_path: Path, keep: bool
) -> None:
    client = client_with(store, keep_comments=keep)
    post(client, entry(overrideReason={"userComment": "Ada said\nso"}))
    (row,) = rows(f"sqlite:///{tmp_path}/store.sqlite", card_feedback)
    assert row["comment_sent"] is True
    assert row["comment"] == ("Ada said so" if keep else "")


def test_a8_5_an_unknown_card_is_taken_and_counted(
    client_with: Client, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert post(client_with(store), entry(), entry(UNKNOWN.upper())).status_code == 200
    assert "feedback entries=2 unknown=1" in caplog.text


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23T12:00:00.123456Z",
        "2026-11-23T06:00:00-06:00",
        "2026-11-23T12:00:00",
        "2026-11-23",
    ],
)
def test_a8_1_every_iso_8601_time_is_read(client_with: Client, store: Store, time: str) -> None:
    assert post(client_with(store), entry(outcomeTimestamp=time)).status_code == 200


# ---------------------------------------------------------------- what is refused


MALFORMED: list[Any] = [
    b"",
    b"{",
    b"[]",
    b"null",
    {},
    {"feedback": {}},
    {"feedback": None},
    {"feedback": [None]},
    {"feedback": [{}]},
    *({"feedback": [entry(card=card)]} for card in (None, "", 5, "card-1", "Ada Winterbourne")),
    *({"feedback": [entry(outcome=outcome)]} for outcome in (None, "", "ignored", [], {})),
    *({"feedback": [entry(outcomeTimestamp=t)]} for t in (None, "", 5, "now", "0001-01-01T00+05")),
    {"feedback": [entry(acceptedSuggestions={})]},
    {"feedback": [entry(acceptedSuggestions=["x"])]},
    {"feedback": [entry(acceptedSuggestions=[{"id": 5}])]},
    {"feedback": [entry(overrideReason=[])]},
    {"feedback": [entry(overrideReason={"reason": "text"})]},
    {"feedback": [entry(overrideReason={"reason": {"code": 5}})]},
    {"feedback": [entry(overrideReason={"userComment": {}})]},
    {"feedback": [entry(), {}]},
]


@pytest.mark.parametrize("sent", MALFORMED, ids=range(len(MALFORMED)))
def test_a8_5_what_is_malformed_is_400_and_nothing_of_it_is_kept(
    client_with: Client, store: Store, tmp_path: Path, sent: Any
) -> None:
    data = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
    response = client_with(store).post(FEEDBACK, data=data)
    assert response.status_code == 400
    outcome = json.loads(response.data)
    assert outcome["resourceType"] == "OperationOutcome"
    assert "Winterbourne" not in response.get_data(as_text=True)
    assert rows(f"sqlite:///{tmp_path}/store.sqlite", card_feedback) == []


def test_too_many_entries_are_413(client: FlaskClient) -> None:
    assert post(client, *[entry()] * MOST_ENTRIES).status_code == 200
    assert post(client, *[entry()] * (MOST_ENTRIES + 1)).status_code == 413


def test_an_unknown_service_is_404_and_other_methods_405(client: FlaskClient) -> None:
    assert post(client, entry(), path="/cds-services/another/feedback").status_code == 404
    assert client.get(FEEDBACK).status_code == 405


def test_a8_6_feedback_wants_the_authentication_of_the_service(client_with: Client) -> None:
    closed = client_with(open=False)
    assert post(closed, entry()).status_code == 401
    assert closed.post(SERVICE, json={}).status_code == 401


WHOLE = {
    "feedback": [
        entry(overrideReason={"reason": {"code": "c", "display": "d"}, "userComment": "u"}),
        entry(outcome="accepted", acceptedSuggestions=[{"id": UNKNOWN}]),
    ]
}


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.sampled_from(list(paths(WHOLE))), JSON)
def test_any_json_anywhere_is_200_or_400(
    client_with: Client, tmp_path_factory: pytest.TempPathFactory, path: Any, value: Any
) -> None:
    sent = replaced(WHOLE, path, value)
    with service(client_with, f"sqlite:///{_file(tmp_path_factory)}") as client:
        for body in (json.dumps(sent), json.dumps(sent, ensure_ascii=False)):
            response = client.post(FEEDBACK, data=body.encode("utf-8", "surrogatepass"))
            assert response.status_code in (200, 400), response.get_data(as_text=True)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_400(client: FlaskClient, body: bytes) -> None:
    assert client.post(FEEDBACK, data=body).status_code == 400


def _file(factory: pytest.TempPathFactory) -> Path:
    """One file for all examples: making one takes longer than using it."""
    return factory.getbasetemp() / "any-json.sqlite"


# ---------------------------------------------------------------- what is not repeated


def test_an_overridden_card_is_not_shown_again_for_the_same_order(
    client_with: Client, wrong_code: Body, database_url: str
) -> None:
    with service(client_with, database_url) as client:
        (card,) = cards_of(client, wrong_code)
        (again,) = cards_of(client, wrong_code)
        assert again["uuid"] != card["uuid"], "shown, and not set aside"
        assert post(client, now_entry(card)).status_code == 200
        draft(wrong_code)["id"] = "saved-again"
        assert cards_of(client, wrong_code) == []


def test_an_accepted_card_is_shown_again(
    client_with: Client, store: Store, wrong_code: Body
) -> None:
    client = client_with(store)
    (card,) = cards_of(client, wrong_code)
    post(client, now_entry(card, outcome="accepted"))
    assert len(cards_of(client, wrong_code)) == 1


def test_another_patient_or_dose_is_shown(
    client_with: Client, store: Store, wrong_code: Body
) -> None:
    client = client_with(store)
    (card,) = cards_of(client, wrong_code)
    post(client, now_entry(card))
    text = json.dumps(wrong_code)
    another = text.replace(wrong_code["context"]["patientId"], "pat-another")
    assert len(cards_of(client, another.encode())) == 1
    dose = draft(wrong_code)["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]
    dose["value"] = 150
    assert cards_of(client, wrong_code)


@pytest.mark.parametrize("quiet_days, days_later, shown", [(30, 29, 0), (30, 31, 1), (0, 0, 1)])
def test_the_quiet_days_end(
    client_with: Client,
    wrong_code: Body,
    tmp_path: Path,
    quiet_days: int,
    days_later: int,
    shown: int,
) -> None:
    clock = [NOON]
    with store_at(f"sqlite:///{tmp_path}/store.sqlite", lambda: clock[0]) as store:
        client = client_with(store, quiet_days=quiet_days)
        (card,) = cards_of(client, wrong_code)
        post(client, entry(card["uuid"]))
        clock[0] += timedelta(days=days_later)
        assert len(cards_of(client, wrong_code)) == shown


# ---------------------------------------------------------------- other drugs


def test_an_order_for_another_drug_touches_no_database(
    client_with: Client, store: Store, wrong_code: Body
) -> None:
    def touched(*_: Any) -> None:
        raise AssertionError("the database was touched")

    sa.event.listen(store._engine, "checkout", touched)
    sa.event.listen(store._engine, "connect", touched)
    draft(wrong_code)["medicationCodeableConcept"] = {"text": "amoxicillin 500 mg"}
    assert cards_of(client_with(store), wrong_code) == []


# ---------------------------------------------------------------- the database fails


def absent(engine: sa.Engine) -> None:
    Path(str(engine.url.database)).unlink()


def read_only(engine: sa.Engine) -> None:
    sa.event.listen(
        engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only = ON")
    )


def spoiled(engine: sa.Engine) -> None:
    Path(str(engine.url.database)).write_bytes(b"not a database " * 500)


def never_upgraded(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        for table in (card_finding, card_shown, card_feedback):
            table.drop(connection)


def locked(engine: sa.Engine) -> None:
    lock = engine.connect().execution_options(vialwise_begin="EXCLUSIVE")
    lock.exec_driver_sql("SELECT 1")
    engine.dispose()
    engine.info = lock  # type: ignore[attr-defined] - kept until the test ends


@pytest.mark.parametrize("fail", [absent, read_only, spoiled, never_upgraded, locked])
def test_while_the_database_fails_cards_are_shown_and_feedback_is_503(
    client_with: Client,
    wrong_code: Body,
    tmp_path: Path,
    fail: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(store_module, "WAIT_FOR_CARDS", 50)
    monkeypatch.setattr(store_module, "WAIT_FOR_FEEDBACK", 50)
    with store_at(f"sqlite:///{tmp_path}/store.sqlite", prepare=fail) as store:
        client = client_with(store)
        with caplog.at_level(logging.DEBUG):
            (card,) = cards_of(client, wrong_code)
            response = post(client, now_entry(card), entry())
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert json.loads(response.data)["issue"][0]["code"] == "transient"
        assert "cards not" in caplog.text and "feedback not kept" in caplog.text
        for secret in (wrong_code["context"]["patientId"], "INSERT", UNKNOWN, str(tmp_path)):
            assert secret not in caplog.text


def test_a_database_that_is_back_is_used_again(
    client_with: Client, wrong_code: Body, tmp_path: Path
) -> None:
    file, away = tmp_path / "store.sqlite", tmp_path / "away.sqlite"
    with store_at(f"sqlite:///{file}") as store:
        client = client_with(store)
        (card,) = cards_of(client, wrong_code)
        post(client, now_entry(card))
        file.rename(away)
        store.backoff._until = 0
        (card,) = cards_of(client, wrong_code)
        assert post(client, now_entry(card)).status_code == 503
        away.rename(file)
        store.backoff._until = 0
        assert cards_of(client, wrong_code) == [], "what was overridden before is known again"
        assert post(client, now_entry(card)).status_code == 200


def test_a_batch_that_fails_in_the_middle_is_not_half_written(
    client_with: Client, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    with store_at(url) as store:
        client = client_with(store)
        with store._engine.begin() as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER no BEFORE INSERT ON card_feedback WHEN NEW.card = "
                f"'{UNKNOWN}' BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        batch = [entry(f"00000000-0000-4000-8000-{n:012}") for n in range(30)]
        assert post(client, *batch, entry()).status_code == 503
        assert rows(url, card_feedback) == []
        assert post(client, *batch).status_code == 200
    assert len(rows(url, card_feedback)) == 30


def test_a_fault_of_our_own_in_the_store_costs_no_card(
    client_with: Client,
    store: Store,
    wrong_code: Body,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails(*_: Any) -> None:
        raise KeyError("Ada Winterbourne")

    monkeypatch.setattr(Store, "record", fails)
    monkeypatch.setattr(Store, "overridden", fails)
    assert len(cards_of(client_with(store), wrong_code)) == 1
    assert "KeyError at" in caplog.text and "Winterbourne" not in caplog.text


# ---------------------------------------------------------------- nothing of a patient

CANARIES = ("canary-patient", "Canaryfamily", "canary-token", "canary comment", "canary-user")


def test_a10_5_no_canary_reaches_the_database_or_the_log(
    client_with: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    shown = []
    with caplog.at_level(logging.DEBUG), store_at(url) as store:
        client = client_with(store, billing_plan=True)
        for name in fixtures.names("hook_requests"):
            response = client.post(SERVICE, json=with_canaries(fixtures.hook_request(name)))
            shown += (response.get_json() or {}).get("cards", [])
        comments = {"reason": {"code": "own"}, "userComment": "canary comment"}
        entries = [now_entry(card, overrideReason=comments) for card in shown]
        assert post(client, *entries).status_code == 200
        post(client, entry(card="canary-patient"), entry(outcome="Canaryfamily"))
        post(client, entry(acceptedSuggestions=[{"id": "canary-patient"}]))
        written = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert len(shown) > 30 and len(rows(url, card_shown)) == len(shown)
    for canary in CANARIES:
        assert canary.encode() not in written, canary
        assert canary not in caplog.text, canary


def with_canaries(body: Body) -> Any:
    """The request of a patient whose id, name and token can be searched for."""
    text = json.dumps({**body, "fhirServer": "https://ehr.example/fhir"})
    for key, canary in (("patientId", CANARIES[0]), ("userId", CANARIES[4])):
        said = body["context"].get(key)
        if isinstance(said, str) and said.split("/")[-1]:
            text = text.replace(said.split("/")[-1], canary)
    changed = json.loads(text)
    changed["fhirAuthorization"] = {
        "access_token": CANARIES[2],
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "",
        "subject": "x",
    }
    for resource in changed["context"].get("draftOrders", {}).get("entry", []):
        held = resource.get("resource") if isinstance(resource, dict) else None
        if isinstance(held, dict):
            held["note"] = [{"text": CANARIES[1]}]
            if isinstance(held.get("subject"), dict):
                held["subject"]["display"] = CANARIES[1]
    return changed
