"""Settings: one typed place, every problem at once with its remedy, nothing secret ever shown."""

from __future__ import annotations

import dataclasses
import json
from datetime import time
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from click.testing import CliRunner

from cds_hooks import Settings, create_app
from cds_hooks.quiet import Hours, Quiet
from cds_hooks.trusted_clients import Client
from smart_app.app_keys import AppKeys, new_key
from tests.cds_hooks.tokens import EC, jwks
from tests.databases import store_at
from tests.vialwise.conftest import Run, shipped
from vialwise import settings, settings_checks, settings_page, start
from vialwise.cli import cli
from vialwise.settings import ClientTable, LinkTable, QuietTable, ServeSettings
from vialwise.settings_reading import read, toml

ROOT = Path(__file__).parents[2]
TABLES = (ServeSettings, ClientTable, LinkTable, QuietTable)
GOOD_CLIENT = '[[clients]]\niss = "https://ehr.example"\njku = "https://ehr.example/jwks"\n'
LOCAL = 'public_url = "http://localhost:8417"\n'
PUBLIC = 'public_url = "https://cds.clinic.example"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "vialwise.toml"


def problems(
    config: Path, text: str, open_: bool = False, options: Any = None, **environ: str
) -> list[str]:
    config.write_text(text, encoding="utf-8")
    return start.all_problems(read(config, environ, options or {}), open_)


