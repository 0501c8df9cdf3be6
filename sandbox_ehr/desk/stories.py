"""The tour: six stories, each one click to a desk with everything filled in, and starting over."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import fixtures
from sandbox_ehr.desk.draft_elements import Resource
from sandbox_ehr.fhir.access import patients_of
from sandbox_ehr.records import Records


@dataclass(frozen=True, slots=True)
class Variant:
    """One way the story goes: a bundled hook request, of which only the order is used."""

    request: str
    label: str


@dataclass(frozen=True, slots=True)
class Story:
    """`happened`, `click` and `look` are the three lines that the tour shows."""

    name: str
    title: str
    happened: str
    click: str
    look: str
    variants: tuple[Variant, ...]


STORIES = (
    Story(
        "wrong-code",
        "Another drug's code",
        "Ada gets omalizumab from two vials; the order carries J2356, tezepelumab's code.",
        "Take “Change J2356 to J2357”, then sign.",
        "The code turns to J2357, its words with it, and nothing else in the order changes.",
        (Variant("story-j2356-on-omalizumab", "Open the order"),),
    ),
    Story(
        "milligrams-as-units",
        "Milligrams typed as units",
        "300 mg of omalizumab are 60 units of J2357; somebody typed 300 as units.",
        "Take “Set 60 units”, then sign.",
        "300 units are more than CMS expects in a day, and five times what is given.",
        (Variant("story-300-mg-typed-as-300-units", "Open the order"),),
    ),
    Story(
        "vials-or-syringes",
        "Two vials, or two syringes",
        "Bartholomew needs 225 mg. Two 150 mg vials discard 75 mg; two syringes discard nothing.",
        "Open it both ways, sign, and chart the injection.",
        "Vials are billed on two lines, the second with JW; syringes on one line with JZ.",
        (
            Variant("story-225-mg-two-vials", "From two vials"),
            Variant("story-225-mg-two-syringes", "From two syringes"),
        ),
    ),
    Story(
        "missing-documentation",
        "Missing IgE and therapy",
        "Dorothea's chart has neither a total IgE nor any controller, and her payer asks for both.",
        "Sign, open Vialwise from the card and enter what is missing; or set the card aside.",
        "“None was found” is said only because the whole chart was asked; the rest is “not "
        "checked”.",
        (Variant("story-missing-ige-and-therapy", "Open the order"),),
    ),
    Story(
        "dose-by-weight",
        "Reslizumab by weight",
        "Vesper weighs 71.3 kg and gets 3 mg per kg: 213.9 mg, from three 100 mg vials.",
        "Sign, or look at Theodora, whose weight is charted in pounds.",
        "The dose comes from the charted weight: 214 units given, 86 discarded.",
        (
            Variant("story-reslizumab-per-kg", "Weight in kg"),
            Variant("story-reslizumab-in-pounds", "Weight in pounds"),
        ),
    ),
    Story(
        "payer-denies-jw",
        "A payer that denies JW",
        "Delphine's Medicaid plan denies JW lines; the draft claim has one.",
        "Remove the JW line as the card suggests, then sign.",
        "The same 75 mg that Medicare wants on a JW line are charted here, and not billed.",
        (Variant("story-payer-denies-jw", "Open the order"),),
    ),
)


@dataclass(frozen=True, slots=True, repr=False)
class Opening:
    """What a story puts on the desk."""

    patient_id: str
    encounter_id: str
    user: str
    drafts: tuple[dict[str, Any], ...]


def find(request: str) -> tuple[Story, Variant] | None:
    """The story and the variant that open this bundled request."""
    return next(((s, v) for s in STORIES for v in s.variants if v.request == request), None)


def opening(request: str, current: Callable[[Any], Any]) -> Opening:
    """The order of a bundled request; `current` moves its dates as the charts' were moved."""
    context = fixtures.hook_request(request)["context"]
    drafts = tuple(current(entry["resource"]) for entry in context["draftOrders"]["entry"])
    return Opening(context["patientId"], context.get("encounterId", ""), context["userId"], drafts)


# ---------------------------------------------------------------- starting over


def everything(records: Records) -> tuple[Resource, ...]:
    """All that is kept now."""
    return tuple(r for kind in records.types() for r in records.search(kind))


def start_over(records: Records, start: Iterable[Resource], patient_id: str = "") -> None:
    """What came since is deleted, what was changed is as it was; at once, or not at all."""
    wanted = {_key(r): r for r in start if _is_of(r, patient_id)}
    with records.all_or_nothing():
        for resource in everything(records):
            if _is_of(resource, patient_id) and _key(resource) not in wanted:
                records.delete(*_key(resource))
        for key, resource in wanted.items():
            if _content(records.read(*key)) != _content(resource):
                records.update(resource)


def _is_of(resource: Resource, patient_id: str) -> bool:
    return not patient_id or f"Patient/{patient_id}" in set(patients_of(resource))


def _key(resource: Resource) -> tuple[str, str]:
    return resource["resourceType"], resource["id"]


def _content(resource: Resource | None) -> Resource:
    return {k: v for k, v in (resource or {}).items() if k != "meta"}
