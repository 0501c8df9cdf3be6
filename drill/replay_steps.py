"""A token is for one call: of its uses exactly one is answered, whichever worker they come to."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from drill import database_steps, records, service
from drill.ehr import PATIENT, Answer, Ehr
from drill.service import WORKERS, Service
from drill.steps import Report, Step
from tests.cds_hooks import chart_server
from tests.practice_ehr import practice_ehr

_IN_A_ROW = 10
_AT_ONCE = 16
_ROUNDS = 8


def play(report: Report, folder: Path) -> None:
    for name, kind in database_steps.installed().items():
        home = folder / name
        home.mkdir()
        with kind(home) as database, practice_ehr() as fhir:
            chart_server.serve(fhir, PATIENT)
            with service.running(home, fhir.url, database.url) as running:
                ehr = Ehr(running.url, fhir.url)
                used = _one_after_the_other(report, ehr, running, name)
                _at_once(report, ehr, running, name)
                _after_a_kill(report, ehr, running, name, used)
                with report.step(f"Kept of all these, with {name}") as step:
                    step.sent.append("nothing more")
                    ehr.expect_kept(step, records.read(database.url))


def _one_after_the_other(report: Report, ehr: Ehr, running: Service, name: str) -> str:
    """Until both workers have seen it; the token."""
    token = ehr.token()
    with report.step(f"One token in {_IN_A_ROW} calls one after the other, with {name}") as step:
        answers = [ehr.call(token) for _ in range(_IN_A_ROW)]
        while len(_refusing(running)) < WORKERS and len(answers) < 20 * _IN_A_ROW:
            answers.append(ehr.call(token))
        _told(step, [answers])
        workers = len(_refusing(running))
        step.came_back.append(f"{workers} workers refused it")
        step.expect(workers == WORKERS, "not both workers were asked")
        _expect_one(step, [answers])
    return token


def _at_once(report: Report, ehr: Ehr, running: Service, name: str) -> None:
    with report.step(f"One token in {_AT_ONCE} calls at the same moment, with {name}") as step:
        rounds = [_round(ehr) for _ in range(_ROUNDS)]
        _told(step, rounds)
        winners = {a.instance for answers in rounds for a in answers if a.status == 200}
        by = {pid for instance in winners for pid in running.workers_of(instance)}
        step.came_back.append(f"{_ROUNDS} tokens; the one answer came from {len(by)} workers")
        _expect_one(step, rounds)


def _round(ehr: Ehr) -> list[Answer]:
    token, together = ehr.token(), Barrier(_AT_ONCE)

    def use(_: int) -> Answer:
        together.wait(30)
        return ehr.call(token)

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        return list(threads.map(use, range(_AT_ONCE)))


def _after_a_kill(report: Report, ehr: Ehr, running: Service, name: str, used: str) -> None:
    """New workers remember nothing by themselves: the database does."""
    with report.step(f"A used token once both workers were replaced, with {name}") as step:
        before = running.workers()
        for _ in range(WORKERS):
            running.kill_a_worker()
            time.sleep(0.5)
        until = time.monotonic() + 15
        while time.monotonic() < until and (
            len(running.workers()) < WORKERS or running.workers() & before
        ):
            time.sleep(0.1)
        step.expect(not running.workers() & before, "not both workers were replaced")
        answers = [ehr.call(used) for _ in range(_IN_A_ROW)]
        _told(step, [answers])
        step.expect({a.status for a in answers} == {401}, "a used token was taken again")


def _refusing(running: Service) -> set[int]:
    return {line["pid"] for line in running.lines(event="call", status=401)}


def _told(step: Step, rounds: list[list[Answer]]) -> None:
    answers = [answer for answers in rounds for answer in answers]
    counted = Counter(answer.status for answer in answers)
    step.sent.append(f"{len(answers)} calls, each on a connection of its own")
    step.came_back.append(
        ", ".join(f"{count} x {status}" for status, count in sorted(counted.items()))
        + f"; the slowest took {max(answer.seconds for answer in answers):.2f} s"
    )


def _expect_one(step: Step, rounds: list[list[Answer]]) -> None:
    for answers in rounds:
        counted = Counter(answer.status for answer in answers)
        step.expect(
            counted == {200: 1, 401: len(answers) - 1}, f"of one token's uses came {dict(counted)}"
        )
