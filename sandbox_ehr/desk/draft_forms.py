"""What the practice can order, the elements of draft resources, and the form of a draft.

The resource is the truth: a form shows what stands in it and writes back what was typed, and
everything that no form shows stays as it was."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

import yaml

# ----------------------------------------------------------------------
# What the practice can order, and the elements of draft resources, read and written in place.
#
# The resource is the truth: a form shows what stands in it and writes back what was typed, and
# everything that no form shows stays as it was.


# ---------------------------------------------------------------- the formulary

NDC = "http://hl7.org/fhir/sid/ndc"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
SNOMED = "http://snomed.info/sct"


@dataclass(frozen=True, slots=True)
class FormularyProduct:
    """One container that is stocked, or one drug that is not stocked by the container."""

    drug: str
    system: str
    code: str
    display: str
    text: str
    word: str
    route: tuple[str, str]  # SNOMED CT code, words
    hcpcs: str
    hcpcs_display: str
    dose_unit: str
    every: tuple[int, str]

    def concept(self) -> dict[str, Any]:
        """The product as a medicationCodeableConcept."""
        coding = {"system": self.system, "code": self.code, "display": self.display}
        return {"coding": [coding], "text": self.text}

    def route_concept(self) -> dict[str, Any]:
        code, words = self.route
        display = f"{words.capitalize()} route"
        coding = {"system": SNOMED, "code": code, "display": display}
        return {"coding": [coding], "text": words}


@cache
def products() -> dict[str, FormularyProduct]:
    """Everything that can be ordered, by NDC or RxNorm code, in the order of the file."""
    drugs = yaml.safe_load(Path(__file__).with_name("formulary.yaml").read_text(encoding="utf-8"))
    found = [_product(drug, container) for drug in drugs for container in drug["containers"]]
    return {product.code: product for product in found}


def hcpcs_displays() -> dict[str, str]:
    """The words of every billing code that is known here."""
    return {p.hcpcs: p.hcpcs_display for p in products().values() if p.hcpcs}


def _product(drug: dict[str, Any], container: dict[str, str]) -> FormularyProduct:
    coded = drug.get("code", {})
    period, unit = drug["every"]
    return FormularyProduct(
        drug=drug["drug"],
        system=NDC if "ndc" in container else RXNORM,
        code=container.get("ndc") or container["rxnorm"],
        display=container["display"],
        text=container["text"],
        word=container["word"],
        route=(drug["route"]["code"], drug["route"]["text"]),
        hcpcs=coded.get("code", ""),
        hcpcs_display=coded.get("display", ""),
        dose_unit=drug["dose"],
        every=(period, unit),
    )


# ---------------------------------------------------------------- elements


Resource = dict[str, Any]
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
CPT = "http://www.ama-assn.org/go/cpt"
UCUM = "http://unitsofmeasure.org"
_DRAFT_ELEMENTS_BILLING = (HCPCS, CPT)
_PRODUCT = (NDC, RXNORM)
_DRAFT_ELEMENTS_CODE = re.compile(r"[A-Z]\d{4}|\d{5}")
_MODIFIER = re.compile(r"[A-Z0-9]{2}")
_DRAFT_ELEMENTS_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class InvalidInput(ValueError):
    """What was typed cannot be taken; the message says what to type."""


# ---------------------------------------------------------------- numbers


def number(text: str) -> int | float | None:
    """A number above zero as FHIR writes it; None for an empty text. Raises NotReadable."""
    if not text.strip():
        return None
    try:
        value = Decimal(text.strip().replace(",", ""))
    except InvalidOperation:
        raise InvalidInput("type a number, like 225 or 213.9") from None
    if not value.is_finite() or not 0 < value < 1_000_000:
        raise InvalidInput("type a number above 0") from None
    return int(value) if value == value.to_integral_value() else float(value)


def day(text: str) -> str:
    """A day of the calendar as FHIR writes it; "" for an empty text. Raises NotReadable."""
    try:
        if text.strip() and not _DRAFT_ELEMENTS_DAY.fullmatch(
            text.strip()
        ):  # fromisoformat takes 2026-W01-1 too
            raise ValueError
        return date.fromisoformat(text.strip()).isoformat() if text.strip() else ""
    except ValueError:
        raise InvalidInput("type a day like 2026-11-24") from None


def shown(value: Any) -> str:
    return "" if value is None else str(value)


# ---------------------------------------------------------------- codes


def _codings(concept: Any, systems: tuple[str, ...]) -> list[Resource]:
    codings = (concept or {}).get("coding") or []
    return [c for c in codings if isinstance(c, dict) and c.get("system") in systems]


def _codes(concept: Any, systems: tuple[str, ...]) -> Iterator[str]:
    return (str(coding.get("code", "")) for coding in _codings(concept, systems))


def product_code(resource: Resource) -> str:
    """The NDC, or the RxNorm code, of a medication order."""
    return next(_codes(resource.get("medicationCodeableConcept"), _PRODUCT), "")


def set_product(resource: Resource, code: str) -> None:
    """Another container: its code and words; a billing code beside it stays."""
    product = products().get(code)
    if product is None:
        raise InvalidInput("choose a drug of the list")
    concept = resource.setdefault("medicationCodeableConcept", {})
    billing = _codings(concept, _DRAFT_ELEMENTS_BILLING)
    resource["medicationCodeableConcept"] = {
        **product.concept(),
        "coding": [*product.concept()["coding"], *billing],
    }
    quantity = resource.get("dispenseRequest", {}).get("quantity")
    if quantity and "value" in quantity:
        set_containers(resource, str(quantity["value"]))


def billing_code(concept: Any) -> str:
    return next((code for code in _codes(concept, _DRAFT_ELEMENTS_BILLING) if len(code) != 2), "")


def set_billing_code(concept: Resource, text: str) -> None:
    """The HCPCS or CPT code, with the words that belong to it. Raises NotReadable."""
    code = text.strip().upper()
    codings = concept.setdefault("coding", [])
    old = next(
        (c for c in _codings(concept, _DRAFT_ELEMENTS_BILLING) if len(str(c.get("code"))) != 2),
        None,
    )
    if not code:
        concept["coding"] = [c for c in codings if c is not old]
        return
    if not _DRAFT_ELEMENTS_CODE.fullmatch(code):
        raise InvalidInput("type a code like J2357, or leave it empty")
    coding = {"system": CPT if code.isdigit() else HCPCS, "code": code}
    if code in hcpcs_displays():
        coding["display"] = hcpcs_displays()[code]
    if old is None:
        codings.append(coding)
    else:
        codings[codings.index(old)] = coding


def modifiers(concept: Any) -> str:
    """Modifiers that stand beside a code, as an order keeps them."""
    return " ".join(code for code in _codes(concept, _DRAFT_ELEMENTS_BILLING) if len(code) == 2)


def set_modifiers(concept: Resource, text: str) -> None:
    wanted = modifier_list(text)
    kept = [c for c in concept.get("coding", []) if len(str(c.get("code", ""))) != 2]
    concept["coding"] = [*kept, *({"system": HCPCS, "code": code} for code in wanted)]


def modifier_list(text: str) -> list[str]:
    codes = text.upper().replace(",", " ").split()
    if not all(_MODIFIER.fullmatch(code) for code in codes):
        raise InvalidInput("type modifiers of two characters, like JW, with spaces between them")
    return codes


# ---------------------------------------------------------------- a medication order


def _dosage(resource: Resource) -> Resource:
    dosages: list[Resource] = resource.setdefault("dosageInstruction", [])
    dosages[:] = dosages or [{}]
    return dosages[0]


def _first(resource: Resource, *path: str) -> Any:
    """The element at `path`, through the first item of every list; None where there is none."""
    node: Any = resource
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
        node = node[0] if isinstance(node, list) and node else node
    return node if node != [] else None


def _dose_quantity(resource: Resource) -> Any:
    return _first(resource, "dosageInstruction", "doseAndRate", "doseQuantity") or {}


def dose(resource: Resource) -> str:
    return shown(_dose_quantity(resource).get("value"))


def dose_unit(resource: Resource) -> str:
    """The dose's unit; before there is a dose, the one that the drug is ordered in."""
    quantity = _dose_quantity(resource)
    if quantity:
        return str(quantity.get("unit", ""))
    product = products().get(product_code(resource))
    return product.dose_unit if product else "mg"


