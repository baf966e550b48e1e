"""The models that word alignment yields: P(f|e) of whole words in both directions, for any text.

A ``WordModel`` is an HMM (see ``hmm``) with trained t and s. It gives ln P(f|e) for any sentence
pair, so the two directions are the translation model's P(y|x) and P(x|y). It also aligns text that
it was not trained on. Letters as in ``places``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from mtkit.smt.alignment import hmm
from mtkit.smt.alignment.direction import BYTES_PER_KEY, LOW, cooccurrences, cut_keys
from mtkit.smt.alignment.places import NULL, link_counts, maximise
from mtkit.smt.alignment.symmetrize import Links, symmetrize, with_probabilities
from mtkit.smt.flat import Flat, Float32, Float64, Int32, Int64, load_arrays
from mtkit.smt.kernels import kernel
from mtkit.storage.arrays import load, load_all, save, write_array
from mtkit.storage.reading import as_fields, damaged, read_json
from mtkit.storage.stages import Outputs, Stages
from mtkit.storage.structure import (
    check_ids,
    check_length,
    check_offsets,
    check_range,
    check_rising,
)
from mtkit.text.shards import SIDES, Shards
from mtkit.text.vocabulary import Sentences, Vocabulary

FLOOR = 1e-6  # of the mass of t, spread over all words f, so that no pair has probability 0
MIN_T = 1e-5  # smaller t are not written to the model
MIN_COUNT = 1e-6  # c(f|e) of a shard; smaller ones hardly ever become a t that is kept


class Translations(NamedTuple):
    """The arrays of t on disk; see ``WordModel``."""

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
        """Return ln P(f_j | f_1 … f_{j−1}, e) of each word, float64 (J,), summed over alignments.

        ``FLOOR`` smooths t, so that no word has probability 0. P(J|I), the length of f, is left
        out, as in the definition of the models.
        """
        *_, z = hmm.forward(self._emissions(e, f), hmm.transitions(self.jumps, len(e)))
        log_p: Float64 = np.log(z)
        return log_p

    def posterior(self, e: Sequence[int], f: Sequence[int]) -> Float32:
        """Return P(a_j = i | f, e), float32 (J, I + 1); column 0 is the empty word."""
        T, p = self._emissions(e, f), hmm.transitions(self.jumps, len(e))
        A, N, z = hmm.forward(T, p)
        return hmm.link_posterior(A, N, hmm.backward(T, p, z)).astype(np.float32)

    def _emissions(self, e: Sequence[int], f: Sequence[int]) -> Float64:
        with_null = np.array([NULL, *e], np.int32)
        T = _emissions(self.row, self.column, self.t, with_null, np.array(f, np.int32))
        smoothed: Float64 = (1 - FLOOR) * T + FLOOR / self.f_size
        return smoothed

    def save(self, directory: Path) -> None:
        """Write three ``.npy`` files and a JSON file; create ``directory`` if needed."""
        save(directory, row=self.row, column=self.column, t=self.t)
        text = json.dumps({"f_size": self.f_size, "jumps": self.jumps.tolist()})
        (directory / "hmm.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, e_size: int, f_size: int) -> Self:
        """Read what ``save`` wrote; the arrays are memory-mapped.

        Raises InputError if a file is missing or damaged, or not for ``e_size`` and ``f_size`` ids.
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
        """Return links of tokenised sentence pairs, with their probabilities, without training."""
        x, y = self._encoded(source, target)
        pairs = list(zip(x, y, strict=True))
        forward = [self.forward.posterior(s, t) for s, t in pairs]
        backward = [self.backward.posterior(t, s) for s, t in pairs]
        sides = Flat.of(x), Flat.of(y)
        links = symmetrize(_best_links(forward), _best_links(backward), *sides, heuristic)
        return with_probabilities(links, _joined(forward), _joined(backward), *sides)

    def score(self, source: Sentences, target: Sentences) -> Float64:
        """Return ln P(y|x) per word of y, float64 (S,) for S pairs; −inf if a side is empty."""
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
        """Read what ``save`` wrote. Raises InputError if a part is missing or damaged."""
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
    """Write the ``WordModel`` directory ``out`` from the posteriors of every shard.

    sides: e and f of the text; jumps: s of ``hmm``.
    """
    calls = [(text, *sides, k, posteriors[k]) for k in range(len(text))]
    shards = stages.run("words", _count, calls)
    [table] = stages.run("words-cut", cut_keys, [(shards, BYTES_PER_KEY, stages.task_memory)])
    parts = len(load(table / "bounds.npy")) - 1
    rows = stages.run("words-rows", _rows, [(shards, table, p) for p in range(parts)])
    stages.forget("words")
    e_size, f_size = (text.sizes[SIDES.index(side)] for side in sides)
    widths = np.zeros(e_size, np.int64)
    for part in rows:
        e, width = load_all(part, "e", "width")
        widths[e] = width
    out.mkdir(parents=True, exist_ok=True)
    np.save(out / "row.npy", np.cumsum(np.append(0, widths)))
    for name, dtype in (("column", np.int32), ("t", np.float32)):
        write_array(out / f"{name}.npy", (load(part / f"{name}.npy") for part in rows), dtype)
    json_text = json.dumps({"f_size": f_size, "jumps": jumps.tolist()})
    (out / "hmm.json").write_text(json_text, encoding="utf-8")


