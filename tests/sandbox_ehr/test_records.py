"""What is kept, version by version, while others read and write."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from sandbox_ehr.fhir.outcomes import FhirError
from sandbox_ehr.fhir.records import Records

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=-6)))


def patient(id_: str = "1", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": id_, **more}


@pytest.fixture
def records() -> Records:
    return Records.of([patient(), patient("2", gender="female")], now=lambda: NOON)


def test_what_is_loaded_keeps_its_id_and_gets_a_version_and_a_time(records: Records) -> None:
    assert records.read("Patient", "1") == {
        "resourceType": "Patient",
        "id": "1",
        "meta": {"versionId": "1", "lastUpdated": "2026-11-23T18:00:00.000Z"},
    }


def test_the_rest_of_meta_is_kept(records: Records) -> None:
    kept = records.update(patient(meta={"tag": [{"code": "x"}], "versionId": "99"}))
    assert kept["meta"]["tag"] == [{"code": "x"}]
    assert kept["meta"]["versionId"] == "2"


def test_nothing_is_there_that_was_not_put_there(records: Records) -> None:
    assert records.read("Patient", "3") is None
    assert records.read("Observation", "1") is None
    assert not records.is_deleted("Patient", "3")
    assert records.versions("Patient", "3") == []


def test_a_copy_is_given_out_and_a_copy_is_kept(records: Records) -> None:
    mine = patient("3", name=[{"family": "A"}])
    records.update(mine)["name"][0]["family"] = "changed"
    mine["name"][0]["family"] = "changed"
    for given in (
        records.read("Patient", "3"),
        records.search("Patient", [("_id", "3")])[0],
        records.versions("Patient", "3")[0].resource,
    ):
        assert given is not None and given["name"][0]["family"] == "A"
        given["name"][0]["family"] = "changed"


def test_a_new_resource_gets_an_id_of_its_own(records: Records) -> None:
    one, two = records.create(patient()), records.create(patient())
    assert len({one["id"], two["id"], "1"}) == 3
    assert records.read("Patient", one["id"]) == one


def test_an_update_is_the_next_version_and_the_old_ones_stay(records: Records) -> None:
    assert records.update(patient(gender="male"))["meta"]["versionId"] == "2"
    versions = records.versions("Patient", "1")
    assert [v.number for v in versions] == [2, 1]
    assert versions[1].resource is not None and "gender" not in versions[1].resource


def test_somebody_elses_change_is_never_written_over(records: Records) -> None:
    records.update(patient(gender="male"), if_match="1")
    with pytest.raises(FhirError) as refused:
        records.update(patient(gender="other"), if_match="1")
    assert refused.value.status == 412
    current = records.read("Patient", "1")
    assert current is not None and current["gender"] == "male"


def test_what_is_not_there_matches_no_version(records: Records) -> None:
    with pytest.raises(FhirError):
        records.update(patient("new"), if_match="1")
    assert records.read("Patient", "new") is None


def test_deleting_keeps_the_history_and_can_be_undone_by_writing(records: Records) -> None:
    assert records.delete("Patient", "1")
    assert not records.delete("Patient", "1")
    assert records.read("Patient", "1") is None and records.is_deleted("Patient", "1")
    assert [r["id"] for r in records.search("Patient")] == ["2"]
    assert records.update(patient())["meta"]["versionId"] == "3"
    assert [v.resource is None for v in records.versions("Patient", "1")] == [False, True, False]


@pytest.mark.parametrize("id_", ["", "a b", "a/b", "../x", "ä", "x" * 65, "a\n", None, 5])
def test_an_id_is_one_of_fhir(records: Records, id_: Any) -> None:
    with pytest.raises(FhirError, match="1 to 64"):
        records.update({"resourceType": "Patient", "id": id_})


def test_all_or_nothing_undoes_everything(records: Records) -> None:
    with pytest.raises(ZeroDivisionError), records.all_or_nothing():
        records.update(patient(gender="male"))
        records.create(patient())
        records.delete("Patient", "2")
        records.create({"resourceType": "Observation"})
        1 / 0  # noqa: B018
    assert [r["id"] for r in records.search("Patient")] == ["1", "2"]
    assert records.types() == ("Patient",)
    assert len(records.versions("Patient", "1")) == 1


def test_threads_lose_nothing_of_each_other() -> None:
    records = Records.of([patient()])

    def write() -> None:
        for _ in range(50):
            records.update(patient())
            records.create({"resourceType": "Basic"})

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    numbers = [v.number for v in records.versions("Patient", "1")]
    assert numbers == list(range(401, 0, -1))
    assert len(records.search("Basic")) == 400


def test_nobody_reads_the_middle_of_a_transaction() -> None:
    records = Records.of([patient()])
    inside, seen = threading.Event(), []

    def read() -> None:
        inside.wait(10)
        seen.append(records.read("Patient", "1"))

    reader = threading.Thread(target=read)
    reader.start()
    with pytest.raises(KeyError), records.all_or_nothing():
        records.update(patient(gender="male"))
        inside.set()
        reader.join(0.2)
        raise KeyError
    reader.join(10)
    assert seen[0] is not None and "gender" not in seen[0]


def test_the_time_is_of_the_world_clock() -> None:
    records = Records.of([patient()])
    kept = records.read("Patient", "1")
    assert kept is not None
    at = datetime.fromisoformat(kept["meta"]["lastUpdated"])
    assert abs(datetime.now(UTC) - at) < timedelta(minutes=1)
