"""One form for one order in one window: kept while it is typed, sent once, and compared with what
was sent elsewhere meanwhile. The two writing screens share it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import msgspec
from flask import Blueprint, redirect, request, url_for
from werkzeug.wrappers import Response

from billing_rules.forms.answers import Prefill
from billing_rules.model.form import Form
from service_parts.database import StoreFailed
from service_parts.log_events import Event
from smart_app.forms import form_view, write_back
from smart_app.forms.saved_forms import FORM_KEY, SavedForms, Sent, new_form_key
from smart_app.forms.write_back import Result, ToWrite
from smart_app.launch import error_pages
from smart_app.launch.services import launch_services
from smart_app.launch.window import Window, window

log = logging.getLogger("smart_app")
_exact = msgspec.json.Encoder(decimal_format="number")
_MOST_FIELDS = 500
_NOT_TRIED = ("signed out", "not sent")  # a later send may be taken


@dataclass(frozen=True, slots=True, repr=False)
class OrderForm:
    """`name` is the form's ("documentation"), `order` the reference of its order."""

    name: str
    order: str
    window: Window
    saved_forms: SavedForms

    @classmethod
    def of(cls, name: str, order: str = "") -> OrderForm:
        """The form of that name for `order`, or for the order that the request's address names."""
        named = order or request.args.get("order", "")
        return cls(name, named, window(), SavedForms.of(launch_services().store))

    @property
    def order_key(self) -> str:
        here = self.window
        return self.saved_forms.order_key(here.ehr_id, here.patient_id, self.order, self.name)

    def begin(self, form: Form, prefill: Mapping[str, Prefill]) -> tuple[dict[str, str], str, bool]:
        """The texts of its fields, its key, and whether they were typed before: else they are the
        chart's."""
        self.saved_forms.sweep()
        draft = self.saved_forms.draft(self.window.owner_key, self.name, self.order)
        if draft:
            return form_view.typed_in(form, draft.typed), draft.form_key, True
        return form_view.filled_in(prefill), new_form_key(), False

    def keep(self, typed: Mapping[str, str], form_key: str) -> None:
        self.saved_forms.keep(self.window.owner_key, self.name, self.order, typed, form_key)

    def discard(self) -> None:
        self.saved_forms.drop(self.window.owner_key, self.name, self.order)

    def redirect(self, endpoint: str, **values: Any) -> Response:
        """To a page of the form's own screen."""
        return redirect(url_for(endpoint, order=self.order, **values), 303)

    def last_key(self) -> str:
        """The key of the form that was sent last for this order; "" when none was."""
        last = self.saved_forms.last(self.order_key)
        return last.form_key if last else ""

    def sent_elsewhere(self) -> Sent | None:
        """What was sent for the same order since this page was loaded: by somebody, in another
        window, or from this page with other answers."""
        last = self.saved_forms.last(self.order_key)
        return last if last and last.form_key != request.form.get("after", "") else None

    def sent_before(self, form_key: str, typed: Mapping[str, str]) -> bool:
        """Whether this very form, with these answers, was sent already: a second click, or Back.
        What an earlier send of it did not get through is sent again."""
        before = self.saved_forms.outcome(form_key, self.order_key)
        if before is None or before.outcome["typed"] != _filled(typed):
            return False
        if before.complete:
            self.discard()
            return True
        unfinished = json.loads(before.outcome["writes"], parse_float=Decimal)
        writes = msgspec.convert(unfinished, list[ToWrite])
        own = {k: v for k, v in before.outcome.items() if k not in ("results", "writes", "typed")}
        self.send(form_key, typed, writes, own)
        return True

    def send(
        self,
        form_key: str,
        typed: Mapping[str, str],
        writes: Sequence[ToWrite],
        own: Mapping[str, Any],
    ) -> bool:
        """Write the resources, unless another request has done so; False while one is doing it.
        `own` is what the screen keeps with the results, for the page that shows them."""
        before = self.saved_forms.outcome(form_key, self.order_key)
        claim = self.saved_forms.claim(form_key, self.order_key)
        if claim != "yours":
            return claim != "under way"
        earlier = {result.key: result for result in results_of(before)} if before else {}
        results = write_back.write(self.window, writes, earlier)
        complete = not any(r.state == "uncertain" or r.why in _NOT_TRIED for r in results)
        outcome = {
            **own,
            "results": [asdict(r) for r in results],
            "typed": _filled(typed),
            "writes": "" if complete else _exact.encode(writes).decode(),
        }
        self.saved_forms.finished(form_key, outcome, complete)
        if complete:
            self.discard()
        counts: dict[str, int] = {**Counter(str(r.state) for r in results)}
        log.info(Event("form sent", {"ehr": self.window.ehr_id, "form": self.name, **counts}))
        return True

    def outcome(self, form_key: str) -> Sent | None:
        known = FORM_KEY.fullmatch(form_key)
        return self.saved_forms.outcome(form_key, self.order_key) if known else None


def results_of(sent: Sent) -> list[Result]:
    return msgspec.convert(sent.outcome["results"], list[Result])


def _filled(typed: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in typed.items() if text}


# ---------------------------------------------------------------- what a request sends


@dataclass(frozen=True, slots=True, repr=False)
class Submission:
    """A form as a request sent it: its key, what was typed by the fields' names, and which button
    was pressed."""

    form: OrderForm
    key: str
    typed: dict[str, str]
    action: str = "save"

    @classmethod
    def of(cls, name: str) -> Submission:
        """Of this request. The key is a new one where none was sent that could be ours. The names
        of fields have dots, those of what stands around them have none."""
        key, names = request.form.get("form_key", ""), [n for n in request.form if "." in n]
        return cls(
            OrderForm.of(name),
            key if FORM_KEY.fullmatch(key) else new_form_key(),
            {field: request.form[field] for field in names[:_MOST_FIELDS]},
            request.form.get("action", "save"),
        )

    def keep(self) -> None:
        self.form.keep(self.typed, self.key)

    def settled(self) -> Response | None:
        """Where to go when nothing is left to do: it was thrown away, or saved before."""
        if self.action == "discard":
            self.form.discard()
            return self.form.redirect(".show")
        if self.action == "save" and self.form.sent_before(self.key, self.typed):
            return self.form.redirect(".saved", form_key=self.key)
        return None


# ---------------------------------------------------------------- after the window has ended


def rescued_by(name: str) -> Callable[[Blueprint], None]:
    """Registers a keeper for what is sent into a window that has ended."""

    def register(screen: Blueprint) -> None:
        screen.record_once(
            lambda state: error_pages.keep_late_forms(state.app, _keeper(name, screen.name))
        )

    return register


def _keeper(name: str, blueprint: str) -> error_pages.Keeper:
    def keep(
        owner: str, endpoint: str, values: Mapping[str, object], form: Mapping[str, list[str]]
    ) -> bool:
        order = request.args.get("order", "")
        if endpoint.partition(".")[0] != blueprint or not order:
            return False
        sent = {field: texts[0] for field, texts in list(form.items())[:_MOST_FIELDS] if texts}
        key = sent.get("form_key", "")
        typed = {field: text for field, text in sent.items() if "." in field}
        try:
            SavedForms.of(launch_services().store).keep(
                owner, name, order, typed, key if FORM_KEY.fullmatch(key) else new_form_key()
            )
        except StoreFailed:
            return False
        return True

    return keep
