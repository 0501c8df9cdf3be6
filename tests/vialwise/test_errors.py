"""Every wrong input ends in one line that says the remedy, and exit code 2."""

from __future__ import annotations

from pathlib import Path

import pytest

import fixtures
from tests.vialwise.conftest import Run, omalizumab, written
from vialwise.checking import check
from vialwise.checking import check as inputs

ORDER = fixtures.path("story-225-mg-two-vials")


def one_line(result, *words: str) -> None:  # type: ignore[no-untyped-def]
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("vialwise: ")
    for word in words:
        assert word in result.stderr


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "is empty"),
        (b"   \n", "is empty"),
        (b"<MedicationRequest/>", "is not JSON (line 1)"),
        (b'{"resourceType": ', "is not JSON"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\x00", "is no"),
        (b"[]", "holds no JSON object"),
        (b"5", "holds no JSON object"),
        (b"{}", "there is no order in it"),
        (b'{"resourceType": "Patient"}', "there is no order in it"),
        (b'{"resourceType": ["MedicationRequest"]}', "there is no order in it"),
        (b'{"hook": "order-sign"}', "the service would refuse it"),
        (b'{"hook": "order-review", "hookInstance": "1"}', "does not answer that hook"),
        (b'{"hook": "patient-view", "hookInstance": "1"}', "context is missing"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_holds_no_order(run: Run, tmp_path: Path, content: bytes, word: str) -> None:
    file = tmp_path / "f.json"
    file.write_bytes(content)
    one_line(run("check", file), word)


def test_a_file_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    one_line(run("check", tmp_path / "none.json"), "does not exist", "check the path")
    one_line(run("check", tmp_path), "is a folder")
    one_line(run("check", "a\0b"), "cannot be read")
    one_line(run("check", "x" * 5000), "cannot be read")


def test_a_huge_file(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "LARGEST", 1 << 20)
    file = tmp_path / "huge.json"
    file.write_bytes(b" " * ((1 << 20) + 1))
    one_line(run("check", file), "more than 1 MB")


@pytest.mark.parametrize(
    ("args", "word"),
    [
        (("check", ORDER, "--on", "23.11.2026"), "YYYY-MM-DD"),
        (("check", ORDER, "--on", "2026-02-30"), "YYYY-MM-DD"),
        (("check", ORDER, "--timezone", "Mars/Base"), "not a time zone"),
        (("check", ORDER, "--timezone", "../etc/passwd"), "not a time zone"),
        (("check", ORDER, "--payer", "nobody"), "medicare-part-b"),
        (("check", ORDER, "--chart", ORDER), "brings its own chart"),
        (("check", ORDER, "--patient", "1"), "go with --fhir"),
        (("check",), "name a file"),
        (("check", ORDER, "--fhir", "https://ehr.example"), "the order goes to --order"),
        (("check", "--fhir", "https://ehr.example"), "needs --patient"),
        (("check", "--fhir", "ehr", "--patient", "1", "--order", "2"), "https://ehr.example/fhir"),
        (
            ("check", "--fhir", "http://127.0.0.1:1", "--patient", "1", "--order", "2"),
            "could not be reached",
        ),
        (
            ("check", "--fhir", "http://127.0.0.1:1", "--patient", "a/b", "--order", "2"),
            "takes the id alone",
        ),
        (
            ("check", "--fhir", "http://127.0.0.1:1", "--patient", "1", "--order", "./no.json"),
            "neither a file nor an id",
        ),
        (("check", "--nonsense"), "see vialwise check --help"),
        (("nonsense",), "see vialwise --help"),
        (("catalogue", "show", "aspirin"), "not a drug of the catalogue"),
        (("catalogue", "show", "omalizumab", "--on", "soon"), "YYYY-MM-DD"),
        (("catalogue", "verify", "--site", "/no/such.yaml"), "cannot be read"),
        (("serve", "--port", "70000"), "see vialwise serve --help"),
        (("serve", "--host", "no.such.host.invalid"), "cannot be listened on"),
    ],
)
def test_wrong_options(run: Run, args: tuple[object, ...], word: str) -> None:
    one_line(run(*args), word)


def test_a_site_file_that_is_wrong(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "site.yaml"
    file.write_text("name: Clinic\nstocked: [1-2-3]\n", encoding="utf-8")
    one_line(run("catalogue", "verify", "--site", file), "1-2-3")
    file.write_text("name: Clinic\nname: Clinic\n", encoding="utf-8")
    one_line(run("check", ORDER, "--site", file), "stands twice")


def test_a_fault_of_our_own_names_its_place_and_nothing_of_the_chart(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise RuntimeError("canary")

    monkeypatch.setattr(check, "answer", crash)
    result = run("check", written(tmp_path / "o.json", omalizumab()))
    one_line(result, "RuntimeError at test_errors.py:")
    assert "canary" not in result.stderr
