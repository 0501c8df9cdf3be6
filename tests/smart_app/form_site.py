"""The app's writing screens before an EHR that takes writes, and a window that is open already."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html import unescape
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flask import Flask
from werkzeug.test import TestResponse

from billing_rules.catalogue import Catalogue
from smart_app import cookies
from smart_app.app import create_app
from smart_app.records import Opened, Tokens
from smart_app.running import Running
from smart_app.screens import SCREENS
from smart_app.sealing import Seal
from smart_app.settings import RegisteredEhr, Settings
from smart_app.store import Store
from tests.databases import engine_at
from tests.practice_ehr import Ehr, Reply, bundle, practice_ehr, statement
from tests.smart_app.charts import TYPES, chart_of
from vialwise import database

TODAY = date(2026, 11, 24)
NURSE = "Practitioner/prac-nell-birdsong"
EVERYTHING = "patient/*.cruds"
WINDOW, KEY = "a1b2c3d4e5f60718", "the-secret-of-this-windows-cookie"
EDMUND = ("pat-edmund-larkwhistle", "edmund-omalizumab-300-mg")
TWO_VIALS = ("pat-bartholomew-quince", "omalizumab-225-mg-two-vials")
Resource = dict[str, Any]


@dataclass
class WritingEhr:
    """An EHR in memory that creates, once by identifier, and updates by version."""

    server: Ehr
    held: list[Resource]
    created: list[Resource] = field(default_factory=list)
    refuse: dict[str, Reply | Callable[[BaseHTTPRequestHandler], None]] = field(
        default_factory=dict
    )

    def start(self) -> None:
        kinds = (*TYPES, "QuestionnaireResponse", "DocumentReference")
        params = dict.fromkeys(kinds, "patient code category status intent use date identifier")
        self.server.replies["/fhir/metadata"] = Reply(statement(**params))
        for kind in kinds:
            self.server.replies[f"/fhir/{kind}"] = self._search(kind)
            self.server.replies[f"POST /fhir/{kind}"] = self._create(kind)
        for resource in self.held:
            self._serve(resource)

    def _serve(self, resource: Resource) -> None:
        path = f"/fhir/{resource['resourceType']}/{resource['id']}"
        self.server.replies[path] = Reply(resource)
        self.server.replies[f"PUT {path}"] = self._update(resource)

    def _search(self, kind: str) -> Any:
        def answer(request: BaseHTTPRequestHandler) -> None:
            asked = {k: v[0] for k, v in parse_qs(urlsplit(request.path).query).items()}
            found = [r for r in self.held if r["resourceType"] == kind and _matches(r, asked)]
            Reply(bundle(*found)).send(request)

        return answer

    def _create(self, kind: str) -> Any:
        def answer(request: BaseHTTPRequestHandler) -> None:
            if kind in self.refuse:
                refusal = self.refuse[kind]
                refusal.send(request) if isinstance(refusal, Reply) else refusal(request)
                return
            self.keep(json.loads(self.server.sent[-1].body), request.headers["If-None-Exist"])
            last = self.created[-1]
            place = f"{self.server.url}/{kind}/{last['id']}/_history/1"
            Reply(None, 201, {"Location": place}).send(request)

        return answer

    def keep(self, resource: Resource, if_none_exist: str = "") -> None:
        sought = if_none_exist.rpartition("|")[2]
        if sought and any(sought in json.dumps(r.get("identifier", "")) for r in self.created):
            raise AssertionError("the app sent what it had already written")
        made = {**resource, "id": f"made-{len(self.created)}", "meta": {"versionId": "1"}}
        self.created.append(made)
        self.held.append(made)
        self._serve(made)

    def _update(self, resource: Resource) -> Any:
        def answer(request: BaseHTTPRequestHandler) -> None:
            if request.headers["If-Match"] != f'W/"{resource["meta"]["versionId"]}"':
                Reply({}, 412).send(request)
                return
            resource.update(json.loads(self.server.sent[-1].body))
            resource["meta"]["versionId"] = str(int(resource["meta"]["versionId"]) + 1)
            Reply(None, 200, {"ETag": f'W/"{resource["meta"]["versionId"]}"'}).send(request)

        return answer

    def of(self, kind: str) -> list[Resource]:
        return [r for r in self.created if r["resourceType"] == kind]


def _matches(resource: Resource, asked: dict[str, str]) -> bool:
    codes = {c.get("code") for c in resource.get("code", {}).get("coding", [])}
    wanted = {code.rpartition("|")[2] for code in asked.get("code", "").split(",")}
    if "code" in asked and not codes & wanted:
        return False
    sought = asked.get("identifier", "").rpartition("|")[2]
    if sought and sought not in json.dumps(resource.get("identifier", "")):
        return False
    return all(
        name not in asked or resource.get(name) in asked[name].split(",")
        for name in ("status", "intent")
    )


@dataclass
class FormSite:
    """The app, its EHR, and one open window on a patient with one order."""

    app: Flask
    store: Store
    ehr: WritingEhr
    order: str
    clock: list[timedelta]

    def open(
        self, patient: str, scope: str = EVERYTHING, id_: str = WINDOW, owner: str = ""
    ) -> str:
        opened = Opened(
            patient, "", NURSE, "Nell Birdsong, RN", "clinician", scope, self.order, (), True, ""
        )
        kept = owner or self.store.seal.keyed_hash("owner", "practice", patient, NURSE)
        tokens = Tokens("token", 4e9)
        self.store.open(id_, KEY, "practice", kept, opened, tokens)
        return f"/w/{id_}"

    def client(self, id_: str = WINDOW) -> Any:
        client = self.app.test_client()
        client.set_cookie(cookies._name(cookies.KIND_WINDOW, id_, False), KEY)
        return client


@contextmanager
def form_site(
    catalogue: Catalogue,
    folder: Path,
    patient: str,
    order: str,
    without: tuple[str, ...] = (),
    public_url: str = "http://localhost",
) -> Iterator[FormSite]:
    """`without` are resource types that the chart does not hold."""
    held = [r for r in chart_of(patient, order) if r["resourceType"] not in without]
    with practice_ehr() as server, engine_at(f"sqlite:///{folder}/app.sqlite") as engine:
        database.upgrade(engine)
        ehr = WritingEhr(server, held)
        ehr.start()
        registered = RegisteredEhr("practice", "Practice EHR", server.url, "vialwise")
        settings = Settings(public_url, (registered,), (b"a key for tests of 32 bytes or more!",))
        clock = [timedelta(0)]
        store = Store(
            engine,
            Seal(settings.seal_keys),
            settings.session,
            settings.idle,
            lambda: datetime.now(UTC) + clock[0],
        )
        running = Running(catalogue, lambda: TODAY)
        app = create_app(running, settings, store, SCREENS)
        site = FormSite(app, store, ehr, f"MedicationRequest/{order}", clock)
        site.open(patient)
        yield site


# ---------------------------------------------------------------- pages


_FIELD = re.compile(r'<(?:input|select|textarea)[^>]*?name="([^"]*)"[^>]*?>', re.DOTALL)
_VALUE = re.compile(r'value="([^"]*)"')


def fields_of(page: str) -> dict[str, str]:
    """What a browser would send of the form, without its buttons and unticked boxes."""
    form = page[page.index('<form id="form"') : page.index("</form>")]
    found: dict[str, str] = {}
    for match in _FIELD.finditer(form):
        tag, name = match[0], match[1]
        if 'type="checkbox"' in tag or tag.startswith("<button"):
            continue
        if tag.startswith("<select"):
            found[name] = _selected(form, match.end())
        elif tag.startswith("<textarea"):
            found[name] = unescape(form[match.end() : form.index("</textarea>", match.end())])
        else:
            value = _VALUE.search(tag)
            found[name] = unescape(value[1]) if value else ""
    return found


def _selected(form: str, start: int) -> str:
    options = form[start : form.index("</select>", start)]
    chosen = re.search(r'<option value="([^"]*)" selected', options)
    return unescape(chosen[1]) if chosen else ""


def text_of(page: str) -> str:
    """The words of a page."""
    main = page[page.index('<main id="main"') :] if '<main id="main"' in page else page
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def follow(client: Any, answer: TestResponse) -> str:
    assert answer.status_code == 303, text_of(answer.text)[:500]
    shown = client.get(answer.headers["Location"])
    assert shown.status_code == 200
    return str(shown.text)
