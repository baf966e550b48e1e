"""HMM with fertility, sampled (Östling & Tiedemann 2016; Gal & Blunsom 2013).

Letters as in ``places``. Beside what the HMM knows, each word e has a say in how many words it
explains, its *fertility* φ: "to" often none, a compound two. Exact EM is out of reach then; Gibbs
sampling is simple: visit each f_j, forget its link, draw a new one given all others.

    n(e, f)  links between e and f in the corpus, f_j's left out        N(e) = Σ_f n(e, f)
    R(e)     the number of words that ever meet e
    s(d)     share of the jumps of width d                              m, m′   the positions of e
    F_e(φ)   share of e's occurrences with fertility φ                          before and after:

    P(a_j = i | rest) ∝ (1 − p₀) (n(e_i, f_j) + α) / (N(e_i) + α R(e_i))
                        · s(i − m) s(m′ − i) · F_{e_i}(φ_i + 1) / F_{e_i}(φ_i)
    P(a_j = 0 | rest) ∝ p₀ (n(e_0, f_j) + α) / (N(e_0) + α R(e_0)) · s(m′ − m)

m and m′ are where the nearest words before and behind f_j come from that are not from e_0; 0 and
I + 1 at the ends. t has a Dirichlet(α) prior and is integrated out, hence n(e, f) + α; s and F, of
which each event gets a pseudo-count too, stay as they are during a sweep over the corpus and are
counted again after it.

A *sampler* begins with links drawn from another model's posterior and sweeps over the corpus. The
distributions it draws from, averaged over the later sweeps and over several samplers, are the
posterior: less noisy than averages of the links drawn. Several short samplers do better than one
long: each stays near the good start and errs in its own way. Draws are from seeded generators, one
a sampler, so that the number of threads decides nothing but the rounding of the sums.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from mtkit.smt.alignment.places import NOTHING, NULL, Places
from mtkit.smt.flat import Float32, Float64, Int32, UInt64, mix
from mtkit.smt.kernels import compiled, kernel, lean

EMPTY_WORD = 0.1  # p₀
ALPHA = 0.005  # Dirichlet prior of t
JUMP_PRIOR = 0.5  # pseudo-count of each jump
FERTILITY_PRIOR = 5.0  # pseudo-count of each fertility
HIGHEST = 7  # fertilities above count as this
SAMPLERS = 4
BURN_IN, KEPT = 2, 4  # sweeps


def sample(
    places: Places, start: Float32, threads: int = 1, seed: int = 1
) -> tuple[Float32, Float64]:
    """The posterior P(a_j = i | f, e) of every place, and the expected jumps.

    start: a posterior to draw the first links from; the new one takes its place in memory. jumps:
    float64 (2·L + 1,), the number of jumps of width d at ``L + d``, L = the longest sentence + 1.
    """
    random = [np.array([seed + k], np.uint64) for k in range(SAMPLERS)]
    links = [_draw(places, start, r) for r in random]
    start[:] = 0
    sums = [start, *(np.zeros_like(start) for _ in range(1, min(threads, SAMPLERS)))]

    def share(first: int) -> list[Float64]:
        own = range(first, SAMPLERS, len(sums))
        return [_sampler(places, links[k], random[k], sums[first]) for k in own]

    with ThreadPoolExecutor(len(sums)) as pool:
        jumps = np.concatenate(list(pool.map(share, range(len(sums))))).sum(0)
    for more in sums[1:]:
        start += more
    start /= SAMPLERS * KEPT
    return start, jumps


def _sampler(places: Places, a: Int32, random: UInt64, posterior: Float32) -> Float64:
    """Add one sampler's kept sweeps to ``posterior``; its jumps. ``a``: the links to begin with."""
    R = np.diff(places.row).astype(np.float32)
    L = int(np.diff(places.e_begin).max()) + 1
    jumps = np.zeros(2 * L + 1)
    for sweep in range(BURN_IN + KEPT):
        n, N, s, F = _count(places, a, L)
        into = NOTHING if sweep < BURN_IN else posterior
        share = (s / s.sum()).astype(np.float32)
        _sweep(places, a, n, N, ALPHA * R, share, _gains(F), random, into)
        jumps += s * (sweep >= BURN_IN)
    return jumps


def _gains(F: Float32) -> Float32:
    """p₀ for the empty word, (1 − p₀) F_e(φ + 1) / F_e(φ) for the others, float32 (V, φ)."""
    gains = np.empty_like(F)
    gains[:, :-1] = (1 - EMPTY_WORD) * F[:, 1:] / F[:, :-1]
    gains[:, -1] = gains[:, -2]
    gains[NULL] = EMPTY_WORD
    return gains


# --- kernels


@lean
def _pick(p: Float32, total: float | np.float32, random: UInt64) -> int:
    """An index drawn by the weights ``p``, of sum ``total``: SplitMix64 (Steele et al. 2014)."""
    random[0] += np.uint64(0x9E3779B97F4A7C15)
    left = float(mix(random[0]) >> np.uint64(11)) / 2.0**53 * total
    for i in range(len(p) - 1):
        left -= p[i]
        if left < 0:
            return i
    return len(p) - 1


