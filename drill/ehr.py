"""The EHR of the drill: it calls with signed tokens, sends feedback, and remembers every answer."""

from __future__ import annotations

import copy
import threading
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import requests

import fixtures
from drill.records import Batch, Records
from drill.steps import Step
from tests.cds_hooks import tokens

PATIENT = "pat-ada-winterbourne"
_ORDER = "story-j2356-on-omalizumab"  # a wrong code: a card that the order alone decides
_SERVICE = "/cds-services/vialwise-orders"
_PATIENCE = 30  # seconds
REFUSED = 0  # the status of a call that the connection refused or dropped


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: 0 as status when the connection was refused or dropped."""

    status: int
    seconds: float
    instance: str = ""
    body: Any = None

    @property
    def cards(self) -> list[dict[str, Any]]:
        return self.body["cards"] if self.status == 200 else []

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(card["uuid"] for card in self.cards)

    @property
    def summaries(self) -> list[str]:
        return [card["summary"] for card in self.cards]

    @property
    def not_checked(self) -> list[str]:
        """What the cards say under "Not checked"."""
        parts = [card.get("detail", "").partition("**Not checked**")[2] for card in self.cards]
        return [
            line.removeprefix("- ").replace("\\", "")
            for part in parts
            for line in part.strip().split("\n\n")[0].splitlines()
            if line.startswith("- ")
        ]

    def told(self) -> list[str]:
        """The answer in lines for people."""
        if self.status == REFUSED:
            return [f"the connection was refused, after {self.seconds:.2f} s"]
        cards = "1 card" if len(self.cards) == 1 else f"{len(self.cards)} cards"
        lines = [f"{self.status} in {self.seconds:.2f} s"]
        if self.status == 200 and isinstance(self.body, dict) and "cards" in self.body:
            lines[0] += f", {cards}"
        lines += [f"{card['indicator']}: {card['summary']}" for card in self.cards]
        return lines + [f"not checked: {text}" for text in self.not_checked]


def now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass(slots=True)
class Ehr:
    """A registered EHR. `answered` and `accepted` are what it was told that is kept for it; of
    `refused` feedback it knows nothing but that it must not stand there in part."""

    service: str
    fhir: str
    answered: list[Answer] = field(default_factory=list)
    accepted: list[Batch] = field(default_factory=list)
    refused: list[Batch] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def call(self, token: str = "") -> Answer:
        """order-sign without prefetch, with a token lent for the FHIR server."""
        body = copy.deepcopy(fixtures.hook_request(_ORDER))
        body.pop("prefetch")
        body["hookInstance"] = str(uuid.uuid4())
        body["fhirServer"] = self.fhir
        body["fhirAuthorization"] = {
            "access_token": "lent-for-the-drill",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.rs",
            "subject": "vialwise",
        }
        answer = self._post("", body, token or self.token(), body["hookInstance"])
        if answer.status == 200:
            with self._guard:
                self.answered.append(answer)
        return answer

    def feedback(self, cards: Sequence[str], at: str = "") -> Answer:
        """One batch: every card accepted, now or at `at`."""
        at = at or now()
        entries = [{"card": c, "outcome": "accepted", "outcomeTimestamp": at} for c in cards]
        answer = self._post("/feedback", {"feedback": entries}, self.token("/feedback"))
        with self._guard:
            (self.accepted if answer.status == 200 else self.refused).append((at, tuple(cards)))
        return answer

    def token(self, path: str = "") -> str:
        return tokens.signed(tokens.claims(aud=f"{tokens.SERVICE_URL}{path}"))

    def _post(self, path: str, body: Any, token: str, instance: str = "") -> Answer:
        """A connection of its own, so that any worker may get it."""
        headers = {"Authorization": token, "Connection": "close"}
        started = time.perf_counter()
        try:
            response = requests.post(
                f"{self.service}{_SERVICE}{path}", json=body, headers=headers, timeout=_PATIENCE
            )
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            return Answer(REFUSED, time.perf_counter() - started, instance)
        took = time.perf_counter() - started
        said = response.json() if response.content else None
        return Answer(response.status_code, took, instance, said)

    def expect_kept(self, step: Step, found: Records, unrecorded: Sequence[Answer] = ()) -> None:
        """Everything this EHR was told is kept stands in the database; `unrecorded` are answers
        that went out while there was none."""
        away = {answer.instance for answer in unrecorded}
        calls = {a.instance for a in self.answered} - away
        cards = {id_ for a in self.answered if a.instance in calls for id_ in a.ids}
        feedback = {card for _, cards_of in self.accepted for card in cards_of}
        lost = (
            len(calls - set(found.calls)),
            len(cards - found.cards),
            len(feedback - found.feedback),
        )
        step.kept.append(
            f"calls {len(calls)} answered, {len(calls & set(found.calls))} audited; cards "
            f"{len(cards)} sent, {len(cards & found.cards)} on record; feedback {len(feedback)} "
            f"accepted, {len(feedback & found.feedback)} kept"
        )
        if away:
            step.kept.append(f"answered without a record while the database was gone: {len(away)}")
        told = f"lost: {lost[0]} calls, {lost[1]} cards, {lost[2]} entries of feedback"
        step.expect(lost == (0, 0, 0), told)
        sent = sum(len(set(cards_of)) for _, cards_of in {*self.accepted, *self.refused})
        step.expect(len(found.entries) <= sent, "more feedback is kept than was sent")
        half = found.half_batches([*self.accepted, *self.refused])
        step.expect(half == 0, f"{half} batches of feedback are half written")
