"""Which phrase translations a sentence can be built from, and what the rest of it will cost.

For every span of the source, the phrase table's best ``limit`` pairs by

    Σ_k λ_k f_k(s̄, t̄)  +  λ_lm ln P_lm(t̄)          the language model seeing the phrase by itself

A word that no phrase covers by itself is copied. The *future cost* of a span is the best such sum
over its segmentations, reordering left out: an optimistic guess at what is still to come.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from mtkit.smt.flat import Float32, Float64, Int32, Int64, UInt64
from mtkit.smt.lm import ROOT, Lm, lm_step
from mtkit.smt.phrases import MAX_PHRASE, hash_word

WINDOW = 64  # positions behind the first gap that a hypothesis may cover; see ``decoder``
CANDIDATES = 5  # times ``limit`` pairs of a source phrase are looked at, best φ(t̄|s̄) first
COPIED = -1  # in place of a phrase pair: the source word itself


class Table(NamedTuple):
    """The arrays of ``PhraseTable`` that translating needs, for kernels."""

    source: Int32
    s_begin: Int64
    target: Int32
    t_begin: Int64
    key: UInt64
    row: Int64
    features: Float32


class Weights(NamedTuple):
    """λ: of the four phrase features, then of the counts and models named."""

    phrase: Float64
    phrases: float
    words: float
    unknown: float
    lm: float
    distortion: float


class Options(NamedTuple):
    """M options of a sentence of N words.

    begin: int64 (N · MAX_PHRASE + 1,), those of the span of k + 1 words from i are
    ``begin[i · MAX_PHRASE + k]`` and the following, best first; pair: int32 (M,), row of the phrase
    table or COPIED; score: float64 (M,) without the language model; estimate: with it; words:
    int32, the language model's ids of option o at ``w_begin[o] : w_begin[o + 1]``.
    """

    begin: Int64
    pair: Int32
    score: Float64
    estimate: Float64
    words: Int32
    w_begin: Int64


# --- kernels


@njit(cache=True, nogil=True)
def collect(
    sentence: Int32, copied: Int32, table: Table, lm: Lm, lm_id: Int32, weights: Weights, limit: int
) -> Options:
    """The options of a sentence of source ids.

    copied: the language model's id of each source word, should it be copied; lm_id: that of each
    target word.
    """
    N = len(sentence)
    begin = np.zeros(N * MAX_PHRASE + 1, np.int64)
    pair = np.empty(N * (MAX_PHRASE * limit + 1), np.int32)
    score, estimate = np.empty(len(pair)), np.empty(len(pair))
    n = 0
    for i in range(N):
        key = np.uint64(0)
        for k in range(MAX_PHRASE):
            span = i * MAX_PHRASE + k
            first = n
            if i + k < N:
                key = hash_word(key, sentence[i + k])
                row = _find(table, key, sentence, i, k + 1)
                if row >= 0:
                    n = _best_pairs(table, lm, lm_id, weights, row, limit, pair, score, estimate, n)
                if k == 0 and n == first:
                    pair[n] = COPIED
                    score[n] = weights.phrases + weights.words + weights.unknown
                    log_p, _ = lm_step(lm, ROOT, copied[i])
                    estimate[n] = score[n] + weights.lm * log_p
                    n += 1
            begin[span + 1] = n
    words, w_begin = _spell(begin, pair[:n], table, lm_id, copied)
    return Options(begin, pair[:n].copy(), score[:n].copy(), estimate[:n].copy(), words, w_begin)


@njit(cache=True, nogil=True)
def _find(table: Table, key: np.uint64, sentence: Int32, i: int, length: int) -> int:
    """The row of the source phrase ``sentence[i : i + length]``, or −1."""
    row = int(np.searchsorted(table.key, key))
    if row == len(table.key) or table.key[row] != key:
        return -1
    at = table.s_begin[row]
    if table.s_begin[row + 1] - at != length:
        return -1
    for k in range(length):
        if table.source[at + k] != sentence[i + k]:
            return -1
    return row


@njit(cache=True, nogil=True)
def _best_pairs(table, lm, lm_id, weights, row, limit, pair, score, estimate, n):  # type: ignore[no-untyped-def]
    """Insert the row's best pairs, sorted by estimate, from index ``n`` on; the new ``n``."""
    first = n
    last = min(table.row[row + 1], table.row[row] + CANDIDATES * limit)
    for p in range(table.row[row], last):
        length = table.t_begin[p + 1] - table.t_begin[p]
        value = weights.phrases + weights.words * length
        for f in range(len(weights.phrase)):
            value += weights.phrase[f] * table.features[p, f]
        guess, state = value, ROOT
        for at in range(table.t_begin[p], table.t_begin[p + 1]):
            log_p, state = lm_step(lm, state, lm_id[table.target[at]])
            guess += weights.lm * log_p
        if n - first == limit:
            if guess <= estimate[n - 1]:
                continue
            n -= 1
        at = n
        while at > first and estimate[at - 1] < guess:
            pair[at], score[at], estimate[at] = pair[at - 1], score[at - 1], estimate[at - 1]
            at -= 1
        pair[at], score[at], estimate[at] = p, value, guess
        n += 1
    return n


@njit(cache=True, nogil=True)
def _spell(
    begin: Int64, pair: Int32, table: Table, lm_id: Int32, copied: Int32
) -> tuple[Int32, Int64]:
    """The target words of each option as the language model's ids."""
    w_begin = np.zeros(len(pair) + 1, np.int64)
    for o in range(len(pair)):
        p = pair[o]
        length = 1 if p == COPIED else table.t_begin[p + 1] - table.t_begin[p]
        w_begin[o + 1] = w_begin[o] + length
    words = np.empty(w_begin[-1], np.int32)
    for span in range(len(begin) - 1):
        for o in range(begin[span], begin[span + 1]):
            if pair[o] == COPIED:
                words[w_begin[o]] = copied[span // MAX_PHRASE]
            else:
                for k in range(w_begin[o + 1] - w_begin[o]):
                    words[w_begin[o] + k] = lm_id[table.target[table.t_begin[pair[o]] + k]]
    return words, w_begin


@njit(cache=True, nogil=True)
def future_costs(begin: Int64, estimate: Float64, N: int) -> tuple[Float64, Float64]:
    """(future, rest): the best estimate of covering k words from i, ``future[i, k]``, k ≤ WINDOW,
    and of covering everything from i on, ``rest[i]``.
    """
    best = np.full((N, MAX_PHRASE + 1), -np.inf)
    for i in range(N):
        for k in range(MAX_PHRASE):
            span = i * MAX_PHRASE + k
            if begin[span + 1] > begin[span]:
                best[i, k + 1] = estimate[begin[span]]
    future = np.full((N + 1, WINDOW + 1), -np.inf)
    for i in range(N + 1):
        future[i, 0] = 0.0
        for k in range(1, min(WINDOW, N - i) + 1):
            for last in range(1, min(k, MAX_PHRASE) + 1):
                value = future[i, k - last] + best[i + k - last, last]
                future[i, k] = max(future[i, k], value)
    rest = np.full(N + 1, -np.inf)
    rest[N] = 0.0
    for i in range(N - 1, -1, -1):
        for first in range(1, min(N - i, MAX_PHRASE) + 1):
            rest[i] = max(rest[i], best[i, first] + rest[i + first])
    return future, rest
