"""BPE-dropout beside the library's BPE and beside its definition, followed through every branch."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtkit.nmt.training.bpe_dropout import Segmenter
from mtkit.text.subwords import END_OF_WORD, Subwords
from mtkit.text.vocabulary import UNK

TEXT = [["mann", "manna", "banane", "nana"], ["anna", "man", "bann", "am"]] * 5
WORDS = st.lists(st.text("abmn", min_size=1, max_size=9), max_size=6)
Pieces = tuple[str, ...]


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords.train(TEXT, 30)


def probabilities(word: Pieces, ranks: dict[tuple[str, str], int], p: float) -> Counter[Pieces]:
    """What becomes of ``word``, with what probability: every merge passed over or not."""
    found: Counter[Pieces] = Counter()
    left = 1.0
    pairs = list(pairwise(word))
    for _, at in sorted((ranks[pair], i) for i, pair in enumerate(pairs) if pair in ranks):
        merged = (*word[:at], word[at] + word[at + 1], *word[at + 2 :])
        for result, q in probabilities(merged, ranks, p).items():
            found[result] += left * (1 - p) * q
        left *= p
    found[word] += left
    return found


@given(st.lists(WORDS, max_size=4))
@settings(max_examples=200, deadline=None)
def test_without_dropout_it_is_the_librarys_bpe(
    subwords: Subwords, sentences: list[list[str]]
) -> None:
    found = Segmenter(subwords, sentences).sample(0.0, 1)
    assert found == [e.ids for e in subwords.encode(sentences)]


@pytest.mark.parametrize("p", [0.1, 0.4])
@pytest.mark.parametrize("word", ["mann", "banane"])
def test_segmentations_come_as_often_as_they_should(
    subwords: Subwords, word: str, p: float
) -> None:
    n = 40_000
    ranks = {
        (subwords.pieces[a], subwords.pieces[b]): rank
        for rank, (a, b, _) in enumerate(subwords.merges())
    }
    expected = probabilities((*word[:-1], word[-1] + END_OF_WORD), ranks, p)
    assert len(expected) > 3
    found = Counter(
        tuple(subwords.pieces[i] for i in ids)
        for ids in Segmenter(subwords, [[word]] * n).sample(p, 1)
    )
    assert set(found) <= set(expected)
    for pieces, q in expected.items():
        assert found[pieces] / n == pytest.approx(q, abs=5 * (q * (1 - q) / n) ** 0.5 + 1e-9)


def test_if_all_is_dropped_only_letters_are_left(subwords: Subwords) -> None:
    [ids] = Segmenter(subwords, [["mann", "☃a"]]).sample(1.0, 1)
    assert [subwords.pieces[i] for i in ids if i != UNK] == ["m", "a", "n", "n</w>", "a</w>"]
    assert ids[4] == UNK


def test_the_seed_decides(subwords: Subwords) -> None:
    segmenter = Segmenter(subwords, TEXT * 20)
    first, again, other = (segmenter.sample(0.3, seed) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert [subwords.decode(ids) for ids in other] == TEXT * 20


def test_there_may_be_no_merge_and_no_sentence() -> None:
    letters = Subwords.train([["a", "b"]], 6)
    assert letters.merges() == []
    assert Segmenter(letters, [["a"], [], ["b"]]).sample(0.1, 1) == [
        e.ids for e in letters.encode([["a"], [], ["b"]])
    ]
    assert Segmenter(letters, []).sample(0.1, 1) == []
