"""Cutting lines and joining translations; test_systems tests this within systems."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtkit.system import EMPTY, Hypothesis
from mtkit.text.pieces import best_sums, by_pieces, cut, join


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("a b ￭. c d e f g", "a b ￭."),
        ("a b . c d e f g", "a b ."),
        ("a ￭; b ￭, c d e f", "a ￭;"),
        ("a . b ? c d e f g", "a . b ?"),
        ("a ￭, b ￭, c d e f", "a ￭, b ￭,"),
        ("a b c d e f g h i", "a b c d e f"),
        ("a b ￭. ￭” c d e f", "a b ￭. ￭”"),  # the quotation mark stays with its sentence
        ("a ￭.￭ b c d e f g", "a ￭.￭ b c d e"),  # a.b is not a sentence end
        ("a b c d e . ￭. f g", "a b c d e ."),  # nor the first of two dots, if not forced
        (". a b c d e f g h", "."),
        ("a b c d e ￭.", "a b c d e ￭."),
    ],
)
def test_a_piece_ends_where_a_sentence_does(text: str, first: str) -> None:
    words = text.split()
    start, end = cut(words, [1] * len(words), 6)[0]
    assert " ".join(words[start:end]) == first


@given(st.lists(st.tuples(st.sampled_from(["a", "￭.", ".", ",", "￭”"]), st.integers(1, 12))))
def test_pieces_tile_the_line_and_keep_to_the_limit(pairs: list[tuple[str, int]]) -> None:
    words, sizes = [w for w, _ in pairs], [n for _, n in pairs]
    spans = cut(words, sizes, 8)
    assert [i for a, b in spans for i in range(a, b)] == list(range(len(words)))
    assert all(sum(sizes[a:b]) <= 8 or b == a + 1 for a, b in spans)


@given(
    st.lists(st.lists(st.integers(-9, 0), min_size=1, max_size=5), min_size=1, max_size=4),
    st.integers(1, 9),
)
def test_the_best_sums_are_those_of_all_sums(rows: list[list[int]], k: int) -> None:
    ordered = [sorted(map(float, row), reverse=True) for row in rows]
    found = best_sums(ordered, k)
    every = sorted(map(sum, itertools.product(*ordered)), reverse=True)
    assert [total for total, _ in found] == every[:k]
    for total, places in found:
        assert total == sum(row[i] for row, i in zip(ordered, places, strict=True))
    assert len({tuple(places) for _, places in found}) == len(found)


def test_translations_of_pieces_are_joined() -> None:
    def translate(pieces: list[list[str]]) -> list[list[Hypothesis]]:
        return [
            [
                Hypothesis(
                    "", [*p, *extra], -len(extra) / len(p), {"n": 1}, [(0, 0)],
                    [(0, len(p), 0, len(p))], [(w, -1.0) for w in (*p, "</s>")],
                    [1] * (len(p) + 1), p[:1],
                )
                for extra in ([], ["z"])
            ]
            for p in pieces
        ]  # fmt: skip

    words = [["a", "b", "￭.", "c"], [], ["d"]]
    long, blank, short = by_pieces(words, [[(0, 3), (3, 4)], [], [(0, 1)]], translate, 3, " ".join)
    best, second, third = long
    assert (best.text, second.text, third.text) == ("a b ￭. c", "a b ￭. z c", "a b ￭. c z")
    assert (best.score, second.score, best.pieces) == (0, -1 / 3, 2)
    assert best.features == {"n": 2}
    assert second.alignment == [(0, 0), (3, 4)]
    assert second.segments == [(0, 3, 0, 3), (3, 4, 4, 5)]
    assert [text for text, _ in best.token_logprobs] == ["a", "b", "￭.", "c", "</s>"]
    assert len(best.orders) == 5
    assert best.unknown == ["a", "c"]
    assert blank == [EMPTY]
    assert [h.pieces for h in short] == [1, 1]


def test_the_first_of_each_piece_make_the_first_of_the_whole() -> None:
    """A wider beam may find a higher score, but the best does not depend on the beam."""
    piece = [Hypothesis("own", ["own"], -2.0), Hypothesis("wider", ["wider"], -1.0)]
    found = join([piece, piece], [(0, 1), (1, 2)], 3, " ".join)
    assert [h.text for h in found[:2]] == ["own own", "wider wider"]
    assert [h.score for h in found] == [-4, -2, -3]
    assert [h.text for h in join([piece, piece], [(0, 1), (1, 2)], 1, " ".join)] == ["own own"]


def test_equal_texts_of_pieces_are_merged() -> None:
    def translate(pieces: list[list[str]]) -> list[list[Hypothesis]]:
        return [[Hypothesis(t, t.split(), s) for t, s in (("a", 0.0), ("a a", -1.0))]] * len(pieces)

    [long] = by_pieces([["x", "y"]], [[(0, 1), (1, 2)]], translate, 4, " ".join)
    assert [(h.text, h.score) for h in long] == [("a a", 0.0), ("a a a", -1.0), ("a a a a", -2.0)]