@kernel
def _draw(places: Places, start: Float32, random: UInt64) -> Int32:
    """A link a_j for every f_j of the corpus, drawn from the posterior ``start``."""
    a = np.empty(places.f_begin[-1], np.int32)
    for s in range(len(places.begin) - 1):
        n = places.e_begin[s + 1] - places.e_begin[s] + 1
        for j in range(places.f_begin[s + 1] - places.f_begin[s]):
            at = places.begin[s] + j * n
            a[places.f_begin[s] + j] = _pick(start[at : at + n], 1.0, random)
    return a


@kernel
def _count(places: Places, a: Int32, L: int) -> tuple[Float32, Float32, Float64, Float32]:
    """n, float32, in the order of ``Places.column``, and N, float32 (V,), of all links; how often
    each jump d occurs, float64, at L + d; and each fertility of e, float32 (V, HIGHEST + 1).
    """
    V = len(places.row) - 1
    n, N = np.zeros(len(places.column), np.float32), np.zeros(V, np.float32)
    jumps = np.full(2 * L + 1, JUMP_PRIOR)
    F = np.full((V, HIGHEST + 1), FERTILITY_PRIOR, np.float32)
    phi = np.zeros(L, np.int32)
    for s in range(len(places.begin) - 1):
        e = places.e[places.e_begin[s] : places.e_begin[s + 1]]
        m, at = 0, places.begin[s]
        for i in a[places.f_begin[s] : places.f_begin[s + 1]]:
            n[places.entry[at + i]] += 1
            N[e[i - 1] if i > 0 else NULL] += 1
            phi[i] += 1
            if i > 0:
                jumps[L + i - m] += 1
                m = i
            at += len(e) + 1
        jumps[L + len(e) + 1 - m] += 1
        for i in range(len(e)):
            F[e[i], min(phi[i + 1], HIGHEST)] += 1
            phi[i + 1] = 0
    return n, N, jumps, F


@compiled(fastmath=True, error_model="numpy")
def _sweep(
    places: Places, a: Int32, n: Float32, N: Float32, prior: Float32, jumps: Float32,
    gains: Float32, random: UInt64, posterior: Float32,
) -> None:  # fmt: skip
    """Draw every link anew; add what it was drawn from to ``posterior``, unless that is empty.

    w[i] holds all that depends on e_i and φ_i alone. It is refreshed where a link comes or goes; at
    another occurrence of the same word in the sentence, only with the next sentence.
    """
    L = len(jumps) // 2
    p, w, phi = np.empty(L, np.float32), np.empty(L, np.float32), np.empty(L, np.int32)
    words = np.empty(L, np.int32)
    for s in range(len(places.begin) - 1):
        I = places.e_begin[s + 1] - places.e_begin[s]
        links = a[places.f_begin[s] : places.f_begin[s + 1]]
        for i in range(I + 1):
            words[i] = places.e[places.e_begin[s] + i - 1] if i > 0 else NULL
            phi[i] = 0
        for i in links:
            phi[i] += 1
        for i in range(I + 1):
            _weigh(i, words, phi, N, prior, gains, w)
        m = 0
        for j in range(len(links)):
            begin = places.begin[s] + j * (I + 1)
            entry, i = places.entry[begin : begin + I + 1], links[j]
            n[entry[i]] -= 1
            N[words[i]] -= 1
            phi[i] -= 1
            _weigh(i, words, phi, N, prior, gains, w)
            total = _distribution(n, entry, w, jumps, m, _next(links, j, I), p)
            i = links[j] = _pick(p[: I + 1], total, random)
            n[entry[i]] += 1
            N[words[i]] += 1
            phi[i] += 1
            _weigh(i, words, phi, N, prior, gains, w)
            m = i if i > 0 else m
            if len(posterior) > 0:
                for k in range(I + 1):
                    posterior[begin + k] += p[k] / total


@compiled(inline="always")
def _weigh(
    i: int, words: Int32, phi: Int32, N: Float32, prior: Float32, gains: Float32, w: Float32
) -> None:
    e = words[i]
    w[i] = gains[e, min(phi[i], HIGHEST)] / (N[e] + prior[e])


@compiled(inline="always")
def _next(links: Int32, j: int, I: int) -> int:
    """m′ of f_j."""
    for k in range(j + 1, len(links)):
        if links[k] > 0:
            return int(links[k])
    return I + 1


@compiled(fastmath=True, inline="always")
def _distribution(
    n: Float32, entry: Int32, w: Float32, jumps: Float32, m: int, after: int, p: Float32
) -> np.float32:
    """Fill p[0 … I] with the weights that the head of the module gives; their sum."""
    L = len(jumps) // 2
    I = len(entry) - 1
    alpha = np.float32(ALPHA)
    to, on = jumps[L - m :], jumps[L + after - I :]  # s(i − m) at i, s(m′ − i) at I − i
    p[0] = (n[entry[0]] + alpha) * w[0] * jumps[L + after - m]
    for i in range(1, I + 1):
        p[i] = (n[entry[i]] + alpha) * w[i] * to[i] * on[I - i]
    total = np.float32(0)
    for i in range(I + 1):
        total += p[i]
    return total
