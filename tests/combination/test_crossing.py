"""New candidates from two translations that differ in places."""

from __future__ import annotations

from mtkit.combination.crossing import crossings
from mtkit.system import Hypothesis
from mtkit.text.tokenizer import WordTokenizer

NONE = WordTokenizer("none")


def of(text: str, **fields: list[tuple[int, int]]) -> Hypothesis:
    return Hypothesis(text, text.split(), -1.0, **fields)


def test_each_differing_span_is_exchanged_separately() -> None:
    new = crossings([of("für diese Konto zahlt man nichts"), of("für dieses Konto zahlt er")], NONE)
    assert sorted(y.text for y in new) == [
        "für diese Konto zahlt er",
        "für dieses Konto zahlt man nichts",
    ]
    assert all(y.score == 0 and not y.places for y in new)


def test_equal_or_fully_different_parents_add_nothing() -> None:
    assert crossings([of("a b"), of("a b")], NONE) == []
    assert crossings([of("a b"), of("c d")], NONE) == []
    assert crossings([of("a"), of("")], NONE) == []


def test_three_parents_make_each_child_once() -> None:
    new = [y.text for y in crossings([of("a x b"), of("c x b"), of("a x d")], NONE)]
    assert sorted(new) == ["c x d"]


def test_links_follow_the_words() -> None:
    y = of("x q b c", alignment=[(9, 0), (1, 1), (4, 2), (2, 3)])
    z = of("a q d e c", alignment=[(0, 0), (1, 1), (5, 2), (6, 3), (2, 4)])
    by_text = {child.text: child for child in crossings([y, z], NONE)}
    assert by_text["x q d e c"].alignment == [(1, 1), (2, 4), (5, 2), (6, 3), (9, 0)]
    assert by_text["a q b c"].alignment == [(0, 0), (1, 1), (2, 3), (4, 2)]


def test_numbers_are_neither_lost_nor_doubled() -> None:
    y, z = of("im Jahr 1999 kam er"), of("er kam im Jahr 1999")
    for child in crossings([y, z], NONE):
        assert child.tokens.count("1999") == 1
    assert crossings([of("a 5 b"), of("a b")], NONE) == []


def test_children_are_detokenized() -> None:
    tokenizer = WordTokenizer()
    texts = ["Er geht heute, ja.", "Er lief heute, nein."]
    parents = [Hypothesis(t, tokenizer.tokenize(t), 0.0) for t in texts]
    children = {y.text for y in crossings(parents, tokenizer)}
    assert children == {"Er geht heute, nein.", "Er lief heute, ja."}
