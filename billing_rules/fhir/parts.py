"""What one part of the chart says, and whether it may be all.

An entry that could not be read, a page that was not fetched and a query that was not answered are
never taken for "nothing there": what was read stays evidence, but its gap is kept beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from billing_rules.fhir.decoding import WITHDRAWN, Part, Slim, nodes
from billing_rules.fhir.names import Names
from billing_rules.fhir.plain import Plain
from billing_rules.fhir.searchset import RawResource
from billing_rules.fhir.tolerant import Node
from billing_rules.states import NOTHING, Present, State, Unknown

T = TypeVar("T")
ReadPlainly = Callable[[RawResource], Plain | None]


@dataclass(frozen=True, slots=True)
class Known(Generic[T]):
    """What was read. `gap` is a clause when it may not be all; "" when it is."""

    state: State[tuple[T, ...]]
    gap: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """The decoded resources of one part, none, or unknown; `gap` as in Known.

    `passed_over` yields those that no rule looks at, decoded only when asked for.
    """

    found: State[tuple[Any, ...]]
    gap: str = ""
    passed_over: Callable[[], Iterator[Node]] = lambda: iter(())

    def read(self, reader: Callable[[Sequence[Any]], Iterable[T]]) -> Known[T]:
        """What `reader` finds in them. Nothing found beside a gap is unknown.

        Of those passed over the first is found when there is nothing else: the part is not empty.
        """
        if not isinstance(self.found, Present):
            return Known(self.found)
        found = tuple(reader(self.found.value))
        if not found:
            others = (tuple(reader((node,))) for node in self.passed_over())
            found = next((other for other in others if other), ())
        if found:
            return Known(Present(found), self.gap)
        return Known(Unknown(self.gap) if self.gap else NOTHING)


def resources(
    parts: Mapping[str, Part],
    name: str,
    shape: type[Slim],
    withdrawn: tuple[str, ...] = WITHDRAWN,
    names: Names | None = None,
    plainly: ReadPlainly | None = None,
) -> Resources:
    """The part `name`, decoded. One that is not there was not asked for. What `names` does not
    want is passed over; what `plainly` can decode is handed on as that, the rest as Nodes."""
    part = parts.get(name, Unknown(f"the chart was not asked for its {name}"))
    if not isinstance(part, Present):
        return Resources(part)
    said = [entry.because for entry in part.value if isinstance(entry, Unknown)]
    raw = [entry for entry in part.value if not isinstance(entry, Unknown)]
    decoded: list[Node | Plain | None] = []
    others: list[RawResource] = []
    for entry in raw:
        plain = plainly(entry) if plainly else None
        if names and not (names.wants_named(plain.name) if plain else names.wants(entry)):
            others.append(entry)
        elif plain is None:
            decoded += nodes([entry], shape, withdrawn)
        elif not _is_one_of(withdrawn, plain):
            decoded.append(plain)
    if any(one is None for one in decoded):
        said.append(f"an entry of the {name} could not be read")
    return Resources(
        Present(tuple(one for one in decoded if one is not None)),
        "; ".join(dict.fromkeys(said)),
        lambda: (node for one in others for node in nodes([one], shape, withdrawn) if node),
    )


def _is_one_of(withdrawn: tuple[str, ...], found: Plain) -> bool:
    return isinstance(found.status, str) and found.status.strip().lower() in withdrawn


def together(every: Mapping[str, Known[T]]) -> Known[T]:
    """Several parts as one: none only when each of them is none, all only when each is."""
    found = tuple(
        item for one in every.values() if isinstance(one.state, Present) for item in one.state.value
    )
    gap = _gaps(every)
    if found:
        return Known(Present(found), gap)
    return Known(Unknown(gap) if gap else NOTHING)


def _gaps(every: Mapping[str, Known[T]]) -> str:
    """ "statements and dispenses: the EHR did not send it"; the reason alone when all share it."""
    names: dict[str, list[str]] = {}
    for name, one in every.items():
        why = one.state.because if isinstance(one.state, Unknown) else one.gap
        if why:
            names.setdefault(why, []).append(name)
    if len(names) == 1 and sum(map(len, names.values())) == len(every):
        return next(iter(names))
    return "; ".join(f"{' and '.join(who)}: {why}" for why, who in names.items())
