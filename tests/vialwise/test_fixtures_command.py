"""`vialwise fixtures`: the stories on somebody's server, and off it again."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import pytest

import fixtures
from sandbox_ehr.moods import (
    Act,
    Answer,
    Mood,
    Reply,
    Request,
    Sent,
    conditional_update,
    outcome,
    refuses_writes,
    small_pages,
)
from tests.practice_ehr import Ehr, practice_ehr
from tests.vialwise.conftest import Run
from vialwise.ehrs import fixture_loading

TODAY = fixtures.WRITTEN_ON + timedelta(days=100)
NOT_OURS = {"resourceType": "Patient", "id": "theirs", "name": [{"family": "Somebody"}]}


@pytest.fixture(autouse=True)
def another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vialwise.clock.today", lambda *_: TODAY)


@dataclass
class Writable:
    """A server that takes resources. `needed`: references that may not be deleted."""

    ehr: Ehr
    needed: set[str] = field(default_factory=set)

    @property
    def url(self) -> str:
        return self.ehr.url

    @property
    def held(self) -> dict[str, dict[str, Any]]:
        """What it keeps, without the version that it gave itself."""
        records = self.ehr.records
        found = [r for kind in records.types() for r in records.search(kind)]
        for resource in found:
            meta = resource.pop("meta")
            own = {k: v for k, v in meta.items() if k not in ("versionId", "lastUpdated")}
            resource |= {"meta": own} if own else {}
        return {fixture_loading.reference_to(resource): resource for resource in found}

    @property
    def deleted(self) -> list[str]:
        deletes = (r for r in self.ehr.sent if r.method == "DELETE")
        return [r.path.removeprefix("/fhir/") for r in deletes]

    def keeps_what_is_needed(self, request: Request, answer: Answer) -> Sent:
        if request.method == "DELETE" and request.path.removeprefix("/fhir/") in self.needed:
            return Reply(outcome(text="something refers to it"), 409)
        return answer(request)


@contextmanager
def writable(*moods: Mood | Act, held: Iterable[dict[str, Any]] = ()) -> Iterator[Writable]:
    with practice_ehr(held) as ehr:
        server = Writable(ehr)
        ehr.be(*moods, conditional_update, server.keeps_what_is_needed)
        yield server


def load(run: Run, server: Writable, *more: object):  # type: ignore[no-untyped-def]
    result = run("fixtures", "load", "--fhir", server.url, *more)
    assert result.exit_code == 0, result.stderr
    return result


def unload(run: Run, server: Writable, *more: object):  # type: ignore[no-untyped-def]
    return run("fixtures", "unload", "--fhir", server.url, *more)


def test_every_story_is_there_tagged_and_told(run: Run) -> None:
    with writable() as server:
        result = load(run, server)
        held = server.held
        for name, patient in fixture_loading.story_patients().items():
            assert f"Patient/{patient}" in held
            assert fixture_loading.story_order(name) in held
            assert f"Patient/{patient}" in result.stdout
        assert all(fixture_loading.is_tagged(r, fixture_loading.TAG) for r in held.values())
        assert "under their own ids" in " ".join(result.stdout.split())


def test_what_a_resource_refers_to_is_there_before_it() -> None:
    for everything in (False, True):
        seen: set[str] = set()
        for resource in fixture_loading.fixtures_to_load(everything):
            missing = (
                set(fixtures.references(resource)) - seen - {fixture_loading.reference_to(resource)}
            )
            assert not {r for r in missing if not r.startswith("#")}, resource["id"]
            seen.add(fixture_loading.reference_to(resource))


def test_dates_move_together_so_that_intervals_stay(run: Run) -> None:
    with writable() as server:
        load(run, server)
        for key, there in server.held.items():
            here = fixtures.resource(*key.split("/"))
            for element in ("authoredOn", "effectiveDateTime", "onsetDateTime"):
                if element in here:
                    moved = date.fromisoformat(there[element][:10])
                    assert moved - date.fromisoformat(here[element][:10]) == timedelta(days=100)
                    assert there[element][10:] == here[element][10:], "the time of day stays"


def test_all_puts_every_well_shaped_fixture_there(run: Run) -> None:
    with writable() as server:
        load(run, server, "--all")
        assert set(server.held) == {
            fixture_loading.reference_to(r) for r in fixtures.resources(drafts=True)
        }


def test_loading_again_changes_nothing_but_dates(run: Run) -> None:
    with writable() as server:
        load(run, server)
        before = copy.deepcopy(server.held)
        load(run, server)
        assert server.held == before


@pytest.mark.parametrize(
    ("mood", "told"),
    [(Mood.OWN_IDS, "conditional update"), (Mood.NO_UPDATES, "conditional create")],
)
def test_a_server_that_gives_ids_itself_gets_them_by_identifier(
    run: Run, mood: Mood, told: str
) -> None:
    with writable(mood) as server:
        assert told in " ".join(load(run, server).stdout.split())
        held = server.held
        for resource in held.values():
            for reference in fixtures.references(resource):
                assert reference in held or reference.startswith("#"), reference
        load(run, server)
        assert len(server.held) == len(held), "loading again made copies"
        assert unload(run, server).exit_code == 0
        assert server.held == {}


def test_what_is_there_without_the_tag_is_not_overwritten(run: Run) -> None:
    patient = next(iter(fixture_loading.story_patients().values()))
    theirs = {**NOT_OURS, "id": patient}
    with writable(held=[theirs]) as server:
        result = run("fixtures", "load", "--fhir", server.url)
        assert result.exit_code == 2
        assert "nothing is overwritten" in result.stderr
        assert server.held[f"Patient/{patient}"] == theirs


@pytest.mark.parametrize("moods", [(), (Mood.IGNORES_TAG,)])
def test_unload_deletes_what_carries_the_tag_and_nothing_else(
    run: Run, moods: tuple[Mood, ...]
) -> None:
    with writable(small_pages(7), *moods, held=[NOT_OURS]) as server:
        load(run, server)
        load_of_others = unload(run, server, "--tag", "another")
        assert "Nothing on" in load_of_others.stdout and not server.deleted
        result = unload(run, server)
        assert result.exit_code == 0, result.stderr
        assert server.held == {"Patient/theirs": NOT_OURS}
        assert "Patient/theirs" not in server.deleted


def test_what_the_server_keeps_is_said_with_its_reason(run: Run) -> None:
    with writable() as server:
        load(run, server)
        kept = next(key for key in server.held if key.startswith("Patient/"))
        server.needed.add(kept)
        result = unload(run, server)
        assert result.exit_code == 2
        said = " ".join(result.stdout.split())
        assert f"{kept} with HTTP status 409: something refers to it" in said
        assert set(server.held) == {kept}


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ((422, "no such code"), "with HTTP status 422: no such code"),
        ((401, ""), "wants a token"),
        ((500, "broken"), "with HTTP status 500: broken"),
    ],
)
def test_a_refusal_names_the_resource_and_the_servers_reason(
    run: Run, refusal: tuple[int, str], told: str
) -> None:
    with writable(refuses_writes(*refusal)) as server:
        result = run("fixtures", "load", "--fhir", server.url)
        assert result.exit_code == 2
        assert told in result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--fhir", "ftp://x"), "starts with https://"),
        (("--fhir", "http://127.0.0.1:9/fhir"), "could not be reached"),
        (("--fhir", "http://127.0.0.1:9/fhir", "--tag", "a b"), "--tag takes letters"),
        ((), "--fhir"),
    ],
)
def test_wrong_words_are_one_line(run: Run, words: tuple[str, ...], told: str) -> None:
    for command in ("load", "unload"):
        result = run("fixtures", command, *words)
        assert result.exit_code == 2 and told in result.stderr
        assert len(result.stderr.strip().splitlines()[-1]) and "Traceback" not in result.stderr


def test_a_token_is_not_sent_in_clear(run: Run, tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "token"
    file.write_text("secret", encoding="utf-8")
    result = run("fixtures", "load", "--fhir", "http://ehr.example/r4", "--token-file", file)
    assert "https only" in result.stderr and "secret" not in result.stderr