def one(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


# ---------------------------------------------------------------- every setting


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_has_a_meaning_and_an_example_that_is_right(table: Any) -> None:
    for name in settings.names(table):
        meta = settings.meta(table, name)
        assert meta.description and meta.description.endswith("."), name
        assert meta.examples or name in settings.FILE_ONLY | settings.ENVIRONMENT_ONLY, name
        for example in meta.examples or ():
            assert msgspec.convert(example, settings.type_of(table, name)) is not None
        default = settings.default(table, name)
        if default is not msgspec.NODEFAULT and default != "":
            msgspec.convert(default, settings.type_of(table, name))


def test_docs_list_every_setting() -> None:
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page.markdown(), "run: vialwise settings --markdown > docs/settings.md"
    for table in TABLES:
        for name in settings.names(table):
            assert f"\n- `{name}`: " in page
    assert max(len(line) for line in page.splitlines()) <= 100


def test_the_example_in_the_docs_works(config: Path) -> None:
    example = settings_page.markdown().partition("```toml\n")[2].partition("```")[0]
    (config.parent / "vendor-jwks.json").write_text(jwks(EC))
    (config.parent / "clinic.yaml").write_text("name: Clinic\n")
    keys = config.parent / "app-keys.json"
    keys.write_text(AppKeys((new_key("ES384"),)).text())
    keys.chmod(0o600)
    assert problems(config, example) == []


def test_every_setting_of_the_cds_service_can_be_set() -> None:
    """A new field of cds_hooks.Settings needs a setting, or a reason to have none."""
    elsewhere = {
        "public_base_url": "public_url, or where it listens",
        "today": "timezone",
        "open": "--open",
        "show_billing_plan": "billing_plan",
        "rule_set": "made from rules and data",
        "clock": "timezone",
        "app_key": "record_secret",
        "operator_secret": "the same name, as text",
    }
    fields = {field.name for field in dataclasses.fields(Settings)}
    assert fields - set(elsewhere) <= set(settings.names(ServeSettings)), (
        "add it to vialwise/settings.py, and pass it on in vialwise/start.py"
    )
    same = fields & set(settings.names(ServeSettings))
    for field in dataclasses.fields(Settings):
        if field.name in same:
            default = settings.default(ServeSettings, field.name)
            default = default.encode() if isinstance(field.default, bytes) else default
            made = frozenset(default) if isinstance(field.default, frozenset) else default
            assert made == field.default, f"{field.name} has two defaults"
    assert {f.name for f in dataclasses.fields(Client)} - {"jwks", "fhir_bases"} <= set(
        settings.names(ClientTable)
    )


def test_a_whole_file_reaches_the_service(config: Path, tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(jwks(EC))
    (tmp_path / "operator").write_text("o" * 40)
    (tmp_path / "operator").chmod(0o600)
    text = """
        public_url = "https://cds.clinic.example/"
        billing_plan = true
        quiet_days = 7
        keep_comments = true
        given_days = 5
        fetch_seconds = 1
        fetch_pages = 2
        cors_origins = ["https://a.example"]
        fhir_bases = ["https://r4.example"]
        max_body_bytes = 100_000
        max_json_depth = 20
        most_cards = 4
        documentation_at_select = false
        link_hosts = ["clinic.example", "app.example"]
        app_launch_url = "https://app.example/launch"
        operator_secret_file = "operator"
        source_label = "Clinic"
        source_url = "https://clinic.example"
        [[links]]
        label = "Guide"
        url = "https://clinic.example/guide"
        [[quiet]]
        rule = "weight"
        client = "https://ehr.example"
        tenant = "7"
        days = ["fri"]
        start = "22:00"
        end = "06:30"
        [[quiet]]
        shadow = true
        [[clients]]
        iss = "https://ehr.example"
        jwks_file = "keys.json"
        fhir_base = "https://ehr.example/r4"
        tenant = "7"
        audiences = ["sand_man"]
        algorithms = ["ES256"]
        subject = "us"
        longest_life = 900
        calls_per_minute = 60
        app_link = false
        silent_tracking = true
    """
    assert problems(config, text) == []
    said = read(config, {}, {}).settings
    told = start.service_settings(said, "http://127.0.0.1:1", open_=False, app_key=b"k" * 32)
    for field in dataclasses.fields(Settings):
        if field.name not in ("open", "development", "rule_set", "today", "public_base_url"):
            assert getattr(told, field.name) != field.default, field.name
    assert told.url("/cds-services") == "https://cds.clinic.example/cds-services"
    assert told.clients == (
        Client(
            iss="https://ehr.example",
            jwks=jwks(EC),
            tenant="7",
            fhir_bases=frozenset({"https://ehr.example/r4"}),
            audiences=frozenset({"sand_man"}),
            algorithms=frozenset({"ES256"}),
            subject="us",
            longest_life=900,
            calls_per_minute=60,
            app_link=False,
            silent_tracking=True,
        ),
    )
    night = Hours(frozenset({4}), time(22), time(6, 30))
    assert told.quiet == (Quiet("weight", "https://ehr.example", "7", night), Quiet())
    assert told.operator_secret == b"o" * 40
    with store_at(f"sqlite:///{tmp_path}/store.sqlite") as store:
        create_app(shipped(), told, store)


# ---------------------------------------------------------------- where they come from


def test_command_line_before_environment_before_file_before_default(config: Path) -> None:
    config.write_text("port = 1\nquiet_days = 1\nfetch_pages = 1\n", encoding="utf-8")
    environ = {"VIALWISE_PORT": "2", "VIALWISE_QUIET_DAYS": "2", "VIALWISE_CONFIG": str(config)}
    found = read(None, environ, {"port": 3, "host": None})
    said = found.settings
    assert (said.port, said.quiet_days, said.fetch_pages, said.given_days) == (3, 2, 1, 3)
    wanted = {"port": "command line", "quiet_days": "environment", "fetch_pages": "file"}
    assert {name: found.origins[name] for name in wanted} == wanted
    assert found.origins["given_days"] == found.origins["host"] == "default"
    assert found.problems == []


def test_the_environment_says_lists_and_yes_or_no() -> None:
    environ = {
        "VIALWISE_CORS_ORIGINS": "https://a.example, https://b.example,",
        "VIALWISE_BILLING_PLAN": "true",
        "VIALWISE_KEEP_COMMENTS": "0",
        "VIALWISE_FETCH_SECONDS": "1.5",
        "VIALWISE_HOST": "",
    }
    said = read(None, environ, {}).settings
    assert said.cors_origins == ("https://a.example", "https://b.example")
    assert (said.billing_plan, said.keep_comments, said.fetch_seconds) == (True, False, 1.5)
    assert said.host == "127.0.0.1", "a variable that is empty is not set"


def test_paths_in_a_file_are_relative_to_it(config: Path) -> None:
    (config.parent / "clinic.yaml").write_text("name: Clinic\n")
    keys = config.parent / "app-keys.json"
    keys.write_text(AppKeys((new_key("ES384"),)).text())
    keys.chmod(0o600)
    assert problems(config, 'site = "clinic.yaml"') == []
    assert read(config, {}, {}).settings.site == str(config.parent / "clinic.yaml")
    assert read(None, {"VIALWISE_SITE": "clinic.yaml"}, {}).settings.site == "clinic.yaml"


# ---------------------------------------------------------------- what is wrong


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 1", "'prot' is no setting: write port"),
        ("zzz = 1", "'zzz' is no setting: remove it"),
        ("open = true", "option --open"),
        ("port = 70000", "port: expected int <= 65535: write it like 8417"),
        ('port = "8417"', "port: expected int, got str: write it like 8417"),
        ("billing_plan = 1", "billing_plan: expected bool"),
        ("fetch_seconds = 6", "fetch_seconds: expected float <= 5"),
        ('cors_origins = "https://a.example"', 'write it like ["https://'),
        ("cors_origins = [5]", "cors_origins: expected str"),
        ('cors_origins = ["*"]', "an entry is no origin"),
        ('cors_origins = ["https://a.example/"]', "an entry is no origin"),
        ('record_secret = "x"', "use record_secret_file"),
        ('record_secret_file = "absent"', "record_secret_file names no file"),
        ('site = "absent.yaml"', "site names no file"),
        ('timezone = "Mars/Base"', "write one like America/New_York"),
        ('database = "mysql://user:canary@host/x"', "use sqlite:///file or postgresql://"),
        ('public_url = "cds.example"', "write it like https://"),
        ('public_url = "http://cds.example"', "write the https address"),
        ('source_url = "clinic"', "source_url is no web address"),
        ('fhir_bases = ["x"]', "fhir_bases: an entry"),
        ('[[links]]\nlabel = "x"\nurl = "javascript:x"', "an url is no web address"),
        ('[[links]]\nurl = "https://x.example"', "number 1: label is missing"),
        ("links = 5", "head each with [[links]]"),
        ("clients = [5]", "head each with [[clients]]"),
        ("[clients]\niss = 'x'", "head each with [[clients]]"),
        ("a =", "is not TOML (at "),
        (PUBLIC + "[[clients]]\njku = 'https://x.example'", "number 1: iss is missing"),
        (PUBLIC + GOOD_CLIENT + "audience = ['x']", "'audience' is no setting: write audiences"),
        (PUBLIC + GOOD_CLIENT + "longest_life = 7200", "longest_life: expected int <= 3600"),
        (PUBLIC + GOOD_CLIENT + "algorithms = ['HS256']", "can only be ES384, RS384"),
        (PUBLIC + GOOD_CLIENT + "jwks_file = 'absent'", "check jwks_file"),
        (PUBLIC + GOOD_CLIENT + "fhir_base = 'http://ehr.example'", "write the https address"),
        (PUBLIC + GOOD_CLIENT * 2, "give each a tenant of its own"),
        (PUBLIC + GOOD_CLIENT + PUBLIC, "write it above the first"),
        (GOOD_CLIENT, "public_url is missing"),
        (PUBLIC + "development = true", "remove development"),
        ('operator_secret = "x"', "use operator_secret_file"),
        ('operator_secret_file = "absent"', "operator_secret_file names no file"),
        ("keep_days = 20", "keep_days is less than quiet_days"),
        ("keep_days = 60\nkeep_audit_days = 50", "keep the audit for longer"),
        ("keep_audit_days = 50", "keep the audit for longer"),
        ('link_hosts = ["https://a.example"]', "write it like www.cms.gov"),
        ('link_hosts = ["A.example"]', "write it like www.cms.gov"),
        ('link_hosts = ["a.example"]\nsource_url = "https://b.example"', "add it, or remove"),
        ('link_hosts = ["a.example"]\napp_launch_url = "https://b.example/l"', "app_launch_url"),
        ('app_launch_url = "app"', "app_launch_url is no launch address"),
        ('app_launch_url = "http://app.example/launch"', "write the https address"),
        ('app_launch_url = "https://app.example/launch?iss=x"', "is no launch address"),
        ("most_cards = 0", "most_cards: expected int >= 1"),
        ("[[quiet]]", "does not say when: write shadow = true, or start and end"),
        ("[[quiet]]\nshadow = true\ndays = ['sat']", "remove one of the two"),
        ("[[quiet]]\ndays = ['Saturday']", "a day is none: write mon, tue"),
        ("[[quiet]]\nstart = '22:00'", "end is missing: write it like 06:30"),
        ("[[quiet]]\nstart = '22:00'\nend = '24:00'", "midnight as 00:00"),
        ("[[quiet]]\nstart = '9:00'\nend = '12:00'", "is no time"),
        ("[[quiet]]\nstart = '22:00'\nend = '22:00'", "are the same: leave out both"),
        ("[[quiet]]\nshadow = true\nrule = 'dose_intervall'", "write dose_interval"),
        ("[[quiet]]\nshadow = true\nrule = 'qqq'", "the id that stands on its page"),
        ("[[quiet]]\nshadow = true\nclient = 'https://x.example'", "client is no registered one"),
        ("[[quiet]]\nshadow = true\ntenant = '7'", "tenant is no registered one"),
        (
            PUBLIC + GOOD_CLIENT + "[[quiet]]\nshadow = true\nclient = 'https://ehr.example'\n"
            "tenant = '7'",
            "quiet, number 1: tenant is no registered one",
        ),
        ("[[quiet]]\nshadow = true\nruel = 'weight'", "'ruel' is no setting: write rule"),
    ],
)
def test_a_problem_says_its_remedy(config: Path, text: str, words: str) -> None:
    said = problems(config, text)
    assert any(words in problem for problem in said), said
    assert len(said) <= (2 if "jwks_file" in text else 1)
    assert not any("canary" in problem for problem in said)


