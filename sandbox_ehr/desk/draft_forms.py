"""The form of a draft: one field an element, what changed, and what was typed taken back in."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sandbox_ehr.desk import draft_elements
from sandbox_ehr.desk.draft_elements import NotReadable, Resource

Choices = Sequence[tuple[str, str]]
DOSE_UNITS: Choices = (("mg", "mg"), ("mg/kg", "mg/kg"), ("mL", "mL"), ("g", "g"))
PERIODS: Choices = (("wk", "weeks"), ("d", "days"), ("mo", "months"), ("h", "hours"))


@dataclass(frozen=True, slots=True)
class _Element:
    """An element of a draft that the form shows."""

    name: str
    label: str
    read: Callable[[Resource], str]
    write: Callable[[Resource, str], None]
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


def _of_code(read: Callable[[Resource], str]) -> Callable[[Resource], str]:
    return lambda resource: read(resource.get("code", {}))


def _to_code(write: Callable[[Resource, str], None]) -> Callable[[Resource, str], None]:
    return lambda resource, text: write(resource.setdefault("code", {}), text)


def _units(element: str) -> tuple[Callable[[Resource], str], Callable[[Resource, str], None]]:
    def read(resource: Resource) -> str:
        return draft_elements.shown(resource.get(element, {}).get("value"))

    def write(resource: Resource, text: str) -> None:
        value = draft_elements.number(text)
        resource.pop(element, None)
        if value is not None:
            resource[element] = {"value": value}

    return read, write


_COVERAGE = _Element(
    "coverage", "Payer", draft_elements.coverage, draft_elements.set_coverage, "coverage"
)
_DAY = _Element(
    "day",
    "Date of service",
    draft_elements.date_of_service,
    draft_elements.set_date_of_service,
    "date",
    "empty: today",
)
_CODE = _Element(
    "code",
    "HCPCS code",
    _of_code(draft_elements.billing_code),
    _to_code(draft_elements.set_billing_code),
)
_MODIFIERS = _Element(
    "modifiers",
    "Modifiers",
    _of_code(draft_elements.modifiers),
    _to_code(draft_elements.set_modifiers),
)
_ELEMENTS: Mapping[str, tuple[_Element, ...]] = {
    "MedicationRequest": (
        _Element(
            "product",
            "Drug and container",
            draft_elements.product_code,
            draft_elements.set_product,
            "product",
        ),
        _Element("dose", "Dose", draft_elements.dose, draft_elements.set_dose, "number"),
        _Element(
            "dose-unit",
            "Dose unit",
            draft_elements.dose_unit,
            draft_elements.set_dose_unit,
            "dose-unit",
        ),
        _Element("period", "Every", draft_elements.period, draft_elements.set_period, "number"),
        _Element(
            "period-unit",
            "Interval in",
            draft_elements.period_unit,
            draft_elements.set_period_unit,
            "period",
        ),
        _Element(
            "containers",
            "Containers",
            draft_elements.containers,
            draft_elements.set_containers,
            "number",
        ),
        _Element(
            "code",
            "HCPCS code",
            lambda r: draft_elements.billing_code(r.get("medicationCodeableConcept")),
            lambda r, text: draft_elements.set_billing_code(
                r.setdefault("medicationCodeableConcept", {}), text
            ),
        ),
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
_TITLES = {
    "MedicationRequest": "Medication order",
    "ServiceRequest": "Billing line of the order",
    "ChargeItem": "Charge",
    "Claim": "Draft claim",
}


def _claim_modifiers(item: Resource) -> str:
    return " ".join(filter(None, (_any_code(concept) for concept in item.get("modifier", []))))


def _any_code(concept: Resource) -> str:
    return next((str(c.get("code", "")) for c in concept.get("coding", [])), "")


def _set_claim_modifiers(item: Resource, text: str) -> None:
    codes = draft_elements.modifier_list(text)
    item.pop("modifier", None)
    if codes:
        coded = [{"coding": [{"system": draft_elements.HCPCS, "code": code}]} for code in codes]
        item["modifier"] = coded


_LINE = (
    _Element(
        "code",
        "Code",
        lambda item: draft_elements.billing_code(item.get("productOrService")),
        lambda item, text: draft_elements.set_billing_code(
            item.setdefault("productOrService", {}), text
        ),
    ),
    _Element("units", "Units", *_units("quantity"), "number"),
    _Element("modifiers", "Modifiers", _claim_modifiers, _set_claim_modifiers),
    _Element(
        "day", "Date", draft_elements.date_of_service, draft_elements.set_date_of_service, "date"
    ),
)


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
    said = _Said(coverages, typed or {}, problems or {})
    return [_form(draft, before, said) for draft in drafts]


@dataclass(frozen=True, slots=True)
class _Said:
    coverages: Choices
    typed: Mapping[str, str]
    problems: Mapping[str, str]

    def choices(self, kind: str, value: str) -> Choices:
        if kind == "product":
            listed = [(p.code, p.display) for p in draft_elements.products().values()]
        else:
            listed = list(
                {"coverage": self.coverages, "dose-unit": DOSE_UNITS, "period": PERIODS}.get(
                    kind, ()
                )
            )
        if listed and value not in dict(listed):
            listed.insert(0, (value, value or "none"))
        return tuple(listed)


def _form(draft: Resource, before: Mapping[str, Resource | None], said: _Said) -> DraftForm:
    ref = reference(draft)
    old = before.get(ref, draft)
    rows = []
    for prefix, title, part, old_part, shown in _parts(draft, old or draft):
        fields = tuple(_field(e, prefix, part, old_part, said) for e in shown)
        rows.append((title, fields))
    changed = any(field.was is not None for _, fields in rows for field in fields)
    kind = str(draft.get("resourceType"))
    return DraftForm(ref, _TITLES.get(kind, kind), tuple(rows), changed, ref in before and not old)


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


def _field(
    element: _Element, prefix: str, part: Resource, old: Resource | None, said: _Said
) -> Field:
    name = f"{prefix}:{element.name}"
    value = element.read(part)
    was = element.read(old) if old is not None else "not there"
    typed = said.typed.get(name, value)
    return Field(
        name=name,
        label=element.label,
        value=typed,
        kind=element.kind,
        hint=element.hint,
        choices=said.choices(element.kind, typed),
        was=was if was != value else None,
        problem=said.problems.get(name, ""),
    )


# ---------------------------------------------------------------- taking back in


def written(
    drafts: Sequence[Resource], typed: Mapping[str, str]
) -> tuple[tuple[Resource, ...], dict[str, str]]:
    """The drafts with what was typed, and what could not be taken by field name."""
    problems: dict[str, str] = {}
    changed = tuple(copy.deepcopy(list(drafts)))
    for draft in changed:
        for prefix, _, part, _, shown in _parts(draft, draft):
            for element in shown:
                name = f"{prefix}:{element.name}"
                if name not in typed or typed[name].strip() == element.read(part):
                    continue
                try:
                    element.write(part, typed[name].strip())
                except NotReadable as error:
                    problems[name] = str(error)
    return changed, problems
