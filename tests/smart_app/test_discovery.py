"""What an EHR's SMART configuration may say, and what of it is never followed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing_rules.model.states import Unknown
from ehr_access.server_metadata import SmartConfiguration
from ehr_access.transport import HttpAnswer, Transport
from smart_app.launch import authorization_server, error_pages
from smart_app.launch.authorization_server import Discovery, read_configuration
from smart_app.launch.error_pages import Stopped
from smart_app.settings import RegisteredEhr
from tests.smart_app.clients import ClientKind
from tests.smart_app.strict_ehr import StrictEhr

BASE = "https://ehr.example/api/r4"
AT = f"{BASE}/.well-known/smart-configuration"
EHR = RegisteredEhr(
    id="main",
    name="Main",
    fhir_base=BASE,
    client_id="client",
    authorization_hosts=frozenset({"login.ehr.example"}),
)
DOCUMENT = {
    "authorization_endpoint": "https://login.ehr.example/authorize?tenant=7",
    "token_endpoint": "https://ehr.example/token",
    "code_challenge_methods_supported": ["S256"],
}


def of(changes: dict[str, Any], ehr: RegisteredEhr = EHR) -> SmartConfiguration:
    return read_configuration(
        HttpAnswer(200, json.dumps({**DOCUMENT, **changes}).encode()), AT, ehr
    )


def fault(changes: dict[str, Any], ehr: RegisteredEhr = EHR) -> str:
    with pytest.raises(Stopped) as stopped:
        of(changes, ehr)
    assert stopped.value.stop is error_pages.EHR_UNSUITABLE
    return stopped.value.detail


def test_the_least_that_is_needed() -> None:
    said = of({})
    assert said.authorization_endpoint == "https://login.ehr.example/authorize?tenant=7"
    assert (said.revocation_endpoint, said.jwks_uri, said.says_who) == ("", "", False)


def test_relative_addresses_are_meant_from_the_documents_own() -> None:
    said = of({"token_endpoint": "../../../oauth/token", "revocation_endpoint": "/revoke"})
    assert said.token_endpoint == "https://ehr.example/oauth/token"
    assert said.revocation_endpoint == "https://ehr.example/revoke"


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/token",
        "//evil.example/token",
        "https://ehr.example.evil.example/t",
        "https://evil.example\\@ehr.example/t",
        "https://ehr.example@evil.example/t",
        "https://127.0.0.1/token",
    ],
)
@pytest.mark.parametrize(
    "name", ["authorization_endpoint", "token_endpoint", "revocation_endpoint", "jwks_uri"]
)
def test_no_address_leads_to_a_host_that_was_not_registered(name: str, address: str) -> None:
    assert name in fault({name: address})


def test_no_address_is_http() -> None:
    assert "not https" in fault({"token_endpoint": "http://ehr.example/token"})
    assert "not https" in fault({"token_endpoint": "http://127.0.0.1/token"})
    assert "not an address" in fault({"token_endpoint": "javascript:alert(1)"})


def test_on_one_machine_http_will_do() -> None:
    ehr = RegisteredEhr(id="dev", name="Dev", fhir_base="http://127.0.0.1:8/r4", client_id="client")
    changes = {
        "authorization_endpoint": "http://127.0.0.1:9/auth",
        "token_endpoint": "http://127.0.0.1:9/token",
    }
    assert of(changes, ehr).token_endpoint == "http://127.0.0.1:9/token"


@pytest.mark.parametrize("value", [None, "", 7, ["https://ehr.example/token"], {}])
def test_without_an_address_to_sign_in_at_nothing_begins(value: Any) -> None:
    assert "no address for signing in" in fault({"token_endpoint": value})


@pytest.mark.parametrize("value", [None, [], ["plain"], "S256", ["s256"], {"S256": True}])
def test_s256_has_to_be_said(value: Any) -> None:
    assert "S256" in fault({"code_challenge_methods_supported": value})


def test_a_client_that_the_ehr_does_not_accept_is_told_at_once() -> None:
    offered = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    for kind in (ClientKind.SECRET, ClientKind.ES384):
        ehr = RegisteredEhr(
            id="main",
            name="Main",
            fhir_base=BASE,
            client_id="c",
            authorization_hosts=EHR.authorization_hosts,
            **kind.written,
        )
        assert kind.value.split()[0] in fault(offered, ehr)
        assert of({}, ehr)  # what is not said is not held against it
    signs = {"token_endpoint_auth_signing_alg_values_supported": ["RS384"]}
    assert "ES384" in fault(signs, ehr)
    assert of(offered)  # a public client needs no method (Oracle lists none for them)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>", b"[" * 100_000, b"\xff"])
def test_what_is_no_configuration_is_none(body: bytes) -> None:
    with pytest.raises(Stopped) as stopped:
        read_configuration(HttpAnswer(200, body), AT, EHR)
    assert "not readable" in stopped.value.detail


def test_a_server_that_is_away_or_busy_may_be_tried_again() -> None:
    for answer in (
        Unknown("it was slow"),
        HttpAnswer(500, b"{}"),
        HttpAnswer(503, b""),
        HttpAnswer(429, b""),
    ):
        with pytest.raises(Stopped) as stopped:
            read_configuration(answer, AT, EHR)
        assert stopped.value.stop is error_pages.EHR_SILENT


def test_a_server_without_one_is_not_suitable() -> None:
    for status in (301, 302, 401, 404):
        with pytest.raises(Stopped) as stopped:
            read_configuration(HttpAnswer(status, json.dumps(DOCUMENT).encode()), AT, EHR)
        assert "no SMART configuration" in stopped.value.detail


def test_a_capability_is_required_only_of_a_server_that_lists_any() -> None:
    authorization_server.require_capability(of({}), "launch-ehr")
    authorization_server.require_capability(of({"capabilities": ["launch-ehr"]}), "launch-ehr")
    with pytest.raises(Stopped):
        authorization_server.require_capability(
            of({"capabilities": ["launch-standalone"]}), "launch-ehr"
        )


# ---------------------------------------------------------------- kept for a while


def test_it_is_read_once_in_ten_minutes(ehr: StrictEhr) -> None:
    now = [0.0]
    known = Discovery(Transport(), lambda: now[0])
    first = known.of(ehr.registered())
    ehr.configuration = {"token_endpoint": f"{ehr.url}/other"}
    now[0] = 599
    assert known.of(ehr.registered()) is first
    now[0] = 601
    assert known.of(ehr.registered()).token_endpoint == f"{ehr.url}/other"


def test_a_failure_is_not_repeated_for_every_click(ehr: StrictEhr) -> None:
    now = [0.0]
    known = Discovery(Transport(), lambda: now[0])
    ehr.configuration = {"code_challenge_methods_supported": None}
    with pytest.raises(Stopped):
        known.of(ehr.registered())
    ehr.configuration = {}
    with pytest.raises(Stopped):
        known.of(ehr.registered())
    now[0] = 6
    assert known.of(ehr.registered())
