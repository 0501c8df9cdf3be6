"""Settings: one typed place, every problem at once with its remedy, nothing secret ever shown."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

from cds_hooks import Settings, create_app
from cds_hooks import settings as service
from cds_hooks.answers import Basis
from cds_hooks.settings import Client, Quiet
from service_parts.setting_fields import example_of, is_secret, settings_of
from smart_app import settings as app
from smart_app.launch.registration import AppKeys, new_key
from tests.cds_hooks.tokens import EC, jwks
from tests.databases import store_at
from tests.vialwise.conftest import Run, shipped
from vialwise.cli import cli
from vialwise.serving import service as start
from vialwise.settings import page
from vialwise.settings.checks import checked
from vialwise.settings.models import SECTIONS, SETTINGS, TABLES, ServeSettings
from vialwise.settings.reading import Read, toml
from vialwise.settings.reading import read as read_here

ROOT = Path(__file__).parents[2]
GOOD_CLIENT = '[[clients]]\niss = "https://ehr.example"\njku = "https://ehr.example/jwks"\n'
LOCAL = 'public_url = "http://localhost:8417"\n'
PUBLIC = 'public_url = "https://cds.clinic.example"\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return tmp_path / "vialwise.toml"


def read(config: Path | None, environ: dict[str, str], options: dict[str, Any]) -> Read:
    """The settings with these variables, besides those of the tests themselves."""
    with mock.patch.dict(os.environ, environ):
        return read_here(config, options)


def problems(
    config: Path, text: str, open_: bool = False, options: Any = None, **environ: str
) -> list[str]:
    config.write_text(text, encoding="utf-8")
    return start.all_problems(read(config, environ, options or {}), open_)


def one(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


# ---------------------------------------------------------------- every setting


def test_every_setting_has_a_meaning_and_an_example_that_is_right(config: Path) -> None:
    for name, field in SETTINGS.items():
        assert field.description and field.description.endswith("."), name
        if name not in TABLES and not is_secret(field):
            line = f"{name} = {toml(example_of(field))}"
            config.write_text(line, encoding="utf-8")
            assert read(config, {}, {}).problems == [], line
    for name, table in TABLES.items():
        text = "\n".join(examples_of(table))
        hours = text.replace("shadow = true\n", "")  # which go together with hours only
        config.write_text(f"[[{name}]]\n{hours}", encoding="utf-8")
        found = read(config, {}, {})
        assert found.problems == []
        assert len(getattr(found.settings, name)) == 1


def examples_of(table: type[BaseModel]) -> Iterator[str]:
    for name, field in settings_of(table).items():
        example = example_of(field)
        assert field.description and field.description.endswith(".") and example is not None
        yield f"{name} = {toml(example)}"


def test_every_default_is_what_the_file_would_make_of_it(config: Path) -> None:
    for name, field in SETTINGS.items():
        if field.default not in ("", b"", (), frozenset()):
            config.write_text(f"{name} = {toml(field.default)}", encoding="utf-8")
            found = read(config, {}, {})
            assert found.problems == []
            assert getattr(found.settings, name) == field.default


def test_the_command_line_stands_on_the_defaults_of_the_service() -> None:
    defaults = {field.name: field.default for field in dataclasses.fields(Basis)}
    for name in ("given_days", "documentation_at_select"):
        assert defaults[name] == Settings.model_fields[name].default


def test_no_name_stands_for_two_settings() -> None:
    assert len(SETTINGS) == sum(len(section) for section in SECTIONS.values())


def test_docs_list_every_setting() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert text == page.markdown(), "run: vialwise settings --markdown > docs/settings.md"
    for table in (ServeSettings, *TABLES.values()):
        for name in settings_of(table):
            assert f"\n- `{name}`: " in text
    assert max(len(line) for line in text.splitlines()) <= 100


def test_the_example_in_the_docs_works(config: Path) -> None:
    example = page.markdown().partition("```toml\n")[2].partition("```")[0]
    (config.parent / "vendor-jwks.json").write_text(jwks(EC))
    (config.parent / "clinic.yaml").write_text("name: Clinic\n")
    keys = config.parent / "app-keys.json"
    keys.write_text(AppKeys((new_key("ES384"),)).text())
    keys.chmod(0o600)
    assert problems(config, example) == []


def test_what_cannot_be_set_is_put_in_by_the_program() -> None:
    """A new field of a room needs a description, or something in the program that puts it in."""
    made = {
        service.Settings: {"today", "open", "clock", "rule_set", "context_key"},
        app.AppSettings: {"app_url", "app_keys", "context_key", "ehr_seconds"},
        ServeSettings: {"app_keys"},
        Client: {"jwks"},
        app.RegisteredEhr: {"client_secret"},
    }
    for model, names in made.items():
        assert model.model_fields.keys() - settings_of(model).keys() == names


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{PUBLIC}{GOOD_CLIENT}jwks = '{{}}'", "'jwks' is not a setting: write jwks_file"),
        ("[[ehrs]]\nclient_secret = 'canary'", "write client_secret_file"),
        ("_secrets_dir = '/'", "'_secrets_dir' is not a setting"),
        ("app_keys = 'canary'", "write app_keys_file"),
    ],
)
def test_what_the_program_puts_in_cannot_stand_in_the_file(
    config: Path, text: str, words: str
) -> None:
    found = problems(config, text)
    assert any(words in problem for problem in found), found
    assert not any("canary" in problem for problem in found)


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
    said, _ = checked(read(config, {}, {}).settings, open_=False)
    told = start.service_settings(said, "http://127.0.0.1:1", open_=False, context_key=b"k" * 32)
    for name, field in Settings.model_fields.items():
        if name not in ("open", "development", "rule_set", "today"):
            assert getattr(told, name) != field.default, name
    assert told.url("/cds-services") == "https://cds.clinic.example/cds-services"
    assert told.clients == (
        Client(
            iss="https://ehr.example",
            jwks=jwks(EC),
            jwks_file=str(tmp_path / "keys.json"),
            tenant="7",
            fhir_base="https://ehr.example/r4",
            audiences=frozenset({"sand_man"}),
            algorithms=frozenset({"ES256"}),
            subject="us",
            longest_life=900,
            calls_per_minute=60,
            app_link=False,
            silent_tracking=True,
        ),
    )
    night = Quiet(
        rule="weight",
        client="https://ehr.example",
        tenant="7",
        days=("fri",),
        start="22:00",
        end="06:30",
    )
    assert told.quiet == (night, Quiet(shadow=True))
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
    assert said.cors_origins == {"https://a.example", "https://b.example"}
    assert (said.billing_plan, said.keep_comments) == (True, False)
    assert said.fetch_seconds == 1.5
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
        ("prot = 1", "'prot' is not a setting: write port"),
        ("zzz = 1", "'zzz' is not a setting: remove it"),
        ("open = true", "option --open"),
        ("port = 70000", "port: is not a whole number from 0 to 65535: write it like 8417"),
        ('port = "8417"', "port: is not a whole number from 0 to 65535: write it like 8417"),
        ("billing_plan = 1", "billing_plan: is not true or false: write it like true"),
        ("fetch_seconds = 6", "fetch_seconds: is not a number above 0, up to 5"),
        ('cors_origins = "https://a.example"', 'write it like ["https://'),
        ("cors_origins = [5]", "cors_origins: is not a list of origins: write it like"),
        ("cors_origins = [5, 6]", "cors_origins: is not a list of origins: write it like"),
        ('cors_origins = ["*"]', "cors_origins: is not a list of origins"),
        ('cors_origins = ["https://a.example/"]', "cors_origins: is not a list of origins"),
        ('record_secret = "x"', "use record_secret_file"),
        ('record_secret_file = "absent"', "record_secret_file names no file"),
        ('site = "absent.yaml"', "site names no file"),
        ('timezone = "Mars/Base"', "write one like America/New_York"),
        ('database = "mysql://user:canary@host/x"', "use sqlite:///file or postgresql://"),
        ('public_url = "cds.example"', "write it like https://"),
        ('public_url = "http://cds.example"', "write the https address"),
        ('source_url = "clinic"', "source_url: is not a web address"),
        ('fhir_bases = ["x"]', "fhir_bases: is not a list of FHIR addresses"),
        (
            '[[links]]\nlabel = "x"\nurl = "javascript:x"',
            "links, number 1: url: is not a web address",
        ),
        ('[[links]]\nurl = "https://x.example"', "number 1: label is missing"),
        ("links = 5", "head each with [[links]]"),
        ("clients = [5]", "head each with [[clients]]"),
        ("clients = [5, 6, {iss = 5}]", "head each with [[clients]]"),
        ("quiet = [5, {}]", "head each with [[quiet]]"),
        ("[clients]\niss = 'x'", "head each with [[clients]]"),
        ("a =", "is not TOML (at "),
        (PUBLIC + "[[clients]]\njku = 'https://x.example'", "number 1: iss is missing"),
        (PUBLIC + GOOD_CLIENT + "audience = ['x']", "'audience' is not a setting: write audiences"),
        (
            PUBLIC + GOOD_CLIENT + "longest_life = 7200",
            "longest_life: is not a whole number from 1 to 3600",
        ),
        (PUBLIC + GOOD_CLIENT + "audiences = [5, 6]", "audiences: is not a list of texts"),
        (PUBLIC + GOOD_CLIENT + "jwks_file = 5", "jwks_file: is not text in quotes"),
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
        (
            'link_hosts = ["https://a.example"]',
            "link_hosts: is not a list of hosts without https://",
        ),
        ('link_hosts = ["A.example"]', "link_hosts: is not a list of hosts without https://"),
        ('link_hosts = ["a.example"]\nsource_url = "https://b.example"', "add it, or remove"),
        ('link_hosts = ["a.example"]\napp_launch_url = "https://b.example/l"', "app_launch_url"),
        ('app_launch_url = "app"', "app_launch_url is not a launch address"),
        ('app_launch_url = "http://app.example/launch"', "write the https address"),
        ('app_launch_url = "https://app.example/launch?iss=x"', "is not a launch address"),
        ("most_cards = 0", "most_cards: is not a whole number from 1 to 100"),
        ("[[quiet]]", "does not say when: write shadow = true, or start and end"),
        ("[[quiet]]\nshadow = true\ndays = ['sat']", "remove one of the two"),
        ("[[quiet]]\ndays = ['Saturday']", "days: is not a list of mon, tue"),
        ("[[quiet]]\nstart = '22:00'", "end is missing: write it like 06:30"),
        ("[[quiet]]\nstart = '22:00'\nend = '24:00'", "end: is not a time from 00:00 to 23:59"),
        ("[[quiet]]\nstart = '9:00'\nend = '12:00'", "start: is not a time from 00:00 to 23:59"),
        ("[[quiet]]\nstart = '22:00'\nend = '22:00'", "are the same: leave out both"),
        ("[[quiet]]\nshadow = true\nrule = 'dose_intervall'", "write dose_interval"),
        ("[[quiet]]\nshadow = true\nrule = 'qqq'", "the id that stands on its page"),
        (
            "[[quiet]]\nshadow = true\nclient = 'https://x.example'",
            "client is not a registered one",
        ),
        ("[[quiet]]\nshadow = true\ntenant = '7'", "tenant is not a registered one"),
        (
            PUBLIC + GOOD_CLIENT + "[[quiet]]\nshadow = true\nclient = 'https://ehr.example'\n"
            "tenant = '7'",
            "quiet, number 1: tenant is not a registered one",
        ),
        ("[[quiet]]\nshadow = true\nruel = 'weight'", "'ruel' is not a setting: write rule"),
    ],
)
def test_a_problem_says_its_remedy(config: Path, text: str, words: str) -> None:
    said = problems(config, text)
    assert any(words in problem for problem in said), said
    assert len(said) <= (2 if "jwks_file = 'absent'" in text else 1)
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
        "port: is not",
        "'prot'",
        "VIALWISE_PROT",
        "Mars",
        "public_url",
        "'is'",
        "iss is missing",
        "absent",
        "ES384",
        "number-1: give either jku",
    ):
        assert sum(word in line for line in lines) >= 1, word
    assert len(lines) == 10


def test_what_is_wrong_in_a_table_hides_nothing_else_in_it(config: Path, run: Run) -> None:
    text = """
        [[clients]]
        iss = "https://ehr.example"
        jku = "http://ehr.example/jwks"
        calls_per_minute = 0
        tenent = "7"
        fhir_base = "http://ehr.example/r4"
        [[quiet]]
        days = ["Saturday"]
        rule = "dose_intervall"
        [[quiet]]
        start = "22:00"
    """
    found = problems(config, PUBLIC + text)
    for words in (
        "clients, number 1: 'tenent' is not a setting: write tenant",
        "clients, number 1: calls_per_minute: is not a whole number",
        "quiet, number 1: days: is not a list of mon",
        "jku is not a plain https address",
        "its fhir_base is http",
        "quiet, number 1: rule is not known: write dose_interval",
        "quiet, number 2: end is missing",
    ):
        assert sum(words in problem for problem in found) == 1, words
    assert len(found) == 7
    result = run("settings", "--config", config)
    shown = click.unstyle(result.stdout)
    assert result.exit_code == 2 and "clients = wrong, see below" in shown
    assert "ehr.example" not in shown, "what stands in for a wrong setting is not in force"


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
    assert checked(read(config, {}, {}).settings, False)[0].record_secret == b"s" * 32
    file.chmod(0o644)
    assert "chmod 600" in one(problems(config, 'record_secret_file = "secret"'))
    file.chmod(0o600)
    file.write_text("short")
    assert "no secret of 32 bytes" in one(problems(config, 'record_secret_file = "secret"'))
    assert file.read_text() == "short"


def test_the_secret_can_stand_in_the_environment(config: Path) -> None:
    environ = {"VIALWISE_RECORD_SECRET": "s" * 32}
    assert problems(config, "", **environ) == []
    assert checked(read(None, environ, {}).settings, False)[0].record_secret == b"s" * 32
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
    for name in SETTINGS:
        assert f"{name} = " in shown


def test_settings_that_are_wrong_are_shown_and_exit_with_2(run: Run) -> None:
    result = run("settings", env={"VIALWISE_DATABASE": "mysql://u:canary@x"})
    assert result.exit_code == 2
    assert "host = " in result.stdout and "postgresql://" in result.stderr
    assert "canary" not in result.stdout + result.stderr


def test_the_page_is_printed_as_it_is() -> None:
    printed = CliRunner().invoke(cli, ["settings", "--markdown"]).stdout
    assert printed == page.markdown()


def test_values_are_written_as_toml() -> None:
    assert toml(("a", 'b"')) == '["a", "b\\""]'
    assert (toml(True), toml(2.0), toml("x")) == ("true", "2.0", '"x"')
    assert json.loads(toml(5)) == 5
