"""The way of an order stays short, and a name means one thing: what a reader has to keep in mind.

Files touched and moves from file to file are counted while the service answers (bench/house.py).
A ceiling that is passed says that a step was added to the way of every order: put it where the
order passes already, or leave a file out. Ceilings are lowered when the way gets shorter, and are
raised only with a reason in docs/decisions.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.house import AN_ORDER, NOT_OURS, shared_names, way_of
from billing_rules.catalogue import Catalogue

# request -> most files, most moves. The aims: 60 and 400; 12 and 60 for an order that is not ours.
CEILINGS = {AN_ORDER: (60, 650), NOT_OURS: (15, 45)}


@pytest.mark.parametrize("request_name", CEILINGS)
def test_an_order_touches_few_files_and_moves_seldom_between_them(
    catalogue: Catalogue, request_name: str
) -> None:
    most_files, most_moves = CEILINGS[request_name]
    way = way_of(request_name, catalogue)
    assert way.files <= most_files, f"{request_name} runs through {way.files} files of ours"
    assert way.moves <= most_moves, f"{request_name} moves {way.moves} times from file to file"
    assert way.files > 1 and way.calls >= way.moves, "nothing of ours was seen: is it counted?"


def test_no_two_public_classes_have_one_name() -> None:
    shared = shared_names(Path(__file__).parent.parent)
    told = "; ".join(f"{name}: {', '.join(files)}" for name, files in shared.items())
    assert not shared, f"rename all but one of each: {told}"
