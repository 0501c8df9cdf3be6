"""The keys of a client that registered the address of them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from authlib.oauth2.rfc6749 import InvalidClientError

from sandbox_ehr.smart.clients import RegisteredKeys, SeenOnce
from tests.sandbox_ehr.conftest import JWKS, RS_KEY, SIGNING


@pytest.fixture
def site() -> Iterator[Any]:
    """A loopback site; `answers` maps a path to status and body, `asked` lists what was fetched."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the standard library's name
            server.asked.append(self.path)  # type: ignore[attr-defined]
            status, body = server.answers[self.path]  # type: ignore[attr-defined]
            self.send_response(status)
            self.send_header("Location", "/jwks")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []  # type: ignore[attr-defined]
    server.answers = {"/jwks": (200, json.dumps(JWKS).encode())}  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join(10)
    server.server_close()


def client(site: Any, path: str = "/jwks") -> Any:
    return replace(SIGNING, jwks=None, jwks_url=f"http://127.0.0.1:{site.server_port}{path}")


def test_keys_are_fetched_once_in_five_minutes(site: Any) -> None:
    now = [0.0]
    keys = RegisteredKeys(lambda: now[0])
    assert RS_KEY.kid in {key.kid for key in keys.of(client(site)).keys}
    keys.of(client(site))
    assert site.asked == ["/jwks"]
    now[0] = 301
    keys.of(client(site))
    assert site.asked == ["/jwks", "/jwks"]


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b"{}"),
        (500, b""),
        (302, b""),
        (200, b"{"),
        (200, b"[" * 50_000),
        (200, b'{"keys":[' + b" " * 200_000 + b"]}"),
        (200, b'{"keys":[{"kty":"RSA","n":"x"}]}'),
        (200, b'{"keys":5}'),
        (200, b'{"keys":[{"kty":"EC","crv":"none"}]}'),
    ],
)
def test_an_answer_that_holds_no_keys_refuses_the_client(
    site: Any, status: int, body: bytes
) -> None:
    site.answers["/odd"] = (status, body)
    with pytest.raises(InvalidClientError):
        RegisteredKeys().of(client(site, "/odd"))
    assert site.asked == ["/odd"]  # a redirection is not followed


@pytest.mark.parametrize(
    "url", ["", "http://keys.example/jwks", "ftp://127.0.0.1/x", "file:///etc"]
)
def test_an_address_that_is_not_fetched_refuses_the_client(url: str) -> None:
    with pytest.raises(InvalidClientError):
        RegisteredKeys().of(replace(SIGNING, jwks=None, jwks_url=url))


def test_shared_secrets_among_the_keys_are_passed_over() -> None:
    secret = {"kty": "oct", "k": "c2VjcmV0", "kid": "s"}
    held = RegisteredKeys().of(replace(SIGNING, jwks={"keys": [secret, *JWKS["keys"]]}))
    assert {key.key_type for key in held.keys} == {"RSA", "EC"}


def test_what_was_seen_is_forgotten_when_no_assertion_can_still_be_good() -> None:
    now = [0.0]
    seen = SeenOnce(lambda: now[0])
    assert seen.first_time("a") and not seen.first_time("a") and seen.first_time("b")
    now[0] = 321
    assert seen.first_time("a")
