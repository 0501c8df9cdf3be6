"""The nouns: what an order, a drug, a payer and a chart are to the billing rules.

Frozen values only. Everything FHIR has been translated before these are built
(billing_rules.fhir), and every dated catalogue value has been resolved to the one in force on
the date of service (billing_rules.catalogue), so no rule needs to know a date format or a date.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Literal

import msgspec

from billing_rules.model.amounts import Amount, plain
from billing_rules.model.ndc import hyphenated_ndc, ndc_candidates
from billing_rules.model.states import NOTHING, State

# ---------------------------------------------------------------- sources and evidence


# What the letter of a source says of how certain it is.
CERTAINTY = {
    "A": "federal file or text",
    "B": "contractor, payer or manufacturer, or two secondary sources",
    "C": "one secondary source",
    "S": "the site's own file",
}
Certainty = Literal["A", "B", "C", "S"]


class Source(msgspec.Struct, frozen=True):
    """Where a catalogue value comes from, with the words it stands in; `certainty` is a letter
    of CERTAINTY."""

    title: str
    url: str
    published: date
    certainty: Certainty
    quote: str = ""


class Evidence(msgspec.Struct, frozen=True):
    """One thing a rule looked at: which resource, what it said there, and when."""

    reference: str  # "Observation/ige-1"; "" for what no resource says (site file, catalogue)
    what: str
    value: str
    on: date | None = None


# ---------------------------------------------------------------- catalogue

DoseStatus = Literal["single-dose", "multiple-dose", "unknown"]
Contents = Literal["liquid", "powder", "not stated"]


class Container(msgspec.Struct, frozen=True, dict=True):
    """One marketed presentation of a drug, as its National Drug Code names it.

    `strength` is the labelled amount of one container (never the overfill), `volume` what it
    delivers, `per_package` how many containers the NDC's package holds, `billing_units` the
    HCPCS units of one container where CMS's crosswalk states them.
    """

    ndc: str  # 11 digits, no hyphens
    ndc_shown: str  # as printed on the box: 50242-040-62
    form: Literal["vial", "syringe", "autoinjector", "pen", "container"]
    strength: Amount
    volume: Amount | None
    per_package: int
    dose_status: DoseStatus
    marketed_from: date | None
    marketed_until: date | None
    source: Source
    dose_status_source: Source | None = None
    contents: Contents = "not stated"

    @cached_property
    def name(self) -> str:
        return f"{self.strength} {self.form}"

    def marketed_on(self, day: date) -> bool:
        """True unless a known marketing date excludes `day`; unknown dates exclude nothing."""
        begun = self.marketed_from is None or self.marketed_from <= day
        return begun and (self.marketed_until is None or day <= self.marketed_until)


class ContainerCount(msgspec.Struct, frozen=True):
    """`count` containers of one kind, opened for one dose."""

    container: Container
    count: int

    @property
    def labelled(self) -> Amount:
        return self.container.strength * self.count

    def __str__(self) -> str:
        return f"{self.count} x {self.container.name}{'s' if self.count > 1 else ''}"


def labelled_total(opened: tuple[ContainerCount, ...]) -> Amount:
    """The labelled amount of all containers opened. Raises ValueError when there are none."""
    if not opened:
        raise ValueError("no containers: there is no labelled amount to add up")
    total = opened[0].labelled
    for counted in opened[1:]:
        total = total + counted.labelled.to(total.unit)
    return total


class Need(msgspec.Struct, frozen=True):
    """One thing label or payer wants on file.

    `what` is a kind of evidence: "total_ige", "weight", "sensitisation", or a drug class of
    data/drug_classes.yaml ("inhaled_corticosteroid"). `lasting` is how long a therapy must have
    lasted, `within` how old the newest value may be; both in days, None when not stated.
    """

    what: str
    source: Source
    lasting: int | None = None
    within: int | None = None


class DosingCell(msgspec.Struct, frozen=True):
    """A dose for total IgE (IU/mL) and weight (kg): above the lower, up to the upper bound.

    The first band's lower bound is inclusive. `dose` None: too little data to recommend a dose.
    """

    ige_over: Decimal
    ige_to: Decimal
    weight_over: Decimal
    weight_to: Decimal
    dose: Amount | None
    interval: Amount | None


class DosingTable(msgspec.Struct, frozen=True):
    """A labelled dosing table by total IgE and weight, for ages from `age_from` to below
    `age_below` years at start of therapy. Only a `verified` one may raise a warning."""

    name: str
    verified: bool
    age_from: int
    age_below: int | None
    cells: tuple[DosingCell, ...]
    source: Source

    def cell(self, ige: Decimal, weight: Decimal) -> DosingCell | None:
        """The cell of `ige` IU/mL and `weight` kg; None outside the table."""
        lowest_ige = min(c.ige_over for c in self.cells)
        lowest_weight = min(c.weight_over for c in self.cells)
        for c in self.cells:
            above_ige = c.ige_over < ige or ige == c.ige_over == lowest_ige
            above_weight = c.weight_over < weight or weight == c.weight_over == lowest_weight
            if above_ige and ige <= c.ige_to and above_weight and weight <= c.weight_to:
                return c
        return None


class Indication(msgspec.Struct, frozen=True):
    """A labelled indication of a drug on the date of service, and what its label wants known.

    `icd10cm` and `snomed` are the codes that serve it; the `unspecified` ones name the disease
    without the severity or kind the label speaks of. `words` recognise a condition that has no
    code. Ages are in years; `age_at_start` means at the first dose, not today. `doses` are the
    labelled doses of this indication when they differ from the drug's.
    """

    id: str
    name: str
    icd10cm: frozenset[str]
    icd10cm_unspecified: frozenset[str]
    snomed: frozenset[str]
    snomed_unspecified: frozenset[str]
    words: tuple[str, ...]
    age_from: int | None
    age_below: int | None
    age_at_start: bool
    ige_from: Decimal | None
    ige_to: Decimal | None
    needs: tuple[Need, ...]
    doses: tuple[Amount, ...]
    intervals: tuple[Amount, ...]
    tables: tuple[DosingTable, ...]
    sources: dict[str, Source]


class Criteria(msgspec.Struct, frozen=True):
    """What a payer wants for one drug and indication on the date of service.

    `diagnoses` empty: no list is known. `most_units` is (units, days). Authorization periods are
    in days. `reassessment` are the kinds of result a reauthorization wants ("act", "fev1").
    """

    diagnoses: frozenset[str] = frozenset()
    wants_severity: bool = False
    needs: tuple[Need, ...] = ()
    authorization: bool = False
    first_period: int | None = None
    next_period: int | None = None
    reassessment: tuple[str, ...] = ()
    most_units: tuple[int, int] | None = None
    sources: dict[str, Source] = {}


class Drug(msgspec.Struct, frozen=True):
    """A catalogued drug as it stood on one date of service.

    `hcpcs` and `billing_unit` are None when no code of its own was in force that day (the
    unclassified codes are then the right ones). `sources` has the source of each field by name.
    """

    id: str
    name: str
    brand: str
    group: str
    biosimilar_of: str | None
    hcpcs: str | None
    billing_unit: Amount | None
    medically_unlikely_units: int | None
    opps_status: str | None
    containers: tuple[Container, ...]
    routes: tuple[str, ...]
    labelled_doses: tuple[Amount, ...]
    labelled_dose_per_weight: Amount | None
    intervals: tuple[Amount, ...]
    unclassified_codes: tuple[str, ...]
    sources: dict[str, Source]
    indications: tuple[Indication, ...] = ()
    unread_indications: str | None = None  # what the label has beside `indications`, unread here
    supervised_doses: int | None = None  # first doses the label wants given in a healthcare setting

    def container(self, ndc: str) -> Container | None:
        return next((c for c in self.containers if c.ndc == ndc), None)

    def ndc_shown(self, code: str) -> str:
        """An NDC as printed on the box; one that is not this drug's with hyphens, 5-4-2."""
        known = [c for form in ndc_candidates(code) if (c := self.container(form))]
        return known[0].ndc_shown if len(known) == 1 else hyphenated_ndc(code)

    @property
    def giving(self) -> Literal["injection", "infusion", "dose"]:
        """What staff call giving it, by the label's routes; "dose" where none is catalogued."""
        if not self.routes:
            return "dose"
        return "infusion" if self.routes == ("intravenous",) else "injection"


