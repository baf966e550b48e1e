"""BLEU (Papineni et al. 2002) from sums of integers, to which sentences can be added or removed.

    BLEU = 100 · min(1, exp(1 − r/c)) · (p_1 p_2 p_3 p_4)^¼        p_n = matches_n / totals_n

c, r: numbers of tokens of the hypotheses and of their references. The statistics of a hypothesis
are the ``COLUMNS`` integers

    matches_1 … matches_4,  totals_1 … totals_4,  r,  edits       c = totals_1

matches_n: n-grams that also occur in the reference, each counted at most as often as there
(clipped); edits: fewest insertions, deletions and replacements of words that turn the hypothesis
into the reference (Levenshtein 1966), so that

    WER  = 100 · edits / r                merit = (1 − w) BLEU − w WER

Tuning maximises merit (Servan & Schwenk 2011, "Optimising Multiple Metrics with MERT"). BLEU alone
makes the output as long as the dev set's references, even by adding wrong words; a large share of
WER makes the output of hard text too short. In cross-validation on dev sets of three corpora,
shares w from 0 to 0.2 give similar results and larger ones worse results.

Limits: one reference per sentence. BLEU is on the given tokens, as sacreBLEU's with
``tokenize="none"``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Flat, Int32, Int64
from mtkit.smt.kernels import inner, kernel

ORDER = 4
COLUMNS = 2 * ORDER + 2
WER_WEIGHT = 0.1  # w


def statistics(hypotheses: Flat, references: Flat, begin: Int64) -> Int32:
    """Return the statistics of n hypotheses, int32 (n, COLUMNS).

    begin: the hypotheses of reference s are begin[s] : begin[s + 1]. For one hypothesis per
    reference, ``begin = np.arange(len(references) + 1)``.
    """
    return _count(hypotheses.words, hypotheses.begin, references.words, references.begin, begin)


# --- kernels


@kernel
def bleu(total: NDArray[Any]) -> float:
    """Return BLEU, 0 to 100, of a sum (COLUMNS,) of statistics, integers or floats.

    The k-th order without a match counts as 2⁻ᵏ matches (sacreBLEU's smoothing ``exp``). If there
    is no match at all, or an order without n-grams, BLEU is 0.
    """
    product, missing = 1.0, 1.0
    for n in range(ORDER):
        if total[0] == 0 or total[ORDER + n] == 0:
            return 0.0
        matches = float(total[n])
        if matches == 0:
            missing /= 2
            matches = missing
        product *= matches / total[ORDER + n]
    c, r = total[ORDER], total[2 * ORDER]
    brevity = np.exp(1 - r / c) if c < r else 1.0
    return float(100 * brevity * np.sqrt(np.sqrt(product)))


@kernel
def wer(total: NDArray[Any]) -> float:
    """Return WER, per cent, of a sum (COLUMNS,) of statistics; it can exceed 100."""
    return float(100 * total[2 * ORDER + 1] / max(1, total[2 * ORDER]))


@kernel
def merit(total: NDArray[Any]) -> float:
    """Return merit, at most 100 (1 − w), of a sum (COLUMNS,) of statistics."""
    return float((1 - WER_WEIGHT) * bleu(total) - WER_WEIGHT * wer(total))


@kernel
def _count(h_words: Int32, h_begin: Int64, r_words: Int32, r_begin: Int64, begin: Int64) -> Int32:
    out = np.zeros((len(h_begin) - 1, COLUMNS), np.int32)
    for s in range(len(begin) - 1):
        reference = r_words[r_begin[s] : r_begin[s + 1]]
        for h in range(begin[s], begin[s + 1]):
            hypothesis = h_words[h_begin[h] : h_begin[h + 1]]
            _match(hypothesis, reference, out[h])
            for n in range(ORDER):
                out[h, ORDER + n] = max(len(hypothesis) - n, 0)
            out[h, 2 * ORDER] = len(reference)
            out[h, 2 * ORDER + 1] = _edits(hypothesis, reference)
    return out


@inner
def _match(hypothesis: Int32, reference: Int32, matches: Int32) -> None:
    """Count clipped matches: each n-gram takes an equal one of the reference not yet taken."""
    J = len(reference)
    run = np.zeros(J + 1, np.int32)  # run[j + 1]: number of equal words that end at i and at j
    taken = np.zeros((J, ORDER), np.bool_)
    for i in range(len(hypothesis)):
        counted = np.zeros(ORDER, np.bool_)
        for j in range(J - 1, -1, -1):
            run[j + 1] = run[j] + 1 if hypothesis[i] == reference[j] else 0
            for n in range(min(run[j + 1], ORDER)):
                if not counted[n] and not taken[j, n]:
                    counted[n] = taken[j, n] = True
                    matches[n] += 1


@inner
def _edits(hypothesis: Int32, reference: Int32) -> int:
    """Return the edit distance in words."""
    row = np.arange(len(reference) + 1)  # row[j]: from the hypothesis so far to j reference words
    for i in range(len(hypothesis)):
        corner, row[0] = row[0], i + 1
        for j in range(len(reference)):
            replaced = corner + (hypothesis[i] != reference[j])
            corner = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, corner + 1)
    return int(row[-1])
