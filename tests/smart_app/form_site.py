"""The app's writing screens before an EHR that takes writes, and a window that is open already."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from billing_rules.catalogue import Catalogue
from sandbox_ehr.moods import Act, Answer, Reply, Request, Sent
from smart_app.app import create_app
from smart_app.launch import session
from smart_app.launch.services import Installation
from smart_app.launch.store import LaunchGrant, Seal, Tokens, WindowStore
from smart_app.screens import SCREENS
from smart_app.settings import AppSettings, RegisteredEhr
from tests.databases import engine_at
from tests.practice_ehr import Ehr, practice_ehr
from tests.smart_app.charts import chart_of
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
    """What the practice EHR was given to keep, and the writes it refuses: `refuse` by type."""

    server: Ehr
    made: list[str] = field(default_factory=list)  # references, in the order they were made
    refuse: dict[str, Reply | Act] = field(default_factory=dict)

    def writes(self, request: Request, answer: Answer) -> Sent:
        """A mood: refuses what it is to refuse, and remembers what was made."""
        kind = request.path.split("/")[2]
        if request.method == "PUT" and "If-Match" not in request.headers:
            return Reply({}, 412)
        if request.method != "POST":
            return answer(request)
        refusal = self.refuse.get(kind)
        if refusal is not None:
            return refusal if isinstance(refusal, Reply) else refusal(request, answer)
        return self.kept(request, answer)

    def kept(self, request: Request, answer: Answer) -> Sent:
        sent = answer(request)
        assert isinstance(sent, Reply)
        assert sent.status != 200, "the app sent what it had already written"
        if sent.status == 201:
            self.made.append("/".join(sent.headers["Location"].split("/")[-4:-2]))
        return sent

    @property
    def created(self) -> list[Resource]:
        """What was made, in that order, as it is now."""
        found = (self.server.records.read(*reference.split("/")) for reference in self.made)
        return [resource for resource in found if resource]

    @property
    def held(self) -> list[Resource]:
        """Everything in the charts."""
        records = self.server.records
        return [r for kind in records.types() for r in records.search(kind)]

    def of(self, kind: str) -> list[Resource]:
        return [r for r in self.created if r["resourceType"] == kind]


@dataclass
class FormSite:
    """The app, its EHR, and one open window on a patient with one order."""

    app: Flask
    store: WindowStore
    ehr: WritingEhr
    order: str
    clock: list[timedelta]

    def open(
        self, patient: str, scope: str = EVERYTHING, id_: str = WINDOW, owner: str = ""
    ) -> str:
        opened = LaunchGrant(
            patient, "", NURSE, "Nell Birdsong, RN", "clinician", scope, self.order, (), True, ""
        )
        kept = owner or self.store.seal.keyed_hash("owner", "practice", patient, NURSE)
        tokens = Tokens("token", 4e9)
        self.store.open(id_, KEY, "practice", kept, opened, tokens)
        return f"/w/{id_}"

    def client(self, id_: str = WINDOW) -> Any:
        client = self.app.test_client()
        client.set_cookie(session._name(session.KIND_WINDOW, id_, False), KEY)
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
    with practice_ehr(held) as server, engine_at(f"sqlite:///{folder}/app.sqlite") as engine:
        database.upgrade(engine)
        ehr = WritingEhr(server)
        server.be(ehr.writes)
        registered = RegisteredEhr(
            id="practice", name="Practice EHR", fhir_base=server.url, client_id="vialwise"
        )
        settings = AppSettings(
            app_url=public_url,
            ehrs=(registered,),
            window_secrets=(b"a key for tests of 32 bytes or more!",),
        )
        clock = [timedelta(0)]
        store = WindowStore(
            engine,
            Seal(settings.window_secrets),
            settings.session,
            settings.idle,
            lambda: datetime.now(UTC) + clock[0],
        )
        running = Installation(catalogue, lambda: TODAY)
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
