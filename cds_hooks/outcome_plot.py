"""The cards of each week as stacked bars: where each part of the picture stands.

Drawn by a template as SVG, widths in percent and heights in pixels, so that it needs no script and
no style of its own and fits any width with its words unscaled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from cds_hooks.outcomes import Tally

HEIGHT = 180  # pixels of the tallest bar
MOST_WEEKS = 104
_FEWEST_SLOTS = 8  # a single week is no wall
_NUMBERS = 8  # percent at the left for the numbers beside the lines
_MOST_LABELS = 4  # of weeks, so that they fit into 320 pixels
_PARTS = ("ignored", "overridden", "accepted")  # from the ground up


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a week's bar; `x` and `width` in percent, `y` and `height` in pixels."""

    part: str
    x: float
    width: float
    y: float
    height: float
    says: str


@dataclass(frozen=True, slots=True)
class Plot:
    """`weeks` are the labels below with their places, `lines` the numbers beside with theirs.
    `left_out` is how many weeks before the first there would be."""

    bars: tuple[Bar, ...]
    weeks: tuple[tuple[float, str], ...]
    lines: tuple[tuple[float, int], ...]
    left_out: int
    height: int = HEIGHT


def plot_of(by_week: Mapping[str, Tally]) -> Plot | None:
    """The picture of `by_week` (2026-W48 -> its cards), weeks without cards included; None where
    there are none."""
    if not by_week:
        return None
    weeks = list(_weeks(min(by_week), max(by_week)))
    shown = weeks[-MOST_WEEKS:]
    tallies = [by_week.get(week, Tally()) for week in shown]
    top = _round(max(tally.shown for tally in tallies))
    slot = (100 - _NUMBERS) / max(len(shown), _FEWEST_SLOTS)
    bars = [
        bar
        for place, (week, tally) in enumerate(zip(shown, tallies, strict=True))
        for bar in _stack(week, tally, _left(place, slot) + slot * 0.1, slot * 0.8, HEIGHT / top)
    ]
    step = -(-len(shown) // _MOST_LABELS)
    labels = tuple((_left(place, slot), shown[place]) for place in range(0, len(shown), step))
    lines = tuple((HEIGHT - HEIGHT * part, round(top * part)) for part in (0.5, 1.0))
    return Plot(tuple(bars), labels, lines, len(weeks) - len(shown))


def _left(place: int, slot: float) -> float:
    return _NUMBERS + place * slot


def _stack(week: str, tally: Tally, x: float, width: float, scale: float) -> Iterator[Bar]:
    y = float(HEIGHT)
    for part in _PARTS:
        count = getattr(tally, part)
        if count:
            height = count * scale
            y -= height
            yield Bar(
                part,
                round(x, 3),
                round(width, 3),
                round(y, 1),
                round(height, 1),
                f"{week}: {count} {part}",
            )


def _weeks(first: str, last: str) -> Iterator[str]:
    """Every ISO week from `first` to `last`."""
    day, end = _monday(first), _monday(last)
    while day <= end:
        year, week, _ = day.isocalendar()
        yield f"{year}-W{week:02}"
        day += timedelta(days=7)


def _monday(week: str) -> date:
    year, _, number = week.partition("-W")
    return date.fromisocalendar(int(year), int(number), 1)


def _round(most: int) -> int:
    """The next even number of two digits that count, as the top of the scale."""
    unit = 10 ** max(len(str(most)) - 2, 0) * 2
    return max(-(-most // unit) * unit, 2)
