"""How the app is put together: what stands before its pages, and what it costs without an EHR."""

from __future__ import annotations

import subprocess
import sys

from smart_app.app import create_app
from smart_app.screens import SCREENS
from tests.smart_app.conftest import Site


def test_whatever_changes_something_stands_behind_a_window(site: Site) -> None:
    """A form outside of a window would have no token to be told by."""
    launched = site.app.extensions["vialwise-app-launching"]
    app = create_app(site.app.extensions["vialwise-app"], launched.settings, site.store, SCREENS)
    for rule in app.url_map.iter_rules():
        changes = (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
        assert not changes or rule.rule.startswith("/w/<window_id>/"), rule.rule


def test_every_screen_stands_behind_a_window(site: Site) -> None:
    launched = site.app.extensions["vialwise-app-launching"]
    app = create_app(site.app.extensions["vialwise-app"], launched.settings, site.store, SCREENS)
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/w/") and not rule.build_only:
            before = app.before_request_funcs[rule.endpoint.partition(".")[0]]
            assert [check.__name__ for check in before][:1] == ["require_window"]


def test_without_an_ehr_nothing_of_the_app_is_imported() -> None:
    ask = "import sys, vialwise.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert not {"authlib", "cryptography", "smart_app"} & set(loaded)


def test_a_host_that_is_no_address_gets_a_plain_refusal(site: Site) -> None:
    """No page could be made, as every one holds addresses."""
    client = site.app.test_client()
    for host in ("x" * 5000, "a." + "b" * 64, "[", "a:b:c", "\xff"):
        answer = client.get("/", environ_overrides={"HTTP_HOST": host})
        assert answer.status_code in (200, 400), host
        assert "Content-Security-Policy" in answer.headers
