from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtkit.errors import InputError
from mtkit.smt.alignment.symmetrize import HEURISTICS, read_pharaoh, symmetrize
from mtkit.smt.flat import Flat
from tests.support.oracles import grow_diag_final_and

Directions = tuple[list[int], list[int]]


@st.composite
def directions(draw: st.DrawFn) -> Directions:
    """Draw (for each target word its source or −1, for each source word its target or −1)."""
    I, J = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    forward = draw(st.lists(st.integers(-1, I - 1), min_size=J, max_size=J))
    return forward, draw(st.lists(st.integers(-1, J - 1), min_size=I, max_size=I))


def combined(a: Directions, heuristic: str) -> set[tuple[int, int]]:
    forward, backward = (np.array(x, np.int32) for x in a)
    sides = Flat.of([[1] * len(backward)]), Flat.of([[1] * len(forward)])
    links = symmetrize(forward, backward, *sides, heuristic)
    return set(zip(links.source.tolist(), links.target.tolist(), strict=True))


def both(a: Directions) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    forward = {(i, j) for j, i in enumerate(a[0]) if i >= 0}
    return forward, {(i, j) for i, j in enumerate(a[1]) if j >= 0}


@given(directions())
@settings(max_examples=200, deadline=None)
def test_every_heuristic_lies_between_intersection_and_union(a: Directions) -> None:
    forward, backward = both(a)
    assert combined(a, "intersection") == forward & backward
    assert combined(a, "union") == forward | backward
    assert combined(a, "source-target") == forward
    assert combined(a, "target-source") == backward
    for heuristic in HEURISTICS[2:6]:
        assert forward & backward <= combined(a, heuristic) <= forward | backward


# NLTK's grow_diag_final_and is wrong: its last step looks words up in a dictionary whose keys are
# "e" and "f", finds none linked, and so adds every one-way link.
@given(directions())
@settings(max_examples=300, deadline=None)
def test_growing_and_finishing_follow_the_definition(a: Directions) -> None:
    sides = both(a)
    assert combined(a, "grow") == grow_diag_final_and(*sides, diagonal=False, final="")
    assert combined(a, "grow-diag") == grow_diag_final_and(*sides, final="")
    assert combined(a, "grow-diag-final") == grow_diag_final_and(*sides, final="or")
    assert combined(a, "grow-diag-final-and") == grow_diag_final_and(*sides)


def test_final_links_words_that_final_and_skips() -> None:
    a = ([0, 0, -1], [0, 2])  # 0-0 in both; 0-1 and 1-2 in one
    assert combined(a, "grow-diag-final-and") == {(0, 0), (0, 1), (1, 2)}
    assert combined(([0, -1, 0], [0]), "grow-diag-final-and") == {(0, 0)}
    assert combined(([0, -1, 0], [0]), "grow-diag-final") == {(0, 0), (0, 2)}


def test_bad_links_are_refused_with_the_line() -> None:
    assert read_pharaoh("0-1 2-0", "gold") == {(0, 1), (2, 0)}
    with pytest.raises(InputError, match="gold: line 3: expected links such as"):
        read_pharaoh("0:1", "gold: line 3")
