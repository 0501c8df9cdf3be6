"""What the desk shows: a patient's chart, a card's Markdown, FHIR as JSON, a trace of rules."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from operator import itemgetter
from typing import Any

import msgspec
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from sandbox_ehr.cds_client import is_web_address
from sandbox_ehr.desk.draft_forms import Resource
from sandbox_ehr.fhir import searching
from sandbox_ehr.fhir.records import Records

# ----------------------------------------------------------------------
# What the desk shows of a patient's chart, read from the records.


_WEIGHT = "29463-7"


@dataclass(frozen=True, slots=True)
class Banner:
    """The line on top of every page of a patient."""

    id: str
    name: str
    born: str
    age: str
    sex: str
    number: str
    weight: str
    payers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChartLine:
    """One line of the chart: what, its value, its day."""

    what: str
    value: str
    day: str


def banner(records: Records, patient_id: str, today: date) -> Banner | None:
    """None when there is no such patient."""
    patient = records.read("Patient", patient_id)
    if patient is None:
        return None
    weights = _of(records, "Observation", patient_id, code=_WEIGHT)
    newest = max(weights, key=_time, default=None)
    return Banner(
        id=patient_id,
        name=name(patient),
        born=str(patient.get("birthDate", "")),
        age=_age(str(patient.get("birthDate", "")), today),
        sex=str(patient.get("gender", "")),
        number=str((patient.get("identifier") or [{}])[0].get("value", "")),
        weight=f"{_value(newest)} ({_day(newest)})" if newest else "none on file",
        payers=tuple(label for _, label in coverages(records, patient_id)),
    )


def name(person: Mapping[str, Any]) -> str:
    named = (person.get("name") or [{}])[0]
    said = " ".join([*named.get("given", []), named.get("family", "")]).strip()
    return said or str(person.get("id", ""))


def patients(records: Records, words: str = "") -> list[Resource]:
    """All patients by family name, or those with the words in their name or number."""

    def matches(patient: Resource) -> bool:
        numbers = (str(i.get("value", "")) for i in patient.get("identifier", []))
        text = " ".join([name(patient), *numbers]).lower()
        return all(word in text for word in words.lower().split())

    found = filter(matches, records.search("Patient"))
    return sorted(found, key=lambda p: str((p.get("name") or [{}])[0].get("family", "")))


def coverages(records: Records, patient_id: str) -> tuple[tuple[str, str], ...]:
    """The coverages on file, as (reference, words)."""

    def payer(coverage: Resource) -> str:
        payor = (coverage.get("payor") or [{}])[0].get("display")
        return str(payor or (coverage.get("type") or {}).get("text") or coverage["id"])

    return tuple((f"Coverage/{c['id']}", payer(c)) for c in _of(records, "Coverage", patient_id))


def visit(records: Records, patient_id: str) -> str:
    """The id of the patient's newest encounter that has not ended; "" without one."""
    found = [e for e in _of(records, "Encounter", patient_id) if e.get("status") != "finished"]
    newest = max(found, key=lambda e: str((e.get("period") or {}).get("start", "")), default={})
    return str(newest.get("id", ""))


def glance(records: Records, patient_id: str) -> dict[str, list[ChartLine]]:
    """The chart in four short lists."""

    def lines(
        kind: str,
        line: Callable[[Resource], ChartLine],
        newest_first: bool = False,
        more: Sequence[tuple[str, str]] = (),
    ) -> list[ChartLine]:
        search = searching.read_search(kind, [*_patient(patient_id), *more])
        found = records.each(search, lambda r: (_time(r), line(r)))
        if newest_first:
            found.sort(key=itemgetter(0), reverse=True)
        return [line for _, line in found]

    def order(record: Resource) -> ChartLine:
        status, day = record.get("status", ""), record.get("authoredOn", "")
        return ChartLine(_medication(record), str(status), str(day)[:10])

    return {
        "Problems": lines("Condition", lambda r: ChartLine(_words(r.get("code")), "", _day(r))),
        "Results": lines(
            "Observation", lambda r: ChartLine(_words(r.get("code")), _value(r), _day(r)), True
        ),
        "Medications": lines("MedicationRequest", order, more=[("status:not", "draft")]),
        "Given": lines("MedicationAdministration", _dose, True),
    }


def _dose(record: Resource) -> ChartLine:
    dose = (record.get("dosage") or {}).get("dose") or {}
    amount = f"{dose.get('value', '')} {dose.get('unit', '')}".strip()
    outcome = "not given" if record.get("status") == "not-done" else "given"
    return ChartLine(_medication(record), ", ".join(filter(None, [amount, outcome])), _day(record))


def _of(records: Records, kind: str, patient_id: str, **more: str) -> list[Resource]:
    return records.search(kind, [*_patient(patient_id), *more.items()])


