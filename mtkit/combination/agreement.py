"""Agreement of a translation with a list of others: its chrF against their expected n-gram counts.

    c̄(g) = (1/|L|) Σ_{z ∈ L} c_z(g)          the expected count of the character n-gram g
    m_n  = Σ_g min(c_y(g), c̄(g))              g of n characters, without white space
    P_n  = m_n / Σ_g c_y(g),  R_n = m_n / Σ_g c̄(g)
    agreement(y, L) = mean over n = 1 … 6 of (1 + β²) P_n R_n / (β² P_n + R_n),     β = 2

This is chrF (Popović 2015) with the list in place of the missing reference: minimum Bayes risk
(Kumar & Byrne 2004) in its fast form, which takes the expectation of counts instead of scores
(DeNero, Chiang & Knight 2009). All z are equally probable.

Limits: n-grams are identified by 64-bit hashes. sacreBLEU's chrF is the F of the mean P and R, this
is the mean of F; both skip orders for which one side has no n-grams.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtkit.smt.flat import Bool, Float64, Int32, Int64, UInt64, mix
from mtkit.smt.kernels import inner, kernel

ORDER, BETA = 6, 2.0


def agreement(texts: Sequence[str], begin: Int64, listed: Bool) -> Float64:
    """Return the agreement of n candidates with each of P lists, float64 (n, P), from 0 to 1.

    texts: the n candidates; sentence s has ``begin[s] : begin[s + 1]``. listed: bool (n, P), True
    if a candidate is in a list of its sentence. Agreement with an empty list is 0.
    """
    compact = ["".join(text.split()) for text in texts]
    characters = np.frombuffer("".join(compact).encode("utf-32-le", "surrogatepass"), np.int32)
    first = np.cumsum([0, *map(len, compact)])
    return _agreement(characters, first, begin, listed)


# --- kernels


@kernel
def _agreement(characters: Int32, first: Int64, begin: Int64, listed: Bool) -> Float64:
    n, P = listed.shape
    total, orders = np.zeros((n, P)), np.zeros((n, P), np.int64)
    for s in range(len(begin) - 1):
        a, b = begin[s], begin[s + 1]
        text, starts = characters[first[a] : first[b]], first[a:b] - first[a]
        hashes, grams = np.zeros(len(text), np.uint64), np.empty(len(text), np.int64)
        for order in range(1, ORDER + 1):
            ends = np.maximum(first[a + 1 : b + 1] - first[a] - order + 1, starts)
            distinct = _number_ngrams(text, starts, ends, order, hashes, grams)
            for p in range(P):
                expected = _expected_counts(grams, starts, ends, distinct, listed[a:b, p])
                _add_chrf(grams, starts, ends, expected, total[a:b, p], orders[a:b, p])
    return total / np.maximum(orders, 1)


@inner
def _number_ngrams(
    text: Int32, starts: Int64, ends: Int64, order: int, hashes: UInt64, grams: Int64
) -> int:
    """Write the number of the n-gram that begins at character i to ``grams[i]``, n = ``order``.

    text: of all candidates of a sentence, (C,). starts, ends: (Y,), the n-grams of candidate y
    begin at ``starts[y]`` … ``ends[y]`` − 1. hashes: of the (n − 1)-grams, (C,), replaced by those
    of the n-grams. Returns how many are distinct.
    """
    size, distinct = 2, 0
    while size < 2 * len(text):
        size *= 2
    keys, numbers = np.empty(size, np.uint64), np.full(size, -1, np.int64)  # hash table
    for y in range(len(ends)):
        for i in range(starts[y], ends[y]):
            hashes[i] = mix(hashes[i] ^ np.uint64(text[i + order - 1]))
            slot = np.int64(hashes[i] & np.uint64(size - 1))
            while numbers[slot] >= 0 and keys[slot] != hashes[i]:
                slot = (slot + 1) & (size - 1)
            if numbers[slot] < 0:
                keys[slot], numbers[slot] = hashes[i], distinct
                distinct += 1
            grams[i] = numbers[slot]
    return distinct


@inner
def _expected_counts(
    grams: Int64, starts: Int64, ends: Int64, distinct: int, listed: Bool
) -> Float64:
    """Return c̄ of each n-gram over the candidates that are ``listed``, float64 (distinct,)."""
    expected, weight = np.zeros(distinct), 1 / max(1, listed.sum())
    for y in range(len(listed)):
        if listed[y]:
            for g in grams[starts[y] : ends[y]]:
                expected[g] += weight
    return expected


@inner
def _add_chrf(
    grams: Int64, starts: Int64, ends: Int64, expected: Float64, total: Float64, orders: Int64
) -> None:
    """Add each candidate's F to ``total``, and 1 to ``orders`` if both sides have n-grams."""
    count, expected_sum = np.zeros(len(expected)), expected.sum()
    for y in range(len(total)):
        y_grams = grams[starts[y] : ends[y]]
        matches = 0.0
        for g in y_grams:
            matches += min(count[g] + 1, expected[g]) - min(count[g], expected[g])
            count[g] += 1
        for g in y_grams:
            count[g] = 0
        if matches > 0:
            precision, recall = matches / len(y_grams), matches / expected_sum
            total[y] += (1 + BETA**2) * precision * recall / (BETA**2 * precision + recall)
        if len(y_grams) > 0 and expected_sum > 0:
            orders[y] += 1
