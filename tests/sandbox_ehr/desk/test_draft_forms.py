"""The form of a draft: the resource is the truth, and only what was typed changes."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import fixtures
from sandbox_ehr.desk import draft_forms
from sandbox_ehr.desk.display import marked
from sandbox_ehr.desk.draft_forms import DraftForm

ORDERS = [f.file for f in fixtures.index().values() if f.file.startswith("orders/") and not f.quirk]
VIALS = "MedicationRequest/xolair-vials-225-mg"


def shown(*drafts: dict[str, Any], before: Any = None) -> list[DraftForm]:
    return draft_forms.forms(drafts, before or {}, ())


def values(*drafts: dict[str, Any]) -> dict[str, str]:
    return {
        field.name: field.value
        for form in shown(*drafts)
        for _, fields in form.rows
        for field in fields
    }


@pytest.mark.parametrize("file", ORDERS)
def test_a_form_sent_back_as_it_came_changes_nothing(file: str) -> None:
    order = fixtures.load(file)
    before = copy.deepcopy(order)
    drafts, problems = draft_forms.written([order], values(order))
    assert drafts == (before,) and order == before and not problems


@pytest.mark.parametrize(
    ("name", "typed", "path", "value"),
    [
        ("dose", "225", ("dosageInstruction", 0, "doseAndRate", 0, "doseQuantity", "value"), 225),
        (
            "dose",
            "213.9",
            ("dosageInstruction", 0, "doseAndRate", 0, "doseQuantity", "value"),
            213.9,
        ),
        (
            "dose-unit",
            "mg/kg",
            ("dosageInstruction", 0, "doseAndRate", 0, "doseQuantity", "code"),
            "mg/kg",
        ),
        ("period", "2", ("dosageInstruction", 0, "timing", "repeat", "period"), 2),
        ("containers", "1", ("dispenseRequest", "quantity", "unit"), "vial"),
        ("containers", "3", ("dispenseRequest", "quantity", "unit"), "vials"),
        ("code", "j2357", ("medicationCodeableConcept", "coding", 1, "code"), "J2357"),
        (
            "code",
            "J2357",
            ("medicationCodeableConcept", "coding", 1, "display"),
            "Injection, omalizumab, 5 mg",
        ),
        ("day", "2026-12-01", ("dosageInstruction", 0, "timing", "event"), ["2026-12-01"]),
        ("product", "50242-227-01", ("dispenseRequest", "quantity", "unit"), "syringes"),
    ],
)
def test_what_is_typed_stands_in_the_medication_order(
    name: str, typed: str, path: tuple[Any, ...], value: Any
) -> None:
    order = fixtures.order("xolair-vials-225-mg")
    (draft,), problems = draft_forms.written([order], {f"{VIALS}:{name}": typed})
    for step in path:
        draft = draft[step]
    assert draft == value and not problems


def test_a_line_of_a_claim_has_fields_of_its_own() -> None:
    claim = fixtures.order("claim-225-mg-jw-medicaid")
    line = f"Claim/{claim['id']}#"
    assert values(claim)[f"{line}2:modifiers"] == "JW"
    (draft,), _ = draft_forms.written([claim], {f"{line}2:modifiers": "jz", f"{line}1:units": "44"})
    assert draft["item"][1]["modifier"][0]["coding"][0]["code"] == "JZ"
    assert draft["item"][0]["quantity"] == {"value": 44}
    assert draft["item"][2] == claim["item"][2]


def test_modifiers_of_an_order_stand_beside_its_code() -> None:
    line, own = fixtures.order("omalizumab-300-units"), "ServiceRequest/omalizumab-300-units"
    (draft,), _ = draft_forms.written([line], {f"{own}:modifiers": "JW, KX"})
    assert [c["code"] for c in draft["code"]["coding"]] == ["J2357", "JW", "KX"]
    assert values(draft)[f"{own}:code"] == "J2357"
    assert values(draft)[f"{own}:modifiers"] == "JW KX"


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("dose", "three"),
        ("dose", "-1"),
        ("dose", "NaN"),
        ("dose", "1e9"),
        ("containers", "0"),
        ("code", "2357"),
        ("day", "tomorrow"),
        ("day", "2026-02-30"),
        ("day", "2026-W01-1"),
        ("product", "x"),
        ("period", "²"),
    ],
)
def test_what_cannot_be_taken_is_said_and_kept_as_typed(name: str, typed: str) -> None:
    order, name = fixtures.order("xolair-vials-225-mg"), f"{VIALS}:{name}"
    _, problems = draft_forms.written([order], {name: typed})
    assert set(problems) == {name}
    (form,) = draft_forms.forms([order], {}, (), {name: typed}, problems)
    field = next(f for _, fields in form.rows for f in fields if f.name == name)
    assert field.value == typed and field.problem == problems[name]


def test_what_a_suggestion_changed_is_marked_with_what_it_was() -> None:
    now, old = fixtures.order("omalizumab-300-units"), fixtures.order("omalizumab-300-units")
    now["quantityQuantity"] = {"value": 60}
    (form,) = shown(now, before={"ServiceRequest/omalizumab-300-units": old})
    was = {f.label: f.was for _, fields in form.rows for f in fields if f.was is not None}
    assert was == {"Billing units": "300"} and form.changed
    changes = [line for line in marked(now, old) if line.change]
    assert [(line.change, line.text.strip()) for line in changes] == [
        ("removed", '"value": 300'),
        ("added", '"value": 60'),
    ]


def test_a_draft_that_came_with_a_suggestion_is_marked_as_added() -> None:
    order = fixtures.order("omalizumab-300-units")
    (form,) = shown(order, before={"ServiceRequest/omalizumab-300-units": None})
    assert form.added
    assert all(line.change == "added" for line in marked(order, None))
