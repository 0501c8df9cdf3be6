"""A closed-out dose as FHIR R4 resources, in the form that billing_rules.fhir reads back.

One MedicationAdministration for each NDC and lot, with the product and its batch contained, and a
contained dispense that counts the containers opened: R4 has no element for them (given.py). What
was discarded is a record of its own with status not-done, as FHIR R6 describes it (conformance
D1.7). Each carries an identifier of ours, so that sending it again makes no second one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from billing_rules.claims.administration_record import Closing, Share
from billing_rules.fhir.read.dosage import route_code
from billing_rules.model.amounts import Amount
from billing_rules.model.entities import Container, Drug

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
