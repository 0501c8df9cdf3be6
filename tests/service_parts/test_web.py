"""Who calls too often waits, and nobody else does."""

from __future__ import annotations

import pytest

from service_parts import web
from service_parts.web import Buckets, subscriber


def test_each_name_has_calls_of_its_own_which_come_back_evenly() -> None:
    now = [0.0]
    buckets = Buckets(2, lambda: now[0])
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 30]
    assert buckets.take("b") == 0
    now[0] = 30.0
    assert [buckets.take("a") for _ in range(2)] == [0, 30]


def test_the_names_that_came_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_NAMES", 2)
    buckets = Buckets(1, lambda: 0.0)
    for name in ("a", "b", "a", "c"):
        buckets.take(name)
    assert buckets.take("a") == 60  # still known
    assert buckets.take("b") == 0  # forgotten


@pytest.mark.parametrize(
    "address, whom",
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::/64"),
        ("unix:", ""),
        ("' or 1=1", ""),
        ("", ""),
    ],
)
def test_an_address_stands_for_its_subscriber(address: str, whom: str) -> None:
    assert subscriber(address) == whom
