"""Close-out after the dose: what was given, opened and discarded, and the claim it makes.

The answer is shown while somebody types, by htmx, and by a button without it. It needs nothing of
the EHR again: what it depends on goes along in the page, sealed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import msgspec
from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from billing_rules.catalogue import Catalogue
from billing_rules.claims.administration_form import (
    charted_answers,
    closing_form,
    closing_note,
    closing_of,
)
from billing_rules.claims.administration_record import Closed, Closing, Planned, closed
from billing_rules.fhir.json.decoding import JsonObject
from billing_rules.fhir.write.administration import (
    About,
    discarded_records,
    records,
    with_containers,
)
from billing_rules.forms import answers
from billing_rules.forms.answers import Checked, Patient
from billing_rules.model.entities import Drug, DrugOrder, Stage
from billing_rules.model.form import Form
from billing_rules.model.states import Nothing, Present
from billing_rules.orders.claim_lines import WasteAnswer
from billing_rules.orders.drug_orders import drug_orders
from billing_rules.review import case_of
from smart_app.chart.chart_orders import FoundOrder
from smart_app.forms import form_view, write_back
from smart_app.forms.form import OrderForm, Submission, rescued_by, results_of
from smart_app.forms.saved_forms import new_form_key
from smart_app.forms.write_back import ToWrite
from smart_app.launch.services import installation, launch_services
from smart_app.launch.window import window
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
    """What the answer depends on besides what is typed; it goes along in the page, sealed."""

    planned: Planned
    born: date | None
    catalogue: Catalogue
    today: date

    @classmethod
    def of(cls, at: OrderPage, found: FoundOrder, charted: DrugOrder | None) -> _Context:
        born = found.case.chart.birth_date
        planned = Planned.of(found.review, found.case.chart, charted)
        day = born.value if isinstance(born, Present) else None
        return cls(planned, day, at.catalogue, at.today)

    @classmethod
    def unsealed(cls, text: str) -> _Context | None:
        """Of what this window's page sent back; None for anything else."""
        content = launch_services().store.seal.opened(_row(), text)
        try:
            planned, born = msgspec.convert(content, tuple[Planned, date | None])
        except msgspec.ValidationError:  # from nowhere, or of another version
            return None
        return cls(planned, born, installation().catalogue, installation().today())

    def sealed(self) -> str:
        content = msgspec.to_builtins((self.planned, self.born))
        return launch_services().store.seal.closed(_row(), content)

    @property
    def drug(self) -> Drug:
        return self.catalogue.drug(self.planned.drug_id, self.today)

    @property
    def form(self) -> Form:
        payer = self.catalogue.payer(self.planned.payer_id, self.today)
        return closing_form(self.drug, payer, self.today)

    def check(self, typed: Mapping[str, str], charted: DrugOrder | None = None) -> Checked:
        prefill = charted_answers(charted) if charted else {}
        return answers.check_answers(self.form, typed, Patient(self.today, self.born), prefill)


def _row() -> str:
    return f"close-out {window().id}"


# ---------------------------------------------------------------- views


def show() -> str:
    """The form, filled in from the charted dose if there is one, and with what was typed before."""
    at = open_order(must_be_whole=True)
    found = at.order
    if found is None:
        return no_order(at)
    order_form, charted = OrderForm.of(NAME, found.reference), _charted(at, found)
    context = _Context.of(at, found, charted)
    prefill = charted_answers(charted) if charted else {}
    typed, key, restored = order_form.begin(context.form, prefill)
    return _page(at, order_form, context, charted, typed, key, restored=restored)


def answer() -> str:
    """The claim by what is typed so far; the page asks for it while somebody types."""
    sent = Submission.of(NAME)
    sent.keep()
    context = _Context.unsealed(request.form.get("context", ""))
    if context is None:
        return render_template("close_out_answer.html", answer=None, closing=None, errors=())
    checked = context.check(form_view.typed_in(context.form, sent.typed))
    return render_template("close_out_answer.html", **_answered(context, checked))


def save() -> str | tuple[str, int] | Response:
    """Check what was typed, show the claim, and write it to the EHR."""
    sent = Submission.of(NAME)
    if settled := sent.settled():
        return settled
    sent.keep()
    at = open_order(must_be_whole=True)
    found, order_form, key = at.order, sent.form, sent.key
    if found is None:
        return no_order(at)
    charted = _charted(at, found)
    context = _Context.of(at, found, charted)
    typed: Mapping[str, str] = form_view.typed_in(context.form, sent.typed)
    if sent.action != "save":
        added = sent.action.removeprefix("add:")
        return _page(at, order_form, context, charted, typed, key, added=added)
    checked = context.check(typed, charted)
    answered = _answered(context, checked)
    closing, result = answered["closing"], answered["answer"]
    elsewhere = order_form.sent_elsewhere()
    # What was confirmed is confirmed as it reads: a new contradiction asks again.
    confirmed = request.form.get("confirmed", "") == _contradictions(result)
    unsure = bool(_contradictions(result)) and (result.stopped or not confirmed)
    if not checked.fine or result is None or unsure or elsewhere:
        key, typed = new_form_key() if elsewhere else key, checked.typed
        notices: dict[str, Any] = {"elsewhere": elsewhere, "unsure": unsure, "tried": True}
        return _page(at, order_form, context, charted, typed, key, checked, **notices), 422
    # The lines as they will stand; none while JW or JZ is open, because one of them lacks then.
    is_open = result.plan.waste is WasteAnswer.INDETERMINATE
    lines = [] if is_open else [str(line) for line in result.plan.lines]
    note = closing_note(closing, context.drug, lines or [f"none yet: {result.plan.because}"])
    resources = _resources(at, context, closing, result, charted, note, key)
    if not order_form.send(key, sent.typed, resources, {"note": list(note), "lines": lines}):
        return _page(at, order_form, context, charted, typed, key, checked, under_way=True), 409
    return order_form.redirect(".saved", form_key=key)


