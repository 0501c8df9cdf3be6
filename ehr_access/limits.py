"""How long and how much: every request to an EHR is bounded by these."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from billing_rules.model.states import Unknown


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` is for everything one question needs: all queries, their pages and retries."""

    seconds: float = 5.0
    pages: int = 10
    body_bytes: int = 8_000_000
    metadata_bytes: int = 20_000_000
    parallel: int = 6


@dataclass(frozen=True, slots=True)
class Deadline:
    """A moment on the monotonic clock after which nothing is waited for."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self.at - time.monotonic())

    @property
    def passed(self) -> bool:
        return self.remaining <= 0

    def sooner(self, seconds: float) -> Deadline:
        """This deadline, or `seconds` from now when that is earlier."""
        return Deadline(min(self.at, time.monotonic() + seconds))


# ----------------------------------------------------------------------
# Why something could not be had, in the words a card repeats after "because".


TOO_LATE = Unknown("the EHR did not answer in time")
TOO_LARGE = Unknown("the EHR's answer was too large to read")
TOO_MANY_PAGES = Unknown("the EHR has more pages of this than may be read")
NOT_REACHED = Unknown("the EHR's FHIR server could not be reached")
REDIRECTED = Unknown("the EHR's FHIR server redirected, and redirects are not followed")
LEFT_THE_BASE = Unknown("the EHR's next page lies outside its FHIR server")
NOT_FHIR = Unknown("the EHR's answer was not readable FHIR")
ANOTHER_RESOURCE = Unknown("the EHR answered with another resource than was asked for")
SOMETHING_ELSE = Unknown("the EHR sent something else in its place")
NOT_IN_SCOPE = Unknown("the access token's scope does not allow it")
PART_IN_SCOPE = Unknown("the access token's scope allows a part of it only")
NOT_PERMITTED = Unknown("the EHR did not permit it")
INCOMPLETE = Unknown("the EHR said that its answer is incomplete")
ERROR_REPORTED = Unknown("the EHR reported an error")
BUSY = Unknown("the EHR is too busy")
NO_TOKEN_IN_CLEAR = Unknown("a token is sent over https only, and this FHIR server has http")
BROKEN = Unknown("the EHR's answer broke off")
BAD_REQUEST = Unknown("the EHR answered with HTTP status 400")


def not_offered(resource_type: str) -> Unknown:
    return Unknown(f"this EHR does not offer {resource_type}")


def of_status(status: int, resource_type: str) -> Unknown:
    """The reason for an HTTP status that is not a success."""
    if status in (401, 403):
        return NOT_PERMITTED
    if status in (429, 503):
        return BUSY
    if 300 <= status < 400:
        return REDIRECTED
    if status in (404, 405, 501):
        return not_offered(resource_type)
    return Unknown(f"the EHR answered with HTTP status {status}")


# ----------------------------------------------------------------------
# Several questions at once, inside one deadline that holds whatever the threads are doing.


T = TypeVar("T")
log = logging.getLogger(__name__)


def all_of(
    questions: Mapping[str, Callable[[], T]], deadline: Deadline, most: int
) -> dict[str, T | Unknown]:
    """Every question's answer by its key; what is not answered at the deadline is unknown.

    The threads are daemons: one that hangs on a server cannot keep the process from ending.
    """
    waiting: queue.SimpleQueue[tuple[str, Callable[[], T]]] = queue.SimpleQueue()
    answered: queue.SimpleQueue[tuple[str, T | Unknown]] = queue.SimpleQueue()

    def work() -> None:
        while not deadline.passed:
            try:
                key, question = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                answered.put((key, question()))
            except Exception as error:  # the thread must answer; the text could hold an id
                log.error("a FHIR query failed: %s", type(error).__name__)
                answered.put((key, NOT_FHIR))

    for item in questions.items():
        waiting.put(item)
    for _ in range(min(most, len(questions))):
        threading.Thread(target=work, daemon=True).start()
    answers: dict[str, T | Unknown] = dict.fromkeys(questions, TOO_LATE)
    for _ in questions:
        try:
            key, answer = answered.get(timeout=deadline.remaining)
        except queue.Empty:
            break
        answers[key] = answer
    return answers
