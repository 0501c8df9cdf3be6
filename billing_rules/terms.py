"""Clinical words: which results, allergens and drug classes a rule means.

A code alone is never trusted: published maps label 6098-8 "cat" and "total IgE", and 6844-5
(honey bee) "cat dander". A result counts as a kind only when its code and its words agree;
otherwise it is a question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from billing_rules.chart import Measured, Problem, Therapy
from billing_rules.model import Code

Agreement = Literal["yes", "no", "code and words disagree"]


@dataclass(frozen=True, slots=True)
class ObservationKind:
    """A kind of result: its LOINC codes and the words it is known by, all lower case.

    `sure_words` name the kind where no code of it stands: "ige" alone may be any allergen's.
    Without them `words` do.
    """

    id: str
    loinc: frozenset[str]
    words: tuple[str, ...]
    not_words: tuple[str, ...]
    unit: str
    perennial: bool
    sure_words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DrugClass:
    """A class of prior therapy by ingredients, names and form words, all lower case."""

    id: str
    rxnorm: frozenset[str]
    names: tuple[str, ...]
    form_words: tuple[str, ...]
    not_form_words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """The clinical vocabulary of the catalogue."""

    observations: Mapping[str, ObservationKind]
    drug_classes: Mapping[str, DrugClass]
    perennial_snomed: frozenset[str]
    perennial_words: tuple[str, ...]

    def is_kind(self, result: Measured, kind: str) -> Agreement:
        """Whether a result is of `kind`: by code and words together. Its words with another
        LOINC code disagree, as its code with other words does: either may be the wrong one."""
        wanted = self.observations[kind]
        loinc = {c.code for c in result.codes if c.system == "loinc"}
        text = _words(result.codes, result.text)
        excluded = _holds(text, wanted.not_words)
        if loinc & wanted.loinc:
            named = _holds(text, wanted.words) and not excluded
            return "yes" if named or not text else "code and words disagree"
        if excluded or not _surely_named(wanted, text):
            return "no"
        return "code and words disagree" if loinc else "yes"

    def allergen_of(self, result: Measured) -> ObservationKind | None:
        """The allergen whose specific IgE this result is, when code and words agree."""
        kinds = (k for k in self.observations.values() if k.id.startswith("allergen"))
        return next((k for k in kinds if self.is_kind(result, k.id) == "yes"), None)

    def names_perennial(self, problem: Problem) -> bool:
        """Whether a condition or allergy names a perennial aeroallergen."""
        coded = any(c.system == "snomed" and c.code in self.perennial_snomed for c in problem.codes)
        text = _words(problem.codes, problem.text)
        return coded or _holds(text, self.perennial_words)

    def in_class(self, therapy: Therapy, drug_class: str) -> Agreement:
        """Whether a therapy belongs to a class; "code and words disagree" when the ingredient
        fits but its form (inhaled or nasal) cannot be told."""
        wanted = self.drug_classes[drug_class]
        text = _words(therapy.codes, therapy.text)
        coded = any(c.system == "rxnorm" and c.code in wanted.rxnorm for c in therapy.codes)
        if not coded and not _holds(text, wanted.names):
            return "no"
        if _holds(text, wanted.not_form_words):
            return "no"
        if wanted.form_words and not _holds(text, wanted.form_words):
            return "code and words disagree"
        return "yes"


def _words(codes: tuple[Code, ...], text: str) -> str:
    return " | ".join([text, *(c.display for c in codes)]).strip(" |").lower()


def _holds(text: str, words: tuple[str, ...]) -> bool:
    """Whether one of `words` begins a word of `text`: "ige" is not in "Shigella" or "antigen"."""
    return bool(words) and _pattern(words).search(text) is not None


@cache
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![a-z0-9])(?:{'|'.join(re.escape(word) for word in words)})")


def _surely_named(kind: ObservationKind, text: str) -> bool:
    """Whether the words alone name the kind: one of its sure words, or nothing but its name."""
    parts = {part.strip() for part in text.split("|")}
    return _holds(text, kind.sure_words or kind.words) or bool(parts) and parts <= {*kind.words}
