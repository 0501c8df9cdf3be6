"""The service, the command line and the app find the same in the same body, at every hook.

All of them go through billing_rules.assess. What differs by design is written here: at order-select
and appointment-book the service speaks softly, which the app, opened later, does not; and a dose
that was given is judged by its own day's records, where the app shows the whole chart's past.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

import fixtures
from billing_rules.catalogue import Catalogue
from billing_rules.model.findings import Severity
from billing_rules.review import OrderReview
from billing_rules.rule_records import shipped
from billing_rules.rules.common import capital
from cds_hooks import Settings, create_app
from cds_hooks.cards import plan
from cds_hooks.record.store import temporary
from cds_hooks.services import GIVEN, SERVICES
from smart_app.chart.patient_record import read
from tests.databases import KEYS
from tests.practice_ehr import practice_ehr
from tests.smart_app.charts import running_with, serve, window_on
from vialwise import catalogues, clock
from vialwise.checking import check
from vialwise.cli import cli

Body = dict[str, Any]
TODAY = date(2026, 11, 23)
URGENCY = list(Severity)
REQUESTS = fixtures.names("hook_requests")
PRACTITIONER = "Practitioner/prac-imogen-hartwell"
PERFORMER = "Organization/org-hollow-creek-allergy"


# ---------------------------------------------------------------- bodies of every hook


def drafts_of(body: Body) -> list[Body]:
    bundle = body["context"].get("draftOrders") or {}
    entries = bundle.get("entry") or ()
    return [entry["resource"] for entry in entries if (entry or {}).get("resource")]


def named(resources: list[Body]) -> list[str]:
    return [f"{r['resourceType']}/{r['id']}" for r in resources if r.get("id")]


def bundle(*resources: Body) -> Body:
    entries = [{"resource": r} for r in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def of_orders(name: str) -> Iterator[Body]:
    """A fixture's request as each of the hooks that speak of orders."""
    body = fixtures.hook_request(name)
    drafts = drafts_of(body)
    context = {key: body["context"].get(key) for key in ("userId", "patientId", "encounterId")}
    yield body | {"hook": "order-sign"}
    for selections in (named(drafts), named(drafts)[:1]):
        selecting = copy.deepcopy(body) | {"hook": "order-select"}
        selecting["context"]["selections"] = selections
        yield selecting
    signed = [{**draft, "status": "active"} for draft in drafts]
    prefetch = {**(body.get("prefetch") or {}), "medications": bundle(*signed)}
    if named(signed):
        yield body | {
            "hook": "order-dispatch",
            "context": {**context, "dispatchedOrders": named(signed), "performer": PERFORMER},
            "prefetch": prefetch,
        }
    appointment = {"resourceType": "Appointment", "status": "proposed", "start": "2026-12-07"}
    yield body | {
        "hook": "appointment-book",
        "context": {**context, "appointments": bundle(appointment)},
        "prefetch": prefetch,
    }


@cache
def charts_with_doses() -> dict[str, list[Body]]:
    """The charts in which a drug was given, by patient."""
    charts = {p: fixtures.patient_everything(p) for p in fixtures.names("patients")}
    return {
        patient: chart
        for patient, chart in charts.items()
        if any(r["resourceType"] == "MedicationAdministration" for r in chart)
    }


def doses_of(chart: list[Body]) -> list[Body]:
    return [r for r in chart if r["resourceType"] == "MedicationAdministration"]


def given_on(dose: Body) -> str:
    return str(dose.get("effectiveDateTime") or dose["effectivePeriod"]["start"])[:10]


def of_doses(patient: str) -> Iterator[tuple[date, Body]]:
    """A chart as the hooks send it that speak of what was given, on the day of each dose."""
    chart = charts_with_doses()[patient]
    types = {key: kinds for key, kinds in check.PART_TYPES.items()}
    sent: Body = {
        key: bundle(*(r for r in chart if r["resourceType"] in kinds))
        for key, kinds in types.items()
        if key not in ("patient", "encounter")
    }
    sent["patient"] = next(r for r in chart if r["resourceType"] == "Patient")
    for day in sorted({given_on(dose) for dose in doses_of(chart)})[-3:]:
        for hook in ("patient-view", "encounter-discharge"):
            context = {"userId": PRACTITIONER, "patientId": patient, "encounterId": "enc-today"}
            yield (
                date.fromisoformat(day),
                {
                    "hook": hook,
                    "hookInstance": "7f000000-0000-4000-8000-000000000099",
                    "context": context,
                    "prefetch": sent,
                },
            )


