"""The n-best lists of a dev set as flat arrays, the input of tuning; independent of the decoder.

x_h   features of hypothesis h        λ   weights        λ·x_h   its score

The best hypothesis of a sentence is the one with the highest score; in a tie, the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Bool, Float32, Float64, Int32, Int64
from mtkit.smt.kernels import kernel
from mtkit.smt.tuning.bleu import merit

ALL_WEIGHTS: Bool = np.ones(1, np.bool_)  # tuning may change all weights (broadcast)


class Lists(NamedTuple):
    """n hypotheses of S sentences; sentences without a hypothesis are ignored."""

    begin: Int64  # (S + 1,) the hypotheses of sentence s are begin[s] : begin[s + 1]
    features: Float32  # (n, F)
    statistics: Int32  # (n, COLUMNS), as in ``bleu``


def corpus_merit(nbest: Lists, weights: Float64) -> float:
    """Return ``merit`` of the best hypotheses of all sentences together."""
    return float(merit(best_total(nbest, scores(nbest.features, weights))))


def join(parts: Sequence[Lists]) -> Lists:
    """Concatenate the lists of several sets of sentences."""
    sizes = np.concatenate([np.diff(part.begin) for part in parts])
    features, statistics = (np.concatenate([part[k] for part in parts]) for k in (1, 2))
    return Lists(np.cumsum([0, *sizes]), features, statistics)


def best_total(nbest: Lists, scores: Float64) -> Int64:
    """Return the sum of the statistics of each sentence's best hypothesis, int64 (COLUMNS,)."""
    total: Int64 = nbest.statistics[best(nbest, scores)].sum(0, dtype=np.int64)
    return total


def merge(a: Lists, b: Lists) -> Lists:
    """Merge both lists of every sentence, those of ``a`` first, without duplicates.

    Two hypotheses of a sentence are duplicates if features and statistics are equal; the first is
    kept. If ``b`` has no new hypothesis, the result is as long as ``a``.
    """
    assert len(a.begin) == len(b.begin), "two lists of the same sentences"
    sentence = np.concatenate(
        [np.repeat(np.arange(len(x.begin) - 1), np.diff(x.begin)) for x in (a, b)]
    )
    features = np.concatenate([a.features, b.features]) + np.float32(0)  # −0 → 0: equal bits
    statistics = np.concatenate([a.statistics, b.statistics])
    key = np.zeros(len(sentence), np.uint64)
    for column in (*features.view(np.uint32).T, *statistics.view(np.uint32).T):
        key = (key ^ column) * np.uint64(0x9E3779B97F4A7C15)
    order = np.lexsort((key, sentence))  # stable: duplicates follow the first
    repeats = np.zeros(len(sentence), np.bool_)
    repeats[order[1:]] = sentence[order[1:]] == sentence[order[:-1]]
    for array in (features, statistics):
        repeats[order[1:]] &= (array[order[1:]] == array[order[:-1]]).all(1)
    rows = np.argsort(sentence, kind="stable")
    rows = rows[~repeats[rows]]
    begin = np.searchsorted(sentence[rows], np.arange(len(a.begin)))
    return Lists(begin, features[rows], statistics[rows])


# --- kernels


@kernel
def scores(features: Float32, weights: Float64) -> Float64:
    """Return λ·x_h of all hypotheses, float64 (n,)."""
    out = np.zeros(len(features))
    for h in range(len(features)):
        for k in range(len(weights)):
            out[h] += weights[k] * features[h, k]
    return out


@kernel
def best(nbest: Lists, scores: Float64) -> Int64:
    """Return the row of the best hypothesis of each sentence that has any, int64."""
    begin, rows = nbest.begin, np.empty(len(nbest.begin) - 1, np.int64)
    n = 0
    for s in range(len(begin) - 1):
        if begin[s] < begin[s + 1]:
            rows[n] = begin[s] + np.argmax(scores[begin[s] : begin[s + 1]])
            n += 1
    return rows[:n]
