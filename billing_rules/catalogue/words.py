"""Which words of a vocabulary a text holds, found in one pass however long the vocabulary is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby

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
