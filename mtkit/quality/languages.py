"""Find lines in the wrong language, by word frequencies of both sides and character trigrams.

No model of any language is needed: the corpus shows which words belong to which side. The
*evidence* of a line, in nats, is

    Σ_w  ln p_other(w) − ln p_own(w)            over its words, each at most ±``MAX_EVIDENCE``

It is positive if the words are typical of the other side. An occurrence does not count itself, nor
one on the other side, which may be its copy: names and codes that only this pair has are no
evidence. URLs, numbers and other codes have been removed before (``words.without_codes``), and
punctuation marks have no counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from mtkit.smt.flat import Bool, Flat, Float32, Float64, Int64

MAX_EVIDENCE = 4.0  # nats: limit of one word's evidence
BOTH_WRONG = 5.0  # nats: threshold for each side if both sides are wrong
ONE_WRONG = 10.0  # nats: threshold if only one side is wrong
MIN_WORDS = 8  # least number of words of a line that may be foreign
MAX_KNOWN = 0.2  # largest share of known words in a foreign line
UNLIKE = -2.0  # standard deviations: a foreign line is spelled less like its side than this
MAX_TYPES = 50_000  # word types that the spelling is learnt from, at most
RARE_SHARE = 2e-5  # a word with no larger share of its side's tokens is unknown


def evidence(own: Flat, own_counts: Int64, other_counts: Int64, trained: Bool) -> Float64:
    """Return how much each sentence looks like the other side, in nats, float64 (S,).

    own_counts, other_counts: of each word on the two sides, int64 (V,). trained: bool (S,), whether
    the sentence is included in ``own_counts``.
    """
    N, M = max(1, own_counts.sum()), max(1, other_counts.sum())
    tables = []
    for uncounted in (0, 1):
        own_rest, other_rest = (np.maximum(c - uncounted, 0) for c in (own_counts, other_counts))
        ratio = np.log((other_rest + 0.5) / M) - np.log((own_rest + 0.5) / N)
        ratio[(own_rest == 0) & (other_rest == 0)] = 0
        tables.append(np.clip(ratio, -MAX_EVIDENCE, MAX_EVIDENCE).astype(np.float32))
    counted = np.repeat(trained, np.diff(own.begin))
    return sums(np.where(counted, tables[1][own.words], tables[0][own.words]), own.begin)


def foreign(own: Flat, other: Flat, counts: Int64, words: Sequence[str], trained: Bool) -> Bool:
    """Return which long sentences look foreign to their side, bool (S,).

    Their words are rare or absent elsewhere on that side, and are not spelled like its words; lists
    of names and rare words are spelled like them. Sentences that share most words with the other
    side are copies of names or of program code, of which nothing is known. words: id → text.
    trained: see ``evidence``.
    """
    own_count = np.repeat(trained, np.diff(own.begin))
    is_word = np.fromiter((word[0].isalpha() for word in words), bool, len(words))
    alphabetic = is_word[own.words]
    known = alphabetic & (counts[own.words] > own_count + RARE_SHARE * counts.sum())
    n, k = sums(alphabetic, own.begin), sums(known, own.begin)
    is_foreign: Bool = (n >= MIN_WORDS) & (k <= MAX_KNOWN * n)
    if is_foreign.any():
        spelling = _spelling([words[w] for w in np.flatnonzero(is_word & (counts > 0)).tolist()])
        for row in np.flatnonzero(is_foreign).tolist():
            line, partner = (
                side.words[side.begin[row] : side.begin[row + 1]].tolist() for side in (own, other)
            )
            is_copy = 2 * len({*line} & {*partner}) > len({*line})
            text = [words[w] for w in line if is_word[w]]
            is_foreign[row] = not is_copy and spelling(text) < UNLIKE
    return is_foreign


def _spelling(types: Sequence[str]) -> Callable[[Sequence[str]], float]:
    """Return a function that tells how well words are spelled like ``types``.

    Its value is the mean of ln p of the words' character trigrams, in standard deviations of such a
    mean over types. A type does not count itself.
    """
    sample = types[:: len(types) // MAX_TYPES + 1]
    sampled, counts = set(sample), Counter(g for word in sample for g in _trigrams(word))
    smoothed = math.log(counts.total() + len(counts) / 2)

    def score(word: str) -> float:
        seen = (max(0, counts[g] - (word in sampled)) + 0.5 for g in _trigrams(word))
        return sum(map(math.log, seen)) / len(word) - smoothed

    scores = np.fromiter(map(score, sample), float, len(sample))
    mean, deviation = float(scores.mean()), max(float(scores.std()), 1e-9)
    return lambda words: (
        (sum(map(score, words)) / len(words) - mean) * len(words) ** 0.5 / deviation
    )


def _trigrams(word: str) -> list[str]:
    """Return the character trigrams of a word, as many as it has letters.

    >>> _trigrams("one")
    ['^on', 'one', 'ne$']
    """
    padded = f"^{word}$"
    return [padded[i : i + 3] for i in range(len(word))]


def sums(values: Float32 | Bool, begin: Int64) -> Float64:
    """Return the sum of each sentence's values, float64 (S,)."""
    total = np.zeros(len(values) + 1)
    np.cumsum(values, out=total[1:])
    totals: Float64 = total[begin[1:]] - total[begin[:-1]]
    return totals
