"""The app inside an EHR's page, in a real Chromium that blocks third-party cookies.

Two sites with certificates of their own, https://ehr.example and https://app.example, both on this
machine: the first shows the second in a frame, as EHRs do.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from smart_app.launch import error_pages, session
from tests.smart_app.conftest import Site
from tests.smart_app.strict_ehr import LAUNCH

pytestmark = pytest.mark.browser

WAIT = 15_000  # milliseconds


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A certificate that nobody signed, for both sites."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    sites = x509.SubjectAlternativeName([x509.DNSName("*.example")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(sites, critical=False)
        .sign(key, hashes.SHA256())
    )
    file: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


@contextmanager
def served(app: Any, tls: ssl.SSLContext) -> Iterator[int]:
    server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


def chart_page(site: Site) -> Flask:
    """The EHR's own page: two patients' frames with the app."""
    opened = urlencode({"iss": site.ehr.base, "launch": LAUNCH})
    address = f"https://app.example/app/launch?{opened}"
    app = Flask("chart")
    frame = f'<iframe name="{{}}" src="{address}" width="600" height="300"></iframe>'
    app.add_url_rule("/", "chart", lambda: "<h1>Chart</h1>" + frame.format("one"))
    app.add_url_rule("/two", "two", lambda: frame.format("one") + frame.format("two"))
    return app


@pytest.fixture
def page(site: Site, tls: ssl.SSLContext, playwright: Any, chromium: str) -> Iterator[Any]:
    """A page of a browser that blocks third-party cookies, for both sites."""
    app = DispatcherMiddleware(Flask("nothing"), {"/app": site.app})
    with served(app, tls) as ours, served(chart_page(site), tls) as theirs:
        mapped = f"MAP app.example 127.0.0.1:{ours}, MAP *ehr.example 127.0.0.1:{theirs}"
        browser = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                f"--host-resolver-rules={mapped}",
                "--test-third-party-cookie-phaseout",
            ],
        )
        context = browser.new_context(ignore_https_errors=True)
        made = context.new_page()
        made.set_default_timeout(WAIT)
        yield made
        browser.close()


def in_frame(page: Any, name: str, pattern: str = "**/app/w/*/") -> Any:
    frame = page.frame(name)
    frame.wait_for_url(pattern, timeout=WAIT)
    return frame


def test_the_app_opens_in_an_ehrs_frame_without_third_party_cookies(page: Any) -> None:
    page.goto("https://ehr.example/")
    frame = in_frame(page, "one")
    assert '"patient":"p-1"' in frame.text_content("body")
    frame.goto(frame.url + "form")
    frame.click("button")
    frame.locator("body", has_text=re.compile(r"^\s*sent\s*$")).wait_for()


def test_a_window_that_ends_while_somebody_types_says_so_and_takes_nothing_away(
    page: Any, site: Site
) -> None:
    page.goto("https://ehr.example/")
    frame = in_frame(page, "one")
    frame.goto(frame.url + "htmx")
    frame.fill("input[name=dose]", "225")
    site.clock.moved = timedelta(minutes=31)
    frame.click("main button")
    frame.wait_for_selector("#trouble h1")
    assert frame.text_content("#trouble h1") == error_pages.WINDOW_ENDED.title
    assert frame.input_value("input[name=dose]") == "225"


def test_a_part_of_a_page_is_sent_with_the_windows_token(page: Any) -> None:
    page.goto("https://ehr.example/")
    frame = in_frame(page, "one")
    frame.goto(frame.url + "htmx")
    frame.fill("input[name=dose]", "225")
    frame.click("main button")
    frame.locator("main", has_text=re.compile(r"^\s*sent\s*$")).wait_for()


def test_two_frames_are_two_windows(page: Any) -> None:
    page.goto("https://ehr.example/two")
    one, two = in_frame(page, "one"), in_frame(page, "two")
    assert one.url != two.url
    for frame in (one, two):
        frame.goto(frame.url)
        assert '"patient":"p-1"' in frame.text_content("body")


def test_a_cookie_that_is_not_partitioned_would_be_blocked(
    page: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That the browser blocks third-party cookies at all."""
    put = session.put_cookie

    def plain(response: Any, *said: Any) -> None:
        put(response, *said)
        values = response.headers.getlist("Set-Cookie")
        response.headers.setlist("Set-Cookie", [v.replace("; Partitioned", "") for v in values])

    monkeypatch.setattr(session, "put_cookie", plain)
    page.goto("https://ehr.example/")
    frame = in_frame(page, "one", "**/app/callback?*")
    assert frame.text_content("h1") == error_pages.FOREIGN_STATE.title


def test_another_site_cannot_show_the_app(page: Any) -> None:
    """frame-ancestors names https://ehr.example, and this is another site."""
    page.goto("https://not-ehr.example/")
    page.wait_for_timeout(1500)
    frame = page.frame("one")
    assert "app/w/" not in frame.url
    assert frame.url.startswith("chrome-error://")
