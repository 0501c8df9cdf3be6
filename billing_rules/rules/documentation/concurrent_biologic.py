"""Another biologic of the group is on file: still working from its last dose, or still ordered.

Coverage policies exclude a second one for the same indication (UHC, Cigna). A biosimilar beside
its reference product is the same drug twice. Drafts of the same request are two_biologics'.
"""

from __future__ import annotations

from collections.abc import Iterator

from billing_rules.evidence.documentation import items, longest_interval, seen, sources
from billing_rules.model.entities import Drug, DrugOrder, Evidence
from billing_rules.model.findings import Finding, NotChecked, Outcome, Silent, Topic
from billing_rules.model.states import State, days_between
from billing_rules.orders.case import Case, DrugTherapy
from billing_rules.rules.rule import BOOKING, ORDERS, Place, Record, Rule

MAY_LAST_DAYS = 56  # the longest interval labelled in the group (benralizumab, 8 weeks)


def check(case: Case) -> Iterator[Outcome]:
    found: dict[str, list[Evidence]] = {}
    for drug, evidence in (*_given(case), *_ordered(case)):
        found.setdefault(drug.id, []).append(evidence)
    for drug_id, seen_on in found.items():
        yield _finding(case, case.history.drugs[drug_id], seen_on)
    looked_at = ("administrations", "therapies")
    gaps = [why for part in looked_at if (why := case.chart.why_not(part))]
    gaps += [f"how long {name} lasts is not catalogued" for name in _lasting_unknown(case)]
    if gaps:
        yield NotChecked("; ".join(dict.fromkeys(gaps)))
    elif not found:
        yield Silent(f"no other of the {case.drug.group} is given or active")


def _looked_at(case: Case) -> tuple[State[tuple[DrugOrder, ...]], State[tuple[DrugTherapy, ...]]]:
    return case.past_visits, case.history.therapies


def _given(case: Case) -> Iterator[tuple[Drug, Evidence]]:
    """Doses of other drugs of the group that are within their own labelled interval."""
    for drug, visit, gap in _other_doses(case):
        lasts = longest_interval(drug)
        if lasts is not None and gap < lasts:
            for line in visit.prescriptions:
                yield drug, seen(line, "given", f"{drug.name}, labelled every {lasts} days")


def _lasting_unknown(case: Case) -> list[str]:
    """Drugs given so lately that a dose may still last, without an interval to tell by."""
    recent = {
        drug.name: gap
        for drug, _, gap in _other_doses(case)
        if longest_interval(drug) is None and gap < MAY_LAST_DAYS
    }
    return sorted(recent)


def _other_doses(case: Case) -> Iterator[tuple[Drug, DrugOrder, int]]:
    visits, _ = _looked_at(case)
    for visit in items(visits):
        drug = case.history.drugs[visit.drug_id]
        if _is_other(case, drug):
            yield drug, visit, days_between(visit.date_of_service, case.order.date_of_service)


def _ordered(case: Case) -> Iterator[tuple[Drug, Evidence]]:
    """Orders, statements and fills of other drugs of the group that are in force."""
    _, therapies = _looked_at(case)
    drafted = {reference for order in case.drafts for reference in order.references}
    for named in items(therapies):
        drug, therapy = case.history.drugs[named.drug_id], named.therapy
        if therapy.reference not in drafted and _is_other(case, drug) and _in_force(case, named):
            until = therapy.end or "end not stated"
            yield (
                drug,
                Evidence(
                    therapy.reference,
                    f"active {therapy.kind}",
                    f"{drug.name} until {until}",
                    therapy.start,
                ),
            )


def _is_other(case: Case, drug: Drug) -> bool:
    return drug.group == case.drug.group and drug.id != case.drug.id


def _in_force(case: Case, named: DrugTherapy) -> bool:
    """A fill lasts as long as its supply, an order while it is active; administrations are judged
    by their day."""
    therapy, on = named.therapy, case.order.date_of_service
    if therapy.kind == "administration" or (therapy.start and therapy.start > on):
        return False
    if therapy.kind == "dispense":
        return therapy.end is not None and on <= therapy.end
    return therapy.active and (therapy.end is None or on <= therapy.end)


def _finding(case: Case, other: Drug, evidence: list[Evidence]) -> Finding:
    same = case.drug.id == other.biosimilar_of or case.drug.biosimilar_of == other.id
    why = (
        f"{case.drug.name.capitalize()} and {other.name} are reference product and biosimilar: "
        "one drug under two codes."
        if same
        else f"Both belong to the {case.drug.group}; plans rarely cover two at once."
    )
    return Finding(
        kind="reference-and-biosimilar" if same else "another-biologic",
        summary=f"Chart whether {other.name} ends: it is still on file beside {case.drug.name}",
        found=(why,),
        basis=tuple(dict.fromkeys(evidence)),
        sources=sources(other.sources.get("intervals")),
    )


RULE = Rule(
    id="concurrent_biologic",
    check=check,
    topic=Topic.DOCUMENTATION,
    rank=130,
    warns=("another-biologic", "reference-and-biosimilar"),
    corrected_at={Topic.DOCUMENTATION: Place.FORM},
    hooks=(*ORDERS, *BOOKING),
    queries=("medications", "statements", "dispenses", "administrations"),
    record=Record(
        name="concurrent biologic",
        title="No second biologic on file",
        says=(
            "Another biologic of the group that was given lately or is still ordered is pointed"
            " out."
        ),
        prevents="A denial because a second biologic is not covered beside the first.",
        denials=("coverage-criteria",),
        citations=("policies",),
        reads=("drug.intervals",),
        limits=(
            ("It sees only what the chart holds; a drug given elsewhere may be missing there."),
        ),
    ),
)
