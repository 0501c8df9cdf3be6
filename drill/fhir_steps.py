"""The EHR's FHIR server fails: cards come in time, say what was not checked, and call nothing
missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import fixtures
from drill import records, service
from drill.ehr import PATIENT, Answer, Ehr
from drill.steps import Report, Step
from sandbox_ehr.moods import Mood, Reply
from tests.cds_hooks import chart_server
from tests.practice_ehr import Ehr as Practice
from tests.practice_ehr import bundle, practice_ehr

_IN_TIME = 2.0 + 1.0  # seconds: fetch_seconds and what a busy machine adds
_MOST_ASKED = 100  # 14 queries, five pages each at most, and a retry
_SOMEBODY_ELSE = "cov-silas-pepperidge"
_ASKED = "order-sign for omalizumab with J2356, no prefetch, a token lent"


@dataclass(frozen=True, slots=True)
class Failure:
    """`because` is what the cards have to give as the reason; "" when all is answered after all."""

    title: str
    mood: Mood
    because: str = ""
    most_seconds: float = _IN_TIME


FAILURES = (
    Failure("FHIR server slow: every answer takes 6 s", Mood.SLOW, "did not answer in time"),
    Failure("FHIR server drips: a byte at a time", Mood.DRIPPING, "did not answer in time"),
    Failure("FHIR server answers 401", Mood.NOT_PERMITTED, "did not permit it"),
    Failure("FHIR server answers 429, Retry-After 1 s, once", Mood.BUSY_ONCE),
    Failure("FHIR server answers 429, Retry-After 120 s", Mood.BUSY, "too busy", 1.5),
    Failure("FHIR server answers 500", Mood.FAILING, "HTTP status 500"),
    Failure("Half a page: the connection is cut inside the body", Mood.HALF_ANSWERS, "broke off"),
    Failure(
        "Endless pages: every page names a next one",
        Mood.ENDLESS_PAGES,
        "more pages of this than may be read",
    ),
    Failure("Lying content type: FHIR called text/html", Mood.WRONG_CONTENT_TYPE),
    Failure("Lying content type: a login page called FHIR", Mood.LOGIN_PAGE, "not readable FHIR"),
)


def play(report: Report, folder: Path) -> None:
    database = str(folder / "vialwise.sqlite")
    with practice_ehr() as fhir, service.running(folder, fhir.url, database) as running:
        ehr = Ehr(running.url, fhir.url)
        chart_server.serve(fhir, PATIENT)
        well = _well(report, ehr, database)
        for failure in FAILURES:
            fhir.be(failure.mood)
            fhir.forget()
            _fails(report, ehr, fhir, failure, well, database)
        _another_patient(report, ehr, fhir, running, database)
    _down(report, folder, well)


def _well(report: Report, ehr: Ehr, database: str) -> Answer:
    """The whole answer, which the others are held against. Both workers have met the server."""
    with report.step("FHIR server well: the whole answer") as step:
        answers = [ehr.call() for _ in range(4)]
        _told(step, answers[-1])
        step.expect(all(a.status == 200 for a in answers), "not every call was answered")
        step.expect(bool(answers[-1].cards), "the order's wrong code gave no card")
        same = all(a.summaries == answers[-1].summaries for a in answers)
        step.expect(same, "equal calls got unequal cards")
        ehr.expect_kept(step, records.read(database))
    return answers[-1]


def _fails(
    report: Report, ehr: Ehr, fhir: Practice, failure: Failure, well: Answer, database: str
) -> None:
    with report.step(failure.title) as step:
        answer = ehr.call()
        _told(step, answer)
        step.came_back.append(f"the FHIR server was asked {len(fhir.asked)} times")
        _expect_honest(step, answer, well, failure.because)
        step.expect(len(fhir.asked) <= _MOST_ASKED, "the FHIR server was asked without end")
        late = f"took {answer.seconds:.2f} s, allowed are {failure.most_seconds} s"
        step.expect(answer.seconds <= failure.most_seconds, late)
        ehr.expect_kept(step, records.read(database))


def _expect_honest(step: Step, answer: Answer, well: Answer, because: str) -> None:
    """What could be decided is there, what could not is said with its reason, nothing is made up.

    Words like "missing" would stand in a summary that the whole answer has not.
    """
    step.expect(answer.status == 200, f"answered {answer.status}, not 200")
    step.expect(well.summaries[0] in answer.summaries, "the card that the order decides is gone")
    new = set(answer.summaries) - set(well.summaries)
    step.expect(not new, f"says what the whole answer does not: {sorted(new)}")
    if because:
        said = any(because in text for text in answer.not_checked)
        step.expect(said, f"no card says that the EHR {because!r}")
    else:
        step.expect(answer.not_checked == well.not_checked, "not all was checked")


def _another_patient(
    report: Report, ehr: Ehr, fhir: Practice, running: service.Service, database: str
) -> None:
    with report.step("Another patient's data among the answers") as step:
        stranger = fixtures.load(f"coverages/{_SOMEBODY_ELSE}")
        fhir.be()
        fhir.replies["/fhir/Coverage"] = Reply(bundle(stranger))
        before = len(running.lines(outcome="another patient"))
        answer = ehr.call()
        _told(step, answer)
        step.expect(answer.status == 200 and answer.cards == [], "the answer was not refused whole")
        lines = running.lines(outcome="another patient")
        step.came_back.append(f"security lines in the log: {len(lines) - before}")
        step.expect(len(lines) == before + 1, "the log has no line of it")
        ehr.expect_kept(step, records.read(database))


def _down(report: Report, folder: Path, well: Answer) -> None:
    """Last, with a service of its own: a server that is gone, from the first call on, and back."""
    home = folder / "down"
    home.mkdir()
    database = str(home / "vialwise.sqlite")
    with practice_ehr() as gone:
        port = int(gone.url.rpartition(":")[2].partition("/")[0])
    with service.running(home, gone.url, database) as running:
        ehr = Ehr(running.url, gone.url)
        with report.step("FHIR server down: nothing listens there") as step:
            answer = ehr.call()
            _told(step, answer)
            _expect_honest(step, answer, well, "could not be reached")
            step.expect(answer.seconds <= _IN_TIME, f"took {answer.seconds:.2f} s")
            ehr.expect_kept(step, records.read(database))
        with report.step("FHIR server back") as step, practice_ehr(port=port) as back:
            chart_server.serve(back, PATIENT)
            answer = ehr.call()
            _told(step, answer)
            _expect_honest(step, answer, well, "")
            ehr.expect_kept(step, records.read(database))


def _told(step: Step, answer: Answer) -> None:
    step.sent.append(_ASKED)
    step.came_back.extend(answer.told())
