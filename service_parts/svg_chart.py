"""Scales for charts over time, drawn as SVG by a template.

Only positions are worked out here. The drawing uses SVG attributes and classes alone, so it obeys
a Content-Security-Policy without inline styles, and needs no script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

WIDTH, HEIGHT = 320, 190
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 34
_MOST_TICKS = 4
_BAR = 12.0


@dataclass(frozen=True, slots=True)
class Value:
    """A value on a day. `beside` is drawn on top of it: what was discarded, over what was given."""

    on: date
    amount: Decimal
    beside: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a value stands: a bar from `y` down to the axis, or a point at its top."""

    x: float
    y: float
    height: float
    beside_y: float
    beside_height: float


@dataclass(frozen=True, slots=True)
class TimeChart:
    """A chart ready to be drawn. `line` is the polyline through all points, "" for bars."""

    title: str
    description: str
    marks: tuple[Mark, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    line: str = ""
    bar: float = _BAR


def bars(title: str, unit: str, values: Iterable[Value]) -> TimeChart | None:
    """A bar a value, with what stands beside it on top; None without values."""
    return _chart(title, unit, values, joined=False)


def points(title: str, unit: str, values: Iterable[Value]) -> TimeChart | None:
    """A point a value, joined by a line; None without values."""
    return _chart(title, unit, values, joined=True)


def _chart(title: str, unit: str, values: Iterable[Value], joined: bool) -> TimeChart | None:
    found = sorted(values, key=lambda v: v.on)
    if not found:
        return None
    days = _Days(found[0].on, found[-1].on)
    top = _round_up(max(v.amount + v.beside for v in found))
    marks = tuple(_mark(v, days, top) for v in found)
    line = " ".join(f"{m.x:.1f},{m.y:.1f}" for m in marks) if joined else ""
    up = tuple(Tick(_y(part, top), f"{part:,f}") for part in _parts(top))
    bar = min(_BAR, (WIDTH - LEFT - RIGHT) / (2 * len(found)))
    return TimeChart(title, _described(found, unit), marks, _across(found, days), up, line, bar)


@dataclass(frozen=True, slots=True)
class _Days:
    first: date
    last: date

    def x(self, on: date) -> float:
        """Left to right, half a bar inside both ends; a single day stands in the middle."""
        inner = WIDTH - LEFT - RIGHT - 2 * _BAR
        span = (self.last - self.first).days
        share = (on - self.first).days / span if span else 0.5
        return LEFT + _BAR + inner * share


def _mark(value: Value, days: _Days, top: Decimal) -> Mark:
    y = _y(value.amount, top)
    above = _y(value.amount + value.beside, top)
    floor = HEIGHT - BOTTOM
    return Mark(days.x(value.on), y, floor - y, above, y - above)


def _y(amount: Decimal, top: Decimal) -> float:
    return float(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (amount / top if top else 0))


def _round_up(highest: Decimal) -> Decimal:
    """The next of 1, 2, 4, 5, 8 or 10 times a power of ten, so that half and quarter are plain."""
    if highest <= 0:
        return Decimal(1)
    power = Decimal(10) ** highest.adjusted()
    steps = (Decimal(s) for s in (1, 2, 4, 5, 8, 10))
    return next(s * power for s in steps if s * power >= highest)


def _parts(top: Decimal) -> tuple[Decimal, ...]:
    return tuple((top * part / 4).normalize() for part in (0, 2, 4))


def _across(values: Sequence[Value], days: _Days) -> tuple[Tick, ...]:
    """A few of the days, the first and the last among them."""
    dates = sorted({v.on for v in values})
    step = max(1, -(-(len(dates) - 1) // (_MOST_TICKS - 1)))
    chosen = [*dates[:-1:step], dates[-1]]
    ticks = [(days.x(on), on) for on in chosen]
    apart = [one for one in ticks if one[1] == chosen[-1] or ticks[-1][0] - one[0] >= 66]
    kept: list[tuple[float, date]] = []
    for at, on in apart:
        if not kept or at - kept[-1][0] >= 66:
            kept.append((at, on))
    last = len(kept) - 1
    ends = {0: "start", last: "end"} if last else {}
    return tuple(Tick(at, str(on), ends.get(i, "middle")) for i, (at, on) in enumerate(kept))


def _described(values: Sequence[Value], unit: str) -> str:
    first, last = values[0], values[-1]
    count = "One value" if len(values) == 1 else f"{len(values)} values"
    ends = f"{first.amount:,f} {unit} on {first.on}"
    if len(values) > 1:
        low, high = min(v.amount for v in values), max(v.amount for v in values)
        ends += f", last {last.amount:,f} {unit} on {last.on}; lowest {low:,f}, highest {high:,f}"
    return f"{count}: {ends}. The table beside it has all of them."


# ---------------------------------------------------------------- counts of each week, stacked
#
# Widths in percent and heights in pixels, so that the picture fits any width with its words
# unscaled.

STACK_HEIGHT = 180  # pixels of the tallest bar
MOST_WEEKS = 104
_FEWEST_SLOTS = 8  # a single week is not drawn as a wall
_NUMBERS = 8  # percent at the left for the numbers beside the lines
_MOST_LABELS = 4  # of weeks, so that they fit into 320 pixels


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
class Weeks:
    """`weeks` are the labels below with their places, `lines` the numbers beside with theirs.
    `left_out` is how many weeks before the first there would be."""

    bars: tuple[Bar, ...]
    weeks: tuple[tuple[float, str], ...]
    lines: tuple[tuple[float, int], ...]
    left_out: int
    height: int = STACK_HEIGHT


def weekly(counts: Mapping[str, Mapping[str, int]]) -> Weeks | None:
    """A bar for each ISO week (2026-W48), its parts and how many there are of each from the ground
    up; weeks without any included. None where there are none."""
    if not counts:
        return None
    weeks = list(_weeks(min(counts), max(counts)))
    shown = weeks[-MOST_WEEKS:]
    parts = [counts.get(week, {}) for week in shown]
    top = _round_up_even(max(sum(of_week.values()) for of_week in parts))
    slot = (100 - _NUMBERS) / max(len(shown), _FEWEST_SLOTS)
    lefts = [_NUMBERS + place * slot for place in range(len(shown))]
    bars = tuple(
        bar
        for week, of_week, left in zip(shown, parts, lefts, strict=True)
        for bar in _stack(week, of_week, left + slot * 0.1, slot * 0.8, STACK_HEIGHT / top)
    )
    step = -(-len(shown) // _MOST_LABELS)
    labels = tuple(zip(lefts[::step], shown[::step], strict=True))
    lines = tuple((STACK_HEIGHT - STACK_HEIGHT * part, round(top * part)) for part in (0.5, 1.0))
    return Weeks(bars, labels, lines, len(weeks) - len(shown))


def _stack(
    week: str, parts: Mapping[str, int], x: float, width: float, scale: float
) -> Iterator[Bar]:
    y = float(STACK_HEIGHT)
    for part, count in parts.items():
        if count:
            height = count * scale
            y -= height
            says = f"{week}: {count} {part}"
            yield Bar(part, round(x, 3), round(width, 3), round(y, 1), round(height, 1), says)


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


def _round_up_even(most: int) -> int:
    """The next even number of two digits that count, as the top of the scale."""
    unit: int = 10 ** max(len(str(most)) - 2, 0) * 2
    return max(-(-most // unit) * unit, 2)
