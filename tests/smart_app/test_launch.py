"""Launches: from an EHR or by oneself, to a window, and every way they are refused."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from ehr_access.app_context import AppContext, sealed
from service_parts.database import StoreFailed
from smart_app.launch import error_pages
from smart_app.launch.error_pages import Stop
from smart_app.launch.store import WindowStore
from tests.smart_app.clients import ClientKind
from tests.smart_app.conftest import CONTEXT_KEY, Browser, MakeSite, Site
from tests.smart_app.strict_ehr import LAUNCH, signing_key

HOSTILE = "<script>alert(1)</script>"


def stopped(answer: object, stop: Stop) -> str:
    """The text of the page, which has to be that of `stop` and of no other."""
    assert answer.status_code == stop.status, answer.text  # type: ignore[attr-defined]
    page = str(answer.text).replace("&#39;", "'")  # type: ignore[attr-defined]
    assert f"<h1>{stop.title}</h1>" in page
    return page


def asked_in(location: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


# ---------------------------------------------------------------- that it works


@pytest.mark.parametrize("kind", list(ClientKind))
def test_a_strict_ehr_opens_the_app_for_every_kind_of_client(
    site_with: MakeSite, kind: ClientKind
) -> None:
    browser = site_with(kind).browser()
    said = browser.seen(browser.launched())
    assert browser.site.ehr.refuses == []
    assert (said["patient"], said["encounter"], said["user"]) == ("p-1", "e-1", "Practitioner/7")
    assert (said["name"], said["role"]) == ("Dr. Odile Fenwick", "clinician")


def test_the_authorization_request_binds_browser_server_and_moment(browser: Browser) -> None:
    first, second = (asked_in(browser.begin().headers["Location"]) for _ in range(2))
    assert first["aud"] == browser.site.ehr.base
    assert first["launch"] == LAUNCH
    assert first["redirect_uri"] == "https://app.example/app/callback"
    assert (first["response_type"], first["code_challenge_method"]) == ("code", "S256")
    for fresh in ("state", "nonce", "code_challenge"):
        assert len(first[fresh]) >= 43 and first[fresh] != second[fresh]


def test_a_slash_at_the_end_of_iss_is_sent_back_as_it_came(browser: Browser) -> None:
    iss = browser.site.ehr.base + "/"
    assert asked_in(browser.begin(iss=iss).headers["Location"])["aud"] == iss


def test_by_oneself_the_ehr_is_asked_for_a_patient(browser: Browser) -> None:
    assert "/open/strict" in browser.get("/").text
    begun = browser.get("/open/strict")
    asked = asked_in(begun.headers["Location"])
    assert "launch" not in asked and "launch/patient" in asked["scope"].split()
    opened = browser.come_back(begun)
    assert browser.seen(opened.headers["Location"])["patient"] == "p-1"


def test_two_launches_at_once_do_not_mix(browser: Browser) -> None:
    first, second = browser.begin(), browser.begin()
    browser.site.ehr.granted = {"patient": "p-2"}
    two = browser.come_back(second).headers["Location"]
    browser.site.ehr.granted = {"patient": "p-1"}
    one = browser.come_back(first).headers["Location"]
    assert browser.seen(one)["patient"] == "p-1"
    assert browser.seen(two)["patient"] == "p-2"


def test_a_patient_with_its_type_before_it_is_the_same_patient(browser: Browser) -> None:
    browser.site.ehr.granted = {"patient": "Patient/p-9", "need_patient_banner": False}
    said = browser.seen(browser.launched())
    assert (said["patient"], said["banner"]) == ("p-9", False)


def test_an_owner_is_known_by_the_settings(site_with: MakeSite) -> None:
    browser = site_with(ehr_owners=frozenset({"Practitioner/7"})).browser()
    assert browser.seen(browser.launched())["role"] == "owner"


def test_scopes_that_were_granted_count_and_not_those_asked_for(browser: Browser) -> None:
    browser.site.ehr.granted = {"scope": "patient/MedicationRequest.rs launch"}
    assert browser.seen(browser.launched())["scopes"] == ["MedicationRequest.rs"]


def test_the_same_person_and_chart_have_the_same_owner_key_in_every_window(
    browser: Browser, site: Site
) -> None:
    first, second = (browser.seen(browser.launched()) for _ in range(2))
    assert first["id"] != second["id"] and first["owner"] == second["owner"]
    site.ehr.granted = {"patient": "p-2"}
    assert browser.seen(browser.launched())["owner"] != first["owner"]
    site.ehr.granted, site.ehr.claims = {}, {"fhirUser": "Practitioner/8"}
    assert browser.seen(browser.launched())["owner"] != first["owner"]


# ---------------------------------------------------------------- what a card hands over


def context(browser: Browser, patient: str = "p-1", life: timedelta = timedelta(hours=1)) -> str:
    together = ("MedicationRequest/m-1", "ChargeItem/c-1")
    meant = AppContext(
        "card-1", "MedicationRequest/m-1", ("total_ige",), patient, browser.site.ehr.base, together
    )
    return sealed(meant, CONTEXT_KEY, datetime.now(UTC), life)


def test_a_cards_link_opens_its_order(browser: Browser) -> None:
    browser.site.ehr.granted = {"appContext": context(browser)}
    said = browser.seen(browser.launched())
    assert (said["order"], said["rules"], said["note"]) == (
        "MedicationRequest/m-1",
        ["total_ige"],
        "",
    )
    assert said["together"] == ["MedicationRequest/m-1", "ChargeItem/c-1"]


def test_a_link_that_cannot_be_used_opens_the_app_with_a_sentence(browser: Browser) -> None:
    for text, why in (
        (context(browser, "p-2"), "another patient"),
        (context(browser, life=timedelta(seconds=-1)), "expired"),
        (HOSTILE, "not a context of a card"),
        ("x" * 100_000, "not a context of a card"),
    ):
        browser.site.ehr.granted = {"appContext": text}
        said = browser.seen(browser.launched())
        assert said["order"] == "" and why in said["note"] and HOSTILE not in said["note"]
    for nothing in (None, "", 7, {"order": "x"}):
        browser.site.ehr.granted = {"appContext": nothing}
        assert browser.seen(browser.launched())["note"] == ""


# ---------------------------------------------------------------- launches that go nowhere


def test_a_launch_without_iss_or_launch_is_no_launch(browser: Browser) -> None:
    for said in ({"iss": ""}, {"launch": ""}, {"launch": "x" * 5000}):
        stopped(browser.begin(**said), error_pages.NO_LAUNCH)


def test_an_unknown_iss_is_never_asked_anything(browser: Browser) -> None:
    ehr = browser.site.ehr
    for iss in (
        f"{ehr.base}x",
        ehr.url,
        f"{ehr.base}/../r4",
        ehr.base.upper(),
        "https://evil.example/r4",
        "file:///etc/passwd",
        HOSTILE,
    ):
        page = stopped(browser.begin(iss=iss), error_pages.UNKNOWN_EHR)
        assert HOSTILE not in page and "evil" not in page
    assert ehr.asked == []
    stopped(browser.get("/open/nowhere"), error_pages.UNKNOWN_EHR)


def test_an_ehr_without_s256_is_not_signed_in_to(browser: Browser) -> None:
    for methods in (None, [], ["plain"], "S256"):
        browser.site.ehr.configuration = {"code_challenge_methods_supported": methods}
        browser.site.app.extensions["vialwise-app-launching"].discovery._known.clear()
        assert "S256" in stopped(browser.begin(), error_pages.EHR_UNSUITABLE)


def test_an_ehr_that_does_not_launch_apps_is_told_apart(browser: Browser) -> None:
    browser.site.ehr.configuration = {"capabilities": ["launch-standalone"]}
    assert "launch-ehr" in stopped(browser.begin(), error_pages.EHR_UNSUITABLE)


# ---------------------------------------------------------------- the way back


def test_a_state_is_used_once(browser: Browser) -> None:
    back = browser.sign_in(browser.begin())
    cookies = browser.client.get_cookie
    assert cookies("__Host-vialwise-launch-" + asked_in(back)["state"][:16], domain="app.example")
    assert browser.get(back).status_code == 303
    stopped(browser.get(back), error_pages.FOREIGN_STATE)


def test_a_state_belongs_to_the_browser_that_began(site: Site) -> None:
    victim, attacker = site.browser(), site.browser()
    back = attacker.sign_in(attacker.begin())
    stopped(victim.get(back), error_pages.FOREIGN_STATE)


def test_a_foreign_cookie_uses_the_state_up(site: Site) -> None:
    browser = site.browser()
    back = browser.sign_in(browser.begin())
    name = "__Host-vialwise-launch-" + asked_in(back)["state"][:16]
    thief = site.browser()
    thief.client.set_cookie(name, "guessed", domain="app.example")
    stopped(thief.get(back), error_pages.FOREIGN_STATE)
    stopped(browser.get(back), error_pages.FOREIGN_STATE)


def test_a_launch_waits_ten_minutes(browser: Browser, site: Site) -> None:
    in_time, too_late = browser.begin(), browser.begin()
    site.clock.moved = timedelta(minutes=9)
    assert browser.come_back(in_time).status_code == 303
    site.clock.moved = timedelta(minutes=10, seconds=1)
    stopped(browser.come_back(too_late), error_pages.FOREIGN_STATE)


def test_a_callback_that_nobody_began_is_refused(browser: Browser) -> None:
    for query in ("", "?state=x&code=y", f"?state={'a' * 64}&code=y", f"?state={HOSTILE}"):
        page = stopped(browser.get(f"/callback{query}"), error_pages.FOREIGN_STATE)
        assert HOSTILE not in page


def test_an_error_is_told_in_our_own_words(browser: Browser) -> None:
    for error, why in (("access_denied", "Access was refused."), (HOSTILE, "")):
        state = asked_in(browser.begin().headers["Location"])["state"]
        said = {"error": error, "error_description": HOSTILE, "error_uri": "https://evil.example"}
        answer = browser.get("/callback", query_string={**said, "state": state})
        page = stopped(answer, error_pages.REFUSED_BY_EHR)
        assert why in page and HOSTILE not in page and "evil" not in page


def test_another_servers_answer_is_refused(browser: Browser) -> None:
    """RFC 9207: the way back may say whose answer it is."""
    back = browser.sign_in(browser.begin())
    stopped(browser.get(f"{back}&iss=https://evil.example"), error_pages.FOREIGN_STATE)
    back = browser.sign_in(browser.begin())
    assert browser.get(f"{back}&iss={browser.site.ehr.url}").status_code == 303


def test_an_ehr_that_names_no_issuer_is_not_brought_anothers_code(browser: Browser) -> None:
    """The mix-up attack of RFC 9207: an EHR that turned hostile leads the browser to another one's
    sign-in, and leaves out of its configuration what the answer could be compared with."""
    browser.site.ehr.configuration = {"issuer": None, "jwks_uri": None, "capabilities": None}
    back = browser.sign_in(browser.begin())
    stopped(browser.get(f"{back}&iss=https://honest.example"), error_pages.FOREIGN_STATE)
    assert browser.site.ehr.live == set(), "the code was carried to it"
    browser.site.ehr.granted = {"id_token": None}
    assert browser.come_back().status_code == 303  # one that names nobody signs in as before


def test_a_server_that_promises_to_name_itself_has_to(site_with: MakeSite) -> None:
    browser = site_with().browser()
    browser.site.ehr.configuration = {"authorization_response_iss_parameter_supported": True}
    stopped(browser.come_back(), error_pages.FOREIGN_STATE)


def test_a_token_that_no_window_could_be_kept_for_is_given_back(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, or a database that went away in between."""
    back = browser.sign_in(browser.begin())

    def full(*args: object) -> None:
        raise StoreFailed("OperationalError")

    monkeypatch.setattr(WindowStore, "open", full)
    answer = browser.get(back)
    stopped(answer, error_pages.DATABASE_AWAY)
    assert answer.headers["Retry-After"] == "60"
    assert len(browser.site.ehr.revoked) == 1 and browser.site.ehr.live == set()


