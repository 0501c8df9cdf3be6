"""Numbers come back as they were written; what is no JSON is refused."""

from __future__ import annotations

import pytest

from cds_hooks import exact_json


@pytest.mark.parametrize(
    "text", [b"0.50", b"1.0", b"300", b"0.000001", b"-0.0", b"12345678901234567890.123", b"1E+3"]
)
def test_a7_11_numbers_keep_their_digits(text: bytes) -> None:
    assert exact_json.encode(exact_json.decode(text, 8)) == text


@pytest.mark.parametrize(
    "text",
    [
        b"1e999",
        b"1e-999",
        b"1e99999999999999999999",
        b"0." + b"1" * 99,
        b"9" * 9999,
        b"NaN",
        b"Infinity",
        b"",
        b"{",
        b'"\\ud800"',
        b'"\xff"',
        b"[" * 99999,
    ],
)
def test_what_cannot_be_read_is_refused(text: bytes) -> None:
    with pytest.raises(exact_json.UnreadableJson) as refusal:
        exact_json.decode(text, 64)
    assert text.decode("latin-1")[:20] not in str(refusal.value) or not text


def test_a10_7_the_depth_limit_is_exact() -> None:
    assert exact_json.decode(b"[" * 8 + b"]" * 8, 8)
    with pytest.raises(exact_json.UnreadableJson):
        exact_json.decode(b"[" * 9 + b"]" * 9, 8)