def test_the_sandbox_is_a_client_in_development_only(config: Path) -> None:
    sandbox = GOOD_CLIENT.replace("ehr.example", "sandbox.cds-hooks.org")
    assert "publishes its private key" in one(problems(config, PUBLIC + sandbox))
    assert problems(config, "development = true\n" + sandbox) == []


def test_every_problem_is_told_at_once(config: Path, run: Run) -> None:
    text = """
        port = "x"
        prot = 1
        timezone = "Mars/Base"
        public_url = "http://cds.example"
        [[clients]]
        is = "x"
        [[clients]]
        iss = "https://ehr.example"
        jwks_file = "absent"
        algorithms = ["none"]
    """
    config.write_text(text, encoding="utf-8")
    result = run("serve", "--config", config, env={"VIALWISE_PROT": "1"})
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert all(line.startswith("vialwise: ") and ": " in line[10:] for line in lines)
    for word in (
        "port: expected",
        "'prot'",
        "VIALWISE_PROT",
        "Mars",
        "public_url",
        "'is'",
        "iss is missing",
        "absent",
        "ES384",
    ):
        assert sum(word in line for line in lines) >= 1, word
    assert len(lines) == 9


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("VIALWISE_PORTT", True),
        ("VIALWISE_OPEN", True),
        ("VIALWISE_CLIENTS", True),
        ("VIALWISE_CONFIG", False),
        ("VIALWISE_TEST_POSTGRES", False),
        ("VIALWISE_SERVICE_HOST", False),
        ("VIALWISE_PORT_8417_TCP", False),
        ("VIALWISES", False),
    ],
)
def test_a_variable_that_is_no_setting(name: str, told: bool) -> None:
    environ = {name: "" if name == "VIALWISE_CONFIG" else "1"}
    assert bool(read(None, environ, {}).problems) is told


