"""Co-occurring words of one direction: the sparse t(f|e), and the M-step of EM over it.

Letters, for P(f|e), here and in every alignment model:
    e_1 … e_I   the given sentence     f_1 … f_J   the generated sentence   e_0   the empty word
    t(f|e)      translation probability            a_j ∈ 0…I   the position that f_j is aligned to
    c(f|e)      expected count of links between e and f, by the *posterior* P(a_j = i | f, e)

t is a sparse matrix: row e holds the words f that co-occur with e in a sentence pair, in any order.
A *place* is a pair of positions (j, i) of a sentence pair. ``entry`` maps every place to its index
in t, so EM runs over flat arrays without look-ups. Memory: 4 bytes per place, J·(I+1) places per
sentence pair.

    M-step              t(f|e) = c(f|e) / Σ_f' c(f'|e)
    with a Dirichlet(α) t(f|e) = exp ψ(c(f|e) + α) / exp ψ(Σ_f' c(f'|e) + α)     over the row's f'
    prior on each row

The second is the variational approximation (Beal 2003; Riley & Gildea 2012). α < 1 keeps rare words
e from being aligned to every f that they co-occur with.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Flat, Float32, Float64, Int32, Int64, read_only
from mtkit.smt.kernels import kernel, lean

NULL = 0  # e_0; no word of a vocabulary has this id (it is PAD there)
NO_POSTERIOR = np.empty(0, np.float32)  # the argument ``posterior`` if posteriors are not needed


class Places(NamedTuple):
    """Sparsity pattern of t for one direction of a text of S sentence pairs."""

    row: Int64  # (V_e + 1,) row e of t is row[e] : row[e + 1]
    column: Int32  # its words f
    entry: Int32  # the index into t of place (j, i) of sentence s, at begin[s] + j·(I+1) + i
    begin: Int64  # (S + 1,)
    e: Int32  # the words e_1 … e_I of sentence s at e_begin[s] : e_begin[s + 1]
    e_begin: Int64  # (S + 1,)
    f_begin: Int64  # (S + 1,) the same for f_1 … f_J

    @classmethod
    def of(cls, e: Flat, f: Flat, e_size: int, f_size: int) -> Places:
        """Find all word pairs that co-occur in a sentence pair; e_size, f_size: numbers of ids."""
        I, J = np.diff(e.begin), np.diff(f.begin)
        begin = np.concatenate([np.zeros(1, np.int64), np.cumsum((I + 1) * J)])
        first = np.zeros(e_size + 1, np.int64)
        first[1:] = np.bincount(e.words, minlength=e_size)
        first[NULL + 1] = len(e)  # every sentence contains the empty word
        np.cumsum(first, out=first)
        row, column, entry = _pattern(e.words, e.begin, first, f.words, f.begin, begin, f_size)
        return cls(*read_only([row, column, entry, begin, e.words, e.begin, f.begin]))

    def uniform(self) -> Float64:
        """Return uniform t, float64: 1 / V_f for each entry."""
        return np.full(len(self.column), 1.0 / max(1, self.row[NULL + 1]))  # row e_0 has every f


def sum_over_threads(
    kernel: Callable[[int, int, Float64], float], places: Places, size: int, threads: int
) -> tuple[float, Float64]:
    """Run ``kernel(first, last, counts)`` on ranges of sentences, one range per thread.

    Return ln P(f|e) and the counts of all sentences. Each range has its own counts, float64
    (size,). They are added in order, so the same number of threads gives the same sums.
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
def _pattern(
    e_words: Int32, e_begin: Int64, first: Int64, f_words: Int32, f_begin: Int64, begin: Int64,
    f_size: int,
) -> tuple[Int64, Int32, Int32]:  # fmt: skip
    """Return ``row``, ``column``, ``entry``; e occurs ``first[e + 1] − first[e]`` times."""
    sentence, position = np.empty(first[-1], np.int32), np.empty(first[-1], np.int32)
    next_visit = first.copy()  # of each word, sentence by sentence
    for s in range(len(e_begin) - 1):
        for i in range(e_begin[s + 1] - e_begin[s] + 1):
            word = e_words[e_begin[s] + i - 1] if i > 0 else NULL
            sentence[next_visit[word]], position[next_visit[word]] = s, i
            next_visit[word] += 1
    row = np.zeros(len(first), np.int64)
    column, entry = np.empty(begin[-1], np.int32), np.empty(begin[-1], np.int32)
    seen = np.full(f_size, -1, np.int32)  # the latest e that co-occurs with f …
    slot = np.empty(f_size, np.int32)  # … and the index of t(f|e)
    n = 0
    for e in range(len(first) - 1):
        for visit in range(first[e], first[e + 1]):
            s = sentence[visit]
            place, I = begin[s] + position[visit], e_begin[s + 1] - e_begin[s]
            for f in f_words[f_begin[s] : f_begin[s + 1]]:
                if seen[f] != e:
                    seen[f], slot[f] = e, n
                    column[n] = f
                    n += 1
                entry[place] = slot[f]
                place += I + 1
        row[e + 1] = n
    return row, column[:n].copy(), entry


@kernel
def maximise(counts: Float64, row: Int64, alpha: float) -> None:
    """Do the M-step in place; ``alpha`` > 0: the variational one. Rows of zeros stay.

    counts: float64, c of every entry of t, replaced by t; row: as in ``Places``.
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
    """Return ψ(x) = d ln Γ(x) / dx for x > 0, to 1e-9.

    ψ(x) = ψ(x + 1) − 1/x raises x to 7 or more, where the asymptotic series applies.
    """
    shift = 0.0
    while x < 7:
        shift -= 1 / x
        x += 1
    y = 1 / (x * x)
    series = y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240)))
    return shift + float(np.log(x)) - 0.5 / x - series


@kernel
def link_counts(posterior: Float32, entry: Int32, size: int) -> Float64:
    """Return c(f|e), float64 (size,), from the posterior of every place."""
    counts = np.zeros(size)
    for k in range(len(entry)):
        counts[entry[k]] += posterior[k]
    return counts


@kernel
def best_links(posterior: Float32, begin: Int64, e_begin: Int64, f_begin: Int64) -> Int32:
    """Return the most likely a_j − 1 of every word f_j of the corpus; −1 is the empty word."""
    out = np.empty(f_begin[-1], np.int32)
    for s in range(len(begin) - 1):
        n = e_begin[s + 1] - e_begin[s] + 1
        for j in range(f_begin[s + 1] - f_begin[s]):
            place = begin[s] + j * n
            out[f_begin[s] + j] = np.argmax(posterior[place : place + n]) - 1
    return out
