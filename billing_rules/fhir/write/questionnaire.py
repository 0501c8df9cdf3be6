"""The documentation form as a FHIR R4 Questionnaire, and what was answered as its response.

One drug, indication and payer always give the same resource: `url` names them, `version` is made
of the questions themselves. Units are offered by the questionnaire-unitOption extension; every
answer says where it comes from by Da Vinci DTR's information-origin (conformance C5.1).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from billing_rules.forms.answers import MOST_LONG, MOST_SHORT, Checked
from billing_rules.model.form import Answer, Choice, Field, Form, Group, Measure, Row

Resource = dict[str, Any]
BASE = "urn:vialwise:questionnaire"
UCUM = "http://unitsofmeasure.org"
UNIT_OPTION = "http://hl7.org/fhir/StructureDefinition/questionnaire-unitOption"
ORIGIN = "http://hl7.org/fhir/us/davinci-dtr/StructureDefinition/information-origin"
_TYPES = {
    "quantity": "quantity",
    "number": "integer",
    "choice": "choice",
    "date": "date",
    "text": "string",
    "long text": "text",
}


def questionnaire(form: Form) -> Resource:
    """The form. Its version changes when, and only when, its questions do."""
    items = [_group(group) for group in form.groups]
    text = json.dumps(items, sort_keys=True).encode()
    return {
        "resourceType": "Questionnaire",
        "url": f"{BASE}:{form.id}",
        "version": hashlib.sha256(text).hexdigest()[:12],
        "name": _name(form),
        "title": f"Documentation for {form.drug_name}: {form.indication_name}, {form.payer_name}",
        "status": "active",
        "subjectType": ["Patient"],
        "publisher": "Vialwise",
        "item": items,
    }


def canonical(form: Form) -> str:
    """The form with its version, as a response names it."""
    made = questionnaire(form)
    return f"{made['url']}|{made['version']}"


def _name(form: Form) -> str:
    """A name for programs: letters and digits, beginning with a capital (R4, cnl-0)."""
    words = re.findall(r"[A-Za-z0-9]+", form.id)
    return "Documentation" + "".join(word[:1].upper() + word[1:] for word in words)


def _group(group: Group) -> Resource:
    item: Resource = {"linkId": group.id, "text": group.title, "type": "group"}
    if group.rows > 1:
        item["repeats"] = True
    return {**item, "item": [_question(asked) for asked in group.fields]}


def _question(asked: Field) -> Resource:
    item: Resource = {"linkId": asked.id, "text": asked.label, "type": _TYPES[asked.kind]}
    if asked.kind == "choice":
        item["answerOption"] = [{"valueCoding": _coding(choice)} for choice in asked.choices]
    elif asked.kind == "quantity":
        item["extension"] = [
            {"url": UNIT_OPTION, "valueCoding": {"system": UCUM, **_coding(choice)}}
            for choice in asked.choices
        ]
    elif asked.kind in ("text", "long text"):
        item["maxLength"] = MOST_LONG if asked.kind == "long text" else MOST_SHORT
    return item


def _coding(choice: Choice) -> Resource:
    return {"code": choice.code, "display": choice.words}


# ---------------------------------------------------------------- what was answered


def response(
    form: Form,
    checked: Checked,
    patient: str,
    authored: str,
    identifier: Mapping[str, str],
    author: str = "",
    order: str = "",
    emptied: Sequence[Group] = (),
) -> Resource:
    """The answers. `authored` is a FHIR dateTime; `author` and `order` are references. A group
    whose earlier answers were taken back stands there without any."""
    made: Resource = {
        "resourceType": "QuestionnaireResponse",
        "identifier": dict(identifier),
        "questionnaire": canonical(form),
        "status": "completed",
        "subject": {"reference": patient},
        "authored": authored,
        "item": [
            *(_answered(row, author) for row in checked.rows if row.answers),
            *({"linkId": group.id, "text": group.title} for group in emptied),
        ],
    }
    if order:
        made["basedOn"] = [{"reference": order}] if _may_be_based_on(order) else []
        made = {key: value for key, value in made.items() if value != []}
    return {**made, "author": {"reference": author}} if author else made


def _may_be_based_on(reference: str) -> bool:
    """R4 takes CarePlan and ServiceRequest here, and no MedicationRequest."""
    return reference.partition("/")[0] in ("ServiceRequest", "CarePlan")


def _answered(row: Row, author: str) -> Resource:
    items = [
        {
            "linkId": answer.field.id,
            "text": answer.field.label,
            "answer": [{**_value(answer), "extension": [_origin(answer, author)]}],
        }
        for answer in row.answers
    ]
    return {"linkId": row.group.id, "text": row.group.title, "item": items}


def _value(answer: Answer) -> Resource:
    value = answer.value
    if isinstance(value, Measure):
        return {"valueQuantity": quantity(value)}
    if isinstance(value, Decimal):
        return {"valueInteger": int(value)}
    if isinstance(value, date):
        return {"valueDate": value.isoformat()}
    if answer.field.kind == "choice":
        chosen = next(c for c in answer.field.choices if c.code == value)
        return {"valueCoding": _coding(chosen)}
    return {"valueString": value}


def quantity(measure: Measure) -> Resource:
    """The number with the unit that was chosen, and no other."""
    made: Resource = {"value": measure.value}
    if measure.comparator:
        made["comparator"] = measure.comparator
    return {**made, "unit": measure.unit_words, "system": UCUM, "code": measure.unit}


def _origin(answer: Answer, author: str) -> Resource:
    inside = list(_origin_parts(answer, author))
    return {"url": ORIGIN, "extension": inside}


def _origin_parts(answer: Answer, author: str) -> Iterator[Resource]:
    yield {"url": "source", "valueCode": answer.told_origin}
    if answer.told_origin != "auto" and author.startswith("Practitioner"):
        who = {"url": "practitioner", "valueReference": {"reference": author}}
        yield {"url": "author", "extension": [who]}
