"""The FHIR queries the rules live on, written once for every reader. Pure data.

Templates keep to the CDS Hooks 2.0 query subset: instance read, type search, references, tokens,
`_sort` and `_count`; no chaining, no `_include`, no context of draft orders (CDS Hooks 2.0.1,
"Prefetch query restrictions"). Minimum necessary: each names the rules that read it.
"""

from __future__ import annotations

from dataclasses import dataclass

PATIENT_CHECK = "patient check"  # not a rule: the data is of the patient the order is for


@dataclass(frozen=True, slots=True)
class DataNeed:
    """One query. `key` is its prefetch key and the name of the chart part it becomes.

    `used_by` lists modules of billing_rules.rules, or PATIENT_CHECK. `newest_first` queries are
    sorted and counted on purpose: their first page is a whole answer though older pages exist.
    """

    key: str
    template: str
    resource_type: str
    used_by: tuple[str, ...]
    newest_first: bool = False

    @property
    def is_search(self) -> bool:
        """Whether the answer is a Bundle of matches, not one resource."""
        return "?" in self.template


DATA_NEEDED: tuple[DataNeed, ...] = (
    DataNeed("patient", "Patient/{{context.patientId}}", "Patient", (PATIENT_CHECK,)),
    DataNeed(
        "coverage",
        # Oracle, MEDITECH and eClinicalWorks search Coverage by patient alone (standards.md D6).
        "Coverage?patient={{context.patientId}}",
        "Coverage",
        ("waste_modifier", "payer_denied_modifier", "medically_unlikely_units"),
    ),
    DataNeed(
        "weight",
        "Observation?patient={{context.patientId}}"
        "&code=http://loinc.org|29463-7,http://loinc.org|3141-9&_sort=-date&_count=5",
        "Observation",
        ("dose_unit", "billed_units", "waste_modifier"),
        newest_first=True,
    ),
    DataNeed(
        "encounter",
        "Encounter/{{context.encounterId}}",
        "Encounter",
        ("waste_modifier",),
    ),
)
