"""A closed-out dose as FHIR R4 resources, in the form that billing_rules.fhir reads back.

One MedicationAdministration for each NDC and lot, with the product and its batch contained, and a
contained dispense that counts the containers opened: R4 has no element for them (given.py). What
was discarded is a record of its own with status not-done, as FHIR R6 describes it (conformance
D1.7). Each carries an identifier of ours, so that sending it again makes no second one."""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from billing_rules.catalogue.terms import Terms
from billing_rules.claims.administration_record import Closing, Share
from billing_rules.fhir.read.medications import route_code
from billing_rules.fhir.write.questionnaire import quantity
from billing_rules.forms.answers import Checked
from billing_rules.forms.documentation_form import RESULT_NAMES
from billing_rules.model.entities import Amount, Container, Drug
from billing_rules.model.form import Form, Measure, Row, Value

Resource = dict[str, Any]
UCUM = "http://unitsofmeasure.org"
_PRODUCT, _HANDED_OVER = "product", "containers"


@dataclass(frozen=True, slots=True)
class About:
    """Whom and what the records are about, as references; "" for what is not known.

    `identifier` is (system, value) of this close-out; each record adds its own ending to the value.
    """

    patient: str
    identifier: tuple[str, str]
    request: str = ""
    encounter: str = ""
    performer: str = ""
    performer_name: str = ""


def records(
    closing: Closing,
    shares: tuple[Share, ...],
    drug: Drug,
    about: About,
    uris: Mapping[str, str],
) -> tuple[Resource, ...]:
    """The dose, one record a share, then what was discarded. `uris` are the code systems' URIs by
    short name (Catalogue.preferred_uri)."""
    given = [_given(closing, s, drug, about, uris, place) for place, s in enumerate(shares)]
    return (*given, *discarded_records(closing, shares, drug, about, uris))


def discarded_records(
    closing: Closing,
    shares: tuple[Share, ...],
    drug: Drug,
    about: About,
    uris: Mapping[str, str],
) -> tuple[Resource, ...]:
    """The record of what was discarded; none when nothing was."""
    if not shares or closing.discarded is None or closing.discarded.value <= 0:
        return ()
    record = _record(closing, shares[-1], drug, about, uris, "discarded")
    reason = closing.reason or "rest of a single-dose container"
    record["status"] = "not-done"
    record["statusReason"] = [{"text": f"Discarded: {reason}"}]
    record["dosage"] = {"dose": _quantity(closing.discarded)}
    if closing.witness:
        witness = {"function": {"text": "witness"}, "actor": {"display": closing.witness}}
        record["performer"] = [*record.get("performer", []), witness]
        record["note"] = [{"text": f"Discarding witnessed by {closing.witness}."}]
    return (record,)


def _given(
    closing: Closing,
    share: Share,
    drug: Drug,
    about: About,
    uris: Mapping[str, str],
    place: int,
) -> Resource:
    record = _record(closing, share, drug, about, uris, f"given-{place + 1}")
    record["contained"].append(_dispense(share, drug, about, uris))
    record["supportingInformation"] = [{"reference": f"#{_HANDED_OVER}"}]
    record["dosage"] = _dosage(closing, share.dose, uris)
    if closing.observed:
        record["note"] = [{"text": f"Observed {closing.observed}."}]
    return record


def _record(
    closing: Closing,
    share: Share,
    drug: Drug,
    about: About,
    uris: Mapping[str, str],
    ending: str,
) -> Resource:
    """What the records of the dose and of the discarded amount share."""
    system, value = about.identifier
    record: Resource = {
        "resourceType": "MedicationAdministration",
        "identifier": [{"system": system, "value": f"{value}-{ending}"}],
        "contained": [_product(share, drug, uris)],
        "status": "completed",
        "medicationReference": {"reference": f"#{_PRODUCT}", "display": drug.name},
        "subject": {"reference": about.patient},
        "effectiveDateTime": closing.on.isoformat(),
    }
    if about.encounter:
        record["context"] = {"reference": about.encounter}
    if about.performer:
        actor = {"reference": about.performer}
        record["performer"] = [{"actor": _displayed(actor, about.performer_name)}]
    if about.request:
        record["request"] = {"reference": about.request}
    return record


