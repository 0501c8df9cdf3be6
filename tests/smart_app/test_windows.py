"""Windows: who may use one, how long, what is sent from it, and how it ends."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smart_app.launch import error_pages, session
from smart_app.launch.services import LaunchServices
from smart_app.launch.session import WindowToken
from smart_app.launch.store import WindowStore
from tests.smart_app.conftest import Browser, MakeSite, Site
from tests.smart_app.test_launch import stopped


def token_of(browser: Browser, path: str) -> str:
    return browser.get(f"{path}form").text.rpartition(">")[2]


# ---------------------------------------------------------------- whose window it is


def test_a_window_is_open_in_its_own_browser_only(site: Site) -> None:
    path = site.browser().launched()
    stopped(site.browser().get(path), error_pages.NO_WINDOW)


def test_the_cookie_of_one_window_does_not_open_another(site: Site) -> None:
    browser, other = site.browser(), site.browser()
    mine, theirs = browser.launched(), other.launched()
    name = "__Host-vialwise-window-"
    key = browser.client.get_cookie(name + mine.split("/")[2], domain="app.example")
    assert key is not None
    browser.client.set_cookie(name + theirs.split("/")[2], key.value, domain="app.example")
    stopped(browser.get(theirs), error_pages.NO_WINDOW)
    assert browser.get(mine).status_code == 200


@pytest.mark.parametrize("id_", ["x", "0" * 16, "0" * 40, "..", "a" * 300, "<script>"])
def test_a_window_that_is_none_is_no_error(browser: Browser, id_: str) -> None:
    browser.client.set_cookie(f"__Host-vialwise-window-{id_}", "k", domain="app.example")
    answer = browser.get(f"/w/{id_}/")
    assert answer.status_code in (401, 404) and "script>" not in answer.text.partition("<main")[2]


def test_the_cookie_is_one_an_ehrs_frame_may_use(browser: Browser) -> None:
    opened = browser.come_back()
    said = next(c for c in opened.headers.getlist("Set-Cookie") if "window" in c)
    for part in ("__Host-", "Secure", "HttpOnly", "SameSite=None", "Partitioned", "Path=/"):
        assert part in said
    assert "Domain" not in said


def test_without_tls_the_cookies_are_plain(site_with: MakeSite) -> None:
    site = site_with(app_url="http://127.0.0.1:8417/app")
    begun = site.app.test_client().get(f"/launch?iss={site.ehr.base}&launch=x")
    said = begun.headers["Set-Cookie"]
    assert said.startswith("vialwise-launch-") and "SameSite=Lax" in said and "HttpOnly" in said
    assert "Secure" not in said and "Partitioned" not in said


def test_of_very_many_windows_the_oldest_cookies_go(browser: Browser, site: Site) -> None:
    first = browser.launched()
    for minute in range(session.MOST_WINDOWS):
        site.clock.moved = timedelta(seconds=minute + 1)
        last = browser.launched()
    stopped(browser.get(first), error_pages.NO_WINDOW)
    assert browser.get(last).status_code == 200


def test_the_cookies_of_ended_windows_go_with_the_next_launch(browser: Browser, site: Site) -> None:
    path = browser.launched()
    site.store.end(path.split("/")[2])
    browser.launched()
    stopped(browser.get(path), error_pages.NO_WINDOW)


def test_nothing_of_a_person_stands_in_the_database_in_the_clear(
    browser: Browser, site: Site, tmp_path: Any
) -> None:
    browser.launched()
    browser.begin()
    site.store.engine.dispose()
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"app_window" in kept
    for secret in (*site.ehr.live, *site.ehr.refresh, "p-1", "Practitioner/7", "Odile"):
        assert len(secret) < 4 or secret.encode() not in kept


# ---------------------------------------------------------------- forms


def test_a_form_needs_its_windows_token(browser: Browser) -> None:
    one, two = browser.launched(), browser.launched()
    token = token_of(browser, one)
    assert len(token) == 64 and f'value="{token}"' in browser.get(f"{one}form").text
    assert browser.post(f"{one}form", {"csrf_token": token}).text == "sent"
    assert browser.post(f"{one}form", headers={"X-CSRF-Token": token}).text == "sent"
    for data in ({}, {"csrf_token": ""}, {"csrf_token": "ä"}, {"csrf_token": token[:-1]}):
        stopped(browser.post(f"{one}form", data), error_pages.FORGED)
    stopped(browser.post(f"{two}form", {"csrf_token": token}), error_pages.FORGED)


def test_a_form_of_another_site_is_refused_even_with_the_token(browser: Browser) -> None:
    path = browser.launched()
    sent = {"csrf_token": token_of(browser, path)}
    for origin in ("https://evil.example", "null", "http://app.example"):
        stopped(browser.post(f"{path}form", sent, headers={"Origin": origin}), error_pages.FORGED)
    own = {"Origin": "https://app.example"}
    assert browser.post(f"{path}form", sent, headers=own).text == "sent"


# ---------------------------------------------------------------- how long


def test_a_window_ends_when_nothing_is_done_in_it(browser: Browser, site: Site) -> None:
    path = browser.launched()
    for minutes in (29, 58):
        site.clock.moved = timedelta(minutes=minutes)
        assert browser.get(path).status_code == 200
    site.clock.moved = timedelta(minutes=58 + 31)
    stopped(browser.get(path), error_pages.WINDOW_ENDED)


def test_a_window_ends_after_its_session(site_with: MakeSite) -> None:
    site = site_with(session_minutes=40, idle_minutes=30)
    browser = site.browser()
    path = browser.launched()
    site.clock.moved = timedelta(minutes=25)
    assert browser.get(path).status_code == 200
    site.clock.moved = timedelta(minutes=41)
    stopped(browser.get(path), error_pages.WINDOW_ENDED)


def test_what_an_ended_window_gave_access_to_is_forgotten_with_the_next_launch(
    browser: Browser, site: Site
) -> None:
    id_ = browser.launched().split("/")[2]
    site.clock.moved = timedelta(minutes=31)
    browser.begin()
    site.clock.moved = timedelta(0)
    kept = site.store.current(id_)
    assert kept is not None and kept.tokens is None and kept.owner_key
    site.clock.moved = timedelta(hours=33)
    browser.begin()
    assert site.store.current(id_) is None


def test_a_form_that_comes_too_late_is_kept(browser: Browser, site: Site) -> None:
    kept: list[Any] = []

    def keeper(*said: Any) -> bool:
        kept.append(said)
        return True

    error_pages.keep_late_forms(site.app, keeper)
    path = browser.launched()
    owner, token = browser.seen(path)["owner"], token_of(browser, path)
    site.clock.moved = timedelta(minutes=31)
    page = stopped(
        browser.post(f"{path}form", {"csrf_token": token, "dose": "225"}), error_pages.WINDOW_ENDED
    )
    assert error_pages.KEPT in page
    assert kept == [(owner, "worksheet.sent", {}, {"dose": ["225"]})]
    stopped(browser.post(f"{path}form", {"dose": "225"}), error_pages.FORGED)
    stopped(site.browser().post(f"{path}form", {"dose": "225"}), error_pages.NO_WINDOW)
    assert len(kept) == 1


def test_without_a_keeper_nothing_is_promised(browser: Browser, site: Site) -> None:
    path = browser.launched()
    token = token_of(browser, path)
    site.clock.moved = timedelta(minutes=31)
    late = browser.post(f"{path}form", {"csrf_token": token, "dose": "225"})
    assert error_pages.KEPT not in stopped(late, error_pages.WINDOW_ENDED)


# ---------------------------------------------------------------- signing out


def test_signing_out_gives_the_tokens_back(browser: Browser) -> None:
    ehr = browser.site.ehr
    path, other = browser.launched(), browser.launched()
    left = browser.post(f"{path}sign-out", {"csrf_token": token_of(browser, path)})
    assert left.status_code == 303 and "signed out" in browser.get("/signed-out").text
    assert len(ehr.revoked) == 2 and len(ehr.live) == 1
    stopped(browser.get(path), error_pages.NO_WINDOW)
    assert browser.get(other).status_code == 200


def test_every_page_of_a_window_says_who_is_signed_in_and_has_a_way_out(browser: Browser) -> None:
    path = browser.launched()
    page = browser.get(f"{path}page").text
    assert "signed in as <bdi>Dr. Odile Fenwick</bdi>" in page
    assert f'action="{path}sign-out"' in page and token_of(browser, path) in page
    assert "sign-out" not in browser.get("/").text


def test_signing_out_ends_the_window_even_when_the_ehr_is_away(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = browser.launched()
    token = token_of(browser, path)
    monkeypatch.setattr(site.ehr, "kind", None)  # it refuses every client now
    assert browser.post(f"{path}sign-out", {"csrf_token": token}).status_code == 303
    kept = site.store.current(path.split("/")[2])
    assert kept is not None and kept.tokens is None


# ---------------------------------------------------------------- tokens


def launching_of(site: Site) -> LaunchServices:
    found = site.app.extensions["vialwise-app-launching"]
    assert isinstance(found, LaunchServices)
    return found


def window_token(site: Site, path: str) -> WindowToken:
    kept = site.store.current(path.split("/")[2])
    assert kept is not None
    ehr = launching_of(site).settings.ehrs[0]
    return WindowToken(kept, site.store, session.authorization_server_of(ehr, launching_of(site)))


def test_a_token_that_was_refused_is_renewed_once_and_the_question_asked_again(
    browser: Browser, site: Site
) -> None:
    path = browser.launched()
    site.ehr.live.clear()
    assert browser.get(f"{path}read/Practitioner/7").text == "Present"
    assert site.ehr.refreshed == 1
    assert browser.get(f"{path}read/Practitioner/7").text == "Present"
    assert site.ehr.refreshed == 1 and site.ehr.refuses == []
    assert "Patient.r" in browser.seen(path)["scopes"]


def test_a_token_about_to_expire_is_renewed_before_it_is_used(browser: Browser, site: Site) -> None:
    site.ehr.granted = {"expires_in": 30}
    path = browser.launched()
    site.ehr.granted = {}
    assert browser.get(f"{path}read/Practitioner/7").text == "Present"
    assert site.ehr.refreshed == 1


def test_a_refresh_token_that_is_refused_is_not_sent_again(browser: Browser, site: Site) -> None:
    path = browser.launched()
    site.ehr.live.clear()
    site.ehr.refresh.clear()
    for _ in range(3):
        assert browser.get(f"{path}read/Practitioner/7").text == "Unknown"
    assert site.ehr.refreshed == 1


def test_without_a_refresh_token_nothing_is_renewed(browser: Browser, site: Site) -> None:
    site.ehr.granted = {"refresh_token": None, "expires_in": 30}
    path = browser.launched()
    assert browser.get(f"{path}read/Practitioner/7").text == "Present"
    assert site.ehr.refreshed == 0


def test_a_window_whose_token_is_the_last_ends_with_it(browser: Browser, site: Site) -> None:
    site.ehr.granted = {"refresh_token": None}
    path = browser.launched()
    site.clock.moved = timedelta(minutes=4)
    assert browser.get(path).status_code == 200
    site.clock.moved = timedelta(minutes=6)
    stopped(browser.get(path), error_pages.WINDOW_ENDED)


def test_a_refused_renewal_ends_the_window_within_a_minute(browser: Browser, site: Site) -> None:
    path = browser.launched()
    site.ehr.live.clear()
    site.ehr.refresh.clear()
    browser.get(f"{path}read/Practitioner/7")
    assert browser.get(path).status_code == 200
    site.clock.moved = timedelta(seconds=62)
    stopped(browser.get(path), error_pages.WINDOW_ENDED)


def test_a_refresh_token_that_never_left_is_kept(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = browser.launched()
    discovered = launching_of(site).discovery.of(launching_of(site).settings.ehrs[0])
    away = replace(discovered, token_endpoint="http://127.0.0.1:9/token")
    site.ehr.live.clear()
    with monkeypatch.context() as patched:
        patched.setattr(type(launching_of(site).discovery), "of", lambda *_: away)
        assert browser.get(f"{path}read/Practitioner/7").text == "Unknown"
    assert browser.get(f"{path}read/Practitioner/7").text == "Present"
    assert site.ehr.refreshed == 1


def test_of_many_that_need_a_new_token_one_renews(browser: Browser, site: Site) -> None:
    path = browser.launched()
    old = next(iter(site.ehr.live))
    site.ehr.slow = 0.3
    got: list[str] = []
    tokens = [window_token(site, path) for _ in range(8)]  # as in eight workers
    threads = [
        threading.Thread(target=lambda t=token: got.append(t.after_refusal(old)))
        for token in tokens
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert site.ehr.refreshed == 1
    assert len(got) == 8 and len(set(got)) == 1 and got[0] not in ("", old)


def test_a_renewal_that_was_never_finished_blocks_nobody_for_long(
    browser: Browser, site: Site
) -> None:
    path = browser.launched()
    kept = site.store.current(path.split("/")[2])
    assert kept is not None and site.store.claim_renewal(kept)
    assert not site.store.claim_renewal(kept)
    site.clock.moved = timedelta(seconds=21)
    assert site.store.claim_renewal(kept)


def test_an_ended_window_has_no_token_to_renew(browser: Browser, site: Site) -> None:
    path = browser.launched()
    token = window_token(site, path)
    site.store.end(path.split("/")[2])
    assert token.after_refusal(token.current()) == ""
    assert site.ehr.refreshed == 0


# ---------------------------------------------------------------- headers


@pytest.mark.parametrize("path", ["/w/0123456789abcdef", "/w//0123456789abcdef//"])
def test_a_missing_slash_leads_to_no_host_that_the_caller_names(site: Site, path: str) -> None:
    answer = site.app.test_client().get(
        f"{path}?order=a//b", base_url="http://evil.example", headers={"Host": "evil.example"}
    )
    assert answer.status_code == 308
    assert answer.headers["Location"] == "/w/0123456789abcdef/?order=a//b"
    assert "frame-ancestors" in answer.headers["Content-Security-Policy"]


def test_only_the_ehrs_that_were_registered_may_frame_the_app(site_with: MakeSite) -> None:
    site = site_with(ehr_frame_ancestors=("https://ehr.example", "https://second.example"))
    browser = site.browser()
    for answer in (browser.get("/"), browser.get(browser.launched()), browser.get("/nowhere")):
        said = answer.headers["Content-Security-Policy"]
        assert said.endswith("frame-ancestors https://ehr.example https://second.example")
        assert "unsafe" not in said and "default-src 'none'" in said
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "X-Frame-Options" not in answer.headers  # it knows one origin at most
    bare = site_with(ehr_frame_ancestors=()).browser().get("/")
    assert bare.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")


def test_static_files_are_kept_under_addresses_that_change_with_them(browser: Browser) -> None:
    page = browser.get("/").text
    address = "/static" + page.partition('href="/static')[2].partition('"')[0]
    assert "?v=" in address
    answer = browser.get(address)
    assert answer.status_code == 200 and "immutable" in answer.headers["Cache-Control"]


def test_no_page_has_script_or_style_of_its_own(browser: Browser) -> None:
    path = browser.launched()
    for answer in (browser.get("/"), browser.get("/signed-out"), browser.get("/callback")):
        assert "<style" not in answer.text and " style=" not in answer.text
        assert "<script>" not in answer.text and "onclick" not in answer.text
    assert browser.get(path).status_code == 200


# ---------------------------------------------------------------- a database that is away


def test_a_database_that_is_away_is_a_clear_page(
    browser: Browser, site: Site, tmp_path: Any
) -> None:
    path = browser.launched()
    (tmp_path / "app.sqlite").rename(tmp_path / "away")
    for answer in (browser.get(path), browser.begin()):
        stopped(answer, error_pages.DATABASE_AWAY)
        assert answer.headers["Retry-After"] == "60"


def test_a_fault_of_our_own_says_nothing_of_it(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*everything: Any) -> Any:
        raise ValueError("a secret in a message")

    path = browser.launched()
    monkeypatch.setattr(WindowStore, "find", fails)
    assert "secret" not in stopped(browser.get(path), error_pages.OWN_FAULT)
