"""Find pairs that do not look parallel: their sides explain each other no better than chance.

Letters as in ``smt.alignment.places``. IBM Model 1 gives t(f|e). For a word e seen c(e) times, t is
trusted with weight b(e); a word f seen c(f) times is scored with weight d(f), where C = ``RARE``,

    b(e) = c(e) / (c(e) + C)           d(f) = (1 − λ) c(f) / (c(f) + C)            λ: ``CHANCE``
    g_j  = ln ( d(f_j) · 1/(I+1) Σ_i [ b(e_i) t(f_j|e_i) / p(f_j) + 1 − b(e_i) ]  +  1 − d(f_j) )

so that rare words, about which little is known, contribute little. The *gain* of a pair is the mean
of g_j over its words in both directions: 1 to 3 if one side translates the other, below 0 if chance
explains it better. A pair must not be evidence for itself, so each half of a sample is scored with
the t of the other half. The usual gains of pairs, and of lines that were combined at random, are
measured on the same text, by length.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import NamedTuple

import numpy as np

from mtkit.smt.alignment.align import ALPHA
from mtkit.smt.alignment.ibm1 import ibm1
from mtkit.smt.alignment.places import NULL, Places
from mtkit.smt.flat import Bool, Flat, Float32, Float64, Int32, Int64, read_only
from mtkit.smt.kernels import kernel
from mtkit.text.stems import stem
from mtkit.text.vocabulary import SPECIALS
from mtkit.threads import cores

CHANCE = 0.1  # λ
RARE = 5.0  # C
ITERATIONS = 4
MIN_T = 1e-4  # smaller t count as 0
SAMPLE = 100_000  # pairs that t is learnt from, at most
MIN_PAIRS = 1_000  # pairs that t is learnt from, at least
RANDOM_PAIRS = 20_000  # randomly combined pairs, at most
BINS, BIN = 10, 300  # bins by length, at most; random pairs of each, at least
ODDS = 3e-5  # prior odds that a pair is not parallel
MAX_WORDS = 200  # words, of both sides together, of a pair that t is learnt from


class Doubt(NamedTuple):
    """The pairs that do not look parallel.

    not_parallel: bool (S,). apart: whether most pairs differ from random ones; if not, the whole
    text is doubtful, and ``not_parallel`` says nothing.
    """

    not_parallel: Bool
    apart: bool


def doubt(
    x: Flat, y: Flat, words: Sequence[str], usable: Bool, repeated: Bool
) -> Doubt | None:  # fmt: skip
    """Return which pairs do not look parallel; None if there are too few to learn from.

    words: the words of the ids of both sides, after the specials. usable: pairs without other
    damage. repeated: pairs that also occur earlier; t is not learnt from them. Both bool (S,).
    """
    lengths = np.diff(x.begin) + np.diff(y.begin)
    rows = np.flatnonzero(usable & (np.minimum(np.diff(x.begin), np.diff(y.begin)) > 0))
    learnt = rows[~repeated[rows]]
    if len(learnt) < MIN_PAIRS:
        return None
    ids, size = _stems(words)
    x, y = Flat(ids[x.words], x.begin), Flat(ids[y.words], y.begin)
    learnt = learnt[lengths[learnt] <= MAX_WORDS]
    learnt = learnt[:: len(learnt) // SAMPLE + 1]
    halves = learnt[::2], learnt[1::2]
    with ThreadPoolExecutor(min(2, cores())) as pool:
        models = list(pool.map(_train, *zip(*((x, y, size, half) for half in halves), strict=True)))
        in_first = np.isin(rows, halves[0], assume_unique=True)
        gains = np.full(len(x), np.nan)
        for scored, model in ((rows[~in_first], models[0]), (rows[in_first], models[1])):
            gains[scored] = _gains_of(model, x, y, scored, scored, pool)
        scored = halves[0][:RANDOM_PAIRS]
        chance = _gains_of(models[1], x, y, scored, _partners(scored, lengths), pool)
    return _decide(gains, chance, lengths, rows, lengths[scored])


def _stems(words: Sequence[str]) -> tuple[Int32, int]:
    numbers: dict[str, int] = {}
    ids = [*range(len(SPECIALS))]
    ids += [numbers.setdefault(stem(word), len(numbers) + len(SPECIALS)) for word in words]
    return np.array(ids, np.int32), len(numbers) + len(SPECIALS)


def _partners(rows: Int64, lengths: Int64) -> Int64:
    """Return for each row another one of nearly its length: two places before it by length."""
    order = np.argsort(lengths[rows], kind="stable")
    partners = np.empty_like(rows)
    partners[order] = rows[np.roll(order, 2)]
    return partners


def _decide(
    gains: Float64, chance: Float64, lengths: Int64, rows: Int64, chance_lengths: Int64
) -> Doubt:
    """Compare each gain with the gains of pairs and of random pairs of about the same length.

    Both gains are modelled as normal. Each standard deviation is estimated on the flank that faces
    the other distribution.
    """
    bins = int(min(BINS, max(1, len(chance) // BIN)))
    edges = np.unique(np.quantile(chance_lengths, np.linspace(0, 1, bins + 1)[1:-1]))
    of_pair = np.searchsorted(edges, lengths, side="right")
    of_chance = np.searchsorted(edges, chance_lengths, side="right")
    flagged, apart = np.zeros(len(gains), bool), 0
    for number in range(len(edges) + 1):
        in_bin = rows[of_pair[rows] == number]
        random_gains = chance[of_chance == number]
        if len(in_bin) < 2 or len(random_gains) < 2:
            continue
        low, middle = np.quantile(gains[in_bin], [0.16, 0.5])
        center, high = np.quantile(random_gains, [0.5, 0.95])
        if middle > max(high, 0):
            apart += len(in_bin)
            s, s0 = max(middle - low, 1e-3), max((high - center) / 1.645, 1e-3)
            g = gains[in_bin]
            true = -(((g - middle) / s) ** 2) / 2 - np.log(s)
            random = -((np.maximum(g - center, 0) / s0) ** 2) / 2 - np.log(s0)
            flagged[in_bin] = (random + np.log(ODDS) > true) & (g < high)
    return Doubt(flagged, 2 * apart > len(rows))


class _Direction(NamedTuple):
    row: Int64
    column: Int32
    t: Float32
    p: Float64  # p(f)
    b: Float64
    d: Float64


def _train(x: Flat, y: Flat, size: int, rows: Int64) -> tuple[_Direction, _Direction]:
    a, b = select(x, rows), select(y, rows)
    return _direction(a, b, size), _direction(b, a, size)


def _direction(e: Flat, f: Flat, size: int) -> _Direction:
    places = Places.of(e, f, size, size)
    *_, (t, _) = islice(ibm1(places, ALPHA), ITERATIONS)
    row_of = np.repeat(np.arange(len(places.row) - 1), np.diff(places.row))
    cells = np.flatnonzero(t >= MIN_T)
    cells = cells[np.lexsort((places.column[cells], row_of[cells]))]
    row = np.searchsorted(row_of[cells], np.arange(len(places.row)))
    c_e, c_f = (np.bincount(side.words, minlength=size) for side in (e, f))
    b, d = c_e / (c_e + RARE), (1 - CHANCE) * c_f / (c_f + RARE)
    b[NULL] = 1.0
    arrays = row, places.column[cells], t[cells].astype(np.float32), c_f / max(1, c_f.sum()), b, d
    return _Direction(*read_only(arrays))


def _gains_of(
    model: tuple[_Direction, _Direction], x: Flat, y: Flat, x_rows: Int64, y_rows: Int64,
    pool: ThreadPoolExecutor,
) -> Float64:  # fmt: skip
    """Return the gains of the pairs x[own], y[partner], nats, float64."""
    forward, backward = (
        pool.submit(_gains, model[0], x.words, x.begin, x_rows, y.words, y.begin, y_rows),
        pool.submit(_gains, model[1], y.words, y.begin, y_rows, x.words, x.begin, x_rows),
    )
    (g, J), (h, I) = forward.result(), backward.result()
    gains: Float64 = (g + h) / np.maximum(1, I + J)
    return gains


def select(text: Flat, rows: Int64) -> Flat:
    """Return the sentences ``rows``."""
    lengths = np.diff(text.begin)[rows]
    begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    shift = np.repeat(text.begin[rows] - begin[:-1], lengths)
    return Flat(text.words[np.arange(begin[-1]) + shift], begin)


# --- kernels


@kernel
def _gains(
    model: _Direction, e: Int32, e_begin: Int64, e_rows: Int64, f: Int32, f_begin: Int64,
    f_rows: Int64,
) -> tuple[Float64, Int64]:  # fmt: skip
    """Return Σ_j g_j of each pair, nats, and the number of its words f that the model knows."""
    gains, n_words = np.zeros(len(e_rows)), np.zeros(len(e_rows), np.int64)
    for k in range(len(e_rows)):
        first, I = e_begin[e_rows[k]], e_begin[e_rows[k] + 1] - e_begin[e_rows[k]]
        for j in range(f_begin[f_rows[k]], f_begin[f_rows[k] + 1]):
            word, p = f[j], model.p[f[j]]
            if p == 0:
                continue
            total = 0.0
            for i in range(-1, I):
                e_i = e[first + i] if i >= 0 else NULL
                low, end = model.row[e_i], model.row[e_i + 1]
                high = end
                while low < high:
                    middle = (low + high) // 2
                    if model.column[middle] < word:
                        low = middle + 1
                    else:
                        high = middle
                total += 1 - model.b[e_i]
                if low < end and model.column[low] == word:
                    total += model.b[e_i] * model.t[low] / p
            d = model.d[word]
            n_words[k] += 1
            gains[k] += np.log(d * total / (I + 1) + 1 - d)
    return gains, n_words
