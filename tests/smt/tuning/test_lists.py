from __future__ import annotations

import numpy as np
import pytest

from mtkit.smt.tuning.lists import Lists, corpus_merit, merge
from tests.support.lists import chosen_merit, ragged

Row = tuple[float, ...]


def rows(nbest: Lists) -> list[list[Row]]:
    """Return the hypotheses of each sentence."""
    every = [
        (*x, *c) for x, c in zip(nbest.features.tolist(), nbest.statistics.tolist(), strict=True)
    ]
    return [every[i:j] for i, j in zip(nbest.begin[:-1], nbest.begin[1:], strict=True)]


def few_features(seed: int) -> Lists:
    """Return lists with two of three features ±0, so that rows may differ in statistics only."""
    nbest = ragged(seed)
    nbest.features[:, 1:] *= 0.0
    return nbest


@pytest.mark.parametrize("seed", range(20))
def test_merged_lists_keep_order_and_drop_duplicates(seed: int) -> None:
    a, b = few_features(seed), few_features(seed + 100)
    merged = merge(a, b)
    assert rows(merged) == [
        list(dict.fromkeys([*x, *y])) for x, y in zip(rows(a), rows(b), strict=True)
    ]
    assert merged.begin.dtype == np.int64
    assert merged.features.dtype == np.float32
    assert merged.statistics.dtype == np.int32


def test_known_hypotheses_change_nothing() -> None:
    once = merge(ragged(1), ragged(2))
    again = merge(once, ragged(2))
    assert all((x == y).all() for x, y in zip(once, again, strict=True))


def test_equal_rows_of_two_sentences_are_both_kept() -> None:
    same = Lists(np.array([0, 1, 2]), np.ones((2, 1), np.float32), np.ones((2, 9), np.int32))
    assert merge(same, same).begin.tolist() == [0, 1, 2]


@pytest.mark.parametrize("seed", range(10))
def test_merit_uses_the_first_of_tied_hypotheses(seed: int) -> None:
    nbest = ragged(seed, longest=20)
    weights = np.random.default_rng(seed).integers(-2, 3, 3).astype(float)  # ties
    expected = chosen_merit(nbest, nbest.features @ weights)
    assert corpus_merit(nbest, weights) == pytest.approx(expected)
