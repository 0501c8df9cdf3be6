"""The pages of the order desk. Every button is a form, and every form ends on a page again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from flask import (
    Blueprint,
    Response,
    abort,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
    url_for,
)
from werkzeug.wrappers import Response as AnyResponse

from sandbox_ehr.desk import charting, display, draft_forms, new_orders, stories, worksheets
from sandbox_ehr.desk import display as chart
from sandbox_ehr.desk import draft_forms as draft_elements
from sandbox_ehr.desk import worksheets as workflow
from sandbox_ehr.desk.display import marked, rendered
from sandbox_ehr.desk.draft_forms import reference
from sandbox_ehr.desk.stories import start_over
from sandbox_ehr.desk.worksheets import Worksheet, desk
from sandbox_ehr.settings import RegisteredApp

_MOST_PATIENTS = 100  # on one page
JWKS_PATH = "/.well-known/cds-client-jwks.json"
pages = Blueprint(
    "desk",
    __name__,
    template_folder="templates",
    static_folder="static",
    static_url_path="/desk-static",
)
pages.add_app_template_filter(rendered, "card_markdown")
NURSE = {"reference": "Practitioner/prac-nell-birdsong", "display": "Nell Birdsong, RN"}

# ---------------------------------------------------------------- browsers

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; frame-src 'self'{apps}"
)


@pages.before_request
def only_from_here() -> None:
    """A form of another site posts nothing here: the browser says where a post comes from."""
    if request.method not in ("POST", "PUT", "DELETE"):
        return
    origin = request.headers.get("Origin")
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if site not in ("same-origin", "none") or (origin and origin != request.host_url.rstrip("/")):
        abort(403)


@pages.after_request
def secured(response: Response) -> Response:
    """No script at all; frames hold the registered apps only."""
    addresses = (urlsplit(c.launch_url) for c in desk().settings.clients if c.launch_url)
    apps = "".join(
        f" {origin}" for origin in sorted({f"{a.scheme}://{a.netloc}" for a in addresses})
    )
    response.headers.setdefault("Content-Security-Policy", _POLICY.format(apps=apps))
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if response.mimetype == "text/html":
        response.headers["Cache-Control"] = "no-store"
    return response


@pages.context_processor
def _on_every_page() -> dict[str, Any]:
    return {"ehr_name": desk().settings.name}


# ---------------------------------------------------------------- the tour


@pages.get("/")
def tour() -> str:
    known = {p["id"] for p in desk().records.search("Patient")}
    shown = [s for s in stories.STORIES if _opening(s.variants[0].request).patient_id in known]
    return render_template(
        "desk/tour.html",
        stories=shown,
        services=desk().settings.cds_services,
        was_reset="reset" in request.args,
    )


def _opening(request_name: str) -> stories.Opening:
    return stories.opening(request_name, desk().current)


@pages.post("/stories/<request_name>")
def open_story(request_name: str) -> AnyResponse:
    """The story's patient as in the beginning, without other drafts, and its order on the desk."""
    if stories.find(request_name) is None:
        abort(404)
    opening = _opening(request_name)
    # Other drafts of the same drug would make the app ask which of them is the dose.
    chart = (r for r in desk().start if r.get("status") != "draft")
    start_over(desk().records, chart, opening.patient_id)
    sheet = workflow.opened(
        desk(), opening.patient_id, opening.encounter_id, opening.user, opening.drafts, request_name
    )
    return _to(desk().worksheets.put(sheet))


@pages.post("/reset")
def reset() -> AnyResponse:
    """Every chart as in the beginning, and an empty desk."""
    start_over(desk().records, desk().start)
    desk().worksheets.clear()
    return redirect(url_for(".tour", reset=""), 303)


@pages.get(JWKS_PATH)
def jwks() -> Response:
    """The public key that signs calls to CDS services."""
    return jsonify(desk().key.jwks())


# ---------------------------------------------------------------- patients


@pages.get("/patients")
def patients() -> str:
    words = request.args.get("q", "")[:100]
    found = chart.patients(desk().records, words)
    today = desk().settings.today
    rows = [chart.banner(desk().records, p["id"], today) for p in found[:_MOST_PATIENTS]]
    more = len(found) - len(rows)
    return render_template("desk/patients.html", rows=rows, words=words, more=more)


@pages.get("/patients/<patient_id>")
def patient(patient_id: str) -> str:
    return render_template("desk/patient.html", **_of_patient(patient_id))


def _of_patient(patient_id: str, problem: str = "") -> dict[str, Any]:
    banner = chart.banner(desk().records, patient_id, desk().settings.today)
    if banner is None:
        abort(404)
    return {
        "banner": banner,
        "glance": chart.glance(desk().records, patient_id),
        "products": new_orders.choices(),
        "lines": new_orders.LINES,
        "coverages": chart.coverages(desk().records, patient_id),
        "problem": problem,
        "typed": request.form,
    }


