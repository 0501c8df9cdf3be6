"""A vocabulary finds the words of a text that a search for each of them would find."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from billing_rules.catalogue.terms import Words

TEXTS = st.text(alphabet="abc1 %/-|", max_size=30)
VOCABULARIES = st.lists(st.text(alphabet="abc1 %/", min_size=1, max_size=5), max_size=8)


@given(VOCABULARIES, TEXTS)
def test_it_finds_what_a_search_for_each_word_finds(words: list[str], text: str) -> None:
    each = {w for w in words if re.search(rf"(?<![a-z0-9]){re.escape(w)}", text)}
    assert Words(words).held_by(text) == each


def test_words_that_overlap_are_all_found() -> None:
    held = Words(["ige", "total ige", "total", "cat"]).held_by("total ige of shigella, bobcat")
    assert held == {"ige", "total ige", "total"}
