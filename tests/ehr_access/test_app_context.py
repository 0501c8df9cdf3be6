"""The context a card hands to the app: sealed, expiring, for one patient on one FHIR server."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from ehr_access import app_context
from ehr_access.app_context import LIFE, LONGEST, AppContext, Refusal, opened, sealed

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
NOW = datetime(2026, 11, 24, 14, 2, tzinfo=UTC)
PATIENT, BASE = "prudence-inkwell", "https://ehr.example/r4"
CONTEXT = AppContext(
    card="1f4f0e5c-7d0a-4c52-9f3c-0d9d8f3f6a11",
    order="MedicationRequest/123",
    rules=("waste-modifier", "total-ige"),
    patient_id=PATIENT,
    fhir_base=BASE,
)
TEXT = sealed(CONTEXT, KEY, NOW)


def open_it(
    text: str = TEXT,
    key: bytes = KEY,
    patient_id: str = PATIENT,
    fhir_base: str = BASE,
    now: datetime = NOW,
) -> AppContext | Refusal:
    return opened(text, key, patient_id, fhir_base, now)


def test_what_was_sealed_is_opened_again() -> None:
    assert open_it() == CONTEXT


@pytest.mark.parametrize("written", ["https://ehr.example/r4/", "HTTPS://EHR.example:443/r4"])
def test_the_fhir_server_may_be_written_in_any_way(written: str) -> None:
    context = open_it(fhir_base=written)
    assert isinstance(context, AppContext) and context.order == CONTEXT.order


def test_it_is_good_for_a_day() -> None:
    assert open_it(now=NOW + LIFE - timedelta(seconds=1)) == CONTEXT
    assert open_it(now=NOW + LIFE) is Refusal.EXPIRED


def test_it_is_refused_for_another_patient() -> None:
    assert open_it(patient_id="quillon-barleycorn") is Refusal.ANOTHER_PATIENT
    assert open_it(patient_id="") is Refusal.ANOTHER_PATIENT


def test_it_is_refused_at_another_fhir_server() -> None:
    assert open_it(fhir_base="https://other.example/r4") is Refusal.ANOTHER_EHR
    assert open_it(fhir_base="no address") is Refusal.ANOTHER_EHR


def test_another_installations_is_foreign() -> None:
    assert open_it(key=OTHER_KEY) is Refusal.FOREIGN


def test_another_version_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_context, "VERSION", 2)
    newer = sealed(CONTEXT, KEY, NOW)
    monkeypatch.undo()
    assert open_it(newer) is Refusal.OTHER_VERSION


def test_every_changed_character_is_noticed() -> None:
    for place, before in enumerate(TEXT):
        after = "A" if before != "A" else "B"
        changed = TEXT[:place] + after + TEXT[place + 1 :]
        assert open_it(changed) in (Refusal.ALTERED, Refusal.UNREADABLE, Refusal.FOREIGN), place


def test_every_beginning_of_it_is_refused() -> None:
    for length in range(len(TEXT)):
        assert isinstance(open_it(TEXT[:length]), Refusal)


@given(st.text(max_size=2000))
def test_any_text_is_refused_and_nothing_raised(text: str) -> None:
    assert open_it(text) is Refusal.UNREADABLE


@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=40))
def test_any_text_under_our_own_header_is_refused(iv: bytes, content: bytes, tag: bytes) -> None:
    def coded(part: bytes) -> str:
        return base64.urlsafe_b64encode(part).rstrip(b"=").decode()

    text = ".".join([TEXT.split(".")[0], "", coded(iv), coded(content), coded(tag)])
    assert open_it(text) is Refusal.ALTERED


@pytest.mark.parametrize("alg, enc", [("A256KW", "A256GCM"), ("dir", "A256CBC-HS512")])
def test_no_other_algorithm_is_taken(alg: str, enc: str) -> None:
    kid = json.loads(base64.urlsafe_b64decode(TEXT.split(".")[0] + "=="))["kid"]
    key = OctKey.import_key(b"k" * (64 if alg == "dir" else 32))
    header = {"alg": alg, "enc": enc, "kid": kid}
    text = jwe.encrypt_compact(header, "{}", key, algorithms=[alg, enc])
    assert open_it(text) is Refusal.ALTERED


def test_nothing_of_it_can_be_read() -> None:
    decoded = b"".join(base64.urlsafe_b64decode(part + "==") for part in TEXT.split("."))
    for said in (PATIENT, BASE, CONTEXT.order, CONTEXT.card, "waste-modifier"):
        assert said.encode() not in decoded and said not in TEXT
    assert PATIENT not in repr(CONTEXT)


def test_two_of_the_same_differ() -> None:
    assert sealed(CONTEXT, KEY, NOW) != TEXT


def test_it_fits_into_an_address_however_many_rules_spoke() -> None:
    many = tuple(f"a-rule-with-a-long-name-{n}" for n in range(200))
    order = "MedicationRequest/" + "x" * 194  # as long as an EHR's temporary ids are
    text = sealed(AppContext(CONTEXT.card, order, many, PATIENT, BASE), KEY, NOW)
    context = open_it(text)
    assert len(text) <= LONGEST and isinstance(context, AppContext)
    assert context.order == order and context.rules and context.rules == many[: len(context.rules)]


def test_the_orders_that_were_judged_together_are_told_whole_or_not_at_all() -> None:
    some = tuple(f"MedicationRequest/{n}" for n in range(4))
    context = open_it(sealed(replace(CONTEXT, together=some), KEY, NOW))
    assert isinstance(context, AppContext) and context.together == some
    text = sealed(replace(CONTEXT, together=some * 40), KEY, NOW)
    context = open_it(text)
    assert len(text) <= LONGEST and context == CONTEXT


def test_a_context_of_before_they_were_told_is_still_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    claims = app_context._claims

    def of_before(*args: Any) -> dict[str, Any]:
        return {name: value for name, value in claims(*args).items() if name != "together"}

    monkeypatch.setattr(app_context, "_claims", of_before)
    assert open_it(sealed(replace(CONTEXT, together=("MedicationRequest/1",)), KEY, NOW)) == CONTEXT


def test_an_order_that_never_fits_is_said_so() -> None:
    with pytest.raises(ValueError, match="longer than"):
        sealed(AppContext(CONTEXT.card, "x" * 2000, (), PATIENT, BASE), KEY, NOW)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        sealed(CONTEXT, b"short", NOW)


def test_one_that_was_sealed_while_the_clock_ran_ahead_is_good_for_no_longer() -> None:
    assert open_it(sealed(CONTEXT, KEY, NOW + timedelta(days=365))) is Refusal.EXPIRED
    assert open_it(sealed(CONTEXT, KEY, NOW + timedelta(minutes=1))) == CONTEXT  # two machines
