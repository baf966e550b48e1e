"""Model 2 with a prior on links near the diagonal (Dyer, Chahuneau & Smith 2013).

Letters as in ``places``. A word is aligned to the empty word with probability p₀, else to a
position near the diagonal. λ, the *tension*, sets how near; it is learnt with t:

    h(i, j) = |i/I − j/J|                           distance from the diagonal,  i ∈ 1…I, j ∈ 1…J
    p(i|j)  = (1 − p₀) exp(−λ h(i, j)) / Z_j        Z_j = Σ_i exp(−λ h(i, j)),   p(0|j) = p₀
    P(f|e)  = Π_j Σ_i p(i|j) t(f_j|e_i)

The E-step computes c(f|e) and the expected distance H = Σ_j Σ_i P(a_j = i|f, e) h(i, j). At the
best λ the prior expects the same distance. With w_j = 1 − P(a_j = 0|f, e), the probability of a
link to a word of e, and E_j, V_j, the mean and variance of h under exp(−λ h)/Z_j, this means

    Σ_j w_j E_j = H        by Newton's steps     λ ← λ + (Σ_j w_j E_j − H) / Σ_j w_j V_j

All sentence pairs of one size (I, J) share E_j and V_j, so w is first summed by size.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtkit.smt.alignment.direction import Direction, Model
from mtkit.smt.alignment.places import Places
from mtkit.smt.flat import Float32, Float64, Int64, longest
from mtkit.smt.kernels import kernel, lean
from mtkit.storage.arrays import mapped

EMPTY_WORD = 0.08  # p₀
TENSION = 4.0  # λ at the start
MIN_TENSION, MAX_TENSION = 0.1, 30.0  # bounds of λ
NEWTON = 8  # steps


class Prior(NamedTuple):
    """λ, and the sizes of the sentence pairs of a text."""

    tension: float
    sizes: Int64  # (I, J) of each, different ones (n, 2), rising
    begin: Int64  # (n + 1,) where w_1 … w_J of each size begin

    @classmethod
    def of(cls, e_begin: Int64, f_begin: Int64) -> Prior:
        """Return the prior of a text before the first iteration; see ``Flat.begin``."""
        key = np.unique(np.diff(e_begin) << 32 | np.diff(f_begin))
        sizes = np.column_stack([key >> 32, key & 0xFFFFFFFF])
        begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes[:, 1])])
        return cls(TENSION, sizes, begin)


def start(d: Direction) -> Prior:
    """Return the prior of a text in shards before the first iteration."""
    paths = (d.text.directory / side / "begin.npy" for side in (d.e, d.f))
    return Prior.of(*map(mapped, paths))


def expect(places: Places, t: Float64, prior: Prior, posterior: Float32) -> tuple[Float64, Float64]:
    """Return c; H, then w of every size, then ln P(f|e). See ``direction.Model``."""
    key = np.diff(places.e_begin) << 32 | np.diff(places.f_begin)
    w_begin = prior.begin[np.searchsorted(prior.sizes[:, 0] << 32 | prior.sizes[:, 1], key)]
    counts, n = np.zeros(len(t) + 1 + prior.begin[-1]), len(t)
    last = len(places.begin) - 1
    likelihood = _expect(places, t, prior.tension, w_begin, posterior, 0, last, counts)
    return counts[:n], np.append(counts[n:], likelihood)


def update(sums: Float64, before: Prior) -> Prior:
    """Return the prior with the best λ; Newton's method starts from the λ before."""
    tension, H, w = before.tension, sums[0], sums[1:]
    for _ in range(NEWTON):
        mean, variance = _moments(before.sizes, w, tension)
        newton = tension + (mean - H) / max(variance, 1e-9)
        tension = float(min(max(newton, MIN_TENSION), MAX_TENSION))
    return before._replace(tension=tension)


MODEL = Model(start, expect, update)


# --- kernels


@lean
def near_diagonal(tension: float, I: int, J: int, j: int, p: Float64) -> float:
    """Fill p[1 … I] with exp(−λ h(i, j)); return Z_j.

    The loops go away from the diagonal, where each value is r times the one before.
    """
    r = np.exp(-tension / I)
    x = j * I / J  # the diagonal at j: h = |i − x| / I
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
    """Add the expected counts of sentences first … last − 1; return their ln P(f|e).

    counts: c, then H, then w of every size; w_j of sentence s is ``w_begin[s] + j`` behind c.
    """
    likelihood, entry, w = 0.0, places.entry, counts[len(t) :]
    p = np.empty(longest(places.e_begin) + 1)
    for s in range(first, last):
        I = places.e_begin[s + 1] - places.e_begin[s]
        J = places.f_begin[s + 1] - places.f_begin[s]
        for j in range(1, J + 1):
            begin = places.begin[s] + (j - 1) * (I + 1)
            scale = (1 - EMPTY_WORD) / near_diagonal(tension, I, J, j, p) if I > 0 else 0.0
            p[0] = total = EMPTY_WORD * t[entry[begin]]
            for i in range(1, I + 1):
                p[i] *= scale * t[entry[begin + i]]
                total += p[i]
            x, distance, scale = j * I / J, 0.0, 1 / total  # h(i, j) = |i − x| / I
            for i in range(I + 1):
                p[i] *= scale
                counts[entry[begin + i]] += p[i]
                distance += p[i] * abs(i - x)
                if len(posterior) > 0:
                    posterior[begin + i] = p[i]
            w[0] += (distance - p[0] * x) / max(I, 1)
            w[w_begin[s] + j] += 1 - p[0]
            likelihood += np.log(total)
    return likelihood


@kernel
def _moments(sizes: Int64, w: Float64, tension: float) -> tuple[float, float]:
    """Return Σ_j w_j E_j and Σ_j w_j V_j; sizes: (I, J), int64 (n, 2), by rising I."""
    mean, variance, k = 0.0, 0.0, 0
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
                mean += w[k] * first
                variance += w[k] * (second - first * first)
            k += 1
    return mean, variance