def set_dose(resource: Resource, text: str) -> None:
    value = number(text)
    dosage = _dosage(resource)
    if value is None:
        dosage.pop("doseAndRate", None)
    else:
        dosage["doseAndRate"] = [{"doseQuantity": _ucum(value, dose_unit(resource))}]


def set_dose_unit(resource: Resource, unit: str) -> None:
    quantity = _dose_quantity(resource)
    if quantity:
        changed = _ucum(quantity.get("value"), unit)
        quantity.clear()
        quantity.update(changed)


def _ucum(value: Any, unit: str) -> Resource:
    coded = {"unit": unit, "system": UCUM, "code": unit} if unit else {}
    return {"value": value, **coded}


def _repeat(resource: Resource) -> Any:
    return _first(resource, "dosageInstruction", "timing", "repeat") or {}


def period(resource: Resource) -> str:
    return shown(_repeat(resource).get("period"))


def period_unit(resource: Resource) -> str:
    return str(_repeat(resource).get("periodUnit", "")) if _repeat(resource) else "wk"


def set_period(resource: Resource, text: str) -> None:
    value = number(text)
    timing = _dosage(resource).setdefault("timing", {})
    if value is None:
        timing.pop("repeat", None)
    else:
        unit = period_unit(resource)
        timing["repeat"] = {"frequency": 1, "period": value, "periodUnit": unit}


