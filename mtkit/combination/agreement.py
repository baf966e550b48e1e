"""How far a translation agrees with a list of others: its chrF against what is expected of them.

    c̄(g) = (1/|L|) Σ_{z ∈ L} c_z(g)          the expected count of the character n-gram g
    m_n  = Σ_g min(c_y(g), c̄(g))              g of n characters, blanks left out
    P_n  = m_n / Σ_g c_y(g),  R_n = m_n / Σ_g c̄(g)
    agreement(y, L) = mean over n = 1 … 6 of (1 + β²) P_n R_n / (β² P_n + R_n),     β = 2

It is chrF (Popović 2015) with the reference that nobody has replaced by the list: minimum Bayes
risk (Kumar & Byrne 2004) in its fast form, which expects counts instead of scores (DeNero, Chiang &
Knight 2009), every z as probable as the others. For |L| = 1 it is chrF.

Limits: n-grams are told apart by hashes of 64 bits. sacreBLEU's chrF ends with the F of the mean P
and R; here as there orders that neither side has count nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtkit.smt.flat import Bool, Flat, Float64, Int32, Int64, mix
from mtkit.smt.kernels import inner, kernel

ORDER, BETA = 6, 2.0


def agreement(texts: Sequence[str], begin: Int64, listed: Bool) -> Float64:
    """float64 (n, P), 0 to 1: of n candidates with each of P lists; 0 with one that is empty.

    texts: the n candidates, those of sentence s ``begin[s] : begin[s + 1]``. listed: bool (n, P),
    whether a candidate stands in a list of its sentence.
    """
    characters = Flat.of([[ord(c) for c in text if not c.isspace()] for text in texts])
    return _agreement(characters.words, characters.begin, begin, listed)


# --- kernels


@kernel
def _agreement(words: Int32, first: Int64, begin: Int64, listed: Bool) -> Float64:
    n, P = listed.shape
    out = np.zeros((n, P))
    orders = np.zeros((n, P), np.int64)
    for s in range(len(begin) - 1):
        a, b = begin[s], begin[s + 1]
        for order in range(1, ORDER + 1):
            _of_order(words, first[a : b + 1], listed[a:b], order, out[a:b], orders[a:b])
    return out / np.maximum(orders, 1)


@inner
def _of_order(
    words: Int32, first: Int64, listed: Bool, order: int, out: Float64, orders: Int64
) -> None:
    """Add F of the n-grams of one order to ``out``, (candidates, lists)."""
    n, P = listed.shape
    grams = np.zeros(first[-1] - first[0] + 1, np.uint64)  # a hash for each place
    start = np.zeros(n + 1, np.int64)
    for y in range(n):
        start[y + 1] = start[y]
        for i in range(first[y], first[y + 1] - order + 1):
            hashed = np.uint64(0)
            for c in words[i : i + order]:
                hashed = mix(hashed ^ np.uint64(c))
            grams[start[y + 1]] = hashed
            start[y + 1] += 1
    by_gram = np.argsort(grams[: start[n]], kind="mergesort")
    number = np.zeros(start[n], np.int64)  # of each place's n-gram among the different ones
    different = 0
    for k in range(len(by_gram)):
        if k > 0 and grams[by_gram[k]] != grams[by_gram[k - 1]]:
            different += 1
        number[by_gram[k]] = different
    expected, count = np.zeros((P, different + 1)), np.zeros(different + 1)
    for p in range(P):
        size = max(1, listed[:, p].sum())
        for y in range(n):
            if listed[y, p]:
                for k in number[start[y] : start[y + 1]]:
                    expected[p, k] += 1 / size
    total = expected.sum(1)
    for y in range(n):
        own = number[start[y] : start[y + 1]]
        for k in own:
            count[k] += 1
        for p in range(P):
            if total[p] > 0 or len(own):
                matches = 0.0
                for k in own:  # each place its share, so that a repeated n-gram counts once
                    matches += min(count[k], expected[p, k]) / count[k]
                if matches > 0:
                    precision, recall = matches / len(own), matches / total[p]
                    f = (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)
                    out[y, p] += f
                orders[y, p] += 1
        for k in own:
            count[k] = 0