def test_a_file_that_is_not_there_or_no_text(config: Path) -> None:
    assert "check the path" in one(read(config, {}, {}).problems)
    config.write_bytes(b"a = '\xff'")
    assert "UTF-8" in one(read(config, {}, {}).problems)


@pytest.mark.parametrize(
    "content", ["", "{}", '{"keys": []}', '{"keys": [{"kty": "oct", "k": "eA", "kid": "1"}]}']
)
def test_a_file_without_keys(config: Path, content: str) -> None:
    (config.parent / "keys.json").write_text(content)
    client = "[[clients]]\niss = 'https://ehr.example'\njwks_file = 'keys.json'"
    assert "keys.json" in one(problems(config, PUBLIC + client))


# ---------------------------------------------------------------- open mode


def test_a9_11_open_mode_refuses_production_settings(config: Path, run: Run) -> None:
    assert "clients are registered" in one(problems(config, LOCAL + GOOD_CLIENT, open_=True))
    assert "not of this machine" in one(problems(config, PUBLIC, open_=True))
    assert problems(config, LOCAL, open_=True) == []
    assert problems(config, "", open_=True) == []
    config.write_text(PUBLIC, encoding="utf-8")
    result = run("serve", "--open", "--config", config)
    assert result.exit_code == 2 and "not of this machine" in result.stderr


