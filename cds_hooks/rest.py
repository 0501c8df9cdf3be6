"""A database that fails slowly is left alone for a while: cards must not wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

_TIMES_AS_LONG = 10


class Rest:
    """After a failure that took t seconds nothing is tried for 10 t.

    So an unreachable database costs a tenth of the time at most, and a lock of a moment costs a
    moment. It knows nothing of any request.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until = 0.0

    @property
    def over(self) -> bool:
        return self._clock() >= self._until

    @contextmanager
    def after_failure(self) -> Iterator[None]:
        """Rest if what is done inside raises."""
        started = self._clock()
        try:
            yield
        except Exception:
            ended = self._clock()
            self._until = ended + _TIMES_AS_LONG * (ended - started)
            raise
