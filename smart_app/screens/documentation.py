"""Complete the documentation: what the chart lacks is asked for and saved in the EHR, or a note.

What is typed is kept before anything else is done with it, so that no fault of ours, of the EHR or
of the sign-in loses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from billing_rules.evidence.documentation import form_unread
from billing_rules.evidence.pretreatment import current_weight, doubtful_weight, kilograms
from billing_rules.fhir.write.administration import note_lines, observations
from billing_rules.fhir.write.questionnaire import response
from billing_rules.forms import answers as form_answers
from billing_rules.forms.answers import Checked, Patient
from billing_rules.forms.documentation_form import form_for, standing_of
from billing_rules.forms.prefill import emptied, prefilled, taken_back
from billing_rules.model.form import Form, Group, Row
from billing_rules.model.states import Present
from smart_app.chart.chart_orders import FoundOrder
from smart_app.forms import form_view, write_back
from smart_app.forms.form import OrderForm, Submission, rescued_by, results_of
from smart_app.forms.saved_forms import new_form_key
from smart_app.forms.write_back import SYSTEM, ToWrite
from smart_app.screens.order_page import OrderPage, no_order, open_order, page

NAME, TITLE = "documentation", "Documentation for billing"
ANSWERS = "The answers to this form"


def blueprint() -> Blueprint:
    made = Blueprint("documentation", __name__)
    made.add_url_rule("/documentation", view_func=show, endpoint="show")
    made.add_url_rule("/documentation", view_func=save, endpoint="save", methods=["POST"])
    made.add_url_rule("/documentation/draft", view_func=keep, endpoint="keep", methods=["POST"])
    made.add_url_rule("/documentation/saved/<form_key>", view_func=saved, endpoint="saved")
    rescued_by(NAME)(made)
    return made


# ---------------------------------------------------------------- views


def show() -> str:
    """The form, with what the chart says and what was typed before."""
    at = open_order(must_be_whole=True)
    found = at.order
    if found is None:
        return no_order(at)
    form, order_form = form_for(found.case), OrderForm.of(NAME, found.reference)
    prefill = prefilled(form, found.case, found.review.outcomes)
    typed, key, restored = order_form.begin(form, prefill)
    return _page(at, order_form, form, typed, key, restored=restored)


def keep() -> str:
    """Keep what is typed so far; the page asks for it while somebody types."""
    Submission.of(NAME).keep()
    return "What you typed is kept here. It is not saved in the EHR yet."


def save() -> str | tuple[str, int] | Response:
    """Check what was typed and write it to the EHR."""
    sent = Submission.of(NAME)
    if settled := sent.settled():
        return settled
    sent.keep()
    at = open_order(must_be_whole=True)
    found, order_form, key = at.order, sent.form, sent.key
    if found is None:
        return no_order(at)
    form = form_for(found.case)
    typed = form_view.typed_in(form, sent.typed)
    if sent.action.startswith("add:"):
        return _page(at, order_form, form, typed, key, added=sent.action.removeprefix("add:"))
    prefill = prefilled(form, found.case, found.review.outcomes)
    checked = form_answers.check_answers(form, typed, _patient(found, at.today), prefill)
    elsewhere = order_form.sent_elsewhere()
    entered = any(map(_is_entered, checked.rows)) or bool(taken_back(prefill, checked))
    if not checked.fine or elsewhere or not entered:
        notices: dict[str, Any] = {"elsewhere": elsewhere, "nothing": checked.fine and not entered}
        key = new_form_key() if elsewhere else key
        return _page(at, order_form, form, checked.typed, key, checked, **notices), 422
    outcome: dict[str, object] = {
        "entered": sorted({row.group.title for row in checked.rows if _is_entered(row)}),
        "note": list(note_lines(form, checked)),
        "before": {
            g.id: standing_of(g, found.review.outcomes, found.case).state for g in form.groups
        },
    }
    gone = emptied(form, prefill, checked)
    writes = _resources(at, found, form, checked, gone, key)
    if not order_form.send(key, sent.typed, writes, outcome):
        return _page(at, order_form, form, checked.typed, key, checked, under_way=True), 409
    return order_form.redirect(".saved", form_key=key)


def saved(form_key: str) -> str | Response:
    """What was saved and where, the note, and how the chart stands now."""
    at, order_form = open_order(must_be_whole=True), OrderForm.of(NAME)
    found, sent = at.order, order_form.outcome(form_key)
    if sent is None or found is None:
        return order_form.redirect(".show")
    form = form_for(found.case)
    before = sent.outcome["before"]
    stands = [(g, standing_of(g, found.review.outcomes, found.case)) for g in form.groups]
    there = [g.title for g, now in stands if before.get(g.id) == now.state == "on file"]
    changes = [
        (g.title, before.get(g.id, ""), now)
        for g, now in stands
        if now.state != "if you like" and g.title not in there
    ]
    results = results_of(sent)
    return page(
        "documentation_saved.html",
        at,
        results=results,
        answers_saved=any(r.what == ANSWERS and r.state == "written" for r in results),
        answers_unread=form_unread(found.case),
        note=sent.outcome["note"],
        changes=changes,
        entered=sent.outcome.get("entered", ()),
        there=there,
    )


def _is_entered(row: Row) -> bool:
    """Whether a person entered or changed something in it."""
    return any(answer.origin != "auto" for answer in row.answers)


# ---------------------------------------------------------------- the page


def _page(
    at: OrderPage,
    order_form: OrderForm,
    form: Form,
    typed: Mapping[str, str],
    form_key: str,
    checked: Checked | None = None,
    added: str = "",
    **notices: Any,
) -> str:
    found = at.order
    assert found is not None
    prefill = prefilled(form, found.case, found.review.outcomes)
    groups = form_view.shown(form, typed, prefill, checked, added)
    stands = {g.group.id: standing_of(g.group, found.review.outcomes, found.case) for g in groups}
    is_open = [g for g in groups if stands[g.group.id].state not in ("on file", "if you like")]
    return page(
        "documentation.html",
        at,
        form_key=form_key,
        after=order_form.last_key(),
        summary=form_view.summary(groups),
        stands=stands,
        parts=(is_open, [g for g in groups if g not in is_open]),
        **notices,
    )


def _patient(found: FoundOrder, today: date) -> Patient:
    """What dates and weights are compared with."""
    case = found.case
    born = case.chart.birth_date
    weight = current_weight(case)
    last: Decimal | None = None
    if isinstance(weight, Present) and not doubtful_weight(case):
        last = kilograms(weight.value).value
    return Patient(today, born.value if isinstance(born, Present) else None, last)


# ---------------------------------------------------------------- what is written


def _resources(
    at: OrderPage,
    found: FoundOrder,
    form: Form,
    checked: Checked,
    gone: tuple[Group, ...],
    form_key: str,
) -> list[ToWrite]:
    """The answers, each result that the catalogue has a code for, and the note with everything."""
    catalogue, entered = at.catalogue, write_back.entered_in(at.window, form_key)
    loinc = catalogue.preferred_uri["loinc"]
    results = observations(checked, entered, catalogue.terms, loinc)
    answers = response(
        form,
        checked,
        entered.patient,
        at.today.isoformat(),
        {"system": SYSTEM, "value": f"{form_key}-answers"},
        entered.author,
        found.reference,
        gone,
    )
    return [
        write_back.new(ANSWERS, answers),
        *(write_back.new(str(o["code"]["text"]), o) for o in results),
        write_back.note(
            "The note with all answers", note_lines(form, checked), TITLE, entered, at.today
        ),
    ]
