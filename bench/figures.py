"""A row of the table: what was measured, and whether it reached its target."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from operator import ge, le

_REACHED: dict[str, Callable[[float, float], bool]] = {"<=": le, ">=": ge}


@dataclass(frozen=True, slots=True)
class Row:
    """`figure` is what `target` ("<= 1.0", "" for none) speaks of; `shown` is it in words."""

    what: str
    figure: float
    shown: str
    target: str = ""

    @property
    def missed(self) -> bool:
        if not self.target:
            return False
        comparison, bound = self.target.split()[:2]
        return not _REACHED[comparison](self.figure, float(bound))

    def __str__(self) -> str:
        missed = ", **missed**" if self.missed else ""
        return f"| {self.what} | {self.shown} | {self.target or 'none'}{missed} |"


def times(figure: float, shown: str) -> str:
    """A ratio in words: "0.14 x (116, 834)"."""
    return f"{figure:.2f} x ({shown})"


def ratio(one: float, other: float) -> float:
    """`one` against `other`; infinite when a machine was too busy for the other to be measured."""
    return one / other if other else math.inf