# "not yet": the payer has a rule, but it starts after this date of service.
ModifierPolicy = Literal["required", "recognised", "denies", "not yet", "not stated"]


class WantedModifiers(msgspec.Struct, frozen=True):
    """Modifiers that payer or site wants on each drug line of a code, and who says so."""

    codes: tuple[str, ...]
    source: Source


class Payer(msgspec.Struct, frozen=True):
    """A payer's billing rules on one date of service. "not stated" is never read as a yes."""

    id: str
    name: str
    known: bool
    jw: ModifierPolicy
    jz: ModifierPolicy
    medically_unlikely_edits: bool
    lines_per_ndc: Literal["one line", "one line per NDC", "not stated"]
    sources: dict[str, Source]
    criteria: dict[tuple[str, str], Criteria] = {}  # (drug, indication)
    wanted_modifiers: dict[str, WantedModifiers] = {}  # by code or "all"


class Modifier(msgspec.Struct, frozen=True):
    """A HCPCS Level II modifier in force on the date of service, with CMS's descriptor."""

    code: str
    descriptor: str
    source: Source


class KnownCode(msgspec.Struct, frozen=True):
    """A HCPCS or CPT code of the field and what it is: a drug's own, unclassified, or a service.

    `meaning` is CMS's descriptor for HCPCS codes; empty for CPT (AMA copyright).
    """

    code: str
    kind: Literal["drug", "unclassified", "administration"]
    meaning: str
    drug_id: str | None
    source: Source


