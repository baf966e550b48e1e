"""Word alignment of a corpus: IBM 1 starts an HMM, in both directions at once, then symmetrised.

A ``WordModel`` is what one direction has learnt; it gives ln P(f|e) to any pair of sentences, so
the two directions are the translation model's P(y|x) and P(x|y).

Letters as in ``ibm1``; e is what is given, f what is explained.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from mtkit.smt.flat import Flat, Float32, Float64, Int32, Int64
from mtkit.smt.hmm import best_alignments, hmm, log_probability
from mtkit.smt.ibm1 import NULL, Places, ibm1
from mtkit.smt.symmetrize import Links, symmetrize
from mtkit.vocabulary import Vocabulary

IBM1_ITERATIONS = 5
HMM_ITERATIONS = 5
FLOOR = 1e-6  # the share of t that is spread over all words, so that no pair is impossible
KEPT = 1e-5  # smaller t are not written to the model


@dataclass(frozen=True)
class WordModel:
    """P(f|e) of one direction.

    row: int64 (V_e + 1,); column: int32, sorted within a row; t: float32, t(f|e) of each column;
    jumps: float64, s of ``hmm``; f_size: number of ids of f.
    """

    row: Int64
    column: Int32
    t: Float32
    jumps: Float64
    f_size: int

    def __post_init__(self) -> None:
        # Read-only arrays, mapped or not, are one numba type: the kernels compile once.
        for array in (self.row, self.column, self.t):
            array.flags.writeable = False

    def log_probability(self, e: Sequence[int], f: Sequence[int]) -> float:
        """ln P(f|e), the alignment summed out; t smoothed by ``FLOOR`` to reach every word.

        P(J|I), the length of f, is left out, as in the models' own definition.
        """
        given = np.array([NULL, *e], np.int32)
        T = _emissions(self.row, self.column, self.t, given, np.array(f, np.int32))
        return log_probability((1 - FLOOR) * T + FLOOR / self.f_size, self.jumps)

    def save(self, directory: Path) -> None:
        """Write three ``.npy`` and a JSON file into ``directory``, made if need be."""
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("row", "column", "t"):
            np.save(directory / f"{name}.npy", getattr(self, name))
        text = json.dumps({"f_size": self.f_size, "jumps": self.jumps.tolist()})
        (directory / "hmm.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> WordModel:
        """Read what ``save`` wrote; the arrays are memory-mapped."""
        rest = json.loads((directory / "hmm.json").read_text(encoding="utf-8"))
        row, column, t = (
            np.asarray(np.load(directory / f"{name}.npy", mmap_mode="r"))
            for name in ("row", "column", "t")
        )
        return cls(row, column, t, np.array(rest["jumps"]), rest["f_size"])


@dataclass(frozen=True)
class Direction:
    """One direction after training: its model, a_j of every f_j, and ln P(f|e) by iteration."""

    model: WordModel
    best: Int32
    likelihood: dict[str, list[float]]


@dataclass(frozen=True)
class Alignment:
    """Both directions and the links they agree on. ``forward`` explains target by source."""

    links: Links
    forward: Direction
    backward: Direction


def train_direction(e: Flat, f: Flat, e_size: int, f_size: int) -> Direction:
    """Train P(f|e): IBM 1 from uniform, then the HMM from IBM 1."""
    places = Places.of(e, f, e_size, f_size)
    t, first = ibm1(places, e, f, IBM1_ITERATIONS)
    t, jumps, second = hmm(t, places, e, f, HMM_ITERATIONS)
    best = best_alignments(t, jumps, places, e, f)
    return Direction(_keep(t, places, jumps, f_size), best, {"ibm1": first, "hmm": second})


def align(
    source: Flat, target: Flat, sizes: tuple[int, int], heuristic: str = "grow-diag-final-and"
) -> Alignment:
    """Align a corpus of word ids, ``sizes`` = ids of the source, of the target.

    The two directions share nothing and run in two threads; the result is the same in one.
    """
    with ThreadPoolExecutor(2) as pool:
        forward = pool.submit(train_direction, source, target, *sizes)
        backward = pool.submit(train_direction, target, source, *sizes[::-1])
        a, b = forward.result(), backward.result()
    return Alignment(symmetrize(a.best, b.best, source, target, heuristic), a, b)


def align_text(
    source: Sequence[Sequence[str]], target: Sequence[Sequence[str]], heuristic: str
) -> Alignment:
    """Align tokenised sentences."""
    words = Vocabulary.build(source), Vocabulary.build(target)
    x, y = (
        Flat.of([v.encode(s) for s in side])
        for v, side in zip(words, (source, target), strict=True)
    )
    return align(x, y, (len(words[0]), len(words[1])), heuristic)


def perplexity(likelihood: float, f: Flat) -> float:
    """exp(−ln P(f|e) / N), N the words of f and one end a sentence."""
    return math.exp(-likelihood / (len(f.words) + len(f)))


def aer(
    links: Sequence[set[tuple[int, int]]], gold: Sequence[set[tuple[int, int]]]
) -> tuple[float, float, float]:
    """Alignment error rate, precision, recall where all gold links are sure (Och & Ney 2003).

    Without any link on either side there is no error: AER 0.
    """
    found, wanted = sum(map(len, links)), sum(map(len, gold))
    both = sum(len(a & g) for a, g in zip(links, gold, strict=True))
    error = 1 - 2 * both / (found + wanted) if found + wanted else 0.0
    return error, both / max(1, found), both / max(1, wanted)


def _keep(t: Float64, places: Places, jumps: Float64, f_size: int) -> WordModel:
    """The part of t worth writing, columns sorted within their rows."""
    rows = np.repeat(np.arange(len(places.row) - 1), np.diff(places.row))
    kept = np.flatnonzero(t >= KEPT)
    kept = kept[np.lexsort((places.column[kept], rows[kept]))]
    row = np.searchsorted(rows[kept], np.arange(len(places.row)))
    return WordModel(row, places.column[kept], t[kept].astype(np.float32), jumps, f_size)


# --- kernels


@njit(cache=True, nogil=True)
def _emissions(row: Int64, column: Int32, t: Float32, e: Int32, f: Int32) -> Float64:
    """t(f_j|e_i) as a matrix (I + 1, J), 0 where the model has none."""
    T = np.zeros((len(e), len(f)))
    for i in range(len(e)):
        begin, end = row[e[i]], row[e[i] + 1]
        for j in range(len(f)):
            at = begin + np.searchsorted(column[begin:end], f[j])
            if at < end and column[at] == f[j]:
                T[i, j] = t[at]
    return T
