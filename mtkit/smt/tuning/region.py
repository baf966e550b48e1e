"""How far to go from weights λ towards the optimum λ̂ of n-best lists: no farther than they reach.

Lists hold what was found near some weights, and far from them they mislead: where all that is
listed is short, longer is always better, and the next search, told so, finds no end. So the step

    λ + μ (λ̂ − λ),     μ the largest of 1, 0.8, 0.64, … with loss(μ) ≤ ρ · reach

is taken within a *trust region* (Conn, Gould & Toint 2000) that is measured by what λ thinks:

    loss(μ) = Σ_s [max_h λ·x_h − λ·x_ĥ]        ĥ the best of s by λ + μ (λ̂ − λ)
    reach   = Σ_s [max_h λ·x_h − min_h λ·x_h]    h in what was found with λ itself

At loss = reach the best of all sentences would be the last of their lists, and what stands behind
the end of a list nobody knows.
"""

from __future__ import annotations

import numpy as np

from mtkit.smt.flat import Float64
from mtkit.smt.tuning.lists import Lists, best, scores

SHORTER = 0.8  # from one μ to the next
SHORTEST = 0.01


def reach(nbest: Lists, weights: Float64) -> float:
    """How far below the best the lists that were found with ``weights`` go, summed."""
    score, begin = scores(nbest.features, weights), nbest.begin[:-1][np.diff(nbest.begin) > 0]
    if not len(begin):
        return 0.0
    return float((np.maximum.reduceat(score, begin) - np.minimum.reduceat(score, begin)).sum())


def step(nbest: Lists, weights: Float64, optimum: Float64, allowed: float) -> float:
    """μ, for a loss of at most ``allowed`` = ρ · reach."""
    score = scores(nbest.features, weights)
    total, direction = score[best(nbest, score)].sum(), optimum - weights
    share = 1.0
    while share > SHORTEST:
        moved = score + share * scores(nbest.features, direction)
        if total - score[best(nbest, moved)].sum() <= allowed:
            break
        share *= SHORTER
    return share
