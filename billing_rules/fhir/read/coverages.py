"""Coverage to what a payer can be recognised by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date

from billing_rules.fhir.json.codes import CodeSystems, concept
from billing_rules.fhir.json.decoding import contained, reference
from billing_rules.fhir.json.references import unversioned
from billing_rules.fhir.json.shapes import (
    CoverageResource,
    OrganizationResource,
    Period,
    Reference,
    Resource,
)
from billing_rules.fhir.json.values import as_number, shown
from billing_rules.fhir.read.dosage import earliest, latest
from billing_rules.model.chart import Coverage
from billing_rules.model.entities import Code


def coverage(
    written: CoverageResource,
    systems: CodeSystems,
    along: Callable[[str], Resource | None],
    on: date,
) -> Coverage:
    """One Coverage as of `on`. `along` finds the Organizations that came with it.

    A Coverage without status or period is taken as active; `order` is the order of benefits.
    """
    payors = written.payor
    found = (_organisation(written, payor, along) for payor in payors)
    organisations = [one for one in found if one]
    order = as_number(written.order)
    identifiers = [payor.identifier for payor in payors if payor.identifier]
    identifiers += [one for organisation in organisations for one in organisation.identifier]
    kind = written.type
    text = kind.text.strip() if kind else ""
    return Coverage(
        reference=reference(written),
        # the type's text becomes a code with a display alone, so that names see it
        types=concept(kind, systems).codes + ((Code("", "", shown(text)),) if text else ()),
        payor_names=_texts([*(p.display for p in payors), *(o.name for o in organisations)]),
        payor_identifiers=_texts(one.value for one in identifiers),
        class_names=_texts(text for one in written.class_ for text in (one.name, one.value)),
        order=int(order) if order is not None and order == order.to_integral_value() else None,
        active=written.status.strip().lower() in ("active", "") and in_period(written.period, on),
    )


def _organisation(
    written: CoverageResource, payor: Reference, along: Callable[[str], Resource | None]
) -> OrganizationResource | None:
    target = unversioned(payor.reference)
    inside = target.startswith("#")
    found = contained(written, target, assumed="Organization") if inside else along(target)
    return found if isinstance(found, OrganizationResource) else None


def _texts(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(shown(text.strip()) for text in texts if text.strip()))


def in_period(period: Period | None, on: date) -> bool:
    """Whether a Period contains `on`; an open or unreadable end excludes nothing, and a partial
    date stands for all its days."""
    if period is None:
        return True
    first, last = earliest(period.start.strip()), latest(period.end.strip())
    return (first is None or first <= on) and (last is None or on <= last)
