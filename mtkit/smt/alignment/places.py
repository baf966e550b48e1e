"""Where words meet: the sparse t(f|e) of one direction, and EM over it.

Letters, for P(f|e), here and in every alignment model:
    e_1 … e_I   the words given        f_1 … f_J   the words explained      e_0   the empty word
    t(f|e)      translation probability            a_j ∈ 0…I   the word that f_j comes from
    c(f|e)      how often e is expected to explain f, by P(a_j = i | f, e), the *posterior*

t is a sparse matrix: row e holds the words that ever stand opposite e, in any order. A *place* is a
pair of positions (j, i) of a sentence; ``entry`` maps every place to its t, so that EM runs over
flat arrays without a look-up. Memory: 4 bytes a place, J·(I+1) places a sentence.

    M-step              t(f|e) = c(f|e) / Σ_f' c(f'|e)
    with a Dirichlet(α) t(f|e) = exp ψ(c(f|e) + α) / exp ψ(Σ_f' c(f'|e) + α)     over the row's f'
    prior on each row

the second being the variational approximation (Beal 2003; Riley & Gildea 2012): α < 1 keeps rare
words from explaining everything they meet once.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Flat, Float32, Float64, Int32, Int64
from mtkit.smt.kernels import kernel, lean

NULL = 0  # e_0; no word of a vocabulary has this id (it is PAD there)
NOTHING = np.empty(0, np.float32)  # in place of posteriors that nobody asks for


class Places(NamedTuple):
    """The sparse shape of t for one direction of a corpus of S sentence pairs."""

    row: Int64  # (V_e + 1,) row e of t is row[e] : row[e + 1]
    column: Int32  # its words f
    entry: Int32  # the index into t of place (j, i) of sentence s, at begin[s] + j·(I+1) + i
    begin: Int64  # (S + 1,)
    e: Int32  # the words e_1 … e_I of sentence s at e_begin[s] : e_begin[s + 1]
    e_begin: Int64  # (S + 1,)
    f_begin: Int64  # (S + 1,) the same for f_1 … f_J

    @classmethod
    def of(cls, e: Flat, f: Flat, e_size: int, f_size: int) -> Places:
        """Find all pairs of words that meet in a sentence pair. ``e_size``: ids of e + 1."""
        I, J = np.diff(e.begin), np.diff(f.begin)
        begin = np.concatenate([np.zeros(1, np.int64), np.cumsum((I + 1) * J)])
        first = np.zeros(e_size + 1, np.int64)
        first[1:] = np.bincount(e.words, minlength=e_size)
        first[NULL + 1] = len(e)  # the empty word stands in every sentence
        np.cumsum(first, out=first)
        row, column, entry = _meet(e.words, e.begin, first, f.words, f.begin, begin, f_size)
        return cls(row, column, entry, begin, e.words, e.begin, f.begin)

    def uniform(self) -> Float64:
        """t before anything is known."""
        return np.full(len(self.column), 1.0 / max(1, self.row[NULL + 1]))  # e_0 meets every f


def shares(
    kernel: Callable[[int, int, Float64], float], places: Places, size: int, threads: int
) -> tuple[float, Float64]:
    """Run ``kernel(first, last, counts)`` over shares of the sentences, one a thread.

    Each share has counts of its own, float64 (size,), added up in order: the sums are the same for
    the same number of threads. Returns ln P(f|e) and the counts of all sentences.
    """
    inner = np.searchsorted(places.begin, np.linspace(0, places.begin[-1], threads + 1)[1:-1])
    ends = [0, *inner.tolist(), len(places.begin) - 1]
    counts = [np.zeros(size) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:
        likelihood = sum(pool.map(kernel, ends[:-1], ends[1:], counts))
    for c in counts[1:]:
        counts[0] += c
    return likelihood, counts[0]


# --- kernels


@kernel
def _meet(
    e_words: Int32, e_begin: Int64, first: Int64, f_words: Int32, f_begin: Int64, begin: Int64,
    f_size: int,
) -> tuple[Int64, Int32, Int32]:  # fmt: skip
    """``row``, ``column``, ``entry``; e occurs ``first[e + 1] − first[e]`` times in the corpus."""
    sentence, position = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32)
    next_visit = first.copy()  # of each word, sentence by sentence
    for s in range(len(e_begin) - 1):
        for i in range(e_begin[s + 1] - e_begin[s] + 1):
            word = e_words[e_begin[s] + i - 1] if i > 0 else NULL
            sentence[next_visit[word]], position[next_visit[word]] = s, i
            next_visit[word] += 1
    row = np.zeros(len(first), np.int64)
    column, entry = np.empty(begin[-1], np.int32), np.empty(begin[-1], np.int32)
    seen = np.full(f_size, -1, np.int32)  # the word e that last met f …
    slot = np.empty(f_size, np.int32)  # … and where t(f|e) is kept
    n = 0
    for e in range(len(first) - 1):
        for visit in range(first[e], first[e + 1]):
            s = sentence[visit]
            at, I = begin[s] + position[visit], e_begin[s + 1] - e_begin[s]
            for f in f_words[f_begin[s] : f_begin[s + 1]]:
                if seen[f] != e:
                    seen[f], slot[f] = e, n
                    column[n] = f
                    n += 1
                entry[at] = slot[f]
                at += I + 1
        row[e + 1] = n
    return row, column[:n].copy(), entry


@kernel
def maximise(counts: Float64, row: Int64, alpha: float) -> None:
    """The M-step, in place: by ``alpha`` > 0 the variational one. A row without mass stays.

    counts: float64, c of every entry of t, which becomes t; row: as in ``Places``.
    """
    for e in range(len(row) - 1):
        c = counts[row[e] : row[e + 1]]
        total = c.sum()
        if total > 0:
            if alpha > 0:
                scale = np.exp(-digamma(total + alpha * len(c)))
                for k in range(len(c)):
                    c[k] = np.exp(digamma(c[k] + alpha)) * scale
            else:
                c /= total


@lean
def digamma(x: float) -> float:
    """ψ(x) = d ln Γ(x) / dx for x > 0, to 1e-9: by ψ(x) = ψ(x + 1) − 1/x, then asymptotically."""
    shift = 0.0
    while x < 7:
        shift -= 1 / x
        x += 1
    y = 1 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240)))
    return shift + float(np.log(x)) - 0.5 / x - series


@kernel
def link_counts(posterior: Float32, entry: Int32, size: int) -> Float64:
    """c(f|e) of given posteriors, float64 (size,)."""
    counts = np.zeros(size)
    for k in range(len(entry)):
        counts[entry[k]] += posterior[k]
    return counts


@kernel
def best_links(posterior: Float32, begin: Int64, e_begin: Int64, f_begin: Int64) -> Int32:
    """For every word f_j of the corpus its most likely a_j − 1, so that −1 is the empty word."""
    out = np.empty(f_begin[-1], np.int32)
    for s in range(len(begin) - 1):
        n = e_begin[s + 1] - e_begin[s] + 1
        for j in range(f_begin[s + 1] - f_begin[s]):
            at = begin[s] + j * n
            out[f_begin[s] + j] = np.argmax(posterior[at : at + n]) - 1
    return out
