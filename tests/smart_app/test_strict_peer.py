"""The app against oidc-provider, an OpenID-certified server that nobody here wrote.

It needs node 20 or newer and npm; its packages are installed as tests/smart_app/peer/package-lock
says, once.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests

from smart_app.launch import error_pages
from smart_app.launch.registration import AppKeys
from smart_app.launch.services import LaunchServices
from smart_app.launch.session import authorization_server_of
from smart_app.settings import RegisteredEhr
from tests.smart_app.clients import ClientKind
from tests.smart_app.conftest import Browser, MakeSite, Site
from tests.smart_app.strict_ehr import REDIRECT
from tests.smart_app.test_launch import stopped
from tests.smart_app.test_windows import token_of, window_token

pytestmark = pytest.mark.interop

PEER = Path(__file__).parent / "peer"
SECRET = "a secret: with+signs & spaces"
CLIENTS = {
    ClientKind.PUBLIC: "public",
    ClientKind.SECRET: "secret",
    ClientKind.RS384: "keyed-RS384",
    ClientKind.ES384: "keyed-ES384",
}


@pytest.fixture(scope="session")
def peer(app_keys: AppKeys) -> Iterator[str]:
    """The peer's address."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("no node with npm: install Node.js 20 or newer")
    _install(npm)
    told = {"jwks": app_keys.published(), "redirect_uri": REDIRECT, "secret": SECRET}
    process = subprocess.Popen(
        [node, "peer.mjs", json.dumps(told)],
        cwd=PEER,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    try:
        assert port.isdigit(), "the peer did not start"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _install(npm: str) -> None:
    """Once, whichever test worker comes first."""
    with (PEER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (PEER / "node_modules" / "oidc-provider").exists():
            return
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=PEER, capture_output=True, timeout=180, check=False)
        if done.returncode:
            pytest.skip("npm could not install oidc-provider: no registry in reach")


@dataclass
class Peer:
    """The app registered at the peer as one kind of client."""

    site: Site
    url: str
    ehr: RegisteredEhr

    def begun(self, browser: Browser) -> str:
        answer = browser.begin(iss=f"{self.url}/r4", launch="launch-1")
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])

    def back(self, browser: Browser) -> str:
        """Signed in at the peer, and the address it sends the browser back to."""
        return came_back(self.begun(browser))

    def opened(self, browser: Browser) -> str:
        answer = browser.get(self.back(browser))
        assert answer.status_code == 303, answer.text
        return str(answer.headers["Location"])


def came_back(location: str) -> str:
    """Follow the peer's redirects as a browser does, until it leads to the app."""
    with requests.Session() as session:
        for _ in range(8):
            answer = session.get(location, allow_redirects=False, timeout=10)
            assert answer.is_redirect, answer.text
            location = requests.compat.urljoin(location, answer.headers["Location"])
            if location.startswith(REDIRECT):
                parts = urlsplit(location)
                return f"/callback?{parts.query}"
    raise AssertionError("the peer never came back")


MakePeer = Any


@pytest.fixture
def peer_as(peer: str, site_with: MakeSite) -> MakePeer:
    def make(kind: ClientKind) -> Peer:
        ehr = RegisteredEhr(
            id="peer",
            name="Peer",
            fhir_base=f"{peer}/r4",
            client_id=CLIENTS[kind],
            client_secret=SECRET if kind is ClientKind.SECRET else "",
            **kind.written,
        )
        return Peer(site_with(kind, ehrs=(ehr,)), peer, ehr)

    return make


@pytest.mark.parametrize("kind", list(ClientKind))
def test_every_kind_of_client_opens_renews_and_gives_back(
    peer_as: MakePeer, kind: ClientKind
) -> None:
    registered = peer_as(kind)
    browser = registered.site.browser()
    path = registered.opened(browser)
    said = browser.seen(path)
    assert (said["patient"], said["name"], said["role"]) == ("p-1", "Dr. O. Fenwick", "clinician")
    assert said["scopes"] == ["MedicationRequest.rs", "Observation.rs", "Patient.r"]

    token = window_token(registered.site, path)
    first = token.current()
    second = token.after_refusal(first)
    assert second and second != first
    assert token.after_refusal(second) not in ("", first, second), "it was replaced, and works"
    assert browser.get(f"{path}read/Practitioner/7").text == "Present"

    last = token.current()
    assert reads(registered, last)
    browser.post(f"{path}sign-out", {"csrf_token": token_of(browser, path)})
    assert not reads(registered, last), "the peer knows that it was given back"


