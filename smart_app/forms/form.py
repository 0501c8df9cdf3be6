"""One form for one order in one window: kept while it is typed, sent once, told when it was sent
elsewhere meanwhile. The two writing screens share it."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

import msgspec
from flask import Blueprint, request

from service_parts.database import StoreFailed
from service_parts.log_events import Event
from smart_app.forms import write_back
from smart_app.forms.saved_forms import FORM_KEY, Draft, KeptForms, Sent, new_form_key
from smart_app.forms.write_back import Result, ToWrite
from smart_app.launch import error_pages
from smart_app.launch.state import launch_services
from smart_app.launch.window import Window, window

log = logging.getLogger("smart_app")
_exact = msgspec.json.Encoder(decimal_format="number")
_MOST_FIELDS = 500
_NOT_TRIED = ("signed out", "not sent")  # a later send may be taken


@dataclass(frozen=True, slots=True, repr=False)
class OneForm:
    """`name` is the form's ("documentation"), `order` the reference of its order."""

    name: str
    order: str
    window: Window
    kept: KeptForms

    @property
    def order_key(self) -> str:
        here = self.window
        return self.kept.order_key(here.ehr_id, here.patient_id, self.order, self.name)

    def draft(self) -> Draft | None:
        return self.kept.draft(self.window.owner_key, self.name, self.order)

    def keep(self, typed: Mapping[str, str], form_key: str) -> None:
        self.kept.keep(self.window.owner_key, self.name, self.order, typed, form_key)

    def discard(self) -> None:
        self.kept.drop(self.window.owner_key, self.name, self.order)

    def last_key(self) -> str:
        """The key of the form that was sent last for this order; "" when none was."""
        last = self.kept.last(self.order_key)
        return last.form_key if last else ""

    def sent_elsewhere(self, form_key: str, after: str) -> Sent | None:
        """What was sent for the same order since this page was loaded: by somebody, in another
        window, or from this page with other answers."""
        last = self.kept.last(self.order_key)
        return last if last and last.form_key != after else None

    def done_before(self, form_key: str, typed: Mapping[str, str]) -> bool:
        """Whether this very form, with these answers, is saved already: a second click, or Back."""
        before = self.kept.outcome(form_key, self.order_key)
        if before is None or not before.complete or before.outcome["typed"] != _filled(typed):
            return False
        self.discard()
        return True

    def unfinished(self, form_key: str, typed: Mapping[str, str]) -> bool:
        """Send again what an earlier send of the same answers did not get through; False when
        there is nothing of that kind."""
        before = self.kept.outcome(form_key, self.order_key)
        if before is None or before.complete or before.outcome["typed"] != _filled(typed):
            return False
        kept = json.loads(before.outcome["writes"], parse_float=Decimal)
        writes = msgspec.convert(kept, list[ToWrite])
        told = {k: v for k, v in before.outcome.items() if k not in ("results", "writes", "typed")}
        self.send(form_key, typed, writes, told)
        return True

    def send(
        self,
        form_key: str,
        typed: Mapping[str, str],
        writes: Sequence[ToWrite],
        told: Mapping[str, Any],
    ) -> bool:
        """Write the resources, unless another request has done so; False while one is doing it.
        `told` is kept with the results for the page that shows them."""
        before = self.kept.outcome(form_key, self.order_key)
        claim = self.kept.claim(form_key, self.order_key)
        if claim != "yours":
            return claim != "under way"
        results = write_back.write(self.window, writes, _by_key(before))
        complete = not any(r.state == "uncertain" or r.why in _NOT_TRIED for r in results)
        outcome = {
            **told,
            "results": [asdict(r) for r in results],
            "typed": _filled(typed),
            "writes": "" if complete else _exact.encode(writes).decode(),
        }
        self.kept.finished(form_key, outcome, complete)
        if complete:
            self.discard()
        counts: dict[str, int] = {**Counter(str(r.state) for r in results)}
        log.info(Event("form sent", {"ehr": self.window.ehr_id, "form": self.name, **counts}))
        return True

    def outcome(self, form_key: str) -> Sent | None:
        return self.kept.outcome(form_key, self.order_key) if FORM_KEY.fullmatch(form_key) else None


def results_of(sent: Sent) -> list[Result]:
    return msgspec.convert(sent.outcome["results"], list[Result])


def _filled(typed: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in typed.items() if text}


def _by_key(before: Sent | None) -> dict[str, Result]:
    return {result.key: result for result in results_of(before)} if before else {}


# ---------------------------------------------------------------- of this request


def form_of(name: str, order: str = "") -> OneForm:
    """The form of that name for `order`, or for the order that the request's address names."""
    named = order or request.args.get("order", "")
    return OneForm(name, named, window(), KeptForms.of(launch_services().store))


def sent_form_key() -> str:
    """The key of the form that was sent; a new one where there is none that could be ours."""
    key = request.form.get("form_key", "")
    return key if FORM_KEY.fullmatch(key) else new_form_key()


def typed_names() -> dict[str, str]:
    """What was typed, by the fields' names: those have dots, what stands around them has none."""
    names = [name for name in request.form if "." in name]
    return {name: request.form[name] for name in names[:_MOST_FIELDS]}


# ---------------------------------------------------------------- after the window has ended


def rescued_by(name: str) -> Callable[[Blueprint], None]:
    """Registers a keeper for what is sent into a window that has ended."""

    def register(made: Blueprint) -> None:
        made.record_once(
            lambda state: error_pages.keep_late_forms(state.app, _keeper(name, made.name))
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
            KeptForms.of(launch_services().store).keep(
                owner, name, order, typed, key if FORM_KEY.fullmatch(key) else new_form_key()
            )
        except StoreFailed:
            return False
        return True

    return keep