def test_a_code_that_was_used_opens_nothing(browser: Browser) -> None:
    back = browser.sign_in(browser.begin())
    browser.site.ehr.codes.clear()
    stopped(browser.get(back), error_pages.NOT_EXCHANGED)
    assert browser.site.ehr.refuses == ["code unknown or used"]


def test_a_code_of_another_sign_in_opens_nothing(browser: Browser) -> None:
    """The verifier of this launch does not fit the challenge of the other."""
    mine, other = (browser.sign_in(browser.begin()) for _ in range(2))
    swapped = f"/callback?code={asked_in(other)['code']}&state={asked_in(mine)['state']}"
    stopped(browser.get(swapped), error_pages.NOT_EXCHANGED)
    assert browser.site.ehr.refuses == ["Code challenge failed."]


# ---------------------------------------------------------------- what the EHR grants


@pytest.mark.parametrize(
    ("granted", "stop"),
    [
        ({"patient": None}, error_pages.NO_PATIENT),
        ({"patient": ""}, error_pages.NO_PATIENT),
        ({"patient": ["p-1"]}, error_pages.NO_PATIENT),
        ({"patient": None, "fhirContext": [{"reference": "Patient/p-1"}]}, error_pages.NO_PATIENT),
        ({"scope": "openid fhirUser"}, error_pages.NO_RIGHTS),
        ({"scope": "patient/Patient.r"}, error_pages.NO_RIGHTS),
        ({"access_token": None}, error_pages.NOT_EXCHANGED),
        ({"access_token": "two\nlines"}, error_pages.NOT_EXCHANGED),
        ({"token_type": "mac"}, error_pages.NOT_EXCHANGED),
        ({"id_token": None}, error_pages.NOT_IDENTIFIED),
        ({"id_token": HOSTILE}, error_pages.NOT_IDENTIFIED),
    ],
)
def test_a_grant_that_opens_nothing_says_why_and_is_given_back(
    browser: Browser, granted: dict[str, object], stop: Stop
) -> None:
    browser.site.ehr.granted = granted
    page = stopped(browser.come_back(), stop)
    assert HOSTILE not in page
    assert bool(browser.site.ehr.revoked) == (stop is not error_pages.NOT_EXCHANGED)
    assert not list(site_windows(browser))


