"""Workers are killed while calls and feedback come in: every one is answered whole or refused by
the connection, and what was answered is kept."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from drill import database_steps, records, service
from drill.ehr import PATIENT, REFUSED, Answer, Ehr
from drill.service import WORKERS, Service
from drill.steps import Report, Step
from tests.cds_hooks import chart_server
from tests.practice_ehr import practice_ehr

_CALLERS = 8
_SECONDS = 8.0  # at least, and on until there was a load
_MOST_SECONDS = 60.0  # on a machine that does other things too
_ENOUGH = 60  # calls that were answered whole
_KILL_EVERY = 0.8
_BACK = 15.0  # seconds until a killed worker has to be replaced


@dataclass(slots=True)
class Load:
    """What the callers got, for how long, and which workers were killed meanwhile."""

    calls: list[Answer] = field(default_factory=list)
    feedback: list[Answer] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def whole(self) -> list[Answer]:
        """The calls that were answered."""
        return [answer for answer in self.calls if answer.status == 200]

    @property
    def answers(self) -> list[Answer]:
        return [*self.calls, *self.feedback]


def play(report: Report, folder: Path) -> None:
    for name, kind in database_steps.installed().items():
        home = folder / name
        home.mkdir()
        with kind(home) as database, practice_ehr() as fhir:
            chart_server.serve(fhir, PATIENT)
            with service.running(home, fhir.url, database.url) as running:
                ehr = Ehr(running.url, fhir.url)
                with report.step(f"Workers killed under load, with {name}") as step:
                    load = _under_load(ehr, running)
                    _judge(step, load)
                    ehr.expect_kept(step, records.read(database.url))
                with report.step(f"Service back by itself, with {name}") as step:
                    _expect_back(step, ehr, running, load)
                    ehr.expect_kept(step, records.read(database.url))


def _under_load(ehr: Ehr, running: Service) -> Load:
    load, over, started = Load(), Event(), time.monotonic()
    with ThreadPoolExecutor(_CALLERS) as threads:
        callers = [threads.submit(_keep_calling, ehr, load, over) for _ in range(_CALLERS)]
        try:
            while _goes_on(load, time.monotonic() - started):
                time.sleep(_KILL_EVERY)
                if running.workers():
                    load.killed.append(running.kill_a_worker())
        finally:
            over.set()  # the block waits for the callers
        for caller in callers:
            caller.result(_MOST_SECONDS)
    load.seconds = time.monotonic() - started
    return load


def _goes_on(load: Load, seconds: float) -> bool:
    if seconds >= _MOST_SECONDS:
        return False
    return seconds < _SECONDS - _KILL_EVERY or len(load.whole) < _ENOUGH


def _keep_calling(ehr: Ehr, load: Load, over: Event) -> None:
    """A call, then feedback on its cards and on those of the call before, in one batch."""
    before: tuple[str, ...] = ()
    while not over.is_set():
        answer = ehr.call()
        load.calls.append(answer)
        if answer.ids:
            load.feedback.append(ehr.feedback([*before, *answer.ids]))
            before = answer.ids


def _judge(step: Step, load: Load) -> None:
    refused = sum(answer.status == REFUSED for answer in load.answers)
    whole = load.whole
    odd = sorted({a.status for a in load.answers} - {200, REFUSED})
    step.sent.append(
        f"{len(load.calls)} calls and {len(load.feedback)} batches of feedback from {_CALLERS} "
        f"callers in {load.seconds:.0f} s; {len(load.killed)} workers killed with SIGKILL meanwhile"
    )
    step.came_back.append(
        f"{len(load.answers) - refused} answered, {refused} refused or dropped by the connection; "
        f"the slowest took {max(a.seconds for a in load.answers):.2f} s"
    )
    step.expect(len(load.killed) >= 5, f"only {len(load.killed)} workers could be killed")
    step.expect(len(whole) >= _ENOUGH, f"only {len(whole)} calls were answered: that is no load")
    step.expect(not odd, f"answered with status {odd}")
    step.expect(len({tuple(a.summaries) for a in whole}) == 1, "equal calls got unequal cards")
    step.expect(all(a.cards for a in whole), "an answer came without its cards")


def _expect_back(step: Step, ehr: Ehr, running: Service, load: Load) -> None:
    started = time.monotonic()
    while len(running.workers()) < WORKERS and time.monotonic() - started < _BACK:
        time.sleep(0.1)
    workers = running.workers()
    answers = [ehr.call() for _ in range(10)]
    step.sent.append("10 calls, once nobody is killed any more")
    step.came_back.append(
        f"{len(workers)} workers; {sum(a.status == 200 for a in answers)} of 10 answered"
    )
    step.expect(len(workers) == WORKERS, f"{len(workers)} workers after {_BACK:.0f} s")
    step.expect(not workers & set(load.killed), "a killed worker is still there")
    step.expect(all(a.status == 200 and a.cards for a in answers), "not every call was answered")
