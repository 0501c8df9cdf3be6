"""Which words of a vocabulary a text holds, found in one pass however long the vocabulary is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field, replace
from itertools import groupby

from billing_rules.model.chart import Agreement, Measured, Problem, Therapy
from billing_rules.model.entities import Code

_NONE: frozenset[str] = frozenset()


class Words:
    """A vocabulary, all lower case, and a search for any of it.

    A word is held where it begins a word of the text: "ige" is not in "Shigella" or "antigen".
    """

    __slots__ = ("_beginnings", "_pattern")

    def __init__(self, words: Iterable[str]) -> None:
        known = sorted(set(words), key=lambda word: (word[:1], -len(word), word))
        by_letter = (
            f"{re.escape(letter)}(?:{'|'.join(re.escape(word[1:]) for word in group)})"
            for letter, group in groupby(known, key=lambda word: word[:1])
        )
        # Nothing is consumed, so that words may overlap: "ige" and "total ige".
        self._pattern = re.compile(rf"(?<![a-z0-9])(?=({'|'.join(by_letter)}))") if known else None
        # The longest is what matches; the others that begin there too are its own beginnings.
        every = frozenset(known)
        self._beginnings = {
            word: every.intersection(word[: i + 1] for i in range(len(word))) for word in known
        }

    def held_by(self, text: str) -> frozenset[str]:
        """The words that `text`, all lower case, holds."""
        found = self._pattern.findall(text) if self._pattern else ()
        if not found:
            return _NONE
        return _NONE.union(*(self._beginnings[word] for word in found))


# ----------------------------------------------------------------------
# Clinical words: which results, allergens and drug classes a rule means.
#
# A code alone is never trusted: published maps label 6098-8 "cat" and "total IgE", and 6844-5
# (honey bee) "cat dander". A result counts as a kind only when its code and its words agree;
# otherwise it is a question.


_NOT_READ = Words(())
_Said = tuple[tuple[Code, ...], str]  # codes and text of one result
# The kinds that these name, and the words of the vocabulary that they hold.
_Told = tuple[Mapping[str, "Agreement"], frozenset[str]]


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
    _vocabulary: Words = field(default=_NOT_READ, repr=False, compare=False)
    _results: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False, compare=False)
    _therapies: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    _told: dict[_Said, _Told] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._vocabulary is _NOT_READ:
            object.__setattr__(self, "_vocabulary", Words(self._words()))
            object.__setattr__(self, "_results", self._naming_results())
            object.__setattr__(self, "_therapies", self._naming_therapies())

    def _words(self) -> Iterator[str]:
        yield from self.perennial_words
        for kind in self.observations.values():
            yield from (*kind.words, *kind.not_words, *kind.sure_words)
        for each in self.drug_classes.values():
            yield from (*each.names, *each.form_words, *each.not_form_words)

    def _naming_results(self) -> Mapping[str, tuple[str, ...]]:
        """The codes and words without which nothing is a result of any kind, and the kinds that
        each of them may name."""
        naming: dict[str, tuple[str, ...]] = {}
        for kind in self.observations.values():
            for name in {*kind.loinc, *kind.words, *kind.sure_words}:
                naming[name] = (*naming.get(name, ()), kind.id)
        return naming

    def _naming_therapies(self) -> frozenset[str]:
        """The codes and names without which nothing is of any drug class."""
        classes = self.drug_classes.values()
        return frozenset().union(*((*each.rxnorm, *each.names) for each in classes))

    def for_one_review(self) -> Terms:
        """The same vocabulary, which judges what is said in the same words only once. What it
        remembers is of one patient: it must end with the review."""
        return replace(self, _told={})

    def is_kind(self, result: Measured, kind: str) -> Agreement:
        """Whether a result is of `kind`: by code and words together. Its words with another
        LOINC code disagree, as its code with other words does: either may be the wrong one."""
        return self.kinds_of(result.codes, result.text).get(kind, "no")

    def kinds_of(self, codes: tuple[Code, ...], text: str) -> Mapping[str, Agreement]:
        """Every kind that codes or words name, as `is_kind` answers; most results name none."""
        return self._heard(codes, text)[0]

    def _heard(self, codes: tuple[Code, ...], text: str) -> _Told:
        if self._told is None:
            return self._hear(codes, text)
        said = (codes, text)
        told = self._told.get(said)
        if told is None:
            told = self._told[said] = self._hear(codes, text)
        return told

    def _hear(self, codes: tuple[Code, ...], text: str) -> _Told:
        loinc = {c.code for c in codes if c.system == "loinc"}
        words = _said(codes, text)
        held = self._vocabulary.held_by(words)
        named = {kind for name in held | loinc for kind in self._results.get(name, ())}
        if not named:
            return {}, held
        kinds = (kind for id_, kind in self.observations.items() if id_ in named)
        answers = ((kind.id, _agreement(kind, loinc, words, held)) for kind in kinds)
        return {kind: answer for kind, answer in answers if answer != "no"}, held

    def may_be_result(self, codes: tuple[Code, ...], names: Iterable[str]) -> bool:
        """Whether a result of these codes and names could be of any kind."""
        return self._mention(self._results.keys(), codes, names)

    def may_be_therapy(self, codes: tuple[Code, ...], names: Iterable[str]) -> bool:
        """Whether a medicine of these codes and names could be of any drug class."""
        return self._mention(self._therapies, codes, names)

    def _mention(self, wanted: Set[str], codes: tuple[Code, ...], names: Iterable[str]) -> bool:
        if any(code.code in wanted for code in codes):
            return True
        return not wanted.isdisjoint(self._vocabulary.held_by(_said(codes, " | ".join(names))))

    def allergen_of(self, result: Measured) -> ObservationKind | None:
        """The allergen whose specific IgE this result is, when code and words agree."""
        kinds = self.kinds_of(result.codes, result.text).items()
        sure = (kind for kind, answer in kinds if kind.startswith("allergen") and answer == "yes")
        return next((self.observations[kind] for kind in sure), None)

    def names_perennial(self, problem: Problem) -> bool:
        """Whether a condition or allergy names a perennial aeroallergen."""
        coded = any(c.system == "snomed" and c.code in self.perennial_snomed for c in problem.codes)
        held = self._heard(problem.codes, problem.text)[1]
        return coded or not held.isdisjoint(self.perennial_words)

    def in_class(self, therapy: Therapy, drug_class: str) -> Agreement:
        """Whether a therapy belongs to a class; "code and words disagree" when the ingredient
        fits but its form (inhaled or nasal) cannot be told."""
        wanted = self.drug_classes[drug_class]
        held = self._heard(therapy.codes, therapy.text)[1]
        coded = any(c.system == "rxnorm" and c.code in wanted.rxnorm for c in therapy.codes)
        if not coded and held.isdisjoint(wanted.names):
            return "no"
        if not held.isdisjoint(wanted.not_form_words):
            return "no"
        if wanted.form_words and held.isdisjoint(wanted.form_words):
            return "code and words disagree"
        return "yes"


def _said(codes: tuple[Code, ...], text: str) -> str:
    return " | ".join([text, *(c.display for c in codes)]).strip(" |").lower()


def _agreement(
    wanted: ObservationKind, loinc: set[str], text: str, held: frozenset[str]
) -> Agreement:
    if not loinc.isdisjoint(wanted.loinc):
        named = not held.isdisjoint(wanted.words) and held.isdisjoint(wanted.not_words)
        return "yes" if named or not text else "code and words disagree"
    if not held.isdisjoint(wanted.not_words) or not _surely_named(wanted, text, held):
        return "no"
    return "code and words disagree" if loinc else "yes"


def _surely_named(kind: ObservationKind, text: str, held: frozenset[str]) -> bool:
    """Whether the words alone name the kind: one of its sure words, or nothing but its name."""
    if not held.isdisjoint(kind.sure_words or kind.words):
        return True
    return {part.strip() for part in text.split("|")} <= {*kind.words}
