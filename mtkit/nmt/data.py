"""Batches of equal source length: the source side needs no padding, packing or mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtkit.text.subwords import Subwords
from mtkit.text.vocabulary import BOS, EOS, PAD, UNK

# oneDNN compiles and caches a kernel for each shape; rounding up leaves fewer shapes.
ROWS, ROUND = 16, 4  # sentences in a batch and target widths are multiples of these
Int = NDArray[np.integer[Any]]


@runtime_checkable
class Measured(Protocol):
    """Sentences whose lengths are known before their subwords; see ``training.segmented``."""

    @property
    def lengths(self) -> Int:
        """Number of subwords of each sentence, integers (S,)."""


@dataclass(frozen=True)
class Data:
    """Subword ids of sources and targets, without special symbols, and the targets' word counts."""

    sources: Sequence[list[int]]
    targets: Sequence[list[int]]
    target_words: Sequence[int]

    @classmethod
    def of(cls, sides: Sequence[Sequence[Sequence[str]]], subwords: Subwords) -> Data:
        """Encode word tokens as subword ids. sides: all sources and all targets."""
        sources, targets = ([e.ids for e in subwords.encode(side)] for side in sides)
        return cls(sources, targets, [len(words) for words in sides[1]])

    @cached_property
    def lengths(self) -> tuple[Int, Int]:
        """Number of subwords of each source and of each target."""
        return lengths(self.sources), lengths(self.targets)

    def batch(self, rows: list[int]) -> Batch:
        """Return the pairs ``rows``, whose sources all have one length, as tensors."""
        sources = [[*self.sources[r], EOS] for r in rows]
        fill = sources[:1] * (-len(rows) % ROWS)  # fills up the batch; the targets are all padding
        x = torch.tensor([*sources, *fill], dtype=torch.int64)
        targets = [self.targets[r] for r in rows]
        y_in, y_out = padded([[BOS, *y] for y in targets]), padded([[*y, EOS] for y in targets])
        return Batch(x, y_in, y_out, rows)

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class Batch:
    """A batch as int64 tensors: x (B, I), y_in (B, T), y_out (B, T).

    x: sources with ``</s>``. y_in: <s> y, padded. y_out: y </s>, padded. rows: the sentences'
    indices in the data; rows of the tensors beyond these repeat the first source and have no
    target.
    """

    x: Tensor
    y_in: Tensor
    y_out: Tensor
    rows: list[int]

    def share(self, rank: int, world: int) -> Batch:
        """Return every ``world``-th sentence, starting with sentence ``rank``."""
        rows = slice(rank, None, world)
        return Batch(self.x[rows], self.y_in[rows], self.y_out[rows], self.rows[rows])

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        return Batch(self.x.to(device), self.y_in.to(device), self.y_out.to(device), self.rows)

    @property
    def real(self) -> Tensor:
        """Indices of the N tokens that are no padding in ``y_out``, flattened; int64 (N,)."""
        return (self.y_out.flatten() != PAD).nonzero()[:, 0]


def padded(sequences: Sequence[Sequence[int]]) -> Tensor:
    """Return an int64 matrix of the sequences, padded to multiples of ``ROWS`` and ``ROUND``."""
    longest = max(map(len, sequences))
    width = longest + -longest % ROUND
    rows = [*sequences, *[[]] * (-len(sequences) % ROWS)]
    return torch.tensor([[*s, *[PAD] * (width - len(s))] for s in rows], dtype=torch.int64)


def lengths(sentences: Sequence[Sequence[int]]) -> Int:
    """Return the number of subwords of each sentence, integers (S,)."""
    if isinstance(sentences, Measured):
        return sentences.lengths
    return np.fromiter(map(len, sentences), np.int64, len(sentences))


def batch_rows(sources: Sequence[Sequence[int]], size: int) -> Iterator[list[int]]:
    """Yield batches of at most ``size`` rows with equal source length, shortest sources first."""
    x = lengths(sources)
    order = np.argsort(x, kind="stable")
    begin = _batch_starts(x[order], size)
    return (order[a:b].tolist() for a, b in pairwise(begin))


@dataclass(frozen=True, eq=False)
class Epoch(Sequence[list[int]]):
    """One pass over the data: batch k has the rows order[begin[j] : begin[j + 1]], j = turn[k]."""

    order: NDArray[np.int64]
    begin: NDArray[np.int64]
    turn: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.turn)

    def __getitem__(self, k: Any) -> Any:
        """Return the rows of batch ``k``."""
        j = self.turn[k]
        return self.order[self.begin[j] : self.begin[j + 1]].tolist()

    def largest_last(self, data: Data) -> Epoch:
        """Return the epoch with its largest batch last, measured in subwords with padding."""
        x, y = (side[self.order] for side in data.lengths)
        sizes = np.diff(self.begin) * (x[self.begin[:-1]] + np.maximum.reduceat(y, self.begin[:-1]))
        largest = int(sizes[self.turn].argmax())
        return replace(self, turn=np.append(np.delete(self.turn, largest), self.turn[largest]))


def epoch(data: Data, size: int, rng: np.random.Generator) -> Epoch:
    """Return one pass over the data with batches of ``size`` rows in random order.

    Rows of one source length are sorted by target length plus noise (σ = 2) and cut into batches:
    targets need little padding, but batches differ between epochs.
    """
    x, y = data.lengths
    order = np.argsort(x, kind="stable")
    noisy = y[order] + rng.normal(0, 2, len(order))
    order = order[np.lexsort((noisy, x[order]))]
    begin = _batch_starts(x[order], size)
    return Epoch(order, begin, rng.permutation(len(begin) - 1))


def _batch_starts(x: Int, size: int) -> NDArray[np.int64]:
    """Return the start of each batch and the end of the last, for rows sorted by length ``x``.

    All rows of a batch have one length; only the last batch of a length has fewer than ``size``.
    """
    position = np.arange(len(x)) - np.searchsorted(x, x)
    return np.append(np.flatnonzero(position % size == 0), len(x))


def drop_words(y: Tensor, p: float) -> Tensor:
    """Replace tokens, except specials, by ``<unk>`` with probability p (Sennrich & Zhang 2019)."""
    if p == 0:
        return y
    dropped = torch.rand(y.shape, device=y.device) < p
    return torch.where(dropped & (y > EOS), UNK, y)
