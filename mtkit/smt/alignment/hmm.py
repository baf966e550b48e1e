"""HMM alignment (Vogel et al. 1996; the empty word after Och & Ney 2003).

Letters as in ``places``. The alignment is a Markov chain over positions of e: after a word aligned
to position m, the next is aligned to position i with a probability that depends on the jump,

    p(i|m, I) = s(i − m) / Σ_{l=1..I} s(l − m)                      i, m ∈ 1…I,  m = 0 at the start

or, with probability p₀, to the empty word, which leaves m as it was:

    P(f, a|e) = Π_j  (1 − p₀) p(a_j|m, I) t(f_j|e_{a_j})   or   p₀ t(f_j|e_0)

A state of the chain is the last position m ∈ 0…I and whether f_j is aligned to e_m or to e_0. This
splits the forward probability α into A (e_m) and N (e_0). The forward–backward recursions are

    M[m]    = A[j−1,m] + N[j−1,m]                                   the last position is m
    A[j,m]  = (1 − p₀) t(f_j|e_m) Σ_m' M[m'] p(m|m')                O(I²) per word
    N[j,m]  = p₀ t(f_j|e_0) M[m]
    B[j,m'] = Σ_m (1 − p₀) p(m|m') t(f_{j+1}|e_m) B[j+1,m]  +  p₀ t(f_{j+1}|e_0) B[j+1,m']

Each column is divided by its sum z_j = P(f_j | f_1 … f_{j−1}, e), so that ln P(f|e) = Σ_j ln z_j.
Jumps beyond ±``FAR`` share the two outermost values of s. p₀ is fixed. s is re-estimated as the
expected relative frequency of each jump; this ignores the normalisation by I, as the original does.
"""

from __future__ import annotations

import numpy as np

from mtkit.smt.alignment.direction import Model
from mtkit.smt.alignment.places import Places
from mtkit.smt.flat import Float32, Float64
from mtkit.smt.kernels import kernel

FAR = 50
EMPTY_WORD = 0.2  # p₀


def first_jumps() -> Float64:
    """Return s before EM, float64 (2·FAR + 1,), s[d + FAR] for jump d; d near 1 is likely."""
    d = np.arange(-FAR, FAR + 1)
    s: Float64 = np.exp(-np.abs(d - 1) / 2.0) + 1e-3
    s /= s.sum()
    return s


def expect(
    places: Places, t: Float64, jumps: Float64, posterior: Float32
) -> tuple[Float64, Float64]:
    """Return c; the expected count of each jump, then ln P(f|e). See ``direction.Model``."""
    counts, n = np.zeros(len(t) + len(jumps)), len(t)
    likelihood = _expect(places, t, jumps, posterior, 0, len(places.begin) - 1, counts)
    return counts[:n], np.append(counts[n:], likelihood)


def update(jumps: Float64, _before: Float64) -> Float64:
    """Return s, the relative frequency of each jump; jumps: their expected counts."""
    s: Float64 = (jumps + 1e-6) / (jumps + 1e-6).sum()
    return s


MODEL = Model(lambda _: first_jumps(), expect, update)


def fold_jumps(jumps: Float64) -> Float64:
    """Return s, float64 (2·FAR + 1,), from counts of jumps; that of jump 0 is in the middle."""
    d = np.arange(len(jumps)) - len(jumps) // 2
    s = np.bincount(np.clip(d, -FAR, FAR) + FAR, jumps, 2 * FAR + 1).astype(np.float64) + 1e-6
    s /= s.sum()
    return s


# --- kernels


@kernel
def transitions(jumps: Float64, I: int) -> Float64:
    """Return p(i|m, I) as a matrix [m, i], float64 (I + 1, I + 1); column 0 is unused."""
    p = np.zeros((I + 1, I + 1))
    for m in range(I + 1):
        total = 0.0
        for i in range(1, I + 1):
            p[m, i] = jumps[min(max(i - m, -FAR), FAR) + FAR]
            total += p[m, i]
        for i in range(1, I + 1):
            p[m, i] /= total
    return p