def site_windows(browser: Browser) -> list[str]:
    names = (cookie.key for cookie in browser.client._cookies.values())  # type: ignore[union-attr]
    return [name for name in names if "window" in name]


@pytest.mark.parametrize("who", ["Patient/p-1", "RelatedPerson/r-1", "Person/x"])
def test_patients_and_relatives_see_nothing(browser: Browser, who: str) -> None:
    browser.site.ehr.claims = {"fhirUser": who}
    stopped(browser.come_back(), error_pages.NOT_FOR_PATIENTS)


def test_an_ehr_that_cannot_say_who_it_is_opens_the_app_for_staff(browser: Browser) -> None:
    ehr = browser.site.ehr
    ehr.configuration = {"capabilities": ["launch-ehr"], "issuer": None, "jwks_uri": None}
    ehr.granted = {"id_token": None}
    said = browser.seen(browser.launched())
    assert (said["role"], said["user"], said["name"]) == ("staff", "", "")


def test_an_id_token_that_somebody_else_signed_opens_nothing(browser: Browser) -> None:
    from joserfc.jwk import RSAKey

    browser.site.ehr.signer = RSAKey.generate_key(2048, {"kid": signing_key().kid})
    stopped(browser.come_back(), error_pages.NOT_IDENTIFIED)