def _product(share: Share, drug: Drug, uris: Mapping[str, str]) -> Resource:
    product: Resource = {
        "resourceType": "Medication",
        "id": _PRODUCT,
        "code": _code(share.container, drug, uris),
    }
    batch: Resource = {}
    if share.opened.lot:
        batch["lotNumber"] = share.opened.lot
    if share.opened.expires:
        batch["expirationDate"] = share.opened.expires.isoformat()
    return {**product, "batch": batch} if batch else product


def _dispense(share: Share, drug: Drug, about: About, uris: Mapping[str, str]) -> Resource:
    form = share.container.form if share.container else "container"
    return {
        "resourceType": "MedicationDispense",
        "id": _HANDED_OVER,
        "status": "completed",
        "medicationCodeableConcept": _code(share.container, drug, uris),
        "subject": {"reference": about.patient},
        "quantity": {
            "value": share.opened.count,
            "unit": form,
            "system": UCUM,
            "code": f"{{{form}}}",
        },
    }


def _code(container: Container | None, drug: Drug, uris: Mapping[str, str]) -> Resource:
    assert container is not None, "a share without a container stops the close-out"
    display = f"{drug.brand or drug.name} {container.name}"
    coding = {"system": uris["ndc"], "code": container.ndc_shown, "display": display}
    return {"coding": [coding], "text": f"{drug.name} {container.name}"}


def _dosage(closing: Closing, dose: Amount, uris: Mapping[str, str]) -> Resource:
    dosage: Resource = {"dose": _quantity(dose)}
    if closing.route:
        dosage["route"] = {"text": closing.route}
        if code := route_code(closing.route):
            dosage["route"]["coding"] = [{"system": uris["snomed"], "code": code}]
    if closing.sites:
        dosage["site"] = {"text": "; ".join(closing.sites)}
    return dosage


def _quantity(amount: Amount) -> Resource:
    return {"value": amount.value, "unit": amount.unit, "system": UCUM, "code": amount.unit}


def _displayed(reference: Resource, name: str) -> Resource:
    return {**reference, "display": name} if name else reference


# ---------------------------------------------------------------- a dose that is charted already


def with_containers(
    charted: Mapping[str, Any], share: Share, drug: Drug, about: About, uris: Mapping[str, str]
) -> Resource:
    """A charted administration with the containers opened added and nothing else changed."""
    record = copy.deepcopy(dict(charted))
    inside = record.setdefault("contained", [])
    taken = {resource.get("id") for resource in inside}
    dispense = _dispense(share, drug, about, uris)
    while dispense["id"] in taken:
        dispense["id"] += "-1"
    inside.append(dispense)
    named = record.setdefault("supportingInformation", [])
    named.append({"reference": f"#{dispense['id']}"})
    return record


# ----------------------------------------------------------------------
# What was entered from a report, as the resource it becomes: an Observation, else part of a note.
#
# Only results that the catalogue has a LOINC code for become Observations, with the code, the
# unit exactly as chosen and a note that they were entered from a report. Nothing that stands in
# the chart already is written again.


_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
_TESTED = {"positive": ("POS", "Positive"), "negative": ("NEG", "Negative")}
# Of several codes of a kind the one that says no method: a report seldom does.
_PREFERRED = {"eosinophils": "26449-9"}
_VITAL_SIGNS = ("weight",)
NOTE = "Entered from an outside report by way of Vialwise."


@dataclass(frozen=True, slots=True)
class Entered:
    """Whom the results are of, and who entered them; references, "" for what is not known."""

    patient: str
    identifier: tuple[str, str]
    encounter: str = ""
    author: str = ""


def observations(
    checked: Checked, entered: Entered, terms: Terms, loinc_uri: str
) -> tuple[Resource, ...]:
    """An Observation for each result that was entered or changed, its identifier ending in the
    group and row: "...-total-ige-0"."""
    made = []
    for row in checked.rows:
        kind = _kind(row)
        code = code_of(kind, terms)
        if code and _is_new(row):
            made.append(_observation(row, kind, code, entered, loinc_uri))
    return tuple(made)


