"""The form of a draft: one field an element, what changed, and what was typed taken back in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox_ehr.desk import draft_elements as el
from sandbox_ehr.desk.draft_elements import NotReadable, Resource

Choices = Sequence[tuple[str, str]]
DOSE_UNITS: Choices = (("mg", "mg"), ("mg/kg", "mg/kg"), ("mL", "mL"), ("g", "g"))
PERIODS: Choices = (("wk", "weeks"), ("d", "days"), ("mo", "months"), ("h", "hours"))
_Read = Callable[[Resource], str]
_Write = Callable[[Resource, str], None]


@dataclass(frozen=True, slots=True)
class _Element:
    """An element of a draft that the form shows."""

    name: str
    label: str
    read: _Read
    write: _Write
    kind: str = "text"
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of the form. `was` is what stood there before a suggestion was taken."""

    name: str
    label: str
    value: str
    kind: str
    hint: str = ""
    choices: Choices = ()
    was: str | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class DraftForm:
    """A draft as the desk shows it; `rows` are its fields, a claim line or an order each."""

    reference: str
    title: str
    rows: tuple[tuple[str, tuple[Field, ...]], ...]
    changed: bool
    added: bool


def _in_concept(
    name: str, read: Callable[[Any], str], write: Callable[[Resource, str], None]
) -> tuple[_Read, _Write]:
    """Read and write what stands in the CodeableConcept `name` of a resource or line."""

    def write_in(part: Resource, text: str) -> None:
        write(part.setdefault(name, {}), text)

    return lambda part: read(part.get(name)), write_in


def _units(name: str) -> tuple[_Read, _Write]:
    """Read and write the number of the Quantity `name`."""

    def write(part: Resource, text: str) -> None:
        value = el.number(text)
        part.pop(name, None)
        if value is not None:
            part[name] = {"value": value}

    return lambda part: el.shown(part.get(name, {}).get("value")), write


def _claim_modifiers(item: Resource) -> str:
    codings = (concept.get("coding", []) for concept in item.get("modifier", []))
    codes = (next((str(c.get("code", "")) for c in listed), "") for listed in codings)
    return " ".join(filter(None, codes))


def _set_claim_modifiers(item: Resource, text: str) -> None:
    codes = el.modifier_list(text)
    item.pop("modifier", None)
    if codes:
        item["modifier"] = [{"coding": [{"system": el.HCPCS, "code": code}]} for code in codes]


_BILLING = (el.billing_code, el.set_billing_code)
_DATE = (el.date_of_service, el.set_date_of_service, "date")
_COVERAGE = _Element("coverage", "Payer", el.coverage, el.set_coverage, "coverage")
_DAY = _Element("day", "Date of service", *_DATE, "empty: today")
_CODE = _Element("code", "HCPCS code", *_in_concept("code", *_BILLING))
_MODIFIERS = _Element(
    "modifiers", "Modifiers", *_in_concept("code", el.modifiers, el.set_modifiers)
)
_ELEMENTS: Mapping[str, tuple[_Element, ...]] = {
    "MedicationRequest": (
        _Element("product", "Drug and container", el.product_code, el.set_product, "product"),
        _Element("dose", "Dose", el.dose, el.set_dose, "number"),
        _Element("dose-unit", "Dose unit", el.dose_unit, el.set_dose_unit, "dose-unit"),
        _Element("period", "Every", el.period, el.set_period, "number"),
        _Element("period-unit", "Interval in", el.period_unit, el.set_period_unit, "period"),
        _Element("containers", "Containers", el.containers, el.set_containers, "number"),
        _Element("code", "HCPCS code", *_in_concept("medicationCodeableConcept", *_BILLING)),
        _COVERAGE,
        _DAY,
    ),
    "ServiceRequest": (
        _CODE,
        _Element("units", "Billing units", *_units("quantityQuantity"), "number"),
        _MODIFIERS,
        _COVERAGE,
        _DAY,
    ),
    "ChargeItem": (
        _CODE,
        _Element("units", "Billing units", *_units("quantity"), "number"),
        _MODIFIERS,
        _DAY,
    ),
    "Claim": (_COVERAGE,),
}
_LINE = (
    _Element("code", "Code", *_in_concept("productOrService", *_BILLING)),
    _Element("units", "Units", *_units("quantity"), "number"),
    _Element("modifiers", "Modifiers", _claim_modifiers, _set_claim_modifiers),
    _Element("day", "Date", *_DATE),
)
_TITLES = {
    "MedicationRequest": "Medication order",
    "ServiceRequest": "Billing line of the order",
    "ChargeItem": "Charge",
    "Claim": "Draft claim",
}


