"""The page of what became of the cards inside the app: for the site's owners, in their window."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from cds_hooks.record.store import Store as CardStore
from smart_app.app import create_app
from smart_app.launch import session
from smart_app.launch.services import Installation
from smart_app.launch.store import LaunchGrant, Seal, Tokens, WindowStore
from smart_app.screens import SCREENS
from smart_app.settings import AppSettings, RegisteredEhr
from tests.databases import shown_card, store_at
from tests.vialwise.conftest import shipped
from vialwise import database
from vialwise.serving import app

KEY = "the-secret-of-this-windows-cookie"
EHR = "https://ehr.example/r4"
WINDOWS = {"clinician": "a1b2c3d4e5f60718", "owner": "b1b2c3d4e5f60718"}


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A browser with a window of an owner and one of a clinician, and a card on record."""
    framed = RegisteredEhr(
        id="main",
        name="Main",
        fhir_base=EHR,
        client_id="c-1",
        frame_ancestors=("https://ehr.example",),
    )
    told = AppSettings(
        app_url="http://localhost",
        ehrs=(framed,),
        window_secrets=(b"a key for tests of 32 bytes or more!",),
    )
    with store_at(f"sqlite:///{tmp_path}/s.sqlite") as cards:
        assert isinstance(cards, CardStore)
        cards.record([shown_card()])
        windows = WindowStore(cards.engine, Seal(told.window_secrets), told.session, told.idle)
        kept = database.Storage(cards, "here")
        running = Installation(shipped(), lambda: date(2026, 11, 24), "feedback_page.report")
        screens = (*SCREENS, lambda: app.feedback_for_owners(kept, shipped()))
        client = create_app(running, told, windows, screens).test_client()
        for role, id_ in WINDOWS.items():
            opened = LaunchGrant("p", "", "Practitioner/1", "N", role, "", "", (), True, "")
            expires = datetime.now(UTC).timestamp() + 3600
            windows.open(id_, KEY, "main", "o", opened, Tokens("token", expires))
            client.set_cookie(session._name(session.KIND_WINDOW, id_, False), KEY)
        yield client


def test_an_owner_sees_it_inside_the_ehr(browser: Any) -> None:
    at = f"/w/{WINDOWS['owner']}"
    answer = browser.get(f"{at}/feedback")
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200 and "<dt>Shown</dt><dd>1</dd>" in text
    assert 'aria-label="Screens"' in text and "All orders" in text
    assert "medicare-part-b</th>" not in text and "Medicare Part B</th>" in text
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors https://ehr.example" in policy and "form-action 'self'" in policy
    assert f'action="{at}/feedback"' in text and f'href="{at}/feedback.css"' in text
    assert browser.get(f"{at}/feedback.csv").data.count(b"\n") == 2
    assert browser.get(f"{at}/feedback.css").status_code == 200


def test_others_with_a_window_are_told_whose_it_is(browser: Any) -> None:
    for page in ("feedback", "feedback.csv"):
        answer = browser.get(f"/w/{WINDOWS['clinician']}/{page}")
        assert answer.status_code == 403 and b"owners" in answer.data


def test_without_a_window_nothing_is_shown(browser: Any) -> None:
    answer = browser.get("/w/0000000000000000/feedback")
    assert answer.status_code >= 400 and b"Shown" not in answer.data
