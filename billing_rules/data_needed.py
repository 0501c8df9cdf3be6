"""The FHIR queries the rules live on, written once for every reader. Pure data.

Templates keep to the CDS Hooks 2.0 query subset: instance read, type search, references, tokens,
`_sort` and `_count`; no chaining, no `_include`, no context of draft orders (CDS Hooks 2.0.1,
"Prefetch query restrictions"). Minimum necessary: every rule's row names those that it reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from billing_rules.model.states import Unknown

# Stands beside the first page of a newest-first answer that has more: the newest are all of them
# unless nothing on that page can be used, because it was withdrawn or is something else.
OLDER_LEFT = Unknown("the newest were asked for only, and none of those can be used")


# The identifier system of everything that Vialwise writes into an EHR.
OUR_ENTRIES = "urn:vialwise:entry"


@dataclass(frozen=True, slots=True)
class DataNeed:
    """One query. `key` is its prefetch key and the name of the chart part it becomes.

    `newest_first` queries are sorted and counted on purpose: their first page is a whole answer
    though older pages exist, if anything on it can be used (OLDER_LEFT).
    Of `each_counts` queries every resource is evidence by itself: an answer that is not complete
    proves what it holds, and nothing by what it does not.
    What is `always` read shows that the data is of the patient whom the order is for.
    """

    key: str
    template: str
    resource_type: str
    newest_first: bool = False
    each_counts: bool = False
    always: bool = False

    @property
    def is_search(self) -> bool:
        """Whether the answer is a Bundle of matches, not one resource."""
        return "?" in self.template


# The LOINC codes of billing_rules/data/terms.yaml: total IgE, FEV1, ACT, eosinophils, specific IgE.
# What has no LOINC there (UAS7, skin tests) is found only where an EHR sends it all the same.
# The last two are asked for though no source confirms what they mean: a rule still wants words
# and code to agree, so asking can only find more.
RESULT_CODES = (
    "19113-0",
    "20150-9",
    "20152-5",
    "19926-5",
    "82668-5",
    "26449-9",
    "711-2",
    "712-0",
    "6095-4",
    "6833-8",
    "15609-1",
    "6098-8",
    "6078-0",
    "6075-6",
    "6025-1",
    "6189-5",
    "6085-5",
    "6206-7",
    "7258-7",
    "6106-9",
    "6248-9",
    "6276-0",
    "6273-7",
    "6246-3",
    "6082-2",
    "6844-5",
    "6158-0",
    "6096-2",
    "6020-2",
)
# The chart's parts of which these queries ask for certain codes only.
ASKED_BY_CODE = frozenset({"results"})
_PATIENT = "?patient={{context.patientId}}"


def _coded(codes: Iterable[str]) -> str:
    return ",".join(f"http://loinc.org|{code}" for code in codes)


def _records(key: str, resource_type: str, narrowed: str = "") -> DataNeed:
    """All of a patient's resources of one type, each of which counts by itself."""
    return DataNeed(key, f"{resource_type}{_PATIENT}{narrowed}", resource_type, each_counts=True)


DATA_NEEDED: tuple[DataNeed, ...] = (
    DataNeed("patient", "Patient/{{context.patientId}}", "Patient", always=True),
    # Oracle, MEDITECH and eClinicalWorks search Coverage by patient alone (conformance D6).
    DataNeed("coverage", f"Coverage{_PATIENT}", "Coverage"),
    DataNeed(
        "weight",
        f"Observation{_PATIENT}&code={_coded(('29463-7', '3141-9'))}&_sort=-date&_count=5",
        "Observation",
        newest_first=True,
    ),
    DataNeed("encounter", "Encounter/{{context.encounterId}}", "Encounter"),
    _records("conditions", "Condition"),
    _records("observations", "Observation", f"&code={_coded(RESULT_CODES)}&_sort=-date&_count=100"),
    # `plan` is what a patient reports to take, in EHRs without MedicationStatement (US Core).
    _records("medications", "MedicationRequest", "&intent=order,plan"),
    _records("statements", "MedicationStatement"),
    # R4 keeps the containers of a dose given on its dispense alone.
    _records("dispenses", "MedicationDispense"),
    _records("administrations", "MedicationAdministration"),
    _records("allergies", "AllergyIntolerance"),
    _records("procedures", "Procedure"),
    _records("authorizations", "ClaimResponse", "&use=preauthorization"),
    # What was entered in Vialwise's own form, and no other questionnaire of the patient: of a token
    # search "system|" asks for every identifier of that system (FHIR R4, "token").
    _records("answers", "QuestionnaireResponse", f"&identifier={OUR_ENTRIES}|"),
    _records("studies", "ResearchSubject"),
)
