from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from nltk.metrics.distance import edit_distance
from sacrebleu.metrics.bleu import BLEU

from mtkit.smt.flat import Flat
from mtkit.smt.tuning.bleu import WER_WEIGHT, bleu, merit, statistics
from tests.support.lists import sacre_bleu


def random_sentences(n: int, longest: int, rng: random.Random) -> list[list[int]]:
    """Return sentences of three words, so that n-grams repeat; some are empty."""
    return [rng.choices([1, 2, 3], k=rng.randint(0, longest)) for _ in range(n)]


def text(sentences: list[list[int]]) -> list[str]:
    return [" ".join(map(str, s)) for s in sentences]


@pytest.mark.parametrize("longest", [1, 3, 4, 12, 40])
def test_bleu_equals_sacrebleu(longest: int) -> None:
    rng = random.Random(longest)
    scorer = BLEU(tokenize="none", force=True)
    for _ in range(20):
        n = rng.randint(1, 8)
        y, r = random_sentences(n, longest, rng), random_sentences(n, longest, rng)
        rows = statistics(Flat.of(y), Flat.of(r), np.arange(n + 1))
        expected = scorer.corpus_score(text(y), [text(r)])
        edits = sum(edit_distance(a, b) for a, b in zip(y, r, strict=True))
        assert rows.sum(0).tolist() == [
            *expected.counts, *expected.totals, expected.ref_len, edits,
        ]  # fmt: skip
        wer = 100 * edits / max(1, expected.ref_len)
        assert merit(rows.sum(0)) == pytest.approx(
            (1 - WER_WEIGHT) * expected.score - WER_WEIGHT * wer
        )
        assert bleu(rows.sum(0)) == pytest.approx(expected.score)


def test_statistics_are_clipped_counts_against_the_own_reference() -> None:
    rng = random.Random(7)
    y, r = random_sentences(30, 15, rng), random_sentences(3, 15, rng)
    begin = np.array([0, 12, 12, 30])
    rows = statistics(Flat.of(y), Flat.of(r), begin)
    assert rows.dtype == np.int32
    for h, row in enumerate(rows):
        reference = r[0] if h < 12 else r[2]
        for n in range(1, 5):
            ours, theirs = (
                Counter(tuple(s[i : i + n]) for i in range(len(s) - n + 1))
                for s in (y[h], reference)
            )
            assert row[n - 1] == (ours & theirs).total()
            assert row[3 + n] == ours.total()
        assert row[8] == len(reference)
        assert row[9] == edit_distance(y[h], reference)


@pytest.mark.parametrize(
    "total",
    [
        [0, 0, 0, 0, 0, 0, 0, 0, 5],  # empty output
        [0, 0, 0, 0, 9, 8, 7, 6, 5],  # nothing matches
        [3, 2, 1, 0, 3, 2, 1, 0, 3],  # too short for a 4-gram
        [5, 0, 0, 0, 9, 8, 7, 6, 9],  # each order without a match is smoothed
        [5, 2, 0, 1, 9, 8, 7, 6, 30],
        [9, 8, 7, 6, 9, 8, 7, 6, 2],  # longer than the reference
    ],
)
def test_bleu_of_edge_cases(total: list[int]) -> None:
    for kind in (int, float):
        assert bleu(np.array(total, kind)) == pytest.approx(sacre_bleu(np.array(total)))