@pages.post("/patients/<patient_id>/orders")
def new_order(patient_id: str) -> AnyResponse | tuple[str, int]:
    """A drug is chosen: its draft is made, and order-select fires."""
    record = desk().records.read("Patient", patient_id)
    if record is None:
        abort(404)
    try:
        encounter = new_orders.visit(desk().records, record)
        drafts = new_orders.drafts(request.form, record, encounter)
    except new_orders.IncompleteOrder as error:
        return render_template("desk/patient.html", **_of_patient(patient_id, str(error))), 422
    sheet = workflow.opened(desk(), patient_id, encounter, new_orders.PHYSICIAN_REFERENCE, drafts)
    return _to(desk().worksheets.put(sheet))


# ---------------------------------------------------------------- the order


@pages.get("/orders/<sheet_id>")
def worksheet(sheet_id: str) -> str:
    sheet = _sheet(sheet_id)
    return _page(sheet, draft_forms.written(sheet.drafts, sheet.typed)[1])


def _page(
    sheet: Worksheet,
    problems: Mapping[str, str],
    entries: tuple[charting.DoseEntry, ...] | None = None,
) -> str:
    records = desk().records
    if entries is None:  # as far as the injection was charted, else as the order suggests it
        entries = charting.entries(sheet.drafts, datetime.now().astimezone())
        if sheet.stage == "signed" and sheet.typed:
            entries = tuple(charting.typed(entry, sheet.typed) for entry in entries)
    opened = _app_of_address(
        sheet
    )  # None: no app is named, or its card is not on the desk any more
    address = opened and url_for(".launch", sheet_id=sheet.id, **_app_query())
    story, variant = stories.find(sheet.story) or (None, None)
    recorded = (records.read(*place.split("/", 1)) for place in sheet.charted)
    coverages = chart.coverages(records, sheet.patient_id)
    return render_template(
        "desk/worksheet.html",
        sheet=sheet,
        story=story,
        variant=variant,
        banner=chart.banner(records, sheet.patient_id, desk().settings.today),
        forms=draft_forms.forms(sheet.drafts, sheet.before, coverages, sheet.typed, problems),
        problems=problems,
        lines={reference(d): marked(d, sheet.before.get(reference(d), d)) for d in sheet.drafts},
        entries=entries,
        sites=charting.SITES,
        glance=chart.glance(records, sheet.patient_id),
        traces=[display.trace_tables(call.trace) for call in sheet.calls],
        app={"url": address, "name": opened.app.name} if opened else None,
        apps=worksheets.apps_of_menu(desk(), sheet),
        giving=draft_elements.giving(sheet.drafts),
        charted=[charting.charted(record) for record in recorded if record],
        can_open=lambda url: desk().settings.app_at(url) is not None,
    )


def _app_query() -> dict[str, Any]:
    """What of the address names an app."""
    return {k: request.args[k] for k in ("card", "link", "app") if k in request.args}


@pages.get("/orders/<sheet_id>/app")
def launch(sheet_id: str) -> AnyResponse:
    """Open the app of a card's smart link, or of the menu, with a launch of its own."""
    sheet = _sheet(sheet_id)
    opened = _app_of_address(sheet)
    if opened is None:
        abort(404)
    return redirect(worksheets.launch_address(desk(), sheet, *opened), 302)


@pages.post("/orders/<sheet_id>/app/open")
def open_app(sheet_id: str) -> AnyResponse:
    """The order with the app beside it, and all that is typed there: the drafts are kept first, so
    that the app opens the order as it stands."""
    sheet, _ = _received(_sheet(sheet_id))
    desk().worksheets.put(sheet)
    return redirect(url_for(".worksheet", sheet_id=sheet.id, _anchor="app", **_app_query()), 303)


@pages.post("/orders/<sheet_id>/app/close")
def close_app(sheet_id: str) -> AnyResponse:
    """Back at the order. The chart may be another since, so the cards are asked for anew."""
    sheet, _ = _received(_sheet(sheet_id))
    return _to(desk().worksheets.put(workflow.asked_anew(desk(), sheet)))


class _AppLaunch(NamedTuple):
    """An app, the address it is launched at, and the appContext it gets."""

    app: RegisteredApp
    url: str
    app_context: str


def _app_of_address(sheet: Worksheet) -> _AppLaunch | None:
    """What the address names: an app of the menu, or the smart link of a card on the desk."""
    client = desk().settings.client(request.args.get("app", ""))
    if client is not None:
        return _AppLaunch(client, client.launch_url, "") if client.launch_url else None
    shown = sheet.card(request.args.get("card", ""))
    place = request.args.get("link", "")
    links = shown.card.links if shown else ()
    if not place.isdecimal() or int(place) >= len(links) or links[int(place)].type != "smart":
        return None
    link = links[int(place)]
    app = desk().settings.app_at(link.url)
    return _AppLaunch(app, link.url, link.app_context) if app else None


