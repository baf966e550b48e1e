"""Subwords of text on disk, against the library's BPE and the definition of BPE-dropout."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtkit.nmt.data import lengths
from mtkit.nmt.training.segmented import _state, _uniform
from mtkit.text.subwords import END_OF_WORD, Subwords
from mtkit.text.vocabulary import SPECIALS, UNK
from tests.support.segmented import text_of

TEXT = [["mann", "manna", "banane", "nana"], ["anna", "man", "bann", "am"]] * 5
WORDS = st.lists(st.text("abmn", min_size=1, max_size=9), max_size=6)
Pieces = tuple[str, ...]


@pytest.fixture(scope="module")
def subwords() -> Subwords:
    return Subwords.train(TEXT, 30)


def probabilities(word: Pieces, ranks: dict[tuple[str, str], int], p: float) -> Counter[Pieces]:
    """Return the probability of each segmentation of ``word``: any merge may be dropped."""
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
    text = text_of(subwords, sentences)
    assert list(text) == [e.ids for e in subwords.encode(sentences)]
    assert list(text.sampled(0.0, 5)) == list(text)


@pytest.mark.parametrize("p", [0.0, 0.3])
def test_merges_do_not_spell_special_symbols(p: float) -> None:
    """Training on the id of ``</s>`` would end translations there."""
    sentences = [["<s>old</s>,", "a<pad>b"]] * 20
    subwords = Subwords.train(sentences, 60)
    assert any(piece < len(SPECIALS) for _, _, piece in subwords.merges())
    ids = {i for of in text_of(subwords, sentences).sampled(p, 1) for i in of}
    assert {i for i in ids if i < len(SPECIALS)} <= {UNK}


def test_a_very_long_sentence_is_not_segmented_to_be_measured(subwords: Subwords) -> None:
    sentences = [["man" * 10_000], ["man"]]
    text = text_of(subwords, sentences)
    assert text.lengths.tolist() == [30_000, len(subwords.encode([["man"]])[0].ids)]


@pytest.mark.parametrize("p", [0.1, 0.4])
@pytest.mark.parametrize("word", ["mann", "banane"])
def test_segmentations_have_their_probability(subwords: Subwords, word: str, p: float) -> None:
    n = 40_000
    ranks = {
        (subwords.pieces[a], subwords.pieces[b]): rank
        for rank, (a, b, _) in enumerate(subwords.merges())
    }
    expected = probabilities((*word[:-1], word[-1] + END_OF_WORD), ranks, p)
    assert len(expected) > 3
    found = Counter(
        tuple(subwords.pieces[i] for i in ids)
        for ids in text_of(subwords, [[word]] * n).sampled(p, 1)
    )
    assert set(found) <= set(expected)
    for pieces, q in expected.items():
        assert found[pieces] / n == pytest.approx(q, abs=5 * (q * (1 - q) / n) ** 0.5 + 1e-9)


def test_if_all_is_dropped_only_letters_are_left(subwords: Subwords) -> None:
    [ids] = text_of(subwords, [["mann", "☃a"]]).sampled(1.0, 1)
    assert [subwords.pieces[i] for i in ids if i != UNK] == ["m", "a", "n", "n</w>", "a</w>"]
    assert ids[4] == UNK


def test_cuts_depend_on_seed_and_place(subwords: Subwords) -> None:
    text = text_of(subwords, TEXT * 20)
    first, again, other = (list(text.sampled(0.3, seed)) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert [subwords.decode(ids) for ids in other] == TEXT * 20
    assert len({tuple(ids) for ids in first}) > len(TEXT)  # equal sentences are cut differently
    rows = np.array([7, 3, 12])
    assert list(text.select(rows).sampled(0.3, 7)) == [first[r] for r in rows]


@pytest.mark.parametrize("p", [0.0, 0.3])
def test_lengths_are_known_in_advance(subwords: Subwords, p: float) -> None:
    text = text_of(subwords, [*TEXT, []]).sampled(p, 3)
    assert text.lengths.tolist() == [len(ids) for ids in text]
    assert lengths(text) is text.lengths


def test_there_may_be_no_merge_and_no_sentence() -> None:
    letters, sentences = Subwords.train([["a", "b"]], 6), [["a"], [], ["b"]]
    assert letters.merges() == []
    assert list(text_of(letters, sentences)) == [e.ids for e in letters.encode(sentences)]
    assert list(text_of(letters, [])) == []


def test_special_symbols_in_text_are_unknown(subwords: Subwords) -> None:
    assert text_of(subwords, [["</s>"]])[0] == [UNK]


def test_draws_are_uniform() -> None:
    """Within a sentence, across sentences, and from one draw to the next."""
    states = [_state(3, place) for place in range(100)]
    draws = np.array([[_uniform(state) for _ in range(100)] for state in states])
    for a, b in ((draws, draws.T), (draws[:-1], draws[1:]), (draws[:, :-1], draws[:, 1:])):
        counts = np.histogram2d(a.ravel(), b.ravel(), 10, [[0, 1], [0, 1]])[0]
        assert counts.sum() == a.size
        assert np.abs(counts - a.size / 100).max() < 6 * (a.size / 100) ** 0.5
