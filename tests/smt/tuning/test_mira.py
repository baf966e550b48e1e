from __future__ import annotations

import numpy as np
import pytest

from mtkit.smt.tuning.bleu import COLUMNS, WER_WEIGHT
from mtkit.smt.tuning.lists import Lists, corpus_merit
from mtkit.smt.tuning.mira import mira
from tests.support.lists import OPTIMUM, chosen_merit, planted, ragged, sacre_bleu

START = np.array([-1.0, 0.3, 0.2, 0.7])


def slow_mira(
    nbest: Lists,
    weights: np.ndarray,
    free: np.ndarray,
    orders: list[np.ndarray],
    C: float,
    decay: float,
) -> list[np.ndarray]:
    """Return the mean weights after each epoch, in plain Python."""
    w, seen, means = weights.copy(), [], []
    background = np.array([4, 3, 2, 1, 4, 3, 2, 1, 4, 0], float)
    for order in orders:
        for s in order:
            hypotheses = range(nbest.begin[s], nbest.begin[s + 1])
            if hypotheses:
                x = {h: nbest.features[h].astype(float) for h in hypotheses}
                with_h = {h: background + nbest.statistics[h] for h in hypotheses}
                B = {
                    h: (1 - WER_WEIGHT) * smooth_bleu(y) / 100 * y[8]
                    - WER_WEIGHT * nbest.statistics[h][9]
                    for h, y in with_h.items()
                }
                hope = max(hypotheses, key=lambda h: w @ x[h] + B[h])
                fear = max(hypotheses, key=lambda h: w @ x[h] - B[h])
                delta = x[hope] - x[fear]
                loss = B[hope] - B[fear] - w @ delta
                delta = delta * free
                if loss > 0 and delta @ delta > 0:
                    w = w + min(C, loss / (delta @ delta)) * delta
                background = decay * with_h[hope]
            seen.append(w)
        means.append(np.mean(seen, axis=0))
    return means


def smooth_bleu(total: np.ndarray) -> float:
    """Return BLEU without smoothing: the background matches in every order."""
    precision = np.prod(total[:4] / total[4:8]) ** 0.25
    return 100 * precision * min(1.0, np.exp(1 - total[8] / total[4]))


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize("free", [[True] * 3, [True, False, True]])
@pytest.mark.parametrize("seed", range(8))
def test_mira_equals_plain_python(seed: int, free: list[bool], C: float) -> None:
    rng = np.random.default_rng(seed)
    nbest = ragged(seed, longest=20)
    nbest = nbest._replace(features=rng.normal(size=nbest.features.shape).astype(np.float32))
    start = rng.normal(size=3)
    draws = np.random.default_rng(seed)
    orders = [draws.permutation(len(nbest.begin) - 1) for _ in range(5)]
    candidates = [start, *slow_mira(nbest, start, np.array(free), orders, C, 0.9)]
    values = [chosen_merit(nbest, nbest.features @ w) for w in candidates]
    weights, value = mira(nbest, start, np.array(free), epochs=5, C=C, decay=0.9, seed=seed)
    assert value == pytest.approx(max(values))
    assert weights == pytest.approx(candidates[int(np.argmax(values))])


def test_the_helper_equals_sacrebleu() -> None:
    assert smooth_bleu(np.array([4, 3, 2, 1, 4, 3, 2, 1, 4])) == pytest.approx(
        sacre_bleu(np.array([4, 3, 2, 1, 4, 3, 2, 1, 4]))
    )


def test_the_planted_optimum_is_found() -> None:
    nbest = planted()
    weights, value = mira(nbest, START, C=0.01)
    assert corpus_merit(nbest, START) < 0 < 75 < value <= corpus_merit(nbest, OPTIMUM) + 1e-9
    assert value == pytest.approx(chosen_merit(nbest, nbest.features @ weights))
    assert corpus_merit(planted(seed=2), weights) > 70


@pytest.mark.parametrize("seed", range(10))
def test_merit_never_falls(seed: int) -> None:
    nbest = ragged(seed)
    start = np.random.default_rng(seed).normal(size=3)
    weights, value = mira(nbest, start, epochs=5)
    assert value == corpus_merit(nbest, weights) >= corpus_merit(nbest, start)


def test_the_seed_matters() -> None:
    nbest = planted(S=10)
    first, again, other = (mira(nbest, START, seed=n)[0].tolist() for n in (3, 3, 4))
    assert first == again != other


def test_fixed_weights_stay() -> None:
    start = START.copy()
    weights, value = mira(planted(), start, free=np.array([True, False, True, True]), C=0.01)
    assert weights[1] == START[1]
    assert weights[0] != START[0]
    assert value > corpus_merit(planted(), START)
    assert start.tolist() == START.tolist()


@pytest.mark.parametrize("sizes", [[0, 0], [1, 1], [0, 1], []])
def test_lists_without_a_choice(sizes: list[int]) -> None:
    n = sum(sizes)
    begin = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    nbest = Lists(begin, np.ones((n, 4), np.float32), np.ones((n, COLUMNS), np.int32))
    weights, value = mira(nbest, START)
    assert weights == pytest.approx(START)
    assert value == (corpus_merit(nbest, START) if n else 0)
