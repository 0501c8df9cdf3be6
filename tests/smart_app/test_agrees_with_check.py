"""The app, which reads a server, and `vialwise check`, which reads a file, say the same of a chart.

The charts are the fixtures', with resources left out, withdrawn, misdated or with odd values.
"""

from __future__ import annotations

import copy
import random

import pytest

from billing_rules.catalogue import Catalogue
from billing_rules.model.findings import Finding, NotChecked
from billing_rules.review import OrderReview
from smart_app.chart.patient_record import read
from tests.practice_ehr import practice_ehr
from tests.smart_app.charts import TODAY, Resource, chart_of, serve, window_on
from vialwise.checking import check

ORDERS = (
    ("pat-ada-winterbourne", "ada-omalizumab-300-mg"),
    ("pat-bartholomew-quince", "omalizumab-225-mg-two-vials"),
    ("pat-dorothea-pennyfarthing", "omalizumab-300-mg-undocumented"),
    ("pat-milo-applegarth", "milo-omalizumab-150-mg"),
    ("pat-perpetua-quillfeather", "perpetua-omalizumab-300-mg"),
)
CHARTS_OF_EACH = 4


def said(review: OrderReview) -> tuple[object, ...]:
    """What a person reads of it: findings, what was not checked, claim lines and waste modifier."""
    findings = sorted((o.rule, o.kind) for o in review.outcomes if isinstance(o, Finding))
    not_checked = sorted(o.rule for o in review.outcomes if isinstance(o, NotChecked))
    return findings, not_checked, [str(line) for line in review.plan.lines], review.plan.waste


def damaged(chart: list[Resource], chance: random.Random) -> list[Resource]:
    kept = [r for r in chart if r["resourceType"] == "Patient" or chance.random() > 0.25]
    for resource in kept:
        _damage(resource, chance)
    return kept


def _damage(resource: Resource, chance: random.Random) -> None:
    what = chance.choice(("status", "value", "unit", "day", *(None,) * 8))
    if what == "status" and resource["resourceType"] in ("Observation", "MedicationAdministration"):
        resource["status"] = "entered-in-error"
    elif what == "value" and "valueQuantity" in resource:
        resource["valueQuantity"]["value"] = chance.choice((0, 5, 29.9, 30, 64.05, 700))
    elif what == "unit" and "valueQuantity" in resource:
        resource["valueQuantity"] = {"value": resource["valueQuantity"]["value"]}
    elif what == "day" and "effectiveDateTime" in resource:
        resource["effectiveDateTime"] = chance.choice(("2026", "2027-01-01", "2020-05-05", "x"))


@pytest.mark.parametrize(("patient", "named"), ORDERS)
def test_both_say_the_same_of_any_chart(catalogue: Catalogue, patient: str, named: str) -> None:
    chance = random.Random(named)
    for _ in range(CHARTS_OF_EACH):
        *chart, order = copy.deepcopy(chart_of(patient, named))
        chart = damaged(chart, chance)
        with practice_ehr() as ehr:
            serve(ehr, [*chart, order])
            reference = f"MedicationRequest/{order['id']}"
            found = read(window_on(ehr, patient), catalogue, TODAY, reference)
            shown = found.order(reference)
        beside = {"resourceType": "Bundle", "entry": [{"resource": r} for r in chart]}
        checked = check.answer(check.of_order(order, beside), catalogue, TODAY)
        assert shown is not None
        assert said(shown.review) == said(checked.reviews[0])


VIALS = "omalizumab-225-mg-two-vials"


def draft_beside(order: Resource) -> Resource:
    """Another draft of the drug, of the same day and visit, and no requisition on either."""
    other = copy.deepcopy(order)
    other["id"] = "another-draft"
    coding = {"system": "http://hl7.org/fhir/sid/ndc", "code": "50242-215-01"}
    other["medicationCodeableConcept"] = {"coding": [coding], "text": "omalizumab 150 mg syringe"}
    other["dispenseRequest"] = {"quantity": {"value": 1, "unit": "syringe"}}
    other["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] = 150
    return other


@pytest.mark.parametrize("seen_by_card", [1, 2])
def test_the_app_judges_the_drafts_that_the_card_judged(
    catalogue: Catalogue, seen_by_card: int
) -> None:
    """One of two drafts in the hook request, or both: the app opened from the card says the same,
    although both drafts are in the chart."""
    *chart, order = copy.deepcopy(chart_of("pat-bartholomew-quince", VIALS))
    drafts = [order, draft_beside(order)]
    beside = {"resourceType": "Bundle", "entry": [{"resource": r} for r in chart]}
    sent = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": d} for d in drafts[:seen_by_card]],
    }
    (card,) = check.answer(check.of_order(sent, beside), catalogue, TODAY).reviews
    reference = f"MedicationRequest/{order['id']}"
    with practice_ehr() as ehr:
        serve(ehr, [*chart, *drafts])
        window = window_on(ehr, "pat-bartholomew-quince", together=card.together)
        from_card = read(window, catalogue, TODAY, reference).order(reference)
        alone = window_on(ehr, "pat-bartholomew-quince")
        by_oneself = read(alone, catalogue, TODAY, reference).order(reference)
    assert from_card is not None and by_oneself is not None
    assert said(from_card.review) == said(card)
    assert from_card.review.order.references == card.order.references
    assert len(by_oneself.review.order.references) == 2  # no card: what was written together
