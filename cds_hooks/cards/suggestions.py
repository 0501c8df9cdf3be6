"""What a user can accept with one click: whole corrected resources, or a draft withdrawn.

CDS Hooks 2.0.1, "Suggestion" and "Action": an update carries the entire resource, so two
suggestions for one resource would undo each other. Everything that is to change on a resource is
therefore in one suggestion, on the first card that speaks of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from billing_rules.fhir.write.corrections import NotCorrectable, corrected
from billing_rules.model.findings import Correction, Finding, RemoveOrder
from cds_hooks.cards.markdown import plain_line

LONGEST_LABEL = 80
_LONGEST_DESCRIPTION = 300
Resource = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CodeSystemUris:
    """Code systems both ways: `names` URI -> short name, `preferred` short name -> URI."""

    names: Mapping[str, str]
    preferred: Mapping[str, str]


class Suggestions:
    """The suggestions of one answer, handed out card by card; no resource is changed twice."""

    def __init__(
        self,
        findings: Iterable[Finding],
        drafts: Mapping[str, Resource],
        code_systems: CodeSystemUris,
        new_uuid: Callable[[], str],
    ) -> None:
        self._drafts = drafts
        self._code_systems = code_systems
        self._new_uuid = new_uuid
        self._alone = [(f, self._actions([f])) for f in findings if f.corrections]
        self._waiting = [finding for finding, actions in self._alone if actions]

    def of_card(self, findings: Sequence[Finding]) -> list[dict[str, Any]]:
        """The one recommended suggestion of a card with `findings`, or none."""
        chosen = self._with_all_that_touch([f for f in self._waiting if f in findings])
        self._waiting = [f for f in self._waiting if f not in chosen]
        while chosen:
            actions = self._made_already(chosen) or self._actions(chosen)
            if actions:
                return [self._suggestion(chosen, actions)]
            chosen.pop()  # what cannot be combined: the less urgent gives way
        return []

    def _made_already(self, chosen: Sequence[Finding]) -> list[dict[str, Any]]:
        """The actions of a single finding, which were made to see whether it has any."""
        if len(chosen) > 1:
            return []
        return next((actions for finding, actions in self._alone if finding is chosen[0]), [])

    def _with_all_that_touch(self, chosen: list[Finding]) -> list[Finding]:
        """`chosen` and every finding that shares a resource with it, directly or through others."""
        while True:
            touched = _references(chosen)
            more = [f for f in self._waiting if f not in chosen and touched & _references([f])]
            if not more:
                return chosen
            chosen = [f for f in self._waiting if f in chosen or f in more]

    def _suggestion(self, findings: Sequence[Finding], actions: list[Any]) -> dict[str, Any]:
        return {
            "label": label(findings),
            "uuid": self._new_uuid(),
            "isRecommended": True,
            "actions": actions,
        }

    def _actions(self, findings: Sequence[Finding]) -> list[dict[str, Any]]:
        """One action a resource, or [] when any correction cannot be made."""
        by_reference: dict[str, list[Correction]] = {}
        for finding in findings:
            for correction in finding.corrections:
                by_reference.setdefault(correction.reference, []).append(correction)
        actions = []
        for reference, corrections in by_reference.items():
            what = _description(reference, findings)
            action = self._action(reference, tuple(dict.fromkeys(corrections)), what)
            if action is None:
                return []
            actions.append(action)
        return actions

    def _action(
        self, reference: str, corrections: tuple[Correction, ...], what: str
    ) -> dict[str, Any] | None:
        draft = self._drafts.get(reference)
        if draft is None:
            return None
        if any(isinstance(c, RemoveOrder) for c in corrections):
            return {"type": "delete", "description": what, "resourceId": reference}
        try:
            uris = self._code_systems
            resource = corrected(dict(draft), corrections, uris.preferred, uris.names)
        except NotCorrectable:
            return None
        return {"type": "update", "description": what, "resource": without_empty(resource)}


def label(findings: Sequence[Finding]) -> str:
    """The corrections in words: all that fit, and how many more."""
    words = list(dict.fromkeys(f.correction_label for f in _effective(findings)))
    for count in range(len(words), 0, -1):
        more = f" (+{len(words) - count} more)" if count < len(words) else ""
        text = "; ".join(words[:count]) + more
        if len(text) <= LONGEST_LABEL:
            return plain_line(text, LONGEST_LABEL)
    return plain_line(words[0], LONGEST_LABEL)


def _effective(findings: Sequence[Finding]) -> list[Finding]:
    """Findings whose corrections still show: a withdrawn draft is not corrected as well."""
    removed = {c.reference for f in findings for c in f.corrections if isinstance(c, RemoveOrder)}
    return [
        f
        for f in findings
        if any(isinstance(c, RemoveOrder) or c.reference not in removed for c in f.corrections)
    ]


def _description(reference: str, findings: Sequence[Finding]) -> str:
    touching = [f for f in _effective(findings) if reference in _references([f])]
    words = "; ".join(dict.fromkeys(f.correction_label for f in touching))
    return plain_line(f"{words} ({reference})", _LONGEST_DESCRIPTION)


def _references(findings: Iterable[Finding]) -> set[str]:
    return {c.reference for f in findings for c in f.corrections}


def without_empty(value: Any) -> Any:
    """A resource without members that say nothing, which neither FHIR nor CDS Hooks allows.

    null inside a list stays: FHIR aligns a list of primitives with its extensions that way.
    """
    if isinstance(value, dict):
        kept = ((key, without_empty(v)) for key, v in value.items())
        return {key: v for key, v in kept if not _says_nothing(v)}
    if isinstance(value, list):
        return [without_empty(v) for v in value]
    return value


def _says_nothing(value: Any) -> bool:
    """null, an empty list or object, or a text without a character to see."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or value == [] or value == {}
