"""Which phrase translations a sentence can be built from, and what the rest of it will cost.

For every span of the source, the phrase table's best ``limit`` pairs by

    Σ_k λ_k f_k(s̄, t̄)  +  λ_lm ln P_lm(t̄)          the language model seeing the phrase by itself

f_k are those of the phrase table and, of the sentence, ``context``. A word that no phrase covers by
itself is copied. The *future cost* of a span is the best such sum
over its segmentations, reordering left out: an optimistic guess at what is still to come.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from mtkit.smt.context import MISSING, Lexicon, log_probabilities
from mtkit.smt.extract import MAX_PHRASE, hash_word
from mtkit.smt.flat import Float64, Int32, Int64, UInt64, lean
from mtkit.smt.lm import ROOT, Lm, lm_step
from mtkit.smt.phrases import PhraseTable

WINDOW = 64  # positions behind the first gap that a hypothesis may cover; see ``decoder``
CANDIDATES = 5  # times ``limit`` pairs of a source phrase are looked at, best φ(t̄|s̄) first
COPIED = -1  # in place of a phrase pair: the source word itself
ORIENTATIONS = ("monotone", "swap", "discontinuous")
REORDERING = tuple(f"{side}-{o}" for side in ("previous", "next") for o in ORIENTATIONS)


class Weights(NamedTuple):
    """λ: of the four phrase features, of REORDERING, then of the counts and models named."""

    phrase: Float64
    reordering: Float64
    phrases: float
    words: float
    unknown: float
    lm: float
    distortion: float
    context: float


class Options(NamedTuple):
    """M options of a sentence of N words; W target words in all.

    begin: int64 (N · MAX_PHRASE + 1,), those of the span of k + 1 words from i are
    ``begin[i · MAX_PHRASE + k]`` and the following, best first; pair: int32 (M,), row of the phrase
    table or COPIED; score: float64 (M,) without language model and reordering; estimate: with the
    language model; context: float64 (M,), the feature of ``context``, part of the score; words:
    int32 (W,), the language model's ids of option o at ``w_begin[o] : w_begin[o + 1]``.

    previous, next: float64 (M + 1, 3), λ ln P(orientation | pair) towards the phrase before and
    towards the one behind, 0 for copied words and in the last row, which stands for the sentence's
    start; kind: uint64 (M,), equal where ``next`` is.

    state: int32 (W,), the language model's after each word, seeing the phrase by itself; behind:
    float64 (W,), λ_lm ln P of the phrase's words behind it then.
    """

    begin: Int64
    pair: Int32
    score: Float64
    estimate: Float64
    context: Float64
    words: Int32
    w_begin: Int64
    previous: Float64
    next: Float64
    kind: UInt64
    state: Int32
    behind: Float64


# --- kernels


@njit(cache=True, nogil=True)
def collect(
    sentence: Int32,
    copied: Int32,
    table: PhraseTable,
    lexicon: Lexicon,
    lm: Lm,
    lm_id: Int32,
    weights: Weights,
    limit: int,
) -> Options:
    """The options of a sentence of source ids.

    copied: the language model's id of each source word, should it be copied; lm_id: that of each
    target word.
    """
    N = len(sentence)
    begin = np.zeros(N * MAX_PHRASE + 1, np.int64)
    pair = np.empty(N * (MAX_PHRASE * limit + 1), np.int32)
    score, estimate, context = np.empty(len(pair)), np.empty(len(pair)), np.zeros(len(pair))
    where, likely = log_probabilities(sentence, lexicon)
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
                    near = sentence[i : i + k + 1], where[i : i + k + 2], likely
                    n = _best_pairs(
                        table, lexicon, near, lm, lm_id, weights, row, limit, pair, score, estimate,
                        context, n,
                    )  # fmt: skip
                if k == 0 and n == first:
                    pair[n], context[n] = COPIED, 0.0
                    score[n] = weights.phrases + weights.words + weights.unknown
                    log_p, _ = lm_step(lm, ROOT, copied[i])
                    estimate[n] = score[n] + weights.lm * log_p
                    n += 1
            begin[span + 1] = n
    words, w_begin = _spell(begin, pair[:n], table, lm_id, copied)
    return Options(
        begin, pair[:n].copy(), score[:n].copy(), estimate[:n].copy(), context[:n].copy(), words,
        w_begin,
        *_reorder(pair[:n], table, weights.reordering), *_alone(words, w_begin, lm, weights.lm),
    )  # fmt: skip


@lean
def _find(table: PhraseTable, key: np.uint64, sentence: Int32, i: int, length: int) -> int:
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


@lean
def _best_pairs(  # type: ignore[no-untyped-def]
    table, lexicon, near, lm, lm_id, weights, row, limit, pair, score, estimate, context, n
):
    """Insert the row's best pairs, sorted by estimate, from index ``n`` on; the new ``n``."""
    first = n
    last = min(table.row[row + 1], table.row[row] + CANDIDATES * limit)
    for p in range(table.row[row], last):
        length = table.t_begin[p + 1] - table.t_begin[p]
        value = weights.phrases + weights.words * length
        for f in range(len(weights.phrase)):
            value += weights.phrase[f] * table.features[p, f]
        fit = _fit(table, lexicon, near, p)
        value += weights.context * fit
        full = n - first == limit
        guess, state = value, ROOT
        for at in range(table.t_begin[p], table.t_begin[p + 1]):
            if full and guess <= estimate[n - 1] and weights.lm >= 0:
                break  # the language model only takes away
            log_p, state = lm_step(lm, state, lm_id[table.target[at]])
            guess += weights.lm * log_p
        if full:
            if guess <= estimate[n - 1]:
                continue
            n -= 1
        at = n
        while at > first and estimate[at - 1] < guess:
            pair[at], score[at], estimate[at] = pair[at - 1], score[at - 1], estimate[at - 1]
            context[at] = context[at - 1]
            at -= 1
        pair[at], score[at], estimate[at], context[at] = p, value, guess, fit
        n += 1
    return n