def set_period_unit(resource: Resource, unit: str) -> None:
    if _repeat(resource):
        _repeat(resource)["periodUnit"] = unit


def containers(resource: Resource) -> str:
    return shown(_first(resource, "dispenseRequest", "quantity", "value"))


def set_containers(resource: Resource, text: str) -> None:
    value = number(text)
    request = resource.setdefault("dispenseRequest", {})
    if value is None:
        request.pop("quantity", None)
        if not request:
            del resource["dispenseRequest"]
        return
    request["quantity"] = counted(value, container_word(resource))


def container_word(resource: Resource) -> str:
    product = products().get(product_code(resource))
    return product.word if product else "container"


def counted(value: Any, word: str) -> Resource:
    """So many containers, as fixtures and real orders write them."""
    unit = word if value == 1 else f"{word}s"
    return {"value": value, "unit": unit, "system": UCUM, "code": f"{{{word}}}"}


def giving(orders: Iterable[Resource]) -> str:
    """What a nurse calls giving them, by the ordered route: "infusion" or "injection"."""
    routes = {
        str(_first(order, "dosageInstruction", "route", "text") or "")
        for order in orders
        if order.get("resourceType") == "MedicationRequest"
    }
    return "infusion" if routes == {"intravenous"} else "injection"


def coverage(resource: Resource) -> str:
    reference = _first(resource, "insurance", "reference")
    return str(reference or _first(resource, "insurance", "coverage", "reference") or "")


def set_coverage(resource: Resource, reference: str) -> None:
    if resource["resourceType"] == "Claim":
        insurance = _first(resource, "insurance")
        if insurance and reference:
            insurance["coverage"] = {"reference": reference}
    elif reference:
        resource["insurance"] = [{"reference": reference}]
    else:
        resource.pop("insurance", None)


# ---------------------------------------------------------------- the date of service


def date_of_service(resource: Resource) -> str:
    """Where each type keeps it (docs/how-cards-decide.md); "" when it states none."""
    if resource.get("resourceType") == "MedicationRequest":
        found = _first(resource, "dosageInstruction", "timing", "event")
    else:
        found = resource.get("occurrenceDateTime") or resource.get("servicedDate")
    return str(found or "")[:10]