# ---------------------------------------------------------------- servers that are slow or broken


def test_a_token_endpoint_that_is_slow_is_left(site_with: MakeSite) -> None:
    browser = site_with(seconds=0.3).browser()
    begun = browser.begin()
    browser.site.ehr.slow = 1.5
    stopped(browser.come_back(begun), error_pages.NOT_EXCHANGED)


def test_a_token_endpoint_that_drips_is_left(site_with: MakeSite) -> None:
    """One byte of a header at a time, for as long as anybody waits."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with contextlib.suppress(OSError), connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                for _ in range(100):
                    connection.sendall(b"x")
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        browser = site_with(seconds=0.6).browser()
        port = listening.getsockname()[1]
        browser.site.ehr.configuration = {"token_endpoint": f"http://127.0.0.1:{port}/token"}
        back = browser.sign_in(browser.begin())
        started = time.monotonic()
        stopped(browser.get(back), error_pages.NOT_EXCHANGED)
        assert time.monotonic() - started < 3


def test_an_ehr_that_is_away_is_said_to_be(site_with: MakeSite) -> None:
    browser = site_with(ehr_fhir_base="http://127.0.0.1:9/r4").browser()
    stopped(browser.begin(iss="http://127.0.0.1:9/r4"), error_pages.EHR_SILENT)


# ---------------------------------------------------------------- launches without end


def test_one_address_begins_so_many_launches_and_no_more(site_with: MakeSite) -> None:
    site = site_with(launches_per_minute=3)
    one, other = site.browser(), site.browser()
    begun = [one.begin().status_code for _ in range(3)]
    refused = one.begin()
    stopped(refused, error_pages.TOO_MANY_LAUNCHES)
    assert begun == [303] * 3 and refused.headers["Retry-After"] == "60"
    stopped(one.get("/open/strict"), error_pages.TOO_MANY_LAUNCHES)
    elsewhere = {"environ_base": {"REMOTE_ADDR": "2001:db8::1"}}
    assert other.get("/open/strict", **elsewhere).status_code == 303
    stopped(one.get("/callback"), error_pages.FOREIGN_STATE)  # the way back is not counted


def test_no_more_launches_are_kept_than_fit(
    browser: Browser, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("smart_app.launch.store.MOST_UNDER_WAY", 2)
    begun = [browser.begin() for _ in range(2)]
    stopped(browser.begin(), error_pages.TOO_MANY_LAUNCHES)
    assert browser.come_back(begun[0]).status_code == 303
    assert browser.begin().status_code == 303  # its row went with its return
    site.clock.moved = timedelta(minutes=11)
    assert browser.begin().status_code == 303  # and the others' with their time


def test_a_browser_keeps_the_cookies_of_its_last_launches(browser: Browser) -> None:
    """A page that opens the launch address again and again must not fill the browser's headers
    until no server takes them."""
    backs = [browser.sign_in(browser.begin()) for _ in range(13)]
    names = [name for name in _cookie_names(browser) if "launch" in name]
    assert len(names) == 10
    stopped(browser.get(backs[0]), error_pages.FOREIGN_STATE)
    assert browser.get(backs[-1]).status_code == 303


def _cookie_names(browser: Browser) -> list[str]:
    return [cookie.key for cookie in browser.client._cookies.values()]  # werkzeug shows one only
