"""n-best lists with a known optimum, and the merit of a selection by sacreBLEU's BLEU."""

from __future__ import annotations

import numpy as np
from sacrebleu.metrics.bleu import BLEU

from mtkit.smt.flat import Flat
from mtkit.smt.tuning.bleu import WER_WEIGHT, statistics
from mtkit.smt.tuning.lists import Lists

OPTIMUM = np.array([2.0, -1.0, 2.0, 0.0])


def planted(S: int = 40, N: int = 30, seed: int = 1) -> Lists:
    """Return lists in which a higher OPTIMUM·x means fewer wrong words; the best has none.

    The last feature is constant except for rounding.
    """
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(S, N, len(OPTIMUM))) * [1.0, 3.0, 0.5, 0.0]
    features[..., 3] = np.where(rng.random((S, N)) < 0.5, np.float32(0.1), 0.1 + 1e-8)
    rank = np.argsort(np.argsort(-(features @ OPTIMUM), axis=1), axis=1)
    reference = list(range(1, 13))
    wrong = [list(rng.permutation(12)[: min(r, 12)]) for r in rank.flat]
    hypotheses = [[0 if i in w else word for i, word in enumerate(reference)] for w in wrong]
    begin = np.arange(S + 1) * N
    counts = statistics(Flat.of(hypotheses), Flat.of([reference] * S), begin)
    return Lists(begin, features.reshape(S * N, -1).astype(np.float32), counts)


def ragged(seed: int, longest: int = 6) -> Lists:
    """Return small lists, some empty, with integer features that tie and meet in one point."""
    rng = np.random.default_rng(seed)
    sizes = np.array([0, 1, *rng.integers(2, longest, 4), 0, 3])
    n = sizes.sum()
    hypotheses = [list(rng.integers(0, 3, rng.integers(0, 9))) for _ in range(n)]
    references = [list(rng.integers(0, 3, rng.integers(4, 9))) for _ in sizes]
    begin = np.concatenate([[0], np.cumsum(sizes)])
    features = rng.integers(-2, 3, (n, 3)).astype(np.float32)
    return Lists(begin, features, statistics(Flat.of(hypotheses), Flat.of(references), begin))


def sacre_bleu(total: np.ndarray) -> float:
    matches, totals, r = total[:4].tolist(), total[4:8].tolist(), int(total[8])
    return BLEU.compute_bleu(matches, totals, totals[0], r, smooth_method="exp").score


def chosen_merit(nbest: Lists, scores: np.ndarray) -> float:
    """Return the merit of the best hypotheses by ``scores``, added one by one."""
    total = np.zeros(nbest.statistics.shape[1], int)
    for first, end in zip(nbest.begin[:-1], nbest.begin[1:], strict=True):
        if first < end:
            total += nbest.statistics[max(range(first, end), key=lambda h: scores[h])]
    wer = 100 * total[9] / max(1, total[8])
    return (1 - WER_WEIGHT) * sacre_bleu(total) - WER_WEIGHT * wer
