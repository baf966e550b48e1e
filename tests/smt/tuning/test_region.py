from __future__ import annotations

import numpy as np
import pytest

from mtkit.smt.tuning.lists import Lists
from mtkit.smt.tuning.region import SHORTER, SHORTEST, reach, step
from tests.support.lists import ragged


def chosen(nbest: Lists, weights: np.ndarray) -> list[int]:
    """Return the best hypothesis of each sentence that has any."""
    score = nbest.features @ weights
    ends = zip(nbest.begin[:-1], nbest.begin[1:], strict=True)
    return [max(range(i, j), key=lambda h: score[h]) for i, j in ends if i < j]


@pytest.mark.parametrize("seed", range(8))
def test_the_step_is_the_longest_with_allowed_loss(seed: int) -> None:
    nbest, rng = ragged(seed, 30), np.random.default_rng(seed)
    weights, optimum = rng.normal(size=(2, 3))
    score = nbest.features @ weights

    def loss(share: float) -> float:
        moved = chosen(nbest, weights + share * (optimum - weights))
        return sum(score[chosen(nbest, weights)]) - sum(score[moved])

    whole = loss(1.0)
    for allowed in (1.01 * whole, 0.6 * whole, 0.2 * whole):
        share = step(nbest, weights, optimum, allowed)
        assert loss(share) <= allowed + 1e-9 or share <= SHORTEST
        assert share == 1 or loss(share / SHORTER) > allowed - 1e-9
    assert step(nbest, weights, optimum, whole + 1) == 1
    assert step(nbest, weights, weights, 0.0) == 1


def test_the_reach_sums_best_minus_worst_of_each_list() -> None:
    nbest, weights = ragged(3, 20), np.array([0.5, -1.0, 2.0])
    score = nbest.features @ weights
    ends = [(i, j) for i, j in zip(nbest.begin[:-1], nbest.begin[1:], strict=True) if i < j]
    expected = sum(score[i:j].max() - score[i:j].min() for i, j in ends)
    assert reach(nbest, weights) == pytest.approx(expected)
    empty = Lists(np.zeros(3, np.int64), nbest.features[:0], nbest.statistics[:0])
    assert reach(empty, weights) == 0
