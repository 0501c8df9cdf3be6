"""What one part of the chart says, and whether it may be all.

An entry that could not be read, a page that was not fetched and a query that was not answered are
never taken for "nothing there": what was read stays evidence, but its gap is kept beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from billing_rules.fhir.decoding import WITHDRAWN, Part, Slim, nodes
from billing_rules.fhir.names import Names
from billing_rules.fhir.searchset import RawResource
from billing_rules.fhir.tolerant import Node
from billing_rules.states import NOTHING, Present, State, Unknown

T = TypeVar("T")


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

    nodes: State[tuple[Node, ...]]
    gap: str = ""
    passed_over: Callable[[], Iterator[Node]] = lambda: iter(())

    def read(self, reader: Callable[[Sequence[Node]], Iterable[T]]) -> Known[T]:
        """What `reader` finds in them. Nothing found beside a gap is unknown.

        Of those passed over the first is found when there is nothing else: the part is not empty.
        """
        if not isinstance(self.nodes, Present):
            return Known(self.nodes)
        found = tuple(reader(self.nodes.value))
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
) -> Resources:
    """The part `name`, decoded. One that is not there was not asked for. What `names` does not
    want is passed over."""
    part = parts.get(name, Unknown(f"the chart was not asked for its {name}"))
    if not isinstance(part, Present):
        return Resources(part)
    said = [entry.because for entry in part.value if isinstance(entry, Unknown)]
    raw = [entry for entry in part.value if not isinstance(entry, Unknown)]
    wanted, others = _sorted_out(raw, names)
    decoded = nodes(wanted, shape, withdrawn)
    if None in decoded:
        said.append(f"an entry of the {name} could not be read")
    return Resources(
        Present(tuple(node for node in decoded if node is not None)),
        "; ".join(dict.fromkeys(said)),
        lambda: (node for one in others for node in nodes([one], shape, withdrawn) if node),
    )


def _sorted_out(
    raw: list[RawResource], names: Names | None
) -> tuple[list[RawResource], list[RawResource]]:
    """The resources to read, and those to pass over."""
    if names is None:
        return raw, []
    wanted: list[RawResource] = []
    others: list[RawResource] = []
    for entry in raw:
        (wanted if names.wants(entry) else others).append(entry)
    return wanted, others


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
