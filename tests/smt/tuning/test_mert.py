from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from mtkit.smt.tuning.bleu import COLUMNS, WER_WEIGHT
from mtkit.smt.tuning.envelope import NARROW, search_line
from mtkit.smt.tuning.lists import Lists, corpus_merit
from mtkit.smt.tuning.mert import mert
from tests.support.lists import OPTIMUM, chosen_merit, planted, ragged

START = np.array([-1.0, 0.3, 0.2, 0.7])


def bends(nbest: Lists, a: np.ndarray, b: np.ndarray) -> list[float]:
    """Return where any two lines of a sentence cross, in order."""
    return sorted(
        {
            (a[g] - a[h]) / (b[h] - b[g])
            for first, end in zip(nbest.begin[:-1], nbest.begin[1:], strict=True)
            for g in range(first, end)
            for h in range(g)
            if b[h] != b[g]
        }
    )


@pytest.mark.parametrize("integers", [True, False])
@pytest.mark.parametrize("seed", range(15))
def test_the_line_search_finds_the_best_point(seed: int, integers: bool) -> None:
    nbest = ragged(seed, longest=12)
    rng = np.random.default_rng(seed)
    a, b = nbest.features[:, 0].astype(float), nbest.features[:, 1].astype(float)
    if not integers:
        a, b = rng.normal(size=len(a)), rng.normal(size=len(a))
    gamma, value = search_line(nbest, a, b)
    assert value == pytest.approx(chosen_merit(nbest, a + gamma * b))
    at = [-1e3, *bends(nbest, a, b), 1e3]
    middles = [(x + y) / 2 for x, y in pairwise(at) if y - x > NARROW]
    values = [chosen_merit(nbest, a + g * b) for g in middles]
    assert value == pytest.approx(max(values))
    grid = np.linspace(-5, 5, 400) + 1e-4
    assert value >= max(chosen_merit(nbest, a + g * b) for g in grid) - 1e-9


def test_a_line_search_without_effect_returns_0() -> None:
    nbest = ragged(3)
    a = nbest.features[:, 0].astype(float)
    gamma, value = search_line(nbest, a, np.ones(len(a)))
    assert gamma == 0
    assert value == pytest.approx(chosen_merit(nbest, a))


@pytest.mark.parametrize("best", [0, 1])
def test_optimum_at_open_end(best: int) -> None:
    """Two hypotheses: the first has the higher score below γ = 5, the second above."""
    good, bad = [4, 3, 2, 1, 4, 3, 2, 1, 4, 0], [1, 0, 0, 0, 4, 3, 2, 1, 4, 3]
    counts = np.array([good, bad] if best == 0 else [bad, good], np.int32)
    nbest = Lists(np.array([0, 2]), np.zeros((2, 1), np.float32), counts)
    gamma, value = search_line(nbest, np.array([5.0, 0.0]), np.array([0.0, 1.0]))
    assert (gamma, value) == (4.0 if best == 0 else 6.0, pytest.approx(100 * (1 - WER_WEIGHT)))


def test_the_planted_optimum_is_found() -> None:
    nbest = planted()
    weights, value = mert(nbest, START, restarts=3)
    assert corpus_merit(nbest, START) < 0 < 86 < value <= corpus_merit(nbest, OPTIMUM) + 1e-9
    assert value == pytest.approx(chosen_merit(nbest, nbest.features @ weights))
    assert np.abs(weights).sum() == pytest.approx(np.abs(START).sum())
    ratio = weights[:3] / OPTIMUM[:3]
    assert ratio.min() > 0.8 * ratio.max() > 0


def test_unseen_lists_gain_too() -> None:
    weights, _ = mert(planted(seed=1), START, restarts=3)
    assert corpus_merit(planted(seed=2), weights) > 80


@pytest.mark.parametrize("seed", range(10))
def test_merit_never_falls_with_more_restarts(seed: int) -> None:
    nbest = ragged(seed)
    start = np.random.default_rng(seed).normal(size=3)
    values = [corpus_merit(nbest, start)]
    for restarts in (0, 2, 6):
        weights, value = mert(nbest, start, restarts=restarts)
        assert value == corpus_merit(nbest, weights)
        values.append(value)
    assert values == sorted(values)


def test_restarts_leave_a_local_optimum() -> None:
    nbest = ragged(5, longest=60)
    values = [mert(nbest, np.ones(3), restarts=n)[1] for n in (0, 10)]
    assert corpus_merit(nbest, np.ones(3)) < values[0] < values[1]


def test_restarts_vary_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []

    def climb(nbest: Lists, columns: np.ndarray, start: np.ndarray, *_: object) -> np.ndarray:
        starts.append(start.tolist())
        return start

    monkeypatch.setattr("mtkit.smt.tuning.mert._climb", climb)
    mert(planted(), START, free=np.array([True, True, False, True]), restarts=5)
    assert starts[0] == START.tolist()
    assert [len({s[k] for s in starts}) for k in range(4)] == [6, 6, 1, 1]  # fixed, constant


def test_weights_may_start_at_0() -> None:
    weights, value = mert(planted(), np.zeros(4), restarts=0)
    assert value > 85
    assert np.abs(weights).sum() == pytest.approx(1)
    no_choice = planted(N=1)
    assert mert(no_choice, np.zeros(4))[0].tolist() == [0, 0, 0, 0]


def test_the_seed_matters_and_threads_do_not() -> None:
    nbest = planted()
    first, again = (mert(nbest, START, restarts=2, seed=3, threads=n)[0] for n in (1, 4))
    other, _ = mert(nbest, START, restarts=2, seed=4)
    assert first.tolist() == again.tolist() != other.tolist()


def test_fixed_weights_stay() -> None:
    start = START.copy()
    weights, value = mert(planted(), start, free=np.array([True, False, True, True]))
    assert weights[1] == START[1]
    assert weights[0] != START[0]
    assert value > corpus_merit(planted(), START)
    assert start.tolist() == START.tolist()
    assert mert(planted(), START, free=np.zeros(4, bool))[0].tolist() == START.tolist()


def test_a_constant_feature_keeps_weight_0() -> None:
    weights, _ = mert(planted(), np.array([-1.0, 0.3, 0.2, 0.0]))
    assert weights[3] == 0


@pytest.mark.parametrize("sizes", [[0, 0], [1, 1], [0, 1], []])
def test_lists_without_a_choice(sizes: list[int]) -> None:
    n = sum(sizes)
    begin = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    nbest = Lists(begin, np.ones((n, 4), np.float32), np.ones((n, COLUMNS), np.int32))
    weights, value = mert(nbest, START)
    assert weights.tolist() == START.tolist()
    assert value == (corpus_merit(nbest, START) if n else 0)
