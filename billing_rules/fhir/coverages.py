"""Coverage to what a payer can be recognised by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from billing_rules.chart import Coverage
from billing_rules.fhir.codes import CodeSystems, concept
from billing_rules.fhir.references import contained, unversioned
from billing_rules.fhir.timing import earliest, latest
from billing_rules.fhir.tolerant import Node, shown
from billing_rules.model import Code


def coverage(
    node: Node,
    reference: str,
    systems: CodeSystems,
    along: Mapping[str, Node],
    on: date,
) -> Coverage:
    """One Coverage as of `on`. `along` holds the Organizations that came with it, by reference.

    A Coverage without status or period is taken as active; `order` is the order of benefits.
    """
    payors = node.objs("payor")
    organisations_ = [o for p in payors if (o := _organisation(node, p, along))]
    order = node.number("order")
    return Coverage(
        reference=reference,
        types=_types(node, systems),
        payor_names=_texts([*_each(payors, "display"), *_each(organisations_, "name")]),
        payor_identifiers=_identifiers([*payors, *organisations_]),
        class_names=_texts(c.text(k) for c in node.objs("class") for k in ("name", "value")),
        order=int(order) if order is not None and order == order.to_integral_value() else None,
        active=node.text("status").lower() in ("active", "") and in_period(node.obj("period"), on),
    )


def organisations(nodes: Iterable[Node]) -> dict[str, Node]:
    """Organizations by `Organization/id`."""
    return {f"Organization/{n.text('id')}": n for n in nodes if n.text("id")}


def _organisation(node: Node, payor: Node, along: Mapping[str, Node]) -> Node | None:
    reference = unversioned(payor.text("reference"))
    if reference.startswith("#"):
        return contained(node, reference) or None
    return along.get("/".join(reference.split("/")[-2:]))


def _types(node: Node, systems: CodeSystems) -> tuple[Code, ...]:
    """The type's codes; its text becomes a code with a display alone, so that names see it."""
    kind = node.obj("type")
    text = kind.text("text")
    return concept(kind, systems).codes + ((Code("", "", shown(text)),) if text else ())


def _identifiers(nodes: Iterable[Node]) -> tuple[str, ...]:
    return _texts(i.text("value") for n in nodes for i in n.objs("identifier"))


def _each(nodes: Iterable[Node], key: str) -> list[str]:
    return [node.text(key) for node in nodes]


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(shown(text) for text in texts if text))


def in_period(period: Node, on: date) -> bool:
    """Whether a Period contains `on`; an open or unreadable end excludes nothing, and a partial
    date stands for all its days."""
    first, last = earliest(period.text("start")), latest(period.text("end"))
    return (first is None or first <= on) and (last is None or on <= last)
