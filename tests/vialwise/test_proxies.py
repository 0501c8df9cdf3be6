"""What is believed of `X-Forwarded-For` and `X-Forwarded-Proto`: as many proxies as were set."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

import pytest
from flask import Flask, request
from werkzeug.test import Client

from cds_hooks.auth.operator_access import SHORTEST_SECRET, with_secret
from vialwise.serving import server
from vialwise.serving.server import behind_proxies

SECRET = b"s" * SHORTEST_SECRET
BEARER = {"Authorization": f"Bearer {SECRET.decode()}"}


def told() -> Flask:
    """An application that says who called, and lets operators in."""
    app = Flask("told")
    guard = with_secret(SECRET)

    @app.get("/who")
    def who() -> dict[str, str | None]:
        return {"who": request.remote_addr, "how": request.scheme, "host": request.host}

    @app.get("/operators")
    def operators() -> str:
        return "let in" if guard() is None else "turned away"

    @app.get("/closed")
    def closed() -> str:
        return "closed"

    return app


@pytest.mark.parametrize(
    "proxies, sent, who",
    [
        (0, "203.0.113.9", "10.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the first is the caller's own
        (2, "198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "203.0.113.9", "10.0.0.1"),  # it did not come through both
    ],
)
def test_only_entries_of_the_sites_own_proxies_count(proxies: int, sent: str, who: str) -> None:
    client = Client(behind_proxies(told(), proxies))
    headers = {"X-Forwarded-For": sent, "X-Forwarded-Host": "evil.example"}
    said = client.get("/who", headers=headers, environ_base={"REMOTE_ADDR": "10.0.0.1"}).json
    assert said == {"who": who, "how": "http", "host": "localhost"}


@pytest.mark.parametrize(
    "proxies, address, headers, answer",
    [
        # nobody in between
        (0, "127.0.0.1", {}, "let in"),
        (0, "10.1.2.3", {}, "turned away"),
        # a proxy that was not set: also one on this machine is not this machine
        (0, "10.1.2.3", {"X-Forwarded-Proto": "https"}, "turned away"),
        (0, "127.0.0.1", {"X-Forwarded-Proto": "https"}, "turned away"),
        (0, "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, "turned away"),
        (0, "127.0.0.1", {"Forwarded": "for=203.0.113.9"}, "turned away"),
        # one that was
        (1, "127.0.0.1", {"X-Forwarded-Proto": "https"}, "let in"),
        (1, "127.0.0.1", {"X-Forwarded-Proto": "http"}, "turned away"),
        (1, "127.0.0.1", {"X-Forwarded-Proto": "https, http"}, "turned away"),
        (1, "10.1.2.3", {"X-Forwarded-For": "127.0.0.1"}, "turned away"),
    ],
)
def test_the_operators_secret_is_taken_over_tls_or_on_this_machine_only(
    proxies: int, address: str, headers: dict[str, str], answer: str
) -> None:
    client = Client(behind_proxies(told(), proxies))
    got = client.get(
        "/operators", headers={**BEARER, **headers}, environ_base={"REMOTE_ADDR": address}
    )
    assert got.text == answer


def test_the_server_itself_believes_no_header() -> None:
    """A header may not name another path than the one a proxy let through, nor a scheme."""
    bound = server.bound_socket("127.0.0.1", 0)
    place = urlsplit(server.address_of(bound))
    with server.running(told(), bound, workers=1):
        for headers in (
            {"SCRIPT_NAME": "/who", "PATH_INFO": "/closed"},
            {"SCRIPT_NAME": "/evil"},
            {"PATH_INFO": "/closed"},
            {"X-Forwarded-Proto": "https"},
            {"X-Forwarded-Ssl": "on", "X-Forwarded-Protocol": "ssl"},
        ):
            line = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
            line.request("GET", "/who", headers=headers)
            answer = line.getresponse()
            said = answer.read()
            line.close()
            assert answer.status == 200 and b'"http"' in said, (headers, said)
