"""Writing a form's resources to the EHR, one after the other, each at most once.

Each resource carries an identifier of ours made from the form's key and its own content, so that
the same entry is found again and a changed one is another. What an earlier send of the same form
wrote, or may have written, is looked for before anything is sent again.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from billing_rules.data_needed import OUR_ENTRIES
from billing_rules.fhir.write.administration import Entered, document
from ehr_access.writing import Refused, Uncertain, WriteAnswer, Written
from smart_app.launch.window import Window

SYSTEM = OUR_ENTRIES
_NOT_CONTENT = ("identifier", "date", "authored")  # when it was sent is not what it says
State = Literal["written", "refused", "uncertain"]


@dataclass(frozen=True, slots=True)
class ToWrite:
    """One resource and what people call it. With `version` it replaces that version."""

    what: str
    resource: Mapping[str, Any]
    version: str = ""

    @property
    def identifier(self) -> Mapping[str, str]:
        return dict(next(i for i in _identifiers(self.resource) if i.get("system") == SYSTEM))

    @property
    def key(self) -> str:
        """What this very entry is known by in the results."""
        if self.version:
            return f"{self.resource['resourceType']}/{self.resource['id']}"
        return self.identifier["value"]


def new(what: str, resource: Mapping[str, Any]) -> ToWrite:
    """A resource to create, its identifier completed by what it says."""
    made = copy.deepcopy(dict(resource))
    content = {key: value for key, value in made.items() if key not in _NOT_CONTENT}
    text = json.dumps(content, sort_keys=True, default=str).encode()
    for identifier in _identifiers(made):
        identifier["value"] += "-" + hashlib.sha256(text).hexdigest()[:8]
    return ToWrite(what, made)


def entered_in(window: Window, form_key: str) -> Entered:
    """Whom the entries of a form are of, and who made them."""
    return Entered(
        f"Patient/{window.patient_id}",
        (SYSTEM, form_key),
        f"Encounter/{window.encounter_id}" if window.encounter_id else "",
        window.user.reference,
    )


def note(what: str, lines: Sequence[str], title: str, entered: Entered, on: date) -> ToWrite:
    """The note on a form, as a document of now."""
    identifier = {"system": SYSTEM, "value": f"{entered.identifier[1]}-note"}
    when = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return new(what, document(lines, title, entered, on, identifier, when))


def _identifiers(resource: Mapping[str, Any]) -> list[dict[str, str]]:
    """Of a resource that may carry one identifier, or many."""
    found = resource["identifier"]
    return [found] if isinstance(found, dict) else list(found)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one resource, in words that can be kept and shown."""

    what: str
    key: str
    state: State
    because: str = ""
    reference: str = ""
    why: str = ""
    codes: tuple[str, ...] = ()

    @property
    def signed_out(self) -> bool:
        return self.why == "signed out"


def write(
    window: Window, resources: Iterable[ToWrite], before: Mapping[str, Result]
) -> list[Result]:
    """The results, in the order of `resources`; `before` are those of an earlier send by their
    keys. After one that the sign-in no longer allows, nothing more is sent."""
    results: list[Result] = []
    for one in resources:
        if any(r.signed_out for r in results):
            answer: WriteAnswer = Refused("signed out", "the sign-in to the EHR has run out")
        else:
            answer = _written_once(window, one, before.get(one.key))
        if isinstance(answer, Written):
            result = Result(one.what, one.key, "written", reference=answer.reference)
        elif isinstance(answer, Uncertain):
            result = Result(one.what, one.key, "uncertain", answer.because)
        else:
            result = Result(
                one.what, one.key, "refused", answer.because, why=answer.why, codes=answer.codes
            )
        results.append(result)
    return results


def _written_once(window: Window, one: ToWrite, before: Result | None) -> WriteAnswer:
    if before and before.state == "written":
        return Written(before.reference, before=True)
    if one.version:
        return window.ehr.update(one.resource, one.version, window.scopes)
    if before and before.state == "uncertain":
        kind = str(one.resource["resourceType"])
        found = window.ehr.already_there(kind, one.identifier, window.patient_id)
        if not (isinstance(found, Refused) and found.why == "not sent"):
            return found
    return window.ehr.create(one.resource, one.identifier, window.scopes)