def reads(registered: Peer, token: str) -> bool:
    answer = requests.get(
        f"{registered.url}/r4/Practitioner/7",
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    return answer.status_code == 200


def test_the_wrong_secret_or_key_opens_nothing(
    peer: str, site_with: MakeSite, app_keys: AppKeys
) -> None:
    for kind, secret in ((ClientKind.SECRET, "wrong"), (ClientKind.ES384, "")):
        ehr = RegisteredEhr(
            id="peer",
            name="Peer",
            fhir_base=f"{peer}/r4",
            client_id=CLIENTS[kind],
            client_secret=secret,
            **kind.written,
        )
        keys = AppKeys((app_keys.signing("RS384"), _stranger()))  # type: ignore[arg-type]
        registered = Peer(site_with(kind, ehrs=(ehr,), app_keys=keys.text()), peer, ehr)
        browser = registered.site.browser()
        stopped(browser.get(registered.back(browser)), error_pages.NOT_EXCHANGED)


def _stranger() -> Any:
    from smart_app.launch.registration import new_key

    return new_key("ES384")


def test_a_code_is_used_once(peer_as: MakePeer) -> None:
    registered = peer_as(ClientKind.PUBLIC)
    browser = registered.site.browser()
    first, second = registered.back(browser), registered.back(browser)
    assert browser.get(first).status_code == 303
    stopped(browser.get(with_changed(second, code=of(first, "code"))), error_pages.NOT_EXCHANGED)


def test_the_answer_of_another_server_is_refused(peer_as: MakePeer) -> None:
    """The peer names itself in `iss` (RFC 9207), as it says it does."""
    registered = peer_as(ClientKind.PUBLIC)
    browser = registered.site.browser()
    back = registered.back(browser)
    assert of(back, "iss") == registered.url
    changed = with_changed(back, iss="https://evil.example")
    stopped(browser.get(changed), error_pages.FOREIGN_STATE)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"aud": "https://other.example/r4"}, "invalid_request"),
        ({"launch": "forged"}, "invalid_request"),
        ({"redirect_uri": "https://app.example/app/callback/"}, ""),
        ({"client_id": "nobody"}, ""),
    ],
)
def test_the_peer_is_as_strict_as_is_said(
    peer_as: MakePeer, changes: dict[str, str | None], error: str
) -> None:
    """What the app sends right is refused when it is wrong: so it is checked at all."""
    registered = peer_as(ClientKind.PUBLIC)
    location = registered.begun(registered.site.browser())
    answer = requests.get(with_changed(location, **changes), allow_redirects=False, timeout=10)
    if error:
        assert of(answer.headers["Location"], "error") == error
    else:
        assert answer.status_code == 400, "an unknown client or address is never sent back to"


def test_an_error_of_the_peer_is_a_clear_page(peer_as: MakePeer) -> None:
    registered = peer_as(ClientKind.PUBLIC)
    browser = registered.site.browser()
    location = with_changed(registered.begun(browser), launch="forged")
    page = stopped(browser.get(came_back(location)), error_pages.REFUSED_BY_EHR)
    assert "did not understand the request" in page and "launch is not known" not in page


def test_a_renewed_token_cannot_be_had_with_the_old_one(peer_as: MakePeer) -> None:
    """The peer ends everything when a used refresh token turns up; the app never sends one."""
    registered = peer_as(ClientKind.PUBLIC)
    browser = registered.site.browser()
    path = registered.opened(browser)
    kept = registered.site.store.current(path.split("/")[2])
    assert kept is not None and kept.tokens is not None
    token = window_token(registered.site, path)
    assert token.after_refusal(kept.tokens.access)
    services = registered.site.app.extensions["vialwise-app-launching"]
    assert isinstance(services, LaunchServices)
    from smart_app.launch.authorization_server import NotGiven

    with pytest.raises(NotGiven, match="invalid_grant"):
        authorization_server_of(registered.ehr, services).refreshed(kept.tokens.refresh)


def of(address: str, name: str) -> str:
    return parse_qs(urlsplit(address).query)[name][0]


def with_changed(address: str, **changes: str | None) -> str:
    parts = urlsplit(address)
    said = {name: values[0] for name, values in parse_qs(parts.query).items()} | changes
    left = {name: value for name, value in said.items() if value is not None}
    return parts._replace(query=urlencode(left)).geturl()
