"""Lines in the wrong language, by the words of the two sides against each other.

No model of any language is needed: the corpus says which words are whose. A line's *evidence* is

    Σ_w  ln p_other(w) − ln p_own(w)            over its words, each at most ±``MOST``

its own occurrences left out: positive where the words stand on the other side of the corpus.
"""

from __future__ import annotations

import numpy as np

from mtkit.smt.flat import Bool, Flat, Float32, Float64, Int64

MOST = 4.0  # nats of one word
SURE = 5.0  # nats for a side, where the other is wrong, too
SURER = 10.0  # nats for one side alone
LONG = 8  # words of a line that may be called foreign
KNOWN = 0.2  # share of its words that its side knows otherwise
SELDOM = 2e-5  # share of a side's words that a word may have and still not count as known


def evidence(own: Flat, own_counts: Int64, other_counts: Int64, trained: Bool) -> Float64:
    """How much each sentence looks like the other side, in nats.

    trained: bool (S,), whether the sentence is among what was counted.
    """
    N, M = max(1, own_counts.sum()), max(1, other_counts.sum())
    tables = []
    for own_count in (0, 1):
        seen = np.maximum(own_counts - own_count, 0)
        ratio = np.log((other_counts + 0.5) / M) - np.log((seen + 0.5) / N)
        ratio[(seen == 0) & (other_counts == 0)] = 0
        tables.append(np.clip(ratio, -MOST, MOST).astype(np.float32))
    itself = np.repeat(trained, np.diff(own.begin))
    return sums(np.where(itself, tables[1][own.words], tables[0][own.words]), own.begin)


def foreign(own: Flat, counts: Int64, letters: Bool, trained: Bool) -> Bool:
    """Which long sentences are made of words that stand nowhere else on their side, or hardly.

    letters: bool (V,), which words begin with a letter.
    """
    with_it = np.repeat(trained, np.diff(own.begin))
    words = letters[own.words]
    known = words & (counts[own.words] > with_it + SELDOM * counts.sum())
    n, k = sums(words, own.begin), sums(known, own.begin)
    is_foreign: Bool = (n >= LONG) & (k <= KNOWN * n)
    return is_foreign


def sums(values: Float32 | Bool, begin: Int64) -> Float64:
    """The sum of each sentence's values."""
    total = np.zeros(len(values) + 1)
    np.cumsum(values, out=total[1:])
    of_each: Float64 = total[begin[1:]] - total[begin[:-1]]
    return of_each