def _count(into: Path, text: Shards, e: str, f: str, k: int, posterior: Path) -> None:
    """Write a shard's keys of whole words (see ``direction``) and c(f|e) ≥ ``MIN_COUNT``."""
    sides = Flat.side(text, e, k), Flat.side(text, f, k)
    classes = (np.arange(text.sizes[SIDES.index(side)], dtype=np.int32) for side in (e, f))
    places, key, _ = cooccurrences(*sides, *classes)
    counts = link_counts(load(posterior / "posterior.npy"), places.entry, len(key))
    save(into, key=key[counts >= MIN_COUNT], counts=counts[counts >= MIN_COUNT])


def _rows(into: Path, shards: Outputs, table: Path, p: int) -> None:
    """Write t(f|e) of a part: its words ``e`` with any t, the ``width`` of their rows, the rows."""
    cuts = load(table / "cuts.npy")[:, p : p + 2].tolist()
    key, counts = (
        np.concatenate([load(s / f"{name}.npy", *cut) for s, cut in zip(shards, cuts, strict=True)])
        for name in ("key", "counts")
    )
    key, slot = np.unique(key, return_inverse=True)
    t = np.bincount(slot, counts, len(key)).astype(np.float64, copy=False)
    row = np.append(np.flatnonzero(np.diff(key >> 32, prepend=-1)), len(key))
    maximise(t, row, 0.0)
    e, width = np.unique(key[t >= MIN_T] >> 32, return_counts=True)
    column = (key[t >= MIN_T] & LOW).astype(np.int32)
    save(into, e=e, width=width, column=column, t=t[t >= MIN_T].astype(np.float32))


def _best_links(posteriors: Sequence[Float32]) -> Int32:
    """Return the most likely a_j − 1 of each f_j of all sentences; −1 is the empty word."""
    best = (posterior.argmax(1).astype(np.int32) - 1 for posterior in posteriors)
    return np.concatenate([np.empty(0, np.int32), *best])


def _joined(posteriors: Sequence[Float32]) -> Float32:
    """Concatenate posteriors in the order of ``Places``."""
    return np.concatenate([np.empty(0, np.float32), *(p.ravel() for p in posteriors)])


# --- kernels


@kernel
def _emissions(row: Int64, column: Int32, t: Float32, e: Int32, f: Int32) -> Float64:
    """Return t(f_j|e_i) as a matrix, float64 (len(e), len(f)), 0 where the model has no entry."""
    T = np.zeros((len(e), len(f)))
    for i in range(len(e)):
        begin, end = row[e[i]], row[e[i] + 1]
        for j in range(len(f)):
            k = begin + np.searchsorted(column[begin:end], f[j])
            if k < end and column[k] == f[j]:
                T[i, j] = t[k]
    return T
