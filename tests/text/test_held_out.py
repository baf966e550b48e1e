from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mtkit.text.held_out import draw

SIZES = {"dev": 2, "test": 3}
few_lines = st.sampled_from(["a", "A ", "b", "c", "d", "  ", "e  f", "E f", "g"])


def folded(line: str) -> str:
    return " ".join(line.casefold().split())


@given(st.lists(st.tuples(few_lines, few_lines), max_size=60), st.integers(0, 5))
def test_nothing_that_comes_twice_is_held_out(pairs: list[tuple[str, str]], seed: int) -> None:
    split_of = draw(pairs, SIZES, seed)
    for row in split_of:
        for side in (0, 1):
            line = folded(pairs[row][side])
            assert line
            assert [folded(pair[side]) for pair in pairs].count(line) == 1


def test_as_many_are_drawn_as_are_asked_for_by_seed() -> None:
    pairs = [(f"source {k}", f"target {k}") for k in range(100)]
    split_of = draw(iter(pairs), SIZES, 1)
    assert sorted(split_of.values()) == ["dev"] * 2 + ["test"] * 3
    assert split_of == draw(pairs, SIZES, 1)
    assert split_of != draw(pairs, SIZES, 2)


def test_a_small_text_keeps_most_of_its_pairs() -> None:
    pairs = [(f"source {k}", f"target {k}") for k in range(20)]
    assert sorted(draw(pairs, {"dev": 50, "test": 50}, 1).values()) == ["dev"] * 2 + ["test"] * 2
    assert draw([], SIZES, 1) == {}
