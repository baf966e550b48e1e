"""The step from weights λ towards the optimum λ̂ of n-best lists, limited to a trust region.

n-best lists hold hypotheses found near some weights; far from these weights they mislead. If all
listed hypotheses are short, a larger weight for words always looks better, and the next search then
produces output without end. Therefore the step

    λ + μ (λ̂ − λ),     μ the largest of 1, 0.8, 0.64, … with loss(μ) ≤ ρ · reach

stays within a *trust region* (Conn, Gould & Toint 2000), measured in scores under λ:

    loss(μ) = Σ_s [max_h λ·x_h − λ·x_ĥ]        ĥ the best of s by λ + μ (λ̂ − λ)
    reach   = Σ_s [max_h λ·x_h − min_h λ·x_h]    h in the lists that were found with λ itself

At loss = reach, the new best hypothesis of each sentence would be the last one of its list.
Hypotheses beyond the end of a list are unknown.
"""

from __future__ import annotations

import numpy as np

from mtkit.smt.flat import Float64
from mtkit.smt.tuning.lists import Lists, best, scores

SHORTER = 0.8  # factor from one μ to the next
SHORTEST = 0.01  # the series of μ ends at or below this


def reach(nbest: Lists, weights: Float64) -> float:
    """Return ``reach``, summed over sentences; nbest: lists that were found with ``weights``."""
    score, begin = scores(nbest.features, weights), nbest.begin[:-1][np.diff(nbest.begin) > 0]
    if not len(begin):
        return 0.0
    return float((np.maximum.reduceat(score, begin) - np.minimum.reduceat(score, begin)).sum())


def step(nbest: Lists, weights: Float64, optimum: Float64, allowed: float) -> float:
    """Return the largest μ of the series with loss ≤ ``allowed`` = ρ · reach, else the last μ."""
    score = scores(nbest.features, weights)
    total, direction = score[best(nbest, score)].sum(), optimum - weights
    μ = 1.0
    while μ > SHORTEST:
        new_score = score + μ * scores(nbest.features, direction)
        if total - score[best(nbest, new_score)].sum() <= allowed:
            break
        μ *= SHORTER
    return μ
