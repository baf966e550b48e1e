"""Phrase translation probabilities φ, both directions (Koehn, Och & Marcu 2003).

Letters: s̄ a source phrase, t̄ a target phrase; c counts occurrences, see ``extract`` and ``pairs``.

    φ(t̄|s̄)   = c(s̄, t̄) / c(s̄)            φ(s̄|t̄) = c(s̄, t̄) / c(t̄)

Most pairs are seen once, and φ overestimates them. Modified Kneser-Ney smoothing discounts the
counts (Foster, Kuhn & Johnson 2006; D as in ``language_model.estimate``, with t_r the number of
pairs seen r times):

    φ(t̄|s̄)   = (c(s̄, t̄) − D(c(s̄, t̄))) / c(s̄) + p(t̄) F(s̄) / c(s̄)
    F(s̄)      = Σ_t̄′ D(c(s̄, t̄′)),   the count mass that discounting frees
    p(t̄)      = n(t̄) / P,   where n(t̄) of the P distinct pairs have the target phrase t̄

and φ(s̄|t̄) likewise. Without smoothing D = 0. The lexical weights are those of ``lexical``. All four
are stored as natural logarithms.

The task is ``score_pairs``, for each range of source phrases.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Float64, Int32, read_only
from mtkit.smt.phrases.lexical import Weights, lexical
from mtkit.smt.phrases.pairs import Pairs, Sums, discounts, sums_of
from mtkit.smt.phrases.table import gather
from mtkit.storage.arrays import ArrayFile, load, mapped
from mtkit.text.shards import SIDES, Shards

DISCOUNTS = ("none", "kneser-ney")
# The arrays of a range with R source phrases and P pairs, in the order of ``PhraseTable``; instead
# of offsets they have the length of each phrase and the number of pairs of each source phrase.
ARRAYS = {
    "source": (np.int32, ()), "s_length": (np.int8, ()),
    "target": (np.int32, ()), "t_length": (np.int8, ()),
    "key": (np.uint64, ()), "pairs": (np.int64, ()),
    "features": (np.float32, (4,)), "reordering": (np.float32, (6,)), "links": (np.uint64, ()),
}  # fmt: skip


def phi(count: Int32, total: Float64, freed: Float64, p: Float64, d: Float64) -> Float64:
    """Return φ(outcome|condition) of each pair, float64 (P,).

    count: c(s̄, t̄); total, freed: c and F of the condition; p: of the outcome; d: see
    ``pairs.discounts``.
    """
    return (count + (p * freed - d[np.minimum(count, 3)])) / total


def score(
    pairs: Pairs, targets: Sums, d: Float64, P: int, source: Int32, target: Int32, w: Weights
) -> dict[str, NDArray[Any]]:
    """Return ``ARRAYS`` for pairs that include all pairs of their source phrases.

    d, P: see ``pairs.discounts``; source, target: words of the whole text.
    """
    rows, seen, reordering = pairs
    new_phrase = np.append(True, rows["s_key"][1:] != rows["s_key"][:-1])
    phrase, first = np.cumsum(new_phrase) - 1, np.flatnonzero(new_phrase)
    values = seen, np.ones(len(seen)), d[np.minimum(seen, 3)]
    total, n_targets, freed = (np.bincount(phrase, value)[phrase] for value in values)
    direct = phi(seen, total, freed, targets.sources / P, d)
    channel = phi(seen, targets.total, targets.freed, n_targets / P, d)
    order = np.lexsort((-direct, phrase))  # ties by hash: the same in every run

    s_length, t_length, links = (
        rows[name][i] for name, i in (("s_length", first), ("t_length", order), ("links", order))
    )
    x, s_begin = gather(source, rows["source"][first], s_length)
    y, t_begin = gather(target, rows["target"][order], t_length)
    lex = lexical(x, s_begin, phrase, y, t_begin, links, w)
    features = np.log(np.column_stack([direct[order], lex[:, 0], channel[order], lex[:, 1]]))
    arrays = (
        x, s_length, y, t_length, rows["s_key"][first], np.diff(first, append=len(rows)),
        features, reordering[order], links,
    )  # fmt: skip
    return dict(zip(ARRAYS, arrays, strict=True))


# --- tasks


def score_pairs(
    into: Path, text: Shards, pairs: Sequence[Path], targets: Sequence[Path], lexicon: Path,
    k: int, bits: int, discount: str,
) -> None:  # fmt: skip
    """Save ``ARRAYS`` of range ``k`` of source phrases, computed part by part."""
    d, P = discounts(pairs, discount)
    sums = sums_of(pairs[k], targets, k, bits)
    paths = (pairs[k] / f"{name}.npy" for name in Pairs._fields)
    arrays = read_only(map(mapped, paths))
    word_paths = (text.directory / side / "words.npy" for side in SIDES)
    source, target = read_only(map(mapped, word_paths))
    w = Weights.load(lexicon)
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(ArrayFile(into / f"{name}.npy", dtype, row))
            for name, (dtype, row) in ARRAYS.items()
        }
        for first, last in pairwise(load(pairs[k] / "begin.npy").tolist()):
            part = Pairs(*(array[first:last] for array in arrays))
            part_sums = Sums(*(array[first:last] for array in sums))
            for name, array in score(part, part_sums, d, P, source, target, w).items():
                files[name].append(array)
