"""HMM alignment (Vogel et al. 1996; the empty word after Och & Ney 2003).

Letters as in ``ibm1``. The alignment is a Markov chain over positions of e: after a word that came
from position m, the next comes from position i with a probability that depends on the jump i − m,

    p(i|m, I) = s(i − m) / Σ_{l=1..I} s(l − m)                      i, m ∈ 1…I,  m = 0 at the start

or, with probability p₀, from the empty word, which leaves m as it was:

    P(f, a|e) = Π_j  (1 − p₀) p(a_j|m, I) t(f_j|e_{a_j})   or   p₀ t(f_j|e_0)

State of the chain: the memory m ∈ 0…I and whether f_j came from e_m or from e_0. With α split so
into A (from e_m) and N (from e_0), the forward–backward recursions are

    M[m]    = A[j−1,m] + N[j−1,m]                                   the mass that remembers m
    A[j,m]  = (1 − p₀) t(f_j|e_m) Σ_m' M[m'] p(m|m')                O(I²) a word
    N[j,m]  = p₀ t(f_j|e_0) M[m]
    B[j,m'] = Σ_m (1 − p₀) p(m|m') t(f_{j+1}|e_m) B[j+1,m]  +  p₀ t(f_{j+1}|e_0) B[j+1,m']

each column divided by its sum z_j, so that ln P(f|e) = Σ_j ln z_j. Jumps beyond ±``FAR`` share the
two outermost values of s. p₀ is fixed; s is re-estimated as its expected share of all jumps, which
leaves the normalisation by I out of account, as the original does.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from mtkit.smt.flat import Flat, Float64, Int32
from mtkit.smt.ibm1 import Places, normalise

FAR = 50
EMPTY_WORD = 0.2  # p₀


def first_jumps() -> Float64:
    """s before the first iteration, float64 (2·FAR + 1,), s[d + FAR] for jump d: near is likely."""
    d = np.arange(-FAR, FAR + 1)
    s: Float64 = np.exp(-np.abs(d - 1) / 2.0) + 1e-3
    s /= s.sum()
    return s


def hmm(
    t: Float64, places: Places, e: Flat, f: Flat, iterations: int
) -> tuple[Float64, Float64, list[float]]:
    """EM from the given t: the new t, s, and ln P(f|e) of the corpus before each iteration."""
    jumps = first_jumps()
    likelihood = []
    for _ in range(iterations):
        t_counts, jump_counts = np.zeros(len(t)), np.zeros(len(jumps))
        likelihood.append(
            _expect(t, jumps, places.entry, places.begin, e.begin, f.begin, t_counts, jump_counts)
        )
        normalise(t_counts, places.row)
        t, jumps = t_counts, (jump_counts + 1e-6) / (jump_counts + 1e-6).sum()
    return t, jumps, likelihood


def best_alignments(t: Float64, jumps: Float64, places: Places, e: Flat, f: Flat) -> Int32:
    """For every word f_j of the corpus its most likely a_j − 1, and −1 for the empty word."""
    out = np.empty(len(f.words), np.int32)
    _viterbi(t, jumps, places.entry, places.begin, e.begin, f.begin, out)
    return out


def log_probability(T: Float64, jumps: Float64) -> float:
    """ln P(f|e) of one pair from its emissions ``T`` (I + 1, J), ``T[i, j]`` = t(f_j|e_i).

    −inf where a word f_j has no probability under any e_i.
    """
    I, J = T.shape[0] - 1, T.shape[1]
    if J == 0:
        return 0.0
    A, N, z = np.zeros((J, I + 1)), np.zeros((J, I + 1)), np.zeros(J)
    forward(T, transitions(jumps, I), A, N, z)
    with np.errstate(divide="ignore"):
        return float(np.log(z).sum())


# --- kernels


@njit(cache=True, nogil=True)
def transitions(jumps: Float64, I: int) -> Float64:
    """p(i|m, I) as a matrix [m, i], both 0…I; column 0 is unused."""
    p = np.zeros((I + 1, I + 1))
    for m in range(I + 1):
        total = 0.0
        for i in range(1, I + 1):
            p[m, i] = jumps[min(max(i - m, -FAR), FAR) + FAR]
            total += p[m, i]
        for i in range(1, I + 1):
            p[m, i] /= total
    return p


@njit(cache=True, nogil=True)
def forward(T: Float64, p: Float64, A: Float64, N: Float64, z: Float64) -> None:
    """Fill A, N (J, I + 1) and the scales z (J,)."""
    J, n = A.shape
    M = np.zeros(n)
    M[0] = 1.0
    for j in range(J):
        z[j] = 0.0
        A[j, 0] = 0.0
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
            return
        for m in range(n):
            A[j, m] /= z[j]
            N[j, m] /= z[j]
            M[m] = A[j, m] + N[j, m]


@njit(cache=True, nogil=True)
def _backward(T: Float64, p: Float64, z: Float64, B: Float64) -> None:
    J, n = B.shape
    B[J - 1] = 1.0
    for j in range(J - 2, -1, -1):
        for before in range(n):
            total = EMPTY_WORD * T[0, j + 1] * B[j + 1, before]
            for m in range(1, n):
                total += (1 - EMPTY_WORD) * p[before, m] * T[m, j + 1] * B[j + 1, m]
            B[j, before] = total / z[j + 1]


@njit(cache=True, nogil=True)
def _emissions(t: Float64, entry: Int32, begin: int, I: int, J: int, T: Float64) -> None:
    for i in range(I + 1):
        for j in range(J):
            T[i, j] = t[entry[begin + i * J + j]]


@njit(cache=True, nogil=True)
def _count_jumps(
    T: Float64, p: Float64, A: Float64, N: Float64, B: Float64, z: Float64, counts: Float64
) -> None:
    """Add the expected number of jumps of each width."""
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


@njit(cache=True, nogil=True)
def _expect(t, jumps, entry, begin, e_begin, f_begin, t_counts, jump_counts):  # type: ignore[no-untyped-def]
    likelihood = 0.0
    for s in range(len(begin) - 1):
        I = e_begin[s + 1] - e_begin[s]
        J = f_begin[s + 1] - f_begin[s]
        if J == 0:
            continue
        T = np.empty((I + 1, J))
        _emissions(t, entry, begin[s], I, J, T)
        A, N, B, z = np.empty((J, I + 1)), np.empty((J, I + 1)), np.empty((J, I + 1)), np.empty(J)
        p = transitions(jumps, I)
        forward(T, p, A, N, z)
        _backward(T, p, z, B)
        for j in range(J):
            for m in range(I + 1):
                t_counts[entry[begin[s] + m * J + j]] += A[j, m] * B[j, m]
                t_counts[entry[begin[s] + j]] += N[j, m] * B[j, m]
            likelihood += np.log(z[j])
        _count_jumps(T, p, A, N, B, z, jump_counts)
    return likelihood


@njit(cache=True, nogil=True)
def _viterbi(t, jumps, entry, begin, e_begin, f_begin, out):  # type: ignore[no-untyped-def]
    for s in range(len(begin) - 1):
        I = e_begin[s + 1] - e_begin[s]
        J = f_begin[s + 1] - f_begin[s]
        if J == 0:
            continue
        T = np.empty((I + 1, J))
        _emissions(t, entry, begin[s], I, J, T)
        _best_path(T, transitions(jumps, I), out[f_begin[s] : f_begin[s + 1]])


@njit(cache=True, nogil=True)
def _best_path(T: Float64, p: Float64, out: Int32) -> None:
    """A and N with max for Σ; ``source[j, m]`` remembers the best m' of A, −1 says N was better."""
    J, n = len(out), T.shape[0]
    best = np.zeros(n)
    best[0] = 1.0
    source = np.empty((J, n), np.int32)
    for j in range(J):
        now = np.zeros(n)
        for m in range(n):
            now[m] = EMPTY_WORD * T[0, j] * best[m]
            source[j, m] = -1
        for m in range(1, n):
            top, at = 0.0, 0
            for before in range(n):
                value = best[before] * p[before, m]
                if value > top:
                    top, at = value, before
            value = (1 - EMPTY_WORD) * T[m, j] * top
            if value > now[m]:
                now[m], source[j, m] = value, at
        best = now / max(now.max(), 1e-300)
    m = int(np.argmax(best))
    for j in range(J - 1, -1, -1):
        if source[j, m] < 0:
            out[j] = -1
        else:
            out[j] = m - 1
            m = source[j, m]
