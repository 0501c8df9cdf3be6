"""Close-out after the dose: what was given, opened and discarded, and the claim it makes.

The answer is shown while somebody types, by htmx, and by a button without it. It needs nothing of
the EHR again: what it depends on goes along in the page, sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from billing_rules.claims.administration_form import (
    charted_answers,
    closing_form,
    closing_note,
    closing_of,
)
from billing_rules.claims.administration_record import Closed, Closing, Planned, closed
from billing_rules.fhir.write.administration import (
    About,
    discarded_records,
    records,
    with_containers,
)
from billing_rules.fhir.write.entered_results import Entered, document
from billing_rules.forms import answers
from billing_rules.forms.answers import Checked, Patient
from billing_rules.model.amounts import Amount
from billing_rules.model.dates import iso_day
from billing_rules.model.entities import Drug, DrugOrder, Stage
from billing_rules.model.form import Form
from billing_rules.model.states import Nothing, Present
from billing_rules.orders.claim_lines import ClaimPlan, WasteAnswer
from billing_rules.orders.drug_orders import drug_orders
from billing_rules.review import case_of
from smart_app.chart.chart_orders import FoundOrder
from smart_app.chart.patient_record import PatientRecord
from smart_app.forms import form_view, write_back
from smart_app.forms.form import (
    OneForm,
    form_of,
    rescued_by,
    results_of,
    sent_form_key,
    typed_names,
)
from smart_app.forms.saved_forms import new_form_key
from smart_app.forms.write_back import SYSTEM, ToWrite
from smart_app.launch.state import launch_services
from smart_app.launch.window import window
from smart_app.running import running
from smart_app.screens.order_page import OrderPage, no_order, open_order, page

NAME = "close-out"
RECENT = timedelta(days=3)  # a dose charted so lately is the one that is closed out


def blueprint() -> Blueprint:
    made = Blueprint("close_out", __name__)
    made.add_url_rule("/close-out", view_func=show, endpoint="show")
    made.add_url_rule("/close-out", view_func=save, endpoint="save", methods=["POST"])
    made.add_url_rule("/close-out/answer", view_func=answer, endpoint="answer", methods=["POST"])
    made.add_url_rule("/close-out/saved/<form_key>", view_func=saved, endpoint="saved")
    rescued_by(NAME)(made)
    return made


@dataclass(frozen=True, slots=True, repr=False)
class _Context:
    """What the answer depends on besides what is typed."""

    planned: Planned
    born: date | None

    @property
    def drug(self) -> Drug:
        return running().catalogue.drug(self.planned.drug_id, running().today())

    @property
    def form(self) -> Form:
        today = running().today()
        payer = running().catalogue.payer(self.planned.payer_id, today)
        return closing_form(self.drug, payer, today)

    def check(self, typed: Mapping[str, str], charted: DrugOrder | None = None) -> Checked:
        patient = Patient(running().today(), self.born)
        prefill = charted_answers(charted) if charted else {}
        return answers.check(self.form, typed, patient, prefill)


# ---------------------------------------------------------------- views


def show() -> str:
    """The form, filled in from the charted dose if there is one, and with what was typed before."""
    at = open_order(must_be_whole=True)
    found = at.order
    if found is None:
        return no_order(at)
    one, charted = form_of(NAME, found.reference), _charted(at.record, found)
    context = _context(found, charted)
    one.kept.sweep()
    draft = one.draft()
    filled = form_view.filled_in(charted_answers(charted)) if charted else {}
    typed = form_view.typed_in(context.form, draft.typed) if draft else filled
    key = draft.form_key if draft else new_form_key()
    return _page(at, one, context, charted, typed, key, restored=draft is not None)


def answer() -> str:
    """The claim by what is typed so far; the page asks for it while somebody types."""
    typed = typed_names()
    form_of(NAME).keep(typed, sent_form_key())
    context = _unsealed(request.form.get("context", ""))
    if context is None:
        return render_template("close_out_answer.html", answer=None, closing=None, errors=())
    checked = context.check(form_view.typed_in(context.form, typed))
    return render_template("close_out_answer.html", **_answered(context, checked))


def save() -> str | tuple[str, int] | Response:
    """Check what was typed, show the claim, and write it to the EHR."""
    key, sent, one = sent_form_key(), typed_names(), form_of(NAME)
    action = request.form.get("action", "save")
    if action == "discard":
        one.discard()
        return redirect(url_for("close_out.show", order=one.order), 303)
    if action == "save" and (one.done_before(key, sent) or one.unfinished(key, sent)):
        return _saved_page(one, key)
    one.keep(sent, key)
    at = open_order(must_be_whole=True)
    found = at.order
    if found is None:
        return no_order(at)
    charted = _charted(at.record, found)
    context = _context(found, charted)
    typed = form_view.typed_in(context.form, sent)
    if action != "save":
        added = action.removeprefix("add:")
        return _page(at, one, context, charted, typed, key, added=added)
    checked = context.check(typed, charted)
    told = _answered(context, checked)
    elsewhere = one.sent_elsewhere(key, request.form.get("after", ""))
    unsure = _unconfirmed(told["answer"])
    if not checked.fine or told["answer"] is None or unsure or elsewhere:
        shown_key = new_form_key() if elsewhere else key
        shown_page = _page(
            at,
            one,
            context,
            charted,
            dict(checked.typed),
            shown_key,
            checked,
            elsewhere=elsewhere,
            unsure=unsure,
            tried=True,
        )
        return shown_page, 422
    closing, result = told["closing"], told["answer"]
    lines = _settled_lines(result.plan)
    open_ = f"none yet: {result.plan.because}"
    note = closing_note(closing, context.drug, lines or [open_])
    resources = _resources(at.record, context, closing, result, charted, note, key)
    if not one.send(key, sent, resources, {"note": list(note), "lines": lines}):
        page_now = _page(at, one, context, charted, typed, key, checked, under_way=True)
        return page_now, 409
    return _saved_page(one, key)


def _saved_page(one: OneForm, form_key: str) -> Response:
    return redirect(url_for("close_out.saved", form_key=form_key, order=one.order), 303)


def saved(form_key: str) -> str | Response:
    """The claim lines, what was saved and where, the note, and what the EHR now says."""
    at, one = open_order(must_be_whole=True), form_of(NAME)
    found, sent = at.order, one.outcome(form_key)
    if sent is None or found is None:
        return redirect(url_for("close_out.show", order=one.order), 303)
    charted = _charted(at.record, found)
    read_back = _plan_as_charted(found, charted) if charted else None
    return page(
        "close_out_saved.html",
        at,
        results=results_of(sent),
        note=sent.outcome["note"],
        lines=sent.outcome["lines"],
        read_back=read_back,
    )


# ---------------------------------------------------------------- the charted dose


def _charted(record: PatientRecord, found: FoundOrder) -> DrugOrder | None:
    """The dose of this drug that the EHR holds a record of, if it is the one to close out."""
    today = running().today()
    lines = [g.line for g in record.given]
    doses = [
        order
        for order in drug_orders(lines, running().catalogue, today)
        if order.drug_id == found.review.drug.id
        and order.stage is Stage.GIVEN
        and order.prescriptions
        and (
            today - RECENT <= order.date_of_service <= today
            or order.date_of_service == found.order.date_of_service
        )
    ]
    return max(doses, key=lambda order: order.date_of_service, default=None)


def _plan_as_charted(found: FoundOrder, charted: DrugOrder) -> ClaimPlan:
    """The core's claim plan for the dose as the EHR's own records now say it."""
    case = case_of(
        charted, (charted,), found.case.chart, running().catalogue, found.case.payer_choice
    )
    return case.plan


# ---------------------------------------------------------------- the context


def _context(found: FoundOrder, charted: DrugOrder | None) -> _Context:
    born = found.case.chart.birth_date
    planned = Planned.of(found.review, found.case.chart, charted)
    return _Context(planned, born.value if isinstance(born, Present) else None)


def _sealed(context: _Context) -> str:
    planned = context.planned
    said = {
        "drug": planned.drug_id,
        "payer": planned.payer_id,
        "dose": _number(planned.dose),
        "setting": planned.setting,
        "charted_dose": _number(planned.charted_dose),
        "charted_on": _iso(planned.charted_on),
        "observed": planned.observation_charted,
        "born": _iso(context.born),
    }
    return launch_services().store.seal.closed(_row(), said)


def _unsealed(sealed: str) -> _Context | None:
    said = launch_services().store.seal.opened(_row(), sealed)
    if said is None:
        return None
    planned = Planned(
        said["drug"],
        said["payer"],
        _amount(said["dose"]),
        said["setting"],
        _amount(said["charted_dose"]),
        _day(said["charted_on"]),
        said["observed"],
    )
    return _Context(planned, _day(said["born"]))


def _row() -> str:
    return f"close-out {window().id}"


def _number(amount: Amount | None) -> str | None:
    return str(amount.to("mg").value) if amount else None


def _amount(said: str | None) -> Amount | None:
    return Amount(Decimal(said), "mg") if said else None


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _day(said: str | None) -> date | None:
    return iso_day(said) if said else None


# ---------------------------------------------------------------- the answer and the page


def _answered(context: _Context, checked: Checked) -> dict[str, Any]:
    """The answer to what was typed; None while something it needs is missing or wrong."""
    closing = closing_of(checked)
    needed = ("given.", "opened.", "discarded.0.amount")
    wrong = [name for name in checked.errors if name.startswith(needed)]
    if closing is None or wrong:
        return {"answer": None, "closing": closing, "errors": wrong}
    answer = closed(closing, context.planned, running().catalogue)
    return {"answer": answer, "closing": closing, "errors": ()}


def _unconfirmed(answer: Closed | None) -> bool:
    """Whether contradictions are open that nobody has looked at and confirmed.

    What was confirmed is confirmed as it reads: a new contradiction asks again.
    """
    if answer is None or not answer.contradictions:
        return False
    return answer.stopped or request.form.get("confirmed", "") != _said(answer)


def _said(answer: Closed) -> str:
    return " ".join(c.text for c in answer.contradictions)


def _settled_lines(plan: ClaimPlan) -> list[str]:
    """The lines as they will stand; none while JW or JZ is open, because one of them lacks then."""
    if plan.waste is WasteAnswer.INDETERMINATE:
        return []
    return [str(line) for line in plan.lines]


def _page(
    at: OrderPage,
    one: OneForm,
    context: _Context,
    charted: DrugOrder | None,
    typed: Mapping[str, str],
    form_key: str,
    checked: Checked | None = None,
    **told: Any,
) -> str:
    prefill = charted_answers(charted) if charted else {}
    groups = form_view.shown(context.form, typed, prefill, checked, told.pop("added", ""))
    answered = _answered(context, checked or context.check(typed, charted))
    return page(
        "close_out.html",
        at,
        charted=charted,
        context=_sealed(context),
        form_key=form_key,
        after=one.last_key(),
        groups=groups,
        summary=form_view.summary(groups),
        confirmed=_said(answered["answer"]) if answered["answer"] else "",
        **answered,
        **{
            "restored": False,
            "elsewhere": None,
            "unsure": False,
            "tried": False,
            "under_way": False,
            **told,
        },
    )


# ---------------------------------------------------------------- what is written


def _resources(
    record: PatientRecord,
    context: _Context,
    closing: Closing,
    answer: Closed,
    charted: DrugOrder | None,
    note: tuple[str, ...],
    form_key: str,
) -> list[ToWrite]:
    """The records of the dose, or what the charted record lacks of them; then the note."""
    here, today = window(), running().today()
    uris, drug = running().catalogue.preferred_uri, context.drug
    about = _about(form_key)
    if charted is None:
        made = records(closing, answer.shares, drug, about, uris)
        writes = [write_back.new(_what(record), record) for record in made]
    else:
        writes = list(_completing(record, answer, drug, about, charted))
        if isinstance(charted.discarded, Nothing):
            for made_record in discarded_records(closing, answer.shares, drug, about, uris):
                writes.append(write_back.new(_what(made_record), made_record))
    entered = Entered(about.patient, about.identifier, about.encounter, here.user.reference)
    when = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    identifier = {"system": SYSTEM, "value": f"{form_key}-note"}
    filed = document(note, f"Close-out after the {drug.giving}", entered, today, identifier, when)
    return [*writes, write_back.new("The note on the dose", filed)]


def _about(form_key: str) -> About:
    here, order = window(), request.args.get("order", "")
    return About(
        patient=f"Patient/{here.patient_id}",
        identifier=(SYSTEM, form_key),
        request=order if order.startswith("MedicationRequest/") else "",
        encounter=f"Encounter/{here.encounter_id}" if here.encounter_id else "",
        performer=here.user.reference if here.user.reference.startswith("Practitioner") else "",
        performer_name=here.user.name,
    )


def _what(record: Mapping[str, Any]) -> str:
    if record["status"] == "not-done":
        return "The record of the discarded amount"
    lot = record["contained"][0].get("batch", {}).get("lotNumber", "")
    return f"The record of the dose{f', lot {lot}' if lot else ''}"


def _completing(
    record: PatientRecord, answer: Closed, drug: Drug, about: About, charted: DrugOrder
) -> Any:
    """The charted record with the containers it lacks. More than one record or kind of container
    cannot be told apart, and then only the note says them."""
    if not isinstance(charted.containers, Nothing) or len(answer.shares) != 1:
        return
    if len(charted.prescriptions) != 1:
        return
    resource = record.resource(charted.prescriptions[0].reference)
    meta = resource.get("meta") if resource else None
    version = meta.get("versionId") if isinstance(meta, dict) else None
    if resource is None or not isinstance(version, str):
        return
    uris = running().catalogue.preferred_uri
    completed = with_containers(resource, answer.shares[0], drug, about, uris)
    yield ToWrite("The containers on the charted dose", completed, version)