def code_of(kind: str, terms: Terms) -> str:
    """The LOINC code to write for a kind of result; "" where the catalogue names none, or several
    and none of them is preferred."""
    known = terms.observations.get(kind)
    codes = known.loinc if known else frozenset()
    preferred = _PREFERRED.get(kind, "")
    if preferred in codes:
        return preferred
    return next(iter(codes)) if len(codes) == 1 else ""


def _kind(row: Row) -> str:
    """The catalogue's kind of the row's result, "" for what is none."""
    measured = [a for a in row.answers if isinstance(a.value, Measure)]
    kind = measured[0].field.kind_of_result if len(measured) == 1 else ""
    if kind == "specific_ige":
        return str(row.value("allergen") or "").replace("-", "_")
    return kind


def _is_new(row: Row) -> bool:
    return any(a.origin != "auto" for a in row.answers)


def _observation(row: Row, kind: str, code: str, entered: Entered, loinc_uri: str) -> Resource:
    measure, day = row.value("value"), row.value("date")
    assert isinstance(measure, Measure) and isinstance(day, date), "both are needed answers"
    system, value = entered.identifier
    category = "vital-signs" if kind in _VITAL_SIGNS else "laboratory"
    name = f"{RESULT_NAMES[kind]} IgE" if kind.startswith("allergen_") else RESULT_NAMES[kind]
    made: Resource = {
        "resourceType": "Observation",
        "identifier": [{"system": system, "value": f"{value}-{row.group.id}-{row.place}"}],
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": category}]}],
        "code": {"coding": [{"system": loinc_uri, "code": code}], "text": name},
        "subject": {"reference": entered.patient},
        "effectiveDateTime": day.isoformat(),
        "valueQuantity": quantity(measure),
        "note": [{"text": NOTE}],
    }
    if seen := _seen_in(row):
        made["derivedFrom"] = [{"reference": seen}]
    tested = _TESTED.get(str(row.value("result") or ""))
    if tested:
        coding = {"system": _INTERPRETATION, "code": tested[0], "display": tested[1]}
        made["interpretation"] = [{"coding": [coding]}]
    if laboratory := row.value("laboratory"):
        made["performer"] = [{"display": str(laboratory)}]
    if entered.encounter and kind in _VITAL_SIGNS:
        made["encounter"] = {"reference": entered.encounter}
    return made


def _seen_in(row: Row) -> str:
    """The chart's own result where its value was kept and only something beside it was added."""
    return next(
        (
            a.reference
            for a in row.answers
            if isinstance(a.value, Measure)
            and a.origin == "auto"
            and a.reference.startswith("Observation/")
        ),
        "",
    )


# ---------------------------------------------------------------- the note


def note_lines(form: Form, checked: Checked) -> tuple[str, ...]:
    """All answers as the lines of a note to print, paste or file."""
    lines = [
        f"Documentation for {form.drug_name}",
        f"Indication: {form.indication_name}",
        f"Payer: {form.payer_name}",
    ]
    for row in checked.rows:
        lines += ["", row.group.title]
        lines += [f"- {a.field.label}: {_shown(a.value, a.field.choices)}" for a in row.answers]
    return tuple(lines)


def _shown(value: Value, choices: tuple[Any, ...]) -> str:
    if isinstance(value, date):
        return value.isoformat()
    words = next((c.words for c in choices if c.code == value), None)
    return words or " ".join(str(value).split("\n"))


def document(
    lines: Sequence[str],
    title: str,
    entered: Entered,
    on: date,
    identifier: Mapping[str, str],
    when: str,
) -> Resource:
    """A note as a DocumentReference with its plain text inside. `when` is a FHIR instant."""
    text = "\n".join(lines) + "\n"
    made: Resource = {
        "resourceType": "DocumentReference",
        "identifier": [dict(identifier)],
        "status": "current",
        "docStatus": "final",
        "type": {"text": title},
        "subject": {"reference": entered.patient},
        "date": when,
        "description": f"{title} of {on.isoformat()}",
        "content": [
            {
                "attachment": {
                    "contentType": "text/plain; charset=utf-8",
                    "data": base64.b64encode(text.encode()).decode(),
                    "title": title,
                }
            }
        ],
    }
    if entered.author:
        made["author"] = [{"reference": entered.author}]
    if entered.encounter:
        made["context"] = {"encounter": [{"reference": entered.encounter}]}
    return made
