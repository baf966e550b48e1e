"""Minimum error rate training (Och 2003): find the weights with the highest merit on n-best lists.

    λ̂ = argmax_λ merit( Σ_s statistics of argmax_h λ·x_h )                h in the list of s

has no gradient, but on a line λ + γd the best point can be computed exactly (``envelope``). The
directions d are each weight by itself, then as many random ones (Cer et al. 2008); rounds of them
are repeated until one gains less than ``GAIN``. This ends in a local optimum, so it is done from
the given weights and from random points around them.

Features differ in scale. So the unit of λ_k is u_k = m/σ_k, where σ_k is the standard deviation of
x_k within a list and m the mean of |λ_k|σ_k. A step γ = 1 then moves every feature by a typical
amount.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mtkit.smt.flat import Bool, Float32, Float64
from mtkit.smt.kernels import kernel
from mtkit.smt.tuning.bleu import merit
from mtkit.smt.tuning.envelope import search_line
from mtkit.smt.tuning.lists import ALL_WEIGHTS, Lists, best_total, corpus_merit, scores

GAIN = 0.01  # of merit


def mert(
    nbest: Lists, weights: Float64, free: Bool = ALL_WEIGHTS, restarts: int = 10, seed: int = 1,
    threads: int = 1,
) -> tuple[Float64, float]:  # fmt: skip
    """Return the best weights (F,) and their merit on these lists, at least that of ``weights``.

    free: bool (F,), False for weights that stay as they are. restarts: number of random starting
    points, besides ``weights``. If all weights are free, Σ|λ| stays the same; else it may change.
    The result depends on the seed, not on the number of threads.
    """
    unit = _unit(nbest, weights, free)
    size = float(np.abs(weights).sum()) or 1.0
    columns = np.ascontiguousarray(nbest.features.T)

    def climb(start: int) -> Float64:
        rng = np.random.default_rng([seed, start])
        jitter = unit * rng.standard_normal(len(unit)) if start else 0.0
        peak = _climb(nbest, columns, weights + jitter, unit, rng)
        return peak * (size / (np.abs(peak).sum() or 1.0)) if free.all() else peak

    with ThreadPoolExecutor(threads) as pool:
        points = [weights.astype(float), *pool.map(climb, range(restarts + 1))]
    merits = [corpus_merit(nbest, point) for point in points]
    best = int(np.argmax(merits))
    return points[best], merits[best]


def _unit(nbest: Lists, weights: Float64, free: Bool) -> Float64:
    """Return u, float64 (F,); 0 for a weight that is fixed or does not affect any ranking."""
    n = np.diff(nbest.begin)
    if not n.any():
        return np.zeros(len(weights))
    mean = np.add.reduceat(nbest.features, nbest.begin[:-1][n > 0], dtype=np.float64)
    mean /= n[n > 0, None]
    sigma = np.sqrt(((nbest.features - np.repeat(mean, n[n > 0], axis=0)) ** 2).mean(0))
    moves = free & (sigma > 1e-6 * np.abs(mean).max(0))  # else x_k is constant
    typical = np.mean(np.abs(weights) * sigma) or 1.0
    unit = np.zeros(len(weights))
    unit[moves] = typical / sigma[moves]
    return unit


def _climb(
    nbest: Lists, columns: Float32, start: Float64, unit: Float64, rng: np.random.Generator
) -> Float64:
    weights, a = start, scores(nbest.features, start)
    score, previous, axes = merit(best_total(nbest, a)), -np.inf, np.flatnonzero(unit)
    while score - previous >= GAIN:
        previous = score
        random = unit * rng.standard_normal((len(axes), len(unit)))
        for d in (*np.diag(unit)[axes], *random):
            b = _project(columns, d)
            gamma, expected = search_line(nbest, a, b)
            if expected > score:
                new_a = a + gamma * b
                # The merit is computed again: rounding may separate lines that coincide.
                new_score = merit(best_total(nbest, new_a))
                if new_score > score:
                    score, a, weights = new_score, new_a, weights + gamma * d
    return weights


# --- kernels


@kernel
def _project(columns: Float32, d: Float64) -> Float64:
    """Return b_h = d·x_h, float64 (n,); columns: ``features`` transposed, (F, n); d is sparse."""
    b = np.zeros(columns.shape[1])
    for k in range(len(d)):
        if d[k] != 0:
            for h in range(len(b)):
                b[h] += d[k] * columns[k, h]
    return b