def set_date_of_service(resource: Resource, text: str) -> None:
    said = day(text)
    if resource.get("resourceType") == "MedicationRequest":
        timing = _dosage(resource).setdefault("timing", {})
        timing.pop("event", None)
        if said:
            timing["event"] = [said]
        elif not timing:
            del _dosage(resource)["timing"]
        return
    element = "occurrenceDateTime" if "resourceType" in resource else "servicedDate"
    resource.pop(element, None)
    if said:
        resource[element] = said


# ----------------------------------------------------------------------
# The form of a draft: one field an element, what changed, and what was typed taken back in.


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
class DeskField:
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
    rows: tuple[tuple[str, tuple[DeskField, ...]], ...]
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
        value = number(text)
        part.pop(name, None)
        if value is not None:
            part[name] = {"value": value}

    return lambda part: shown(part.get(name, {}).get("value")), write


def _claim_modifiers(item: Resource) -> str:
    codings = (concept.get("coding", []) for concept in item.get("modifier", []))
    codes = (next((str(c.get("code", "")) for c in listed), "") for listed in codings)
    return " ".join(filter(None, codes))


def _set_claim_modifiers(item: Resource, text: str) -> None:
    codes = modifier_list(text)
    item.pop("modifier", None)
    if codes:
        item["modifier"] = [{"coding": [{"system": HCPCS, "code": code}]} for code in codes]


_DRAFT_FORMS_BILLING = (billing_code, set_billing_code)
_DATE = (date_of_service, set_date_of_service, "date")
_COVERAGE = _Element("coverage", "Payer", coverage, set_coverage, "coverage")
_DRAFT_FORMS_DAY = _Element("day", "Date of service", *_DATE, "empty: today")
_DRAFT_FORMS_CODE = _Element("code", "HCPCS code", *_in_concept("code", *_DRAFT_FORMS_BILLING))
_MODIFIERS = _Element("modifiers", "Modifiers", *_in_concept("code", modifiers, set_modifiers))
_ELEMENTS: Mapping[str, tuple[_Element, ...]] = {
    "MedicationRequest": (
        _Element("product", "Drug and container", product_code, set_product, "product"),
        _Element("dose", "Dose", dose, set_dose, "number"),
        _Element("dose-unit", "Dose unit", dose_unit, set_dose_unit, "dose-unit"),
        _Element("period", "Every", period, set_period, "number"),
        _Element("period-unit", "Interval in", period_unit, set_period_unit, "period"),
        _Element("containers", "Containers", containers, set_containers, "number"),
        _Element(
            "code", "HCPCS code", *_in_concept("medicationCodeableConcept", *_DRAFT_FORMS_BILLING)
        ),
        _COVERAGE,
        _DRAFT_FORMS_DAY,
    ),
    "ServiceRequest": (
        _DRAFT_FORMS_CODE,
        _Element("units", "Billing units", *_units("quantityQuantity"), "number"),
        _MODIFIERS,
        _COVERAGE,
        _DRAFT_FORMS_DAY,
    ),
    "ChargeItem": (
        _DRAFT_FORMS_CODE,
        _Element("units", "Billing units", *_units("quantity"), "number"),
        _MODIFIERS,
        _DRAFT_FORMS_DAY,
    ),
    "Claim": (_COVERAGE,),
}
_LINE = (
    _Element("code", "Code", *_in_concept("productOrService", *_DRAFT_FORMS_BILLING)),
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
        "product": tuple((p.code, p.display) for p in products().values()),
        "coverage": coverages,
        "dose-unit": DOSE_UNITS,
        "period": PERIODS,
    }

    def field(element: _Element, prefix: str, part: Resource, old: Resource | None) -> DeskField:
        name = f"{prefix}:{element.name}"
        value = element.read(part)
        was = element.read(old) if old is not None else "not there"
        text = (typed or {}).get(name, value)
        listed = tuple(choices.get(element.kind, ()))
        if listed and text not in dict(listed):
            listed = ((text, text or "none"), *listed)
        return DeskField(
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
                except InvalidInput as error:
                    problems[name] = str(error)
    return changed, problems