def _patient(patient_id: str) -> list[tuple[str, str]]:
    return [("patient", f"Patient/{patient_id}")]


def _time(resource: Resource) -> str:
    return str(resource.get("effectiveDateTime", ""))


def _words(concept: Mapping[str, Any] | None) -> str:
    concept = concept or {}
    displays = [c["display"] for c in concept.get("coding", []) if c.get("display")]
    return str(concept.get("text") or next(iter(displays), "")) or "without a name"


def _medication(resource: Resource) -> str:
    named = (resource.get("medicationReference") or {}).get("display")
    return str(named or _words(resource.get("medicationCodeableConcept")))


def _value(observation: Resource | None) -> str:
    said = observation or {}
    quantity = said.get("valueQuantity")
    if quantity:
        unit = str(quantity.get("unit", "")).strip("{}")
        parts = [quantity.get("comparator", ""), quantity.get("value"), unit]
        return " ".join(str(p) for p in parts if p not in ("", None))
    coded = said.get("valueCodeableConcept")
    return str(said.get("valueString") or (_words(coded) if coded else ""))


def _day(resource: Mapping[str, Any] | None) -> str:
    said = resource or {}
    for element in ("effectiveDateTime", "onsetDateTime", "recordedDate"):
        if said.get(element):
            return str(said[element])[:10]
    return ""


def _age(born: str, today: date) -> str:
    try:
        day = date.fromisoformat(born)
    except ValueError:
        return ""
    return str(today.year - day.year - ((today.month, today.day) < (day.month, day.day)))


# ----------------------------------------------------------------------
# How the desk shows what is not its own: a card's Markdown, FHIR as JSON, a trace of rules.


# ---------------------------------------------------------------- a card

_LONGEST = 20_000  # characters; a card is read by a person


def rendered(text: str) -> Markup:
    """GitHub-flavoured Markdown: HTML is shown as text, pictures are not loaded."""
    return Markup(_READER.render(text[:_LONGEST]))


def _reader() -> MarkdownIt:
    reader = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    reader.disable(["image", "html_block", "html_inline"])
    reader.validateLink = is_web_address  # type: ignore[method-assign]
    reader.add_render_rule("link_open", _link_open)
    reader.add_render_rule("heading_open", _bold_instead)
    reader.add_render_rule("heading_close", _bold_instead)
    return reader


def _link_open(self: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """Links open apart, and tell nobody where they were followed from."""
    tokens[index].attrSet("target", "_blank")
    tokens[index].attrSet("rel", "noopener noreferrer")
    return str(self.renderToken(tokens, index, options, env))


def _bold_instead(self: Any, tokens: list[Token], index: int, options: Any, env: Any) -> str:
    """A card's headings are none of the page's: its outline stays whole."""
    return "<p><strong>" if tokens[index].nesting == 1 else "</strong></p>"


_READER = _reader()


# ---------------------------------------------------------------- a draft as FHIR JSON

_json = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True, slots=True)
class JsonLine:
    """`change` is "added", "removed" or ""."""

    text: str
    change: str = ""


def marked(resource: Resource, before: Resource | None) -> list[JsonLine]:
    """The resource's lines, and those of `before` that are gone."""
    old, new = _lines(before), _lines(resource)
    if old == new:
        return [JsonLine(text) for text in new]
    words = {"+ ": "added", "- ": "removed", "  ": ""}
    compared = difflib.ndiff(old, new)
    return [JsonLine(line[2:], words[line[:2]]) for line in compared if line[:2] in words]


def _lines(resource: Resource | None) -> list[str]:
    if resource is None:
        return []
    return msgspec.json.format(_json.encode(resource), indent=2).decode().splitlines()


# ---------------------------------------------------------------- the rules of a service


@dataclass(frozen=True, slots=True)
class RuleRow:
    """`state` is how the rule ended, `why` what it saw or why it kept silent."""

    rule: str
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class RuleTable:
    """The rules of one order."""

    title: str
    rows: tuple[RuleRow, ...]


def trace_tables(trace: Any) -> list[RuleTable]:
    """One table an order; none where the service told nothing."""
    reviews = trace.get("reviews") if isinstance(trace, dict) else None
    return [_table(review) for review in _objects(reviews)]


def _table(review: dict[str, Any]) -> RuleTable:
    title = (review.get(k) for k in ("drug", "payer", "dateOfService", "order"))
    rows = (
        RuleRow(*(str(row.get(k, "")) for k in ("rule", "state", "why")))
        for row in _objects(review.get("rules"))
    )
    return RuleTable(", ".join(str(word) for word in title if word), tuple(rows))


def _objects(listed: Any) -> list[dict[str, Any]]:
    return [x for x in listed if isinstance(x, dict)] if isinstance(listed, list) else []
