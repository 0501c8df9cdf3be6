"""The database goes and comes back: cards are answered, feedback is told 503 and sent again.

A SQLite file is moved away, a PostgreSQL server is stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click

from drill import records, service
from drill.ehr import PATIENT, Answer, Ehr, now
from drill.service import Service
from drill.steps import Report, Step
from tests import postgres
from tests.cds_hooks import chart_server
from tests.practice_ehr import practice_ehr

# ----------------------------------------------------------------------
# Databases that can be taken away and brought back: a SQLite file, and a PostgreSQL server.


_PARTS = ("", "-wal", "-shm")


@dataclass(frozen=True, slots=True)
class Database:
    """`take_away` and `bring_back` do to it what an outage does."""

    name: str
    url: str
    gone: str
    take_away: Callable[[], None]
    bring_back: Callable[[], None]


@contextmanager
def sqlite(folder: Path) -> Iterator[Database]:
    """A file that is moved away under the running service, with its log of changes."""
    file, elsewhere = folder / "vialwise.sqlite", folder / "elsewhere"
    elsewhere.mkdir()
    yield Database(
        "SQLite",
        str(file),
        "its file is moved away",
        lambda: _move(file.parent, elsewhere, file.name),
        lambda: _move(elsewhere, file.parent, file.name),
    )


@contextmanager
def postgresql(folder: Path) -> Iterator[Database]:
    with postgres.started(_programs()) as server:
        yield Database("PostgreSQL", server.url, "it is stopped", server.stop, server.start)


Kind = Callable[[Path], AbstractContextManager[Database]]


def installed() -> dict[str, Kind]:
    """Each kind of database there is here."""
    kinds: dict[str, Kind] = {"SQLite": sqlite}
    if postgres.programs():
        return {**kinds, "PostgreSQL": postgresql}
    click.echo("PostgreSQL is not installed (Debian: postgresql): its steps are left out")
    return kinds


def _programs() -> Path:
    found = postgres.programs()
    assert found is not None
    return found


def _move(here: Path, there: Path, name: str) -> None:
    for part in _PARTS:
        file = here / f"{name}{part}"
        if file.exists():
            file.rename(there / file.name)


# ----------------------------------------------------------------------
# The database goes and comes back: cards are answered, feedback is told 503 and sent again.


_CALLS = 6
_SOON = 5.0  # seconds for an answer while the database is away
# Seconds until both workers have to use it again: they leave it alone ten times as long as it took
# to fail, and a PostgreSQL that says nothing takes two.
_BACK = 45.0


@dataclass(frozen=True, slots=True)
class Outage:
    """The calls that went out without a record, and the batch of feedback that was refused."""

    calls: list[Answer]
    batch: list[str]
    at: str


def play(report: Report, folder: Path) -> None:
    for name, kind in installed().items():
        home = folder / name
        home.mkdir()
        with kind(home) as database, practice_ehr() as fhir:
            chart_server.serve(fhir, PATIENT)
            with service.running(home, fhir.url, database.url) as running:
                _play(report, Ehr(running.url, fhir.url), running, database)


def _play(report: Report, ehr: Ehr, running: Service, database: Database) -> None:
    before = _well(report, ehr, database)
    database.take_away()
    try:
        outage = _gone(report, ehr, database, before)
    finally:
        database.bring_back()
    _back(report, ehr, running, database, outage)


def _well(report: Report, ehr: Ehr, database: Database) -> Answer:
    with report.step(f"{database.name} well") as step:
        answers = [ehr.call() for _ in range(_CALLS)]
        said = ehr.feedback([id_ for answer in answers for id_ in answer.ids])
        _told(step, answers, said)
        step.expect(all(a.status == 200 and a.cards for a in answers), "a call had no cards")
        step.expect(said.status == 200, f"feedback was answered {said.status}")
        ehr.expect_kept(step, records.read(database.url))
    return answers[-1]


def _gone(report: Report, ehr: Ehr, database: Database, before: Answer) -> Outage:
    outage = Outage([], [], now())
    with report.step(f"{database.name} gone: {database.gone} under the service") as step:
        outage.calls.extend(ehr.call() for _ in range(_CALLS))
        known = [id_ for answer in ehr.answered[:2] for id_ in answer.ids]
        outage.batch.extend([*known, *(id_ for call in outage.calls for id_ in call.ids)])
        said = ehr.feedback(outage.batch, outage.at)
        _told(step, outage.calls, said)
        same = all(a.status == 200 and a.summaries == before.summaries for a in outage.calls)
        step.expect(same, "not every call got its cards")
        slowest = max(a.seconds for a in outage.calls)
        step.expect(slowest <= _SOON, f"an answer took {slowest:.1f} s")
        step.expect(said.status == 503, f"feedback was answered {said.status}, not 503")
        step.kept.append("nothing, as documented: these calls go out without a record")
    return outage


def _back(report: Report, ehr: Ehr, running: Service, database: Database, outage: Outage) -> None:
    with report.step(f"{database.name} back") as step:
        kept = records.read(database.url).feedback_at(outage.at)
        step.expect(not kept, f"{len(kept)} entries of the refused batch are kept")
        started = time.monotonic()
        unrecorded = _until_both_record(step, ehr, running, database.url)
        waited = time.monotonic() - started
        answers = [ehr.call() for _ in range(_CALLS)]
        said = ehr.feedback(outage.batch, outage.at)
        _told(step, answers, said)
        step.sent[-1] += ", the one that was refused"
        step.came_back.append(f"both workers record again after {waited:.1f} s")
        step.expect(said.status == 200, f"feedback was answered {said.status}")
        step.expect(all(a.status == 200 and a.cards for a in answers), "a call had no cards")
        ehr.expect_kept(step, records.read(database.url), [*outage.calls, *unrecorded])


def _until_both_record(step: Step, ehr: Ehr, running: Service, url: str) -> list[Answer]:
    """Calls until each worker has put one on record; the calls that are not."""
    unrecorded: list[Answer] = []
    recording: set[int] = set()
    until = time.monotonic() + _BACK
    while recording != running.workers() and time.monotonic() < until:
        answer = ehr.call()
        if answer.instance in records.read(url).calls:
            recording |= running.workers_of(answer.instance)
        else:
            unrecorded.append(answer)
            time.sleep(0.2)
    step.expect(
        recording == running.workers(), f"after {_BACK:.0f} s not both workers keep records"
    )
    return unrecorded


def _told(step: Step, answers: list[Answer], said: Answer) -> None:
    cards = sum(len(answer.cards) for answer in answers)
    statuses = ", ".join(str(status) for status in sorted({a.status for a in answers}))
    slowest = max(answer.seconds for answer in answers)
    step.sent.append(f"{len(answers)} calls, then one batch of feedback")
    step.came_back += [
        f"{len(answers)} answers, status {statuses}, {cards} cards; the slowest took "
        f"{slowest:.2f} s",
        f"feedback {said.status} in {said.seconds:.2f} s",
    ]
