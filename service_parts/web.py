"""How often a caller may call a web service, and where the framework's own redirects lead."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network
from math import ceil
from threading import Lock
from urllib.parse import urlsplit

MOST_NAMES = 10_000  # buckets kept at once, a few MB; the ones used last stay
_NETWORK = 64  # bits of an IPv6 address that stand for one subscriber (RFC 6177)


def path_of(address: str) -> str:
    """Path and query of an absolute address.

    A framework that adds a missing slash makes the address from the request's Host, which a
    stranger can choose, and from the scheme inside the proxy, which is http.
    """
    parts = urlsplit(address)
    path = "/" + parts.path.lstrip("/\\")
    return f"{path}?{parts.query}" if parts.query else path


# ---------------------------------------------------------------- how often somebody may call
#
# A token bucket for each caller, in each worker process. Each worker counts for itself, so with two
# workers a caller gets up to twice its calls. That bounds what one caller can cost, which is what
# it is for; an exact quota would cost every call a write.


class Bucket:
    """Holds `per_minute` calls and is refilled evenly, so a minute's worth may come at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = float(per_minute)
        self._per_second = per_minute / 60
        self._clock = clock
        self._lock = Lock()
        self._left = self._most
        self._at = clock()

    def wait(self) -> int:
        """Whole seconds until there is a call to take; 0 when there is one."""
        with self._lock:
            self._refill()
            return ceil(max(0.0, 1 - self._left) / self._per_second)

    def take(self) -> None:
        with self._lock:
            self._refill()
            self._left -= 1

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._per_second)
        self._at = now


class Buckets:
    """A bucket for everyone who comes, by name, for callers whom nobody has registered."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._lock = Lock()
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, name: str) -> int:
        """Take a call, if there is one: 0, else whole seconds until there will be."""
        bucket = self._of(name)
        wait = bucket.wait()
        if not wait:
            bucket.take()
        return wait

    def _of(self, name: str) -> Bucket:
        with self._lock:
            bucket = self._buckets.setdefault(name, Bucket(self._per_minute, self._clock))
            self._buckets.move_to_end(name)
            if len(self._buckets) > MOST_NAMES:
                self._buckets.popitem(last=False)
            return bucket


def subscriber(address: str) -> str:
    """Whom an IP address stands for: itself, or with IPv6 its network, all of which is one
    subscriber's. What is not an address counts as one caller."""
    try:
        read = ip_address(address)
    except ValueError:
        return ""
    if not isinstance(read, IPv6Address):
        return str(read)
    if read.ipv4_mapped:
        return str(read.ipv4_mapped)
    return str(ip_network((int(read), _NETWORK), strict=False))
