"""Model 2 with a diagonal prior (Dyer, Chahuneau & Smith 2013): words keep their places, roughly.

Letters as in ``places``. A word comes from the empty word with p₀, else from a position near the
diagonal; λ, the *tension*, says how near, and is learnt with t:

    h(i, j) = |i/I − j/J|                           distance from the diagonal,  i ∈ 1…I, j ∈ 1…J
    p(i|j)  = (1 − p₀) exp(−λ h(i, j)) / Z_j        Z_j = Σ_i exp(−λ h(i, j)),   p(0|j) = p₀
    P(f|e)  = Π_j Σ_i p(i|j) t(f_j|e_i)

EM expects c(f|e) and the distance H = Σ_j Σ_i P(a_j = i|f, e) h(i, j). The best λ is where the
model itself expects the same: with w_j = 1 − P(a_j = 0|f, e), the mass that is not the empty
word's, and E_j, V_j the mean and variance of h under exp(−λ h)/Z_j,

    Σ_j w_j E_j = H        by Newton's steps     λ ← λ + (Σ_j w_j E_j − H) / Σ_j w_j V_j

All sentence pairs of one size (I, J) share E_j and V_j, so w is summed by size first.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from mtkit.smt.alignment.places import NOTHING, Places, expect, maximise
from mtkit.smt.flat import Float32, Float64, Int64, longest
from mtkit.smt.kernels import kernel, lean

EMPTY_WORD = 0.08  # p₀
TENSION = 4.0  # λ at the start
LOWEST, HIGHEST = 0.1, 30.0  # bounds of λ
NEWTON = 8  # steps


def diagonal(
    places: Places, iterations: int, alpha: float = 0.0, threads: int = 1
) -> tuple[Float64, float, list[float]]:
    """EM from uniform t (see ``ibm1``): t, λ, and ln P(f|e) of the corpus before each iteration."""
    t, tension, likelihood = places.uniform(), TENSION, []
    I, J = np.diff(places.e_begin), np.diff(places.f_begin)
    key, which = np.unique(I << 32 | J, return_inverse=True)  # which size each sentence pair has
    sizes = np.column_stack([key >> 32, key & 0xFFFFFFFF])
    w_begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[:, 1])])
    n = len(t)
    for _ in range(iterations):
        e_step = partial(_expect, places, t, tension, w_begin[which], NOTHING)
        value, counts = expect(e_step, places, n + 1 + int(w_begin[-1]), threads)
        likelihood.append(value)
        t, H, w = counts[:n], counts[n], counts[n + 1 :]
        maximise(t, places.row, alpha)
        for _ in range(NEWTON):
            mean, variance = _moments(sizes, w, tension)
            newton = tension + (mean - H) / max(variance, 1e-9)
            tension = float(min(max(newton, LOWEST), HIGHEST))
    return t, tension, likelihood


def posterior(places: Places, t: Float64, tension: float) -> Float32:
    """P(a_j = i | f, e) of every place, float32, in the order of ``Places.entry``."""
    out = np.empty(len(places.entry), np.float32)
    w_begin = np.zeros(len(places.begin) - 1, np.int64)  # nobody asks for w here
    size = len(t) + 1 + int(np.diff(places.f_begin).max(initial=0))
    expect(partial(_expect, places, t, tension, w_begin, out), places, size, threads=1)
    return out


# --- kernels


@lean
def near_diagonal(tension: float, I: int, J: int, j: int, p: Float64) -> float:
    """Fill p[1 … I] with exp(−λ h(i, j)); Z_j. Away from the diagonal each is r times the last."""
    r = np.exp(-tension / I)
    x = j * I / J  # where the diagonal passes: h = |i − x| / I
    low = min(int(x), I)
    first = np.exp(-tension * (x - low) / I)
    total, value = 0.0, first
    for i in range(low, 0, -1):
        p[i] = value
        total += value
        value *= r
    value = r / first
    for i in range(low + 1, I + 1):
        p[i] = value
        total += value
        value *= r
    return total


@kernel
def _expect(
    places: Places, t: Float64, tension: float, w_begin: Int64, posterior: Float32, first: int,
    last: int, counts: Float64,
) -> float:  # fmt: skip
    """Add the expected counts of sentences first … last − 1; their ln P(f|e).

    counts: c, the distance H, then w_j of each size, those of sentence s from ``w_begin[s]`` on.
    """
    likelihood, entry, w = 0.0, places.entry, counts[len(t) :]
    p = np.empty(longest(places.e_begin) + 1)
    for s in range(first, last):
        I = places.e_begin[s + 1] - places.e_begin[s]
        J = places.f_begin[s + 1] - places.f_begin[s]
        for j in range(1, J + 1):
            at = places.begin[s] + (j - 1) * (I + 1)
            scale = (1 - EMPTY_WORD) / near_diagonal(tension, I, J, j, p) if I > 0 else 0.0
            p[0] = total = EMPTY_WORD * t[entry[at]]
            for i in range(1, I + 1):
                p[i] *= scale * t[entry[at + i]]
                total += p[i]
            x, distance, scale = j * I / J, 0.0, 1 / total  # h(i, j) = |i − x| / I
            for i in range(I + 1):
                p[i] *= scale
                counts[entry[at + i]] += p[i]
                distance += p[i] * abs(i - x)
                if len(posterior) > 0:
                    posterior[at + i] = p[i]
            w[0] += (distance - p[0] * x) / max(I, 1)
            w[w_begin[s] + j] += 1 - p[0]
            likelihood += np.log(total)
    return likelihood


@kernel
def _moments(sizes: Int64, w: Float64, tension: float) -> tuple[float, float]:
    """Σ_j w_j E_j and Σ_j w_j V_j; sizes: (I, J), int64 (n, 2), by rising I."""
    mean, variance, at = 0.0, 0.0, 0
    p = np.empty(sizes[-1, 0] + 1 if len(sizes) > 0 else 0)
    for I, J in sizes:
        for j in range(1, J + 1):
            if I > 0:
                Z = near_diagonal(tension, I, J, j, p)
                first = second = 0.0
                for i in range(1, I + 1):
                    h = abs(i / I - j / J)
                    first += p[i] / Z * h
                    second += p[i] / Z * h * h
                mean += w[at] * first
                variance += w[at] * (second - first * first)
            at += 1
    return mean, variance
