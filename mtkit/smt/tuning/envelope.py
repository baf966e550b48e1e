"""Exact search for the best weights on a line (Och 2003, section 5).

For the weights λ + γd, hypothesis h has the score

    a_h + γ b_h,      a_h = λ·x_h,      b_h = d·x_h

which is a line in γ. The best hypotheses of a sentence are the upper envelope of its lines. Merit
changes only where an envelope *bends*: from g to h at γ = (a_g − a_h)/(b_h − b_g). The search sorts
the bends of all sentences and updates the sum of statistics at each, which gives the merit of every
interval of γ.
"""

from __future__ import annotations

import numpy as np

from mtkit.smt.flat import Float64, Int32, Int64
from mtkit.smt.kernels import inner, kernel
from mtkit.smt.tuning.bleu import merit
from mtkit.smt.tuning.lists import Lists

NARROW = 1e-6  # narrower intervals of γ are skipped: rounding could miss them

# --- kernels


@kernel
def search_line(nbest: Lists, a: Float64, b: Float64) -> tuple[float, float]:
    """Return γ in the middle of the interval with the highest merit, and that merit.

    a, b: float64 (n,). In an outer interval γ is 1 beyond its bend, or 0 if there is no bend.
    """
    gammas, old, new, total = _bends(nbest.begin, nbest.statistics, a, b)
    order = np.argsort(gammas)
    best, gamma, left = -np.inf, 0.0, -np.inf
    for i in range(len(order) + 1):
        right = gammas[order[i]] if i < len(order) else np.inf
        if right - left > NARROW:
            value = merit(total)
            if value > best:
                best = value
                if left == -np.inf:
                    gamma = right - 1 if right < np.inf else 0.0
                else:
                    gamma = (left + right) / 2 if right < np.inf else left + 1
        if i < len(order):
            total += nbest.statistics[new[order[i]]]
            total -= nbest.statistics[old[order[i]]]
            left = right
    return gamma, best


@inner
def _bends(
    begin: Int64, statistics: Int32, a: Float64, b: Float64
) -> tuple[Float64, Int64, Int64, Int64]:
    """Return all bends: γ, best hypothesis before and after; and the statistics at γ = −∞, summed.

    Each envelope starts at γ = −∞ with the line of the smallest slope. The next line is, among
    those of larger slope, the one that the present line meets first.
    """
    gammas, old, new = np.empty(len(a)), np.empty(len(a), np.int64), np.empty(len(a), np.int64)
    total = np.zeros(statistics.shape[1], np.int64)
    m = 0
    for s in range(len(begin) - 1):
        if begin[s] == begin[s + 1]:
            continue
        following = begin[s]
        for h in range(begin[s] + 1, begin[s + 1]):
            if b[h] < b[following] or (b[h] == b[following] and a[h] > a[following]):
                following = h
        total += statistics[following]
        while following >= 0:
            best, following = following, -1
            down, up = np.inf, 1.0  # to the following line, a falls by down, and b rises by up
            for h in range(begin[s], begin[s + 1]):
                rise = b[h] - b[best]
                if rise > 0 and (a[best] - a[h]) * up < down * rise:
                    following, down, up = h, a[best] - a[h], rise
            if following >= 0:
                gammas[m], old[m], new[m] = down / up, best, following
                m += 1
    return gammas[:m], old[:m], new[:m], total