@pages.post("/orders/<sheet_id>/drafts")
def save_drafts(sheet_id: str) -> AnyResponse | tuple[str, int]:
    """What was typed into the drafts, and the buttons beside them: add, remove, sign."""
    sheet, problems = _received(_sheet(sheet_id, "draft"))
    if problems:
        return _not_taken(sheet, problems)
    button = request.form.get("do", "")
    record = desk().records.read("Patient", sheet.patient_id)
    drafts = new_orders.changed(sheet.drafts, button, record)
    sheet = workflow.with_drafts(desk(), sheet, drafts)
    if button == "sign" and drafts:
        sheet = workflow.signed(desk(), sheet)
    return _to(desk().worksheets.put(sheet))


@pages.post("/orders/<sheet_id>/cards/<key>/take/<suggestion>")
def take(sheet_id: str, key: str, suggestion: str) -> AnyResponse | tuple[str, int]:
    """A suggestion is about the order as it was sent; one changed since is asked about anew."""
    sheet, problems = _received(_sheet(sheet_id, "draft"))
    if problems:
        return _not_taken(sheet, problems)
    if sheet.drafts != sheet.asked:
        sheet = workflow.chosen(desk(), sheet)
        sheet = replace(sheet, notes=(*sheet.notes, _ASKED_ANEW))
    else:
        sheet = workflow.accepted(desk(), sheet, key, suggestion)
    return _to(desk().worksheets.put(sheet))


_ASKED_ANEW = "The order was changed since these cards came, so they were asked for anew."


@pages.post("/orders/<sheet_id>/cards/<key>/set-aside")
def set_aside(sheet_id: str, key: str) -> AnyResponse | tuple[str, int]:
    """A card is overridden; what was typed into the drafts meanwhile is kept first."""
    form = request.form
    sheet, problems = _received(_sheet(sheet_id))
    if problems:
        return _not_taken(sheet, problems)
    comment = form.get(f"comment:{key}", "").strip()[:500]
    sheet = workflow.set_aside(desk(), sheet, key, form.get(f"reason:{key}", ""), comment)
    return _to(desk().worksheets.put(sheet))


# ---------------------------------------------------------------- after the dose


@pages.post("/orders/<sheet_id>/given")
def chart_given(sheet_id: str) -> AnyResponse | tuple[str, int]:
    """What the nurse charts, for every medication order at once."""
    sheet, _ = _received(_sheet(sheet_id, "signed"))
    fresh = charting.entries(sheet.drafts, datetime.now().astimezone())
    entries = tuple(charting.checked(charting.typed(e, request.form)) for e in fresh)
    if any(entry.problems for entry in entries):
        return _not_taken(sheet, {}, entries)
    encounter = f"Encounter/{sheet.encounter_id}" if sheet.encounter_id else ""
    subject = next(d["subject"] for d in sheet.drafts if "subject" in d)
    visit = charting.Visit(subject, encounter, NURSE, datetime.now().astimezone())
    records = [r for e in entries for r in charting.records(e, sheet.drafts[e.place], visit)]
    return _to(desk().worksheets.put(workflow.charted(desk(), sheet, records)))


@pages.post("/orders/<sheet_id>/end")
def end_visit(sheet_id: str) -> AnyResponse:
    sheet = _sheet(sheet_id, "given")
    return _to(desk().worksheets.put(workflow.ended(desk(), sheet)))


# ---------------------------------------------------------------- helpers


def _sheet(sheet_id: str, stage: str = "") -> Worksheet:
    """The worksheet; a button of an earlier stage leads to where it is now."""
    sheet = desk().worksheets.get(sheet_id)
    if sheet is None:
        abort(404)
    if stage and sheet.stage != stage:
        abort(_to(sheet))
    return sheet


def _received(sheet: Worksheet) -> tuple[Worksheet, Mapping[str, str]]:
    """The worksheet with what the form sent, in the drafts or as typed; and what of the drafts
    cannot be taken, by field."""
    sheet = workflow.noted(sheet, request.form)
    if sheet.stage != "draft":
        return sheet, {}
    drafts, problems = draft_forms.written(sheet.drafts, sheet.typed)
    return (sheet, problems) if problems else (workflow.kept(desk(), sheet, drafts), {})


def _not_taken(
    sheet: Worksheet,
    problems: Mapping[str, str],
    entries: tuple[charting.DoseEntry, ...] | None = None,
) -> tuple[str, int]:
    """The page with what cannot be taken marked. It is kept, so a reload has it too."""
    return _page(desk().worksheets.put(sheet), problems, entries), 422


def _to(sheet: Worksheet) -> AnyResponse:
    return redirect(url_for(".worksheet", sheet_id=sheet.id), 303)


@pages.errorhandler(404)
def not_here(error: Exception) -> tuple[str, int]:
    # Also for addresses outside of the desk, where no page of it gives the name.
    return render_template("desk/not_here.html", **_on_every_page()), 404


def nowhere(error: Exception) -> Response:
    """An address that nothing here answers to; FHIR and authorization answer for themselves."""
    text, status = not_here(error)
    return secured(make_response(text, status))


@pages.errorhandler(403)
def not_from_here(error: Exception) -> tuple[str, int]:
    return render_template("desk/not_from_here.html"), 403
