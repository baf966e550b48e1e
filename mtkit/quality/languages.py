"""Lines in the wrong language: words of the two sides against each other, character trigrams.

No model of any language is needed: the corpus says which words are whose. A line's *evidence* is

    Σ_w  ln p_other(w) − ln p_own(w)            over its words, each at most ±``MOST``

its own occurrences left out: positive where the words stand on the other side of the corpus.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from mtkit.smt.flat import Bool, Flat, Float32, Float64, Int64

MOST = 4.0  # nats of one word
SURE = 5.0  # nats for a side, where the other is wrong, too
SURER = 10.0  # nats for one side alone
LONG = 8  # words of a line that may be called foreign
KNOWN = 0.2  # share of its words that its side knows otherwise
UNLIKE = -2.0  # standard deviations by which its words are spelled otherwise
TYPES = 50_000  # that show how words are spelled
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


def foreign(own: Flat, counts: Int64, words: Sequence[str], trained: Bool) -> Bool:
    """Which long sentences are made of words that stand nowhere else on their side, or hardly, and
    that are not spelled like its words: lists of names and rare words are.

    words: by number.
    """
    with_it = np.repeat(trained, np.diff(own.begin))
    is_word = np.fromiter((word[0].isalpha() for word in words), bool, len(words))
    letters = is_word[own.words]
    known = letters & (counts[own.words] > with_it + SELDOM * counts.sum())
    n, k = sums(letters, own.begin), sums(known, own.begin)
    found: Bool = (n >= LONG) & (k <= KNOWN * n)
    if found.any():
        unlike = _spelling([words[w] for w in np.flatnonzero(is_word & (counts > 0)).tolist()])
        for row in np.flatnonzero(found).tolist():
            line = own.words[own.begin[row] : own.begin[row + 1]].tolist()
            found[row] = unlike([words[w] for w in line if is_word[w]]) < UNLIKE
    return found


def _spelling(types: Sequence[str]) -> Callable[[Sequence[str]], float]:
    """How well words are spelled like ``types``: the mean of ln p of their character trigrams, in
    standard deviations of such a mean over types. A type does not count itself.
    """
    some = types[:: len(types) // TYPES + 1]
    own, counts = set(some), Counter(g for word in some for g in _trigrams(word))
    smoothed = math.log(counts.total() + len(counts) / 2)

    def score(word: str) -> float:
        seen = (max(0, counts[g] - (word in own)) + 0.5 for g in _trigrams(word))
        return sum(map(math.log, seen)) / len(word) - smoothed

    scores = np.fromiter(map(score, some), float, len(some))
    mean, deviation = float(scores.mean()), max(float(scores.std()), 1e-9)
    return lambda words: (
        (sum(map(score, words)) / len(words) - mean) * len(words) ** 0.5 / deviation
    )


def _trigrams(word: str) -> list[str]:
    """As many as the word has letters.

    >>> _trigrams("one")
    ['^on', 'one', 'ne$']
    """
    padded = f"^{word}$"
    return [padded[i : i + 3] for i in range(len(word))]


def sums(values: Float32 | Bool, begin: Int64) -> Float64:
    """The sum of each sentence's values."""
    total = np.zeros(len(values) + 1)
    np.cumsum(values, out=total[1:])
    of_each: Float64 = total[begin[1:]] - total[begin[:-1]]
    return of_each