# ---------------------------------------------------------------- secrets


def test_the_secret_comes_from_a_file_of_its_user_alone(config: Path) -> None:
    file = config.parent / "secret"
    file.write_text("s" * 32 + "\n")
    file.chmod(0o600)
    assert problems(config, 'record_secret_file = "secret"') == []
    assert settings_checks.record_secret(read(config, {}, {}).settings) == b"s" * 32
    file.chmod(0o644)
    assert "chmod 600" in one(problems(config, 'record_secret_file = "secret"'))
    file.chmod(0o600)
    file.write_text("short")
    assert "no secret of 32 bytes" in one(problems(config, 'record_secret_file = "secret"'))
    assert file.read_text() == "short"


def test_the_secret_can_stand_in_the_environment(config: Path) -> None:
    environ = {"VIALWISE_RECORD_SECRET": "s" * 32}
    assert problems(config, "", **environ) == []
    assert settings_checks.record_secret(read(None, environ, {}).settings) == b"s" * 32
    assert "too short" in one(problems(config, "", VIALWISE_RECORD_SECRET="x"))
    file = config.parent / "secret"
    file.write_text("s" * 32)
    file.chmod(0o600)
    both = problems(config, 'record_secret_file = "secret"', **environ)
    assert "both set" in one(both)


def test_postgresql_needs_a_secret(config: Path) -> None:
    text = 'database = "postgresql://user@db.example/x"'
    assert "set record_secret_file" in one(problems(config, text))
    assert problems(config, text, VIALWISE_RECORD_SECRET="s" * 32) == []


def test_settings_are_shown_without_what_is_secret(run: Run, config: Path) -> None:
    config.write_text(PUBLIC + GOOD_CLIENT + "tenant = 'clinic-7'\n", encoding="utf-8")
    environ = {
        "VIALWISE_RECORD_SECRET": "canary" * 8,
        "VIALWISE_DATABASE": "postgresql://user:canary@db.example/x",
        "VIALWISE_QUIET_DAYS": "5",
    }
    result = run("settings", "--config", config, env=environ)
    assert result.exit_code == 0, result.stderr
    shown = click.unstyle(result.stdout)
    assert "canary" not in shown + result.stderr
    assert "record_secret = ********" in shown
    assert "quiet_days = 5" in shown and "From: environment (default: 30)" in shown
    assert "From: file" in shown and "clinic-7" in shown
    for name in settings.names(ServeSettings):
        assert f"{name} = " in shown


def test_settings_that_are_wrong_are_shown_and_exit_with_2(run: Run) -> None:
    result = run("settings", env={"VIALWISE_DATABASE": "mysql://u:canary@x"})
    assert result.exit_code == 2
    assert "host = " in result.stdout and "postgresql://" in result.stderr
    assert "canary" not in result.stdout + result.stderr


def test_the_page_is_printed_as_it_is() -> None:
    printed = CliRunner().invoke(cli, ["settings", "--markdown"]).stdout
    assert printed == settings_page.markdown()


def test_values_are_written_as_toml() -> None:
    assert toml(("a", 'b"')) == '["a", "b\\""]'
    assert (toml(True), toml(2.0), toml("x")) == ("true", "2.0", '"x"')
    assert json.loads(toml(5)) == 5