class Site(msgspec.Struct, frozen=True):
    """What the clinic told us of itself: stock, prices and place of service.

    `stocked` holds 11-digit NDCs; empty means every marketed container may be used.
    `prices` is dollars per billing unit by HCPCS code.
    """

    name: str = ""
    stocked: frozenset[str] = frozenset()
    prices: dict[str, Decimal] = {}
    price_source: Source | None = None
    setting: str | None = None
    wanted_modifiers: dict[str, WantedModifiers] = {}  # by code or "all"


# ---------------------------------------------------------------- the order


class Stage(Enum):
    PLANNED = "planned"
    GIVEN = "given"


class Code(msgspec.Struct, frozen=True):
    """A coding in our words: `system` is a short name from code_systems.yaml ("hcpcs", "ndc",
    "rxnorm", ...) or "" when the system is none we know. HCPCS codes are upper case, NDCs have
    11 digits."""

    system: str
    code: str
    display: str = ""


class Counted(msgspec.Struct, frozen=True):
    """A number as an order wrote it, with the unit as written ("" when it had none)."""

    value: Decimal
    unit: str = ""

    def __str__(self) -> str:
        return f"{plain(self.value)} {self.unit}".strip()


class Dose(msgspec.Struct, frozen=True):
    """A dose as ordered or given: an amount, or a count of something ("2 syringe")."""

    amount: Amount | Counted

    def __str__(self) -> str:
        return str(self.amount)


class NamedCount(msgspec.Struct, frozen=True):
    """A count of containers with the NDC it was written beside."""

    ndc: str
    counted: Counted


@dataclass(frozen=True, slots=True)
class OrderLine:
    """One draft resource (or one Claim item) in billing words, before it is known whose drug
    it is. docs/how-cards-decide.md says which FHIR element each field is read from.

    `dose`      what is ordered, or given, at one visit
    `billed`    billing units, when this resource is where the order keeps them
    `containers` how many vials, syringes, pens, packages or each, of the NDC among `codes`
    `containers_by_ndc` the same, where one line names several NDCs, each with its count
    `supplied`  the amount dispensed or supplied, when stated as an amount of drug
    """

    reference: str
    kind: str
    stage: Stage = Stage.PLANNED
    item: int | None = None  # the Claim item's place in Claim.item, from 0
    codes: tuple[Code, ...] = ()
    names: tuple[str, ...] = ()
    dose: State[Dose] = NOTHING
    billed: State[Counted] = NOTHING
    containers: State[Counted] = NOTHING
    containers_by_ndc: tuple[NamedCount, ...] = ()
    supplied: State[Amount] = NOTHING
    modifiers: tuple[str, ...] = ()
    date_of_service: date | None = None
    interval: State[Amount] = NOTHING
    route: State[str] = NOTHING
    site: State[str] = NOTHING
    observed: State[str] = NOTHING  # its times, else "noted"; R4 has no element for it
    reasons: tuple[Code, ...] = ()
    reason_references: tuple[str, ...] = ()
    coverages: tuple[str, ...] = ()
    lot: State[str] = NOTHING
    expires: State[date] = NOTHING  # the batch's own date
    discarded: State[Amount] = NOTHING
    not_given: bool = False
    unread: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where this line stands: "Claim/1 item 2" (counted from 1, as people do)."""
        return self.reference if self.item is None else f"{self.reference} item {self.item + 1}"

    def codes_of(self, system: str) -> tuple[str, ...]:
        return tuple(c.code for c in self.codes if c.system == system)


class Identity(msgspec.Struct, frozen=True):
    """By what an order was recognised as a drug, most trusted first: NDC, RxNorm, HCPCS, text.

    `conflict` is a sentence when product identifiers name different drugs; then nothing may be
    proposed for the order's codes.
    """

    by: Literal["NDC", "RxNorm", "HCPCS", "text"]
    seen: str
    conflict: str | None = None

    def shown(self, drug: Drug) -> str:
        """What was seen, as people read it."""
        return drug.ndc_shown(self.seen) if self.by == "NDC" else self.seen


class DrugOrder(msgspec.Struct, frozen=True, dict=True):
    """All draft lines that make up one dose of one catalogued drug on one date of service."""

    drug_id: str
    group: str
    identity: Identity
    stage: Stage
    date_of_service: date
    prescriptions: tuple[OrderLine, ...]  # where dose and containers are said
    billing: tuple[OrderLine, ...]  # where codes, units and modifiers are billed
    services: tuple[OrderLine, ...]  # CPT-coded lines drafted with it
    dose: State[Amount]
    dose_as_written: str
    containers: State[tuple[ContainerCount, ...]]
    supplied: State[Amount]
    discarded: State[Amount] = NOTHING
    wasted: tuple[OrderLine, ...] = ()  # records of the discarded amount alone

    @cached_property
    def lines(self) -> tuple[OrderLine, ...]:
        return self.prescriptions + tuple(b for b in self.billing if b not in self.prescriptions)

    @cached_property
    def references(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.reference for line in self.lines))

    @cached_property
    def hcpcs_codes(self) -> tuple[str, ...]:
        return tuple(code for line in self.lines for code in line.codes_of("hcpcs"))
