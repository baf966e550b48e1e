"""Batch MIRA on n-best lists (Cherry & Foster 2012, Algorithm 1).

For each list, with the score λ·x_h and the merit B_h of one sentence, in units of words (below):

    hope   e⁺ = argmax_h  λ·x_h + B_h               fear   e⁻ = argmax_h  λ·x_h − B_h
    Δ = x_{e⁺} − x_{e⁻},    loss = B_{e⁺} − B_{e⁻} − λ·Δ  ≥ 0, by the choice of e⁺ and e⁻
    λ ← λ + η Δ,            η = min(C, loss/|Δ|²)

The weights of an epoch are the mean of λ over all lists seen so far, each after its update. The
result is the mean with the highest merit of all epochs. BLEU of a single sentence is mostly 0.
Therefore a *background* O of statistics is added (Chiang et al. 2008): the hopes so far, with
exponential decay,

    B_h = (1 − w) BLEU(O + statistics_h)/100 · (r_O + r_h) − w edits_h
    O   ← decay · (O + statistics_{e⁺})

r: reference length; w: as in ``merit``. O begins as one perfect sentence of four words.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mtkit.smt.flat import Bool, Float64, Int64
from mtkit.smt.kernels import inner, kernel
from mtkit.smt.tuning.bleu import COLUMNS, ORDER, WER_WEIGHT, bleu
from mtkit.smt.tuning.lists import ALL_WEIGHTS, Lists, corpus_merit

PERFECT = np.array([4, 3, 2, 1, 4, 3, 2, 1, 4, 0], float)


def mira(
    nbest: Lists, weights: Float64, free: Bool = ALL_WEIGHTS, epochs: int = 60, C: float = 3e-4,
    decay: float = 0.999, seed: int = 1,
) -> tuple[Float64, float]:  # fmt: skip
    """Return the best weights (F,) and their merit on these lists, at least that of ``weights``.

    free: bool (F,), False for weights that stay as they are. C: largest step η; a small one
    overfits less. The scale of the weights is not normalised: it matters, since one unit of score
    is compared with one word of B_h.
    """
    rng, moves = np.random.default_rng(seed), free.astype(float)
    point, total, background = weights.astype(float), np.zeros(len(weights)), PERFECT.copy()
    means, n_lists = [weights.astype(float)], len(nbest.begin) - 1
    with ThreadPoolExecutor(1) as beside:  # merits are computed while the next epoch runs
        merits = [beside.submit(corpus_merit, nbest, means[0])]
        for epoch in range(1, epochs + 1 if n_lists else 1):
            _epoch(nbest, rng.permutation(n_lists), point, total, background, moves, C, decay)
            means.append(np.where(moves > 0, total / (epoch * n_lists), weights))
            merits.append(beside.submit(corpus_merit, nbest, means[-1]))
    best = max(range(len(means)), key=lambda k: merits[k].result())  # the first of equals
    return means[best], merits[best].result()


# --- kernels


@kernel
def _epoch(
    nbest: Lists, order: Int64, weights: Float64, total: Float64, background: Float64,
    moves: Float64, C: float, decay: float,
) -> None:  # fmt: skip
    """Pass over the lists once; update weights, their running total, and background in place."""
    for s in order:
        if nbest.begin[s] < nbest.begin[s + 1]:
            hope, fear, gain = _hope_and_fear(nbest, s, weights, background)
            delta = (nbest.features[hope] - nbest.features[fear]).astype(np.float64)
            loss = gain - (weights * delta).sum()
            delta *= moves
            length = (delta * delta).sum()
            if length > 0:
                weights += min(C, loss / length) * delta
            background += nbest.statistics[hope]
            background *= decay
        total += weights


@inner
def _hope_and_fear(
    nbest: Lists, s: int, weights: Float64, background: Float64
) -> tuple[int, int, float]:
    """Return e⁺, e⁻ and B_{e⁺} − B_{e⁻}."""
    hope = fear = -1
    best_hope = best_fear = -np.inf
    hope_merit = fear_merit = 0.0
    pooled = np.empty(COLUMNS)
    for h in range(nbest.begin[s], nbest.begin[s + 1]):
        score = 0.0
        for k in range(len(weights)):
            score += weights[k] * nbest.features[h, k]
        for k in range(COLUMNS):
            pooled[k] = background[k] + nbest.statistics[h, k]
        B = (1 - WER_WEIGHT) * bleu(pooled) / 100 * pooled[2 * ORDER]
        B -= WER_WEIGHT * nbest.statistics[h, 2 * ORDER + 1]
        if score + B > best_hope:
            hope, best_hope, hope_merit = h, score + B, B
        if score - B > best_fear:
            fear, best_fear, fear_merit = h, score - B, B
    return hope, fear, hope_merit - fear_merit