# ---------------------------------------------------------------- the three doors


class Doors:
    """The service and the command line, on any day."""

    def __init__(self, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.catalogue = catalogue
        self.today = TODAY
        self.file = folder / "request.json"
        settings = Settings(
            public_url="https://cds.example",
            today=lambda: self.today,
            clock=lambda: datetime(2026, 11, 23, 12, tzinfo=UTC),
            open=True,
            most_cards=100,
        )
        self.client: FlaskClient = create_app(catalogue, settings, temporary(KEYS)).test_client()
        monkeypatch.setattr(clock, "today", lambda timezone=None: self.today)
        monkeypatch.setattr(catalogues, "load", lambda site=None: catalogue)

    def service(self, body: Body, trace: bool = False) -> tuple[int, Any]:
        (service,) = (s for s in SERVICES.values() if body["hook"] in s.hooks)
        path = f"/cds-services/{service.id}{'/trace' if trace else ''}"
        answer = self.client.post(path, json=body)
        return answer.status_code, answer.json

    def command(self, body: Body) -> tuple[int, str, Any]:
        """Exit code, standard error, and the orders as JSON."""
        self.file.write_text(json.dumps(body), encoding="utf-8")
        words = ["check", str(self.file), "--json", "--explain"]
        result = CliRunner().invoke(cli, words, prog_name="vialwise")
        found = json.loads(result.stdout)["orders"] if result.stdout else None
        return result.exit_code, result.stderr, found

    def checked(self, body: Body) -> tuple[OrderReview, ...]:
        question = check.of_hook_request(json.dumps(body).encode(), body["hook"])
        return check.answer(question, self.catalogue, self.today).reviews


@pytest.fixture
def doors(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Doors:
    return Doors(catalogue, monkeypatch, tmp_path)


STATES = {"spoke": "spoke", "not checked": "could not check"}


def check_same(doors: Doors, body: Body) -> bool:
    """That service and command line say the same; whether there was a review to compare."""
    status, cards = doors.service(body)
    code, error, orders = doors.command(body)
    if status != 200:
        assert code == 2 and "the service would refuse it" in error
        assert cards["issue"][0]["diagnostics"].rstrip(".") in error
        return False
    if orders is None:
        assert "another patient" in error and cards == {"cards": []}
        return False
    _, trace = doors.service(body, trace=True)
    names = shipped()
    assert [
        (", ".join(order["references"]), order["dateOfService"], rules_of(order, names))
        for order in orders
    ] == [
        (
            review["order"],
            review["dateOfService"],
            [(rule["rule"], rule["state"]) for rule in review["rules"]],
        )
        for review in trace["reviews"]
    ]
    planned = plan.cards(doors.checked(body), plans=False)
    assert [
        (card["indicator"], card["source"]["topic"]["code"], len(card["detail"]) > 0)
        for card in cards["cards"]
    ] == [(c.severity.value, TOPICS[c.topic.value], True) for c in planned]
    return bool(orders)


TOPICS = {"billing": "claim", "documentation": "guideline"}


def rules_of(order: Body, names: Any) -> list[tuple[str, str]]:
    return [
        (capital(names.name(rule["rule"])), STATES.get(rule["outcome"], rule["outcome"]))
        for rule in order["rules"]
    ]


@pytest.mark.parametrize("name", REQUESTS)
def test_orders_are_judged_alike_at_every_hook(doors: Doors, name: str) -> None:
    for body in of_orders(name):
        check_same(doors, body)


@pytest.mark.parametrize("patient", charts_with_doses())
def test_doses_are_judged_alike_at_every_hook(doors: Doors, patient: str) -> None:
    for day, body in of_doses(patient):
        doors.today = day
        check_same(doors, body)


def test_there_is_something_to_compare_at_every_hook(doors: Doors) -> None:
    compared: dict[str, int] = {}
    for name in ("story-missing-ige-and-therapy", "story-j2356-on-omalizumab"):
        for body in of_orders(name):
            compared[body["hook"]] = compared.get(body["hook"], 0) + check_same(doors, body)
    for patient in list(charts_with_doses())[:12]:
        for day, body in of_doses(patient):
            doors.today = day
            compared[body["hook"]] = compared.get(body["hook"], 0) + check_same(doors, body)
    hooks = {hook for service in SERVICES.values() for hook in service.hooks}
    assert set(compared) == hooks and all(compared.values()), compared


def test_documentation_is_information_at_order_select(doors: Doors) -> None:
    sign, select, *_ = of_orders("story-missing-ige-and-therapy")
    severities = [
        {f.severity for r in doors.checked(b) for f in r.findings} for b in (sign, select)
    ]
    assert Severity.WARNING in severities[0] and severities[1] == {Severity.INFO}


def test_a_token_in_the_request_is_not_used_and_that_is_said(doors: Doors) -> None:
    patient = next(iter(charts_with_doses()))
    *_, (day, body) = of_doses(patient)
    doors.today = day
    del body["prefetch"]["administrations"]
    code, error, _ = doors.command(body)
    assert code == 2 and "the service would refuse it: The drugs given could not be read" in error
    body |= {
        "fhirServer": "https://ehr.example/fhir",
        "fhirAuthorization": {
            "access_token": "t",
            "token_type": "Bearer",
            "scope": "",
            "subject": "",
        },
    }
    code, error, _ = doors.command(body)
    assert code == 2 and "the EHR was not asked" in error and "would refuse" not in error


# ---------------------------------------------------------------- the app


def said(review: OrderReview) -> tuple[object, ...]:
    """What a person reads of an order, whatever it is called where it was read from."""
    findings = sorted((f.rule, f.kind, f.severity.value) for f in review.findings)
    not_checked = sorted({n.rule for n in review.not_checked})
    return findings, not_checked, [str(line) for line in review.plan.lines], review.plan.waste


def whole_charts() -> list[str]:
    """The requests with nothing left out, whose drafts a chart can be searched for."""
    found = []
    for name in REQUESTS:
        body = fixtures.hook_request(name)
        kinds = {draft.get("resourceType") for draft in drafts_of(body)}
        patient = body["context"].get("patientId", "").removeprefix("Patient/")
        whole = patient in fixtures.names("patients") and len(body.get("prefetch") or {}) > 10
        if whole and kinds == {"MedicationRequest"} and len(drafts_of(body)) == 1:
            found.append(name)
    return found


@pytest.mark.parametrize("name", whole_charts())
def test_the_app_opened_from_the_card_says_what_the_card_said(doors: Doors, name: str) -> None:
    body = fixtures.hook_request(name) | {"hook": "order-sign"}
    patient = body["context"]["patientId"].removeprefix("Patient/")
    drafts = drafts_of(body)
    reviews = doors.checked(body)
    chart = {f"{r['resourceType']}/{r['id']}": r for r in resources_sent(body) if r.get("id")}
    with practice_ehr() as ehr:
        serve(ehr, [*chart.values(), *({"status": "draft", **draft} for draft in drafts)])
        for review in reviews:
            window = window_on(
                ehr,
                patient,
                together=review.together,
                encounter_id=body["context"].get("encounterId") or "",
            )
            record = read(window, running_with(doors.catalogue), review.order.references[0])
            found = record.order(review.order.references[0])
            assert found is not None and said(found.review) == said(review)


def resources_sent(body: Body) -> Iterator[Body]:
    for value in (body.get("prefetch") or {}).values():
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            yield from (entry["resource"] for entry in value.get("entry") or ())
        elif isinstance(value, dict):
            yield value


@pytest.mark.parametrize("patient", list(charts_with_doses())[:8])
def test_the_app_shows_a_dose_as_it_was_judged(doors: Doors, patient: str) -> None:
    """But for earlier doses, which the app shows beside it."""
    own = GIVEN.rules - {"past_administrations"}
    *_, (day, body) = of_doses(patient)
    doors.today = day
    with practice_ehr() as ehr:
        serve(ehr, charts_with_doses()[patient])
        for review in doors.checked(body):
            reference = review.order.references[0]
            record = read(window_on(ehr, patient), running_with(doors.catalogue), reference)
            found = record.order(reference)
            assert found is not None
            assert found.review.plan.lines == review.plan.lines
            assert {(f.rule, f.kind) for f in found.review.findings if f.rule in own} == {
                (f.rule, f.kind) for f in review.findings if f.rule in own
            }
