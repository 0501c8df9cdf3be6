"""The three states every input of a rule can be in: present, none, unknown.

Missing is not unknown. "Documentation missing" may be said only of `Nothing`: the question
was asked, the answer was complete, and there was nothing there. Whatever could not be asked
or not be read is `Unknown` and carries its reason, which the card repeats.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T", covariant=True)
U = TypeVar("U")


class Present(msgspec.Struct, Generic[T], frozen=True):
    """The value was there and could be read."""

    value: T


class Nothing(msgspec.Struct, frozen=True):
    """Asked, answered completely, nothing there."""


class Unknown(msgspec.Struct, frozen=True):
    """Could not be asked or read. `because` completes "could not be checked, because ..."."""

    because: str


NOTHING = Nothing()

State = Present[T] | Nothing | Unknown


def mapped(state: State[T], change: Callable[[T], U]) -> State[U]:
    """`state` with `change` applied to its value; none and unknown pass through untouched."""
    return Present(change(state.value)) if isinstance(state, Present) else state
