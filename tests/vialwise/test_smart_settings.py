"""EHRs in the settings: what can be wrong with a registration, told at start-up with its remedy."""

from __future__ import annotations

import re
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from smart_app.launch.registration import AppKeys, new_key
from smart_app.launch.schema import app_launch, app_window
from smart_app.launch.store import Attempt, LaunchGrant, Seal, Tokens, WindowStore
from smart_app.settings import SECRET
from tests.databases import rows
from tests.vialwise.test_demo import started, url_in
from tests.vialwise.test_settings import config, one, problems, read  # noqa: F401 - config is a fixture
from vialwise import database
from vialwise.serving import app, service
from vialwise.settings.checks import checked
from vialwise.terminal import CommandProblem

TOP = 'public_url = "https://cds.clinic.example"\n'
EHR = """
[[ehrs]]
id = "main"
name = "Main Hospital"
fhir_base = "https://ehr.example/r4"
client_id = "c-1"
"""


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    file.write_text(AppKeys((new_key("ES384"),)).text())
    file.chmod(0o600)
    return file


def test_the_least_registration_is_enough(config: Path) -> None:
    assert problems(config, TOP + EHR) == []


@pytest.mark.parametrize(
    ("more", "why"),
    [
        (
            'client = "client_secret_post"',
            "is not one of public, client_secret_basic, private_key_jwt",
        ),
        ('client = "client_secret_basic"', "client_secret_file is missing"),
        ('client = "private_key_jwt"', "app-keys add FILE --algorithm RS384"),
        ('client = "client_secret_basic"\nclient_secret_file = "nowhere"', "names no file"),
        ('authorization_hosts = ["https://login.example"]', "not a host name"),
        ('frame_ancestors = ["https://ehr.example/"]', "not an origin"),
        ('frame_ancestors = ["*"]', "not an origin"),
        ('frame_ancestors = ["http://ehr.example"]', "not an origin"),
        ('frame_ancestors = ["https://ehr.example; script-src *"]', "not an origin"),
        ('scopes = ["Observation"]', "not a scope"),
        ('scopes = ["patient/Patient.r patient/Coverage.rs"]', "not a scope"),
        ('writes = ["MedicationRequest"]', "writes can only be"),
        ('owners = ["Patient/1"]', "owners: an entry is not a user"),
        ('owner = ["Practitioner/1"]', "write owners"),
    ],
)
def test_each_fault_is_one_sentence_with_its_remedy(
    config: Path,
    more: str,
    why: str,
) -> None:
    assert why in one(problems(config, TOP + EHR + more))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"main"', '"Main Hospital"', "not a short name"),
        ('"Main Hospital"', '""', "is not text of 1 to 80 characters"),
        ("https://ehr", "http://ehr", "fhir_base is http"),
        ("/r4", "/r4?x=1", "fhir_base cannot be used"),
        ('client_id = "c-1"', "", "client_id is missing"),
    ],
)
def test_what_every_registration_needs(
    config: Path,
    old: str,
    new: str,
    why: str,
) -> None:
    assert why in one(problems(config, TOP + EHR.replace(old, new)))


def test_two_ehrs_are_told_apart(config: Path) -> None:
    found = problems(config, TOP + EHR + EHR)
    assert [f.partition(":")[0] for f in found] == [
        "two [[ehrs]] have the same id",
        "two [[ehrs]] have the same fhir_base",
    ]


def test_ehrs_need_an_address_to_send_browsers_back_to(config: Path) -> None:
    assert "send browsers back" in one(problems(config, EHR))
    assert problems(config, "development = true\n" + EHR) == []


def test_keys_and_secrets_are_read_at_start_up(
    config: Path,
    keys_file: Path,
    tmp_path: Path,
) -> None:
    signs = EHR + 'client = "private_key_jwt"\nalgorithm = "ES384"\n'
    top = TOP + 'app_keys_file = "keys.json"\n'
    assert problems(config, top + signs) == []
    keys_file.chmod(0o644)
    assert "chmod 600" in one(problems(config, top + signs))
    keys_file.write_text("{}")
    keys_file.chmod(0o600)
    assert "vialwise app-keys add" in one(problems(config, top + signs))
    (tmp_path / "secrets").write_text(f"{'s' * 40}\ntoo short\n")
    (tmp_path / "secrets").chmod(0o600)
    assert "too short" in one(problems(config, TOP + 'window_secrets_file = "secrets"\n' + EHR))
    long = "s" * 40
    assert problems(config, TOP + EHR, VIALWISE_WINDOW_SECRETS=f"{long} {long}x") == []
    both = TOP + 'window_secrets_file = "secrets"\n' + EHR
    assert "both set" in one(problems(config, both, VIALWISE_WINDOW_SECRETS=long))


def test_postgresql_needs_the_windows_secrets_told(config: Path) -> None:
    text = TOP + 'database = "postgresql://db.example/v"\n' + EHR
    said = {"VIALWISE_RECORD_SECRET": "r" * 40}
    assert "set window_secrets_file" in one(problems(config, text, **said))
    assert problems(config, text, **said, VIALWISE_WINDOW_SECRETS="w" * 40) == []


def test_a_window_is_idle_no_longer_than_it_lasts(config: Path) -> None:
    text = TOP + "session_minutes = 20\nidle_minutes = 30\n" + EHR
    assert "make it less" in one(problems(config, text))