@lean
def _fit(table, lexicon, near, p):  # type: ignore[no-untyped-def]
    """The feature of ``context`` for pair p: Σ_{t ∈ t̄} ln P(t|x, a_t)."""
    words, begin, log_p = near
    total, a = 0.0, -1
    first, last = table.t_begin[p], table.t_begin[p + 1]
    for j in range(last - first):  # unlinked words at the beginning go with the next
        if a < 0:
            a = _first_link(table.links[p], j, len(words))
    for j in range(last - first):
        i = _first_link(table.links[p], j, len(words))
        a = i if i >= 0 else a
        rivals, value = lexicon.row[words[a]], MISSING
        for k in range(begin[a + 1] - begin[a]):
            if lexicon.word[rivals + k] == table.target[first + j]:
                value = log_p[begin[a] + k]
        total += value
    return total


@lean
def _first_link(links, j, length):  # type: ignore[no-untyped-def]
    """The first source word of a pair that is linked to target word j, or −1."""
    for i in range(length):
        if links >> np.uint64(8 * i + j) & np.uint64(1):
            return i
    return -1


@njit(cache=True, nogil=True)
def _spell(
    begin: Int64, pair: Int32, table: PhraseTable, lm_id: Int32, copied: Int32
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
def _reorder(pair: Int32, table: PhraseTable, weights: Float64) -> tuple[Float64, Float64, UInt64]:
    """``previous``, ``next`` and ``kind`` of the options."""
    previous, following = np.zeros((len(pair) + 1, 3)), np.zeros((len(pair) + 1, 3))
    for o in range(len(pair)):
        if pair[o] != COPIED:
            for k in range(3):
                previous[o, k] += weights[k] * table.reordering[pair[o], k]
                following[o, k] += weights[3 + k] * table.reordering[pair[o], 3 + k]
    kind = np.zeros(len(pair), np.uint64)
    bits = following.view(np.int64)
    for o in range(len(pair)):
        for k in range(3):
            kind[o] = hash_word(kind[o], bits[o, k])
    return previous, following, kind


@njit(cache=True, nogil=True)
def _alone(words: Int32, w_begin: Int64, lm: Lm, weight: float) -> tuple[Int32, Float64]:
    """``state`` and ``behind`` of the options' words."""
    state, log_p, behind = (
        np.empty(len(words), np.int32),
        np.empty(len(words)),
        np.zeros(len(words)),
    )
    for o in range(len(w_begin) - 1):
        now = ROOT
        for w in range(w_begin[o], w_begin[o + 1]):
            log_p[w], now = lm_step(lm, now, words[w])
            state[w] = now
        for w in range(w_begin[o + 1] - 1, w_begin[o], -1):
            behind[w - 1] = behind[w] + weight * log_p[w]
    return state, behind


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
