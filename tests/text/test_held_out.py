from __future__ import annotations

from itertools import islice, product

from hypothesis import given
from hypothesis import strategies as st

from mtkit.text.held_out import draw

SIZES = {"dev": 2, "test": 3}
few_lines = st.sampled_from(["a", "A ", "b", "c", "d", "  ", "e  f", "E f", "g"])


def folded(line: str) -> str:
    """Return the line without case and blanks, as ``near_keys`` does for letters."""
    return "".join(line.lower().split())


def words(n: int) -> list[str]:
    return ["".join(letters) for letters in islice(product("abcdefghij", repeat=2), n)]


def test_near_duplicates_are_not_held_out() -> None:
    alike = [("Page 1.", "Seite 1."), ("page 27", "Seite 27"), ("Stop!", "Halt"), ("stop", "halt!")]
    pairs = [*alike, *((f"source {word}", f"target {word}") for word in words(20))]
    assert min(draw(pairs, SIZES, 1)) >= len(alike)


@given(st.lists(st.tuples(few_lines, few_lines), max_size=60), st.integers(0, 5))
def test_repeated_lines_are_not_held_out(pairs: list[tuple[str, str]], seed: int) -> None:
    split_of = draw(pairs, SIZES, seed)
    for row in split_of:
        for side in (0, 1):
            line = folded(pairs[row][side])
            assert line
            assert [folded(pair[side]) for pair in pairs].count(line) == 1


def test_sizes_and_seed_determine_the_draw() -> None:
    pairs = [(f"source {word}", f"target {word}") for word in words(100)]
    split_of = draw(iter(pairs), SIZES, 1)
    assert sorted(split_of.values()) == ["dev"] * 2 + ["test"] * 3
    assert split_of == draw(pairs, SIZES, 1)
    assert split_of != draw(pairs, SIZES, 2)


def test_a_small_text_keeps_most_of_its_pairs() -> None:
    pairs = [(f"source {word}", f"target {word}") for word in words(20)]
    assert sorted(draw(pairs, {"dev": 50, "test": 50}, 1).values()) == ["dev"] * 2 + ["test"] * 2
    assert draw([], SIZES, 1) == {}