def test_without_an_ehr_nothing_of_the_app_is_looked_at(config: Path) -> None:
    assert problems(config, TOP + 'app_keys_file = "nowhere"\n') == []


def test_what_is_registered_reaches_the_app(
    config: Path,
    keys_file: Path,
    tmp_path: Path,
    catalogue: Any,
) -> None:
    (tmp_path / "secret").write_text("a client secret\n")
    (tmp_path / "secret").chmod(0o600)
    top = TOP + 'session_minutes = 60\nidle_minutes = 10\napp_keys_file = "keys.json"\n'
    text = (
        top
        + EHR
        + """
        client = "client_secret_basic"
        client_secret_file = "secret"
        authorization_hosts = ["LOGIN.ehr.example"]
        frame_ancestors = ["https://ehr.example"]
        scopes = ["patient/Patient.r"]
        writes = ["Observation"]
        owners = ["Practitioner/9"]
    """
    )
    assert problems(config, text) == []
    said, _ = checked(read(config, {}, {}).settings, open_=False)
    kept = database.open_storage(f"sqlite:///{tmp_path}/v.sqlite")
    both, _ = app.beside(Any, said, catalogue, "http://127.0.0.1:1", kept)  # type: ignore[arg-type]
    told = both.mounts["/app"].extensions["vialwise-app-launching"].settings
    assert told.redirect_uri == "https://cds.clinic.example/app/callback"
    assert (told.session, told.idle) == (timedelta(hours=1), timedelta(minutes=10))
    assert told.context_key == kept.secret and len(told.window_secrets[0]) >= 32
    (ehr,) = told.ehrs
    assert (ehr.client, ehr.client_secret) == (SECRET, "a client secret")
    assert ehr.authorization_hosts == {"LOGIN.ehr.example"} and ehr.owners == {"Practitioner/9"}
    assert (ehr.scopes, ehr.writes) == (("patient/Patient.r",), {"Observation"})
    assert service.app_launch_url(said, "") == "https://cds.clinic.example/app/launch"
    again, _ = app.beside(Any, said, catalogue, "", kept)  # type: ignore[arg-type]
    same = again.mounts["/app"].extensions["vialwise-app-launching"].settings
    assert same.window_secrets == told.window_secrets, "the secret is made once"


def test_a_place_for_the_windows_secrets_that_cannot_be_written_is_a_problem(
    config: Path,
    tmp_path: Path,
    catalogue: Any,
) -> None:
    kept = database.open_storage(f"sqlite:///{tmp_path}/v.sqlite")
    (tmp_path / "v.sqlite.window-secrets").mkdir()
    config.write_text(TOP + EHR)
    said = read(config, {}, {}).settings
    with pytest.raises(CommandProblem, match="window_secrets_file"):
        app.beside(Any, said, catalogue, "", kept)  # type: ignore[arg-type]


def test_serve_shows_the_app_beside_the_service(config: Path, tmp_path: Path) -> None:
    away = EHR.replace("https://ehr.example/r4", "http://127.0.0.1:9/r4")
    config.write_text("development = true\n" + away)
    data = f"sqlite:///{tmp_path}/v.sqlite"
    with started("serve", "--port", "0", "--config", str(config), "--database", data) as process:
        url = url_in(process)
        assert requests.get(f"{url}/cds-services", timeout=10).ok
        assert requests.get(f"{url}/app/jwks.json", timeout=10).json() == {"keys": []}
        front = requests.get(f"{url}/app/", timeout=10).text
        assert "Main Hospital" in front and 'href="/app/open/main"' in front
        style = re.search(r'href="(/app/static/[^"]+uswds[^"]+)"', front)
        assert style and requests.get(f"{url}{style[1]}", timeout=10).ok
        launch = f"{url}/app/launch?iss=http://127.0.0.1:9/r4&launch=1"
        answer = requests.get(launch, timeout=20, allow_redirects=False)
        assert answer.status_code == 502 and "does not answer" in answer.text
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert process.stdout is not None
        said = process.stdout.read()
    assert "/app/launch (1 registered)" in " ".join(said.split())
    assert '"outcome":"ehr-silent"' in said


def test_serve_forgets_the_tokens_of_ended_windows_though_nobody_opens_the_app(
    config: Path,
    tmp_path: Path,
) -> None:
    config.write_text("development = true\n" + EHR.replace("https://ehr.example", "http://[::1]:9"))
    data = f"sqlite:///{tmp_path}/v.sqlite"
    yesterday = datetime.now(UTC) - timedelta(hours=9)
    engine = database.open_storage(data).store.engine
    idle = WindowStore(engine, Seal((b"k" * 32,)), timedelta(8), timedelta(8), lambda: yesterday)
    tokens = Tokens("an access token", 2e9, "a refresh token")
    opened = LaunchGrant("p", "", "", "", "staff", "", "", (), True, "")
    idle.open("w" * 16, "a key", "main", "o" * 64, opened, tokens)
    idle.begin("a state", "a browser", Attempt("main", "", "", ""))
    with started("serve", "--config", str(config), "--port", "0", "--database", data) as process:
        url_in(process)
        until = time.monotonic() + 30
        while rows(data, app_launch) and time.monotonic() < until:
            time.sleep(0.2)
        process.terminate()
        process.communicate(timeout=20)
    assert rows(data, app_launch) == []
    assert [row["sealed"] for row in rows(data, app_window)] == [""]