@kernel
def forward(T: Float64, p: Float64) -> tuple[Float64, Float64, Float64]:
    """Return A, N (J, I + 1) and the scales z (J,), all 0 from the first impossible word on.

    T: emissions (I + 1, J), T[i, j] = t(f_j|e_i); p: see ``transitions``.
    """
    n, J = T.shape
    A, N, z = np.zeros((J, n)), np.zeros((J, n)), np.zeros(J)
    M = np.zeros(n)
    M[0] = 1.0
    for j in range(J):
        for m in range(1, n):
            total = 0.0
            for before in range(n):
                total += M[before] * p[before, m]
            A[j, m] = (1 - EMPTY_WORD) * T[m, j] * total
            z[j] += A[j, m]
        for m in range(n):
            N[j, m] = EMPTY_WORD * T[0, j] * M[m]
            z[j] += N[j, m]
        if z[j] == 0.0:
            break
        for m in range(n):
            A[j, m] /= z[j]
            N[j, m] /= z[j]
            M[m] = A[j, m] + N[j, m]
    return A, N, z


@kernel
def backward(T: Float64, p: Float64, z: Float64) -> Float64:
    """Return B, float64 (J, I + 1)."""
    n, J = T.shape
    B = np.ones((J, n))
    for j in range(J - 2, -1, -1):
        for before in range(n):
            total = EMPTY_WORD * T[0, j + 1] * B[j + 1, before]
            for m in range(1, n):
                total += (1 - EMPTY_WORD) * p[before, m] * T[m, j + 1] * B[j + 1, m]
            B[j, before] = total / z[j + 1]
    return B


@kernel
def _count_jumps(
    T: Float64, p: Float64, A: Float64, N: Float64, B: Float64, z: Float64, counts: Float64
) -> None:
    """Add the expected count of each jump to ``counts``."""
    J, n = A.shape
    for j in range(J):
        for before in range(n):
            M = 1.0 if before == 0 else 0.0
            if j > 0:
                M = A[j - 1, before] + N[j - 1, before]
            if M > 1e-9:
                for m in range(1, n):
                    expected = M * p[before, m] * (1 - EMPTY_WORD) * T[m, j] * B[j, m] / z[j]
                    counts[min(max(m - before, -FAR), FAR) + FAR] += expected


@kernel
def link_posterior(A: Float64, N: Float64, B: Float64) -> Float64:
    """Return P(a_j = i | f, e), (J, I + 1): A·B for i > 0, and the sum over m of N·B for i = 0."""
    J, n = A.shape
    p = np.zeros((J, n))
    for j in range(J):
        for m in range(n):
            p[j, m] += A[j, m] * B[j, m]
            p[j, 0] += N[j, m] * B[j, m]
    return p


@kernel
def _expect(
    places: Places, t: Float64, jumps: Float64, posterior: Float32, first: int, last: int,
    counts: Float64,
) -> float:  # fmt: skip
    """Add the expected counts of sentences first … last − 1; return their ln P(f|e).

    counts: of t, then of the jumps.
    """
    likelihood = 0.0
    for s in range(first, last):
        I = places.e_begin[s + 1] - places.e_begin[s]
        J = places.f_begin[s + 1] - places.f_begin[s]
        if J == 0:
            continue
        entry = places.entry[places.begin[s] : places.begin[s + 1]]
        T = np.ascontiguousarray(t[entry].reshape((J, I + 1)).T)
        p = transitions(jumps, I)
        A, N, z = forward(T, p)
        B = backward(T, p, z)
        likelihood += np.log(z).sum()
        _count_jumps(T, p, A, N, B, z, counts[len(t) :])
        for k, value in enumerate(link_posterior(A, N, B).ravel()):
            counts[entry[k]] += value
            if len(posterior) > 0:
                posterior[places.begin[s] + k] = value
    return likelihood
