"""What word alignment leaves behind: P(f|e) of whole words in both directions, for any text.

A ``WordModel`` is an HMM (see ``hmm``) with the t and s that training found. It gives ln P(f|e) to
any pair of sentences, so the two directions are the translation model's P(y|x) and P(x|y), and
aligns text that it was not trained on. Letters as in ``places``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from mtkit.smt.alignment import hmm
from mtkit.smt.alignment.direction import HELD, LOW, cut, meet
from mtkit.smt.alignment.places import NULL, link_counts, maximise
from mtkit.smt.alignment.symmetrize import Links, rated, symmetrize
from mtkit.smt.flat import Flat, Float32, Float64, Int32, Int64, load_arrays, save_arrays
from mtkit.smt.kernels import kernel
from mtkit.storage.reading import as_fields, damaged, read_json
from mtkit.storage.stages import Outputs, Stages, array, pack, unpack, write_array
from mtkit.storage.structure import (
    check_ids,
    check_length,
    check_offsets,
    check_range,
    check_rising,
)
from mtkit.text.shards import SIDES, Shards
from mtkit.text.vocabulary import Sentences, Vocabulary

FLOOR = 1e-6  # the share of t that is spread over all words, so that no pair is impossible
KEPT = 1e-5  # smaller t are not written to the model
LEAST = 1e-6  # of c(f|e) in a shard: what is below cannot become a t that is kept


class Translations(NamedTuple):
    """t as it is kept; see ``WordModel``."""

    row: Int64
    column: Int32
    t: Float32


class _Saved(NamedTuple):
    f_size: int
    jumps: list[float]


@dataclass(frozen=True)
class WordModel:
    """P(f|e) of one direction."""

    row: Int64  # (V_e + 1,)
    column: Int32  # the words f of e at row[e] : row[e + 1], sorted
    t: Float32  # t(f|e) of each column
    jumps: Float64  # s of ``hmm``
    f_size: int  # number of ids of f

    def log_probabilities(self, e: Sequence[int], f: Sequence[int]) -> Float64:
        """ln P(f_j | f_1 … f_{j−1}, e) of each word, (J,), the alignment summed out.

        t is smoothed by ``FLOOR`` to reach every word. P(J|I), the length of f, is left out, as in
        the models' own definition.
        """
        *_, z = hmm.forward(self._emissions(e, f), hmm.transitions(self.jumps, len(e)))
        log_p: Float64 = np.log(z)
        return log_p

    def posterior(self, e: Sequence[int], f: Sequence[int]) -> Float32:
        """P(a_j = i | f, e), (J, I + 1), of which column 0 is the empty word's."""
        T, p = self._emissions(e, f), hmm.transitions(self.jumps, len(e))
        A, N, z = hmm.forward(T, p)
        return hmm.link_posterior(A, N, hmm.backward(T, p, z)).astype(np.float32)

    def _emissions(self, e: Sequence[int], f: Sequence[int]) -> Float64:
        with_null = np.array([NULL, *e], np.int32)
        T = _emissions(self.row, self.column, self.t, with_null, np.array(f, np.int32))
        smoothed: Float64 = (1 - FLOOR) * T + FLOOR / self.f_size
        return smoothed

    def save(self, directory: Path) -> None:
        """Write three ``.npy`` and a JSON file into ``directory``, made if need be."""
        save_arrays(directory, row=self.row, column=self.column, t=self.t)
        text = json.dumps({"f_size": self.f_size, "jumps": self.jumps.tolist()})
        (directory / "hmm.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, e_size: int, f_size: int) -> Self:
        """Read what ``save`` wrote; the arrays are memory-mapped. Raises InputError where they are
        no model of ``e_size`` and ``f_size`` words.
        """
        file = directory / "hmm.json"
        saved = as_fields(_Saved, read_json(file, dict), file)
        if saved.f_size != f_size or not all(type(s) is float and 0 < s <= 1 for s in saved.jumps):
            raise damaged(file, f"no jump probabilities of {f_size:,} words")
        jumps = np.array(saved.jumps)
        check_length(file, jumps, len(hmm.first_jumps()))
        arrays = load_arrays(directory, Translations)
        row, column, t = (directory / f"{name}.npy" for name in Translations._fields)
        check_offsets(row, arrays.row, len(arrays.column), e_size)
        check_ids(column, arrays.column, f_size)
        check_rising(column, arrays.column, arrays.row)
        check_length(t, arrays.t, len(arrays.column))
        check_range(t, arrays.t, 0, 1 + FLOOR)
        return cls(*arrays, jumps, f_size)


@dataclass(frozen=True)
class WordModels:
    """Both directions with their vocabularies. ``forward`` is P(y|x), ``backward`` P(x|y)."""

    source: Vocabulary
    target: Vocabulary
    forward: WordModel
    backward: WordModel

    def align(self, source: Sentences, target: Sentences, heuristic: str) -> Links:
        """Align tokenised sentences by what is known, learning nothing; ``rated`` links."""
        x, y = self._encoded(source, target)
        pairs = list(zip(x, y, strict=True))
        forward = [self.forward.posterior(s, t) for s, t in pairs]
        backward = [self.backward.posterior(t, s) for s, t in pairs]
        sides = Flat.of(x), Flat.of(y)
        links = symmetrize(_best(forward), _best(backward), *sides, heuristic)
        return rated(links, _joined(forward), _joined(backward), *sides)

    def score(self, source: Sentences, target: Sentences) -> Float64:
        """ln P(y|x) a word of y, for each of S pairs (S,); −inf where a side has no word."""
        pairs = zip(*self._encoded(source, target), strict=True)
        return np.array(
            [
                self.forward.log_probabilities(x, y).mean() if len(x) and len(y) else -np.inf
                for x, y in pairs
            ],
            np.float64,
        )

    def _encoded(
        self, source: Sentences, target: Sentences
    ) -> tuple[list[list[int]], list[list[int]]]:
        return list(map(self.source.encode, source)), list(map(self.target.encode, target))

    def save(self, directory: Path) -> None:
        """Write both vocabularies and both directions into ``directory``."""
        self.source.save(directory / "source.json")
        self.target.save(directory / "target.json")
        self.forward.save(directory / "forward")
        self.backward.save(directory / "backward")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what ``save`` wrote. Raises InputError where a part is missing or damaged."""
        source, target = (
            Vocabulary.load(directory / f"{side}.json") for side in ("source", "target")
        )
        forward = WordModel.load(directory / "forward", len(source), len(target))
        backward = WordModel.load(directory / "backward", len(target), len(source))
        return cls(source, target, forward, backward)


def build(
    text: Shards, sides: tuple[str, str], posteriors: Outputs, jumps: Float64, stages: Stages,
    out: Path,
) -> None:  # fmt: skip
    """Write the model directory of P(f|e) of whole words, given the posteriors of every shard.

    sides: e and f of the text; jumps: s of ``hmm``.
    """
    calls = [(text, *sides, k, posteriors[k]) for k in range(len(text))]
    shards = stages.run("words", _count, calls)
    [table] = stages.run("words-cut", cut, [(shards, HELD, stages.room)])
    parts = len(array(table, "bounds")) - 1
    found = stages.run("words-rows", _rows, [(shards, table, p) for p in range(parts)])
    stages.forget("words")
    e_size, f_size = (text.sizes[SIDES.index(side)] for side in sides)
    widths = np.zeros(e_size, np.int64)
    for part in found:
        e, width = unpack(part, "e", "width")
        widths[e] = width
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "row.npy", np.cumsum(np.append(0, widths)))
    for name, dtype in (("column", np.int32), ("t", np.float32)):
        write_array(out / f"{name}.npy", (array(part, name) for part in found), dtype)
    saved = json.dumps({"f_size": f_size, "jumps": jumps.tolist()})
    (out / "hmm.json").write_text(saved, encoding="utf-8")


def _count(into: Path, text: Shards, e: str, f: str, k: int, posterior: Path) -> None:
    """The keys of whole words of a shard, see ``direction``, and c(f|e), where it is worth it."""
    sides = Flat.side(text, e, k), Flat.side(text, f, k)
    every = (np.arange(text.sizes[SIDES.index(side)], dtype=np.int32) for side in (e, f))
    places, key, _ = meet(*sides, *every)
    counts = link_counts(array(posterior, "posterior"), places.entry, len(key))
    pack(into, key=key[counts >= LEAST], counts=counts[counts >= LEAST])


def _rows(into: Path, shards: Outputs, table: Path, p: int) -> None:
    """t(f|e) of the words e of a part: those ``e`` that have any, and how many columns each."""
    cuts = array(table, "cuts")
    key, counts = (
        np.concatenate(
            [array(out, name, *cuts[k, p : p + 2].tolist()) for k, out in enumerate(shards)]
        )
        for name in ("key", "counts")
    )
    key, which = np.unique(key, return_inverse=True)
    t = np.bincount(which, counts, len(key)).astype(np.float64, copy=False)
    row = np.append(np.flatnonzero(np.diff(key >> 32, prepend=-1)), len(key))
    maximise(t, row, 0.0)
    e, width = np.unique(key[t >= KEPT] >> 32, return_counts=True)
    column = (key[t >= KEPT] & LOW).astype(np.int32)
    pack(into, e=e, width=width, column=column, t=t[t >= KEPT].astype(np.float32))


def _best(posteriors: Sequence[Float32]) -> Int32:
    """The most likely a_j − 1 of each f_j of all sentences, so that −1 is the empty word."""
    best = (posterior.argmax(1).astype(np.int32) - 1 for posterior in posteriors)
    return np.concatenate([np.empty(0, np.int32), *best])


def _joined(posteriors: Sequence[Float32]) -> Float32:
    """As of the places of a corpus."""
    return np.concatenate([np.empty(0, np.float32), *(p.ravel() for p in posteriors)])


# --- kernels


@kernel
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
