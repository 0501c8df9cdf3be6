"""That a database did not do it; apart, so that nothing needs SQLAlchemy to catch it."""

from __future__ import annotations


class StoreFailed(Exception):
    """The database did not do it, and nothing is half-written. `kind` names the fault alone."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind
