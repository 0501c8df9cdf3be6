"""Several questions at once, inside one deadline that holds whatever the threads are doing."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from billing_rules.states import Unknown
from ehr_access import reasons
from ehr_access.limits import Deadline

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
    for item in questions.items():
        waiting.put(item)
    for _ in range(min(most, len(questions))):
        threading.Thread(target=_work, args=(waiting, answered, deadline), daemon=True).start()
    answers: dict[str, T | Unknown] = dict.fromkeys(questions, reasons.TOO_LATE)
    for _ in questions:
        try:
            key, answer = answered.get(timeout=deadline.remaining)
        except queue.Empty:
            break
        answers[key] = answer
    return answers


def _work(
    waiting: queue.SimpleQueue[tuple[str, Callable[[], T]]],
    answered: queue.SimpleQueue[tuple[str, T | Unknown]],
    deadline: Deadline,
) -> None:
    while not deadline.passed:
        try:
            key, question = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            answered.put((key, question()))
        except Exception as error:  # the thread must answer; the text could hold an id
            log.error("a FHIR query failed: %s", type(error).__name__)
            answered.put((key, reasons.NOT_FHIR))
