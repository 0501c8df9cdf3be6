"""The app's own keys: read strictly, published without what is private, changed step by step."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from joserfc.jwk import ECKey, RSAKey

from smart_app.launch.registration import AppKeys, NotAppKeys, new_key
from tests.smart_app.conftest import Browser
from vialwise.cli import cli


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["app-keys", *words])
    return done.exit_code, " ".join(done.output.split())


def test_only_public_parts_are_published(browser: Browser, app_keys: AppKeys) -> None:
    answer = browser.get("/jwks.json")
    assert answer.status_code == 200 and "max-age" in answer.headers["Cache-Control"]
    keys = answer.json["keys"]
    assert [key["alg"] for key in keys] == ["RS384", "ES384"]
    for key in keys:
        assert set(key) <= {"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}
        assert key["use"] == "sig" and key["kid"]


def test_while_a_key_is_changed_both_are_published(app_keys: AppKeys) -> None:
    after = app_keys.with_next(new_key("ES384"))
    assert len(after.published()["keys"]) == 3
    assert after.signing("ES384") is app_keys.signing("ES384")
    switched = after.switched("ES384")
    assert switched.signing("ES384") is after.keys[-1]
    assert switched.signing("RS384") is app_keys.signing("RS384")
    assert len(switched.published()["keys"]) == 3
    assert AppKeys.read(switched.text()).published() == switched.published()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "not JSON"),
        ("[]", "no list"),
        ('{"keys": []}', "no list"),
        ('{"keys": [7]}', "not a key"),
        (f'{{"keys": [{{"kty": "oct", "k": "{"A" * 64}", "kid": "x"}}]}}', "RSA"),
    ],
)
def test_what_is_no_key_file_is_refused(content: str, why: str) -> None:
    with pytest.raises(NotAppKeys, match=why):
        AppKeys.read(content)


@pytest.mark.filterwarnings("ignore:Key size should be")
def test_public_weak_or_nameless_keys_are_refused() -> None:
    good = new_key("ES384")
    for entry, why in (
        (good.as_dict(private=False), "not a private"),
        ({k: v for k, v in good.as_dict(private=True).items() if k != "kid"}, "no kid"),
        (RSAKey.generate_key(1024, {"kid": "x"}).as_dict(private=True), "2048"),
        (ECKey.generate_key("P-256", {"kid": "x"}).as_dict(private=True), "P-384"),
    ):
        with pytest.raises(NotAppKeys, match=why):
            AppKeys.read(json.dumps({"keys": [entry]}))
    twice = [good.as_dict(private=True)] * 2
    with pytest.raises(NotAppKeys, match="same kid"):
        AppKeys.read(json.dumps({"keys": twice}))


def test_the_command_makes_switches_and_removes(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    code, said = run("add", str(file), "--algorithm", "ES384")
    assert code == 0 and "signs from the next start" in said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    first = AppKeys.read(file.read_text()).keys[0]
    assert "signs after" in run("add", str(file), "--algorithm", "ES384")[1]
    assert AppKeys.read(file.read_text()).signing("ES384").kid == first.kid  # type: ignore[union-attr]
    run("switch", str(file), "--algorithm", "ES384")
    assert AppKeys.read(file.read_text()).signing("ES384").kid != first.kid  # type: ignore[union-attr]
    assert first.kid and run("remove", str(file), first.kid)[0] == 0
    shown = json.loads(run("show", str(file))[1])
    assert len(shown["keys"]) == 1 and "d" not in shown["keys"][0]


def test_the_command_says_what_it_cannot_do(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    assert "check the path" in run("show", str(file))[1]
    run("add", str(file), "--algorithm", "ES384")
    kid = AppKeys.read(file.read_text()).keys[0].kid
    assert "no RS384 key" in run("switch", str(file), "--algorithm", "RS384")[1]
    assert "no key with that kid" in run("remove", str(file), "nobody")[1]
    assert "the only key" in run("remove", str(file), str(kid))[1]
    file.chmod(0o644)
    assert "chmod 600" in run("show", str(file))[1]
    file.write_text("[]")
    file.chmod(0o600)
    assert "holds no keys of the app" in run("show", str(file))[1]
    for _ in range(3):
        run("add", str(tmp_path / "full.json"), "--algorithm", "ES384")
    run("add", str(tmp_path / "full.json"), "--algorithm", "ES384")
    code, said = run("add", str(tmp_path / "full.json"), "--algorithm", "ES384")
    assert code == 2 and "remove an old one first" in said
