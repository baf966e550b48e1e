"""IBM Model 1 (Brown et al. 1993): which word translates which, whatever the order.

Letters, for P(f|e), one direction:
    e_1 … e_I   the words given        f_1 … f_J   the words explained      e_0   the empty word
    t(f|e)      translation probability            a_j ∈ 0…I   the word that f_j comes from

    P(f|e) = Π_j 1/(I+1) Σ_{i=0..I} t(f_j|e_i)

EM: expect   c(f|e) += t(f_j|e_i) / Σ_i' t(f_j|e_i')   over all places where f_j = f, e_i = e
    maximise t(f|e) = c(f|e) / Σ_f' c(f'|e)

t is a sparse matrix: row e holds the words that ever stand opposite e, in any order. A *place* is a
pair of positions (i, j) of a sentence; ``entry`` maps every place to its t, so that EM runs over
flat arrays without a look-up. Memory: 4 bytes a place, (I+1)·J places a sentence.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from mtkit.smt.flat import Flat, Float64, Int32, Int64

NULL = 0  # e_0; no word of a vocabulary has this id (it is PAD there)


@dataclass(frozen=True)
class Places:
    """The sparse shape of t for one direction of a corpus.

    row: int64 (V_e + 1,), row e of t is ``row[e] : row[e + 1]``; column: int32, its words f;
    entry: int32, for place (i, j) of sentence s the index into t, at ``begin[s] + i·J + j``.
    """

    row: Int64
    column: Int32
    entry: Int32
    begin: Int64

    @classmethod
    def of(cls, e: Flat, f: Flat, e_size: int, f_size: int) -> Places:
        """Find all pairs of words that meet in a sentence pair. ``e_size``: ids of e + 1."""
        I, J = np.diff(e.begin), np.diff(f.begin)
        begin = np.concatenate([np.zeros(1, np.int64), np.cumsum((I + 1) * J)])
        occurrences = np.argsort(e.words, kind="stable")
        first = np.searchsorted(e.words[occurrences], np.arange(e_size + 1))
        sentence = np.repeat(np.arange(len(e), dtype=np.int32), I)
        row, column, entry = _meet(
            occurrences, first, sentence, e.begin, f.words, f.begin, begin, e_size, f_size
        )
        return cls(row, column, entry, begin)


def ibm1(places: Places, e: Flat, f: Flat, iterations: int) -> tuple[Float64, list[float]]:
    """t after EM from the uniform start, and ln P(f|e) of the corpus before each iteration."""
    t = np.full(len(places.column), 1.0 / len(np.unique(places.column)))
    likelihood = []
    for _ in range(iterations):
        counts = np.zeros(len(t))
        likelihood.append(_expect(t, places.entry, places.begin, e.begin, f.begin, counts))
        normalise(counts, places.row)
        t = counts
    return t, likelihood


# --- kernels


@njit(cache=True, nogil=True)
def _meet(
    occurrences: Int64,
    first: Int64,
    sentence: Int32,
    e_begin: Int64,
    f_words: Int32,
    f_begin: Int64,
    begin: Int64,
    e_size: int,
    f_size: int,
) -> tuple[Int64, Int32, Int32]:
    row = np.zeros(e_size + 1, np.int64)
    column = np.empty(begin[-1], np.int32)
    entry = np.empty(begin[-1], np.int32)
    seen = np.full(f_size, -1, np.int32)  # the word e that last met f …
    slot = np.empty(f_size, np.int32)  # … and where t(f|e) is kept
    n = 0
    for e in range(e_size):
        # The empty word stands in every sentence, before position 0.
        visits = len(e_begin) - 1 if e == NULL else first[e + 1] - first[e]
        for visit in range(visits):
            if e == NULL:
                s, i = visit, 0
            else:
                at = occurrences[first[e] + visit]
                s = sentence[at]
                i = at - e_begin[s] + 1
            J = f_begin[s + 1] - f_begin[s]
            for j in range(J):
                f = f_words[f_begin[s] + j]
                if seen[f] != e:
                    seen[f], slot[f] = e, n
                    column[n] = f
                    n += 1
                entry[begin[s] + i * J + j] = slot[f]
        row[e + 1] = n
    return row, column[:n].copy(), entry


@njit(cache=True, nogil=True)
def _expect(
    t: Float64, entry: Int32, begin: Int64, e_begin: Int64, f_begin: Int64, counts: Float64
) -> float:
    likelihood = 0.0
    for s in range(len(begin) - 1):
        I = e_begin[s + 1] - e_begin[s]
        J = f_begin[s + 1] - f_begin[s]
        for j in range(J):
            total = 0.0
            for i in range(I + 1):
                total += t[entry[begin[s] + i * J + j]]
            for i in range(I + 1):
                place = entry[begin[s] + i * J + j]
                counts[place] += t[place] / total
            likelihood += np.log(total / (I + 1))
    return likelihood


@njit(cache=True, nogil=True)
def normalise(counts: Float64, row: Int64) -> None:
    """Make each row sum to one, in place; a row without mass stays as it is."""
    for e in range(len(row) - 1):
        total = counts[row[e] : row[e + 1]].sum()
        if total > 0:
            counts[row[e] : row[e + 1]] /= total
