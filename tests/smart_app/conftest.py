"""The app with a strict EHR beside it, and browsers that launch it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from flask import Blueprint, Flask, render_template, render_template_string
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from billing_rules.catalogue import Catalogue
from ehr_access.query import Query
from smart_app.app import create_app
from smart_app.launch.registration import AppKeys, new_key
from smart_app.launch.services import Installation
from smart_app.launch.store import Seal, WindowStore
from smart_app.launch.window import window
from smart_app.settings import AppSettings
from tests.databases import database_url, engine_at, postgresql  # noqa: F401 - fixtures
from tests.smart_app.clients import ClientKind
from tests.smart_app.strict_ehr import LAUNCH, StrictEhr, strict_ehr
from vialwise import database

PUBLIC = "https://app.example/app"
SEAL_KEYS = (b"the newest key for tests, 32 bytes", b"an older key for tests, of 32 bytes")
CONTEXT_KEY = b"a key for appContext, 32 bytes or more"


@dataclass
class Clock:
    """The time that the store goes by; a test moves it."""

    moved: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.moved


def screen() -> Blueprint:
    """A screen for tests: what the window holds, and a form."""
    made = Blueprint("worksheet", __name__)

    @made.get("/")
    def show() -> dict[str, Any]:
        here = window()
        return {
            "id": here.id,
            "ehr": here.ehr_id,
            "base": here.fhir_base,
            "patient": here.patient_id,
            "encounter": here.encounter_id,
            "user": here.user.reference,
            "name": here.user.name,
            "role": here.user.role.value,
            "order": here.order,
            "rules": here.rules,
            "together": here.together,
            "banner": here.shows_banner,
            "owner": here.owner_key,
            "note": here.note,
            "scopes": [f"{s.resource_type}.{s.actions}" for s in here.scopes.scopes],
        }

    @made.get("/form")
    def form() -> str:
        page = "<form method=post>{{ csrf_field() }}<button>Send</button></form>{{ csrf_token() }}"
        return render_template_string(page)

    @made.get("/htmx")
    def htmx() -> str:
        form = "<form hx-post=form hx-target=this><input name=dose><button>Send</button></form>"
        layout = "{% extends 'layout.html' %}{% block main %}FORM{% endblock %}"
        return render_template_string(layout.replace("FORM", form))

    @made.get("/page")
    def page() -> str:
        return render_template("layout.html")

    @made.post("/form")
    def sent() -> str:
        return "sent"

    @made.get("/read/<resource_type>/<id_>")
    def read(resource_type: str, id_: str) -> str:
        return type(window().ehr.one(Query(resource_type, id_))).__name__

    return made


@dataclass
class Site:
    """One installation: the app, its store and its EHR."""

    app: Flask
    store: WindowStore
    ehr: StrictEhr
    clock: Clock

    def browser(self) -> Browser:
        return Browser(self, self.app.test_client())


@dataclass
class Browser:
    """A browser; its cookies are its own."""

    site: Site
    client: FlaskClient
    asked: list[TestResponse] = field(default_factory=list)

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.client.get(path, base_url="https://app.example", **more)

    def post(self, path: str, data: Any = None, **more: Any) -> TestResponse:
        return self.client.post(path, base_url="https://app.example", data=data, **more)

    def begin(self, **said: str) -> TestResponse:
        """The EHR opens the launch address."""
        given = {"iss": self.site.ehr.base, "launch": LAUNCH, **said}
        return self.get(f"/launch?{urlencode({k: v for k, v in given.items() if v})}")

    def sign_in(self, begun: TestResponse) -> str:
        """Off to the EHR, and the address it sends the browser back to."""
        assert begun.status_code == 303, begun.text
        back = urlsplit(self.site.ehr.signed_in(begun.headers["Location"]))
        return f"{back.path.removeprefix('/app')}?{back.query}"

    def come_back(self, begun: TestResponse | None = None) -> TestResponse:
        return self.get(self.sign_in(begun or self.begin()))

    def launched(self) -> str:
        """The path of a window that was opened."""
        opened = self.come_back()
        assert opened.status_code == 303, (self.site.ehr.refuses, opened.text)
        return opened.headers["Location"]

    def seen(self, path: str) -> dict[str, Any]:
        shown = self.get(path)
        assert shown.status_code == 200, shown.text
        return dict(shown.json)


MakeSite = Callable[..., Site]


@pytest.fixture
def ehr() -> Iterator[StrictEhr]:
    with strict_ehr() as running:
        yield running


@pytest.fixture(scope="session")
def app_keys() -> AppKeys:
    return AppKeys((new_key("RS384"), new_key("ES384")))


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table, made once."""
    file = tmp_path_factory.mktemp("empty") / "app.sqlite"
    with engine_at(f"sqlite:///{file}") as made:
        database.upgrade(made)
    return file


@pytest.fixture
def engine(tmp_path: Path, empty_database: Path) -> Iterator[Any]:
    shutil.copy(empty_database, tmp_path)
    with engine_at(f"sqlite:///{tmp_path}/app.sqlite") as made:
        yield made


@pytest.fixture
def site_with(ehr: StrictEhr, engine: Any, catalogue: Catalogue, app_keys: AppKeys) -> MakeSite:
    """A site with any settings changed, and any of the EHR's registration (`ehr_...`)."""

    def make(kind: ClientKind = ClientKind.PUBLIC, **changes: Any) -> Site:
        ehr.kind, ehr.app_keys = kind, app_keys
        of_ehr = {k[4:]: changes.pop(k) for k in list(changes) if k.startswith("ehr_")}
        seconds = changes.pop("seconds", 3.0)
        said = {
            "app_url": PUBLIC,
            "ehrs": (ehr.registered(**of_ehr),),
            "window_secrets": SEAL_KEYS,
            "app_keys": app_keys.text(),
            "context_key": CONTEXT_KEY,
            "ehr_seconds": seconds,
            **changes,
        }
        settings, clock = AppSettings(**said), Clock()
        seal = Seal(settings.window_secrets)
        store = WindowStore(engine, seal, settings.session, settings.idle, clock)
        running = Installation(catalogue, lambda: date(2026, 11, 24))
        app = create_app(running, settings, store, screens=(screen,))
        return Site(app, store, ehr, clock)

    return make


@pytest.fixture
def site(site_with: MakeSite) -> Site:
    return site_with()


@pytest.fixture
def browser(site: Site) -> Browser:
    return site.browser()