# ---------------------------------------------------------------- showing


def reference(resource: Resource) -> str:
    return f"{resource.get('resourceType')}/{resource.get('id')}"


def forms(
    drafts: Sequence[Resource],
    before: Mapping[str, Resource | None],
    coverages: Choices,
    typed: Mapping[str, str] | None = None,
    problems: Mapping[str, str] | None = None,
) -> list[DraftForm]:
    """Every draft's form. `before` holds what each draft was before a suggestion changed it (None:
    nothing); `typed` and `problems` are what was sent and could not be taken."""
    choices = {
        "product": tuple((p.code, p.display) for p in el.products().values()),
        "coverage": coverages,
        "dose-unit": DOSE_UNITS,
        "period": PERIODS,
    }

    def field(element: _Element, prefix: str, part: Resource, old: Resource | None) -> Field:
        name = f"{prefix}:{element.name}"
        value = element.read(part)
        was = element.read(old) if old is not None else "not there"
        text = (typed or {}).get(name, value)
        listed = tuple(choices.get(element.kind, ()))
        if listed and text not in dict(listed):
            listed = ((text, text or "none"), *listed)
        return Field(
            name=name,
            label=element.label,
            value=text,
            kind=element.kind,
            hint=element.hint,
            choices=listed,
            was=was if was != value else None,
            problem=(problems or {}).get(name, ""),
        )

    def form(draft: Resource) -> DraftForm:
        ref = reference(draft)
        old = before.get(ref, draft)
        rows = tuple(
            (title, tuple(field(element, prefix, part, old_part) for element in elements))
            for prefix, title, part, old_part, elements in _parts(draft, old or draft)
        )
        changed = any(field.was is not None for _, fields in rows for field in fields)
        kind = str(draft.get("resourceType"))
        return DraftForm(ref, _TITLES.get(kind, kind), rows, changed, ref in before and not old)

    return [form(draft) for draft in drafts]


def _parts(
    draft: Resource, old: Resource
) -> Iterator[tuple[str, str, Resource, Resource | None, tuple[_Element, ...]]]:
    """The parts of a draft that have fields of their own: the draft, and each line of a claim.

    Fields are named by the draft they are of, not by its place: what a browser puts back into them
    when the user returns to the page must not land on another draft.
    """
    yield reference(draft), "", draft, old, _ELEMENTS.get(str(draft.get("resourceType")), ())
    if draft.get("resourceType") != "Claim":
        return
    old_items = {item.get("sequence"): item for item in old.get("item", [])}
    for item in draft.get("item", []):
        number = item.get("sequence")
        yield f"{reference(draft)}#{number}", f"Line {number}", item, old_items.get(number), _LINE


# ---------------------------------------------------------------- taking back in


def written(
    drafts: Sequence[Resource], typed: Mapping[str, str]
) -> tuple[tuple[Resource, ...], dict[str, str]]:
    """The drafts with what was typed, and what could not be taken by field name."""
    problems: dict[str, str] = {}
    changed = tuple(copy.deepcopy(list(drafts)))
    for draft in changed:
        for prefix, _, part, _, elements in _parts(draft, draft):
            for element in elements:
                name = f"{prefix}:{element.name}"
                if name not in typed or typed[name].strip() == element.read(part):
                    continue
                try:
                    element.write(part, typed[name].strip())
                except NotReadable as error:
                    problems[name] = str(error)
    return changed, problems