def saved(form_key: str) -> str | Response:
    """The claim lines, what was saved and where, the note, and what the EHR now says."""
    at, order_form = open_order(must_be_whole=True), OrderForm.of(NAME)
    found, sent = at.order, order_form.outcome(form_key)
    if sent is None or found is None:
        return order_form.redirect(".show")
    charted, case = _charted(at, found), found.case
    read_back = None
    if charted:  # the core's own claim plan for the dose as the EHR's records now say it
        now = case_of(charted, (charted,), case.chart, at.catalogue, case.payer_choice)
        read_back = now.plan
    return page(
        "close_out_saved.html",
        at,
        results=results_of(sent),
        note=sent.outcome["note"],
        lines=sent.outcome["lines"],
        read_back=read_back,
    )


# ---------------------------------------------------------------- the charted dose


def _charted(at: OrderPage, found: FoundOrder) -> DrugOrder | None:
    """The dose of this drug that the EHR holds a record of, if it is the one to close out."""
    today, lines = at.today, [g.line for g in at.record.given]
    doses = [
        order
        for order in drug_orders(lines, at.catalogue, today)
        if order.drug_id == found.review.drug.id
        and order.stage is Stage.GIVEN
        and order.prescriptions
        and (
            today - RECENT <= order.date_of_service <= today
            or order.date_of_service == found.order.date_of_service
        )
    ]
    return max(doses, key=lambda order: order.date_of_service, default=None)


# ---------------------------------------------------------------- the answer and the page


def _answered(context: _Context, checked: Checked) -> dict[str, Any]:
    """The answer to what was typed; None while something it needs is missing or wrong."""
    closing = closing_of(checked)
    needed = ("given.", "opened.", "discarded.0.amount")
    wrong = [name for name in checked.errors if name.startswith(needed)]
    if closing is None or wrong:
        return {"answer": None, "closing": closing, "errors": wrong}
    answer = closed(closing, context.planned, context.catalogue)
    return {"answer": answer, "closing": closing, "errors": ()}


def _contradictions(answer: Closed | None) -> str:
    """What does not fit together, as it reads; "" when all of it does."""
    return " ".join(c.text for c in answer.contradictions) if answer else ""


def _page(
    at: OrderPage,
    order_form: OrderForm,
    context: _Context,
    charted: DrugOrder | None,
    typed: Mapping[str, str],
    form_key: str,
    checked: Checked | None = None,
    added: str = "",
    **notices: Any,
) -> str:
    prefill = charted_answers(charted) if charted else {}
    groups = form_view.shown(context.form, typed, prefill, checked, added)
    answered = _answered(context, checked or context.check(typed, charted))
    return page(
        "close_out.html",
        at,
        charted=charted,
        context=context.sealed(),
        form_key=form_key,
        after=order_form.last_key(),
        groups=groups,
        summary=form_view.summary(groups),
        confirmed=_contradictions(answered["answer"]),
        **answered,
        **notices,
    )


# ---------------------------------------------------------------- what is written


def _resources(
    at: OrderPage,
    context: _Context,
    closing: Closing,
    answer: Closed,
    charted: DrugOrder | None,
    note: tuple[str, ...],
    form_key: str,
) -> list[ToWrite]:
    """The records of the dose, or what the charted record lacks of them; then the note."""
    user, order = at.window.user, request.args.get("order", "")
    uris, drug = at.catalogue.preferred_uri, context.drug
    entered = write_back.entered_in(at.window, form_key)
    about = About(
        patient=entered.patient,
        identifier=entered.identifier,
        request=order if order.startswith("MedicationRequest/") else "",
        encounter=entered.encounter,
        performer=user.reference if user.reference.startswith("Practitioner") else "",
        performer_name=user.name,
    )
    writes: list[ToWrite] = []
    if charted is None:
        made = records(closing, answer.shares, drug, about, uris)
    else:
        lacking = isinstance(charted.discarded, Nothing)
        made = discarded_records(closing, answer.shares, drug, about, uris) if lacking else ()
        resource, version = _to_complete(at, answer, charted)
        if resource:
            completed = with_containers(resource, answer.shares[0], drug, about, uris)
            writes.append(ToWrite("The containers on the charted dose", completed, version))
    writes += (write_back.new(_what(record), record) for record in made)
    title = f"Close-out after the {drug.giving}"
    return [*writes, write_back.note("The note on the dose", note, title, entered, at.today)]


def _what(record: Mapping[str, Any]) -> str:
    if record["status"] == "not-done":
        return "The record of the discarded amount"
    lot = record["contained"][0].get("batch", {}).get("lotNumber", "")
    return f"The record of the dose{f', lot {lot}' if lot else ''}"


def _to_complete(
    at: OrderPage, answer: Closed, charted: DrugOrder
) -> tuple[JsonObject | None, str]:
    """The charted record that lacks the containers, and its version; None where there is not one to
    tell. More than one record or kind of container cannot be told apart, and then only the note
    says them."""
    one_of_each = len(answer.shares) == 1 and len(charted.prescriptions) == 1
    if not isinstance(charted.containers, Nothing) or not one_of_each:
        return None, ""
    resource = at.record.resource(charted.prescriptions[0].reference)
    meta = resource.get("meta") if resource else None
    version = meta.get("versionId") if isinstance(meta, dict) else None
    return (resource, version) if isinstance(version, str) else (None, "")
