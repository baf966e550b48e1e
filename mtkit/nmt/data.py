"""Batches of equal source length: nothing to pad, pack or mask on the source side."""

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

# The library compiles and keeps kernels for each shape it meets; so there are fewer.
ROWS, ROUND = 16, 4  # sentences of a batch and widths of targets: multiples of these
Int = NDArray[np.integer[Any]]


@runtime_checkable
class Measured(Protocol):
    """Sentences that know how long they are before they are made, as ``training.segmented``."""

    @property
    def lengths(self) -> Int:
        """Subwords of each."""


@dataclass(frozen=True)
class Data:
    """Subword ids of sources and targets, without specials, and the targets' word counts."""

    sources: Sequence[list[int]]
    targets: Sequence[list[int]]
    target_words: Sequence[int]

    @classmethod
    def of(cls, sides: Sequence[Sequence[Sequence[str]]], subwords: Subwords) -> Data:
        """The word tokens of all sources and of all targets as subword ids."""
        sources, targets = ([e.ids for e in subwords.encode(side)] for side in sides)
        return cls(sources, targets, [len(words) for words in sides[1]])

    @cached_property
    def lengths(self) -> tuple[Int, Int]:
        """Subwords of each source and of each target."""
        return lengths(self.sources), lengths(self.targets)

    def batch(self, rows: list[int]) -> Batch:
        """The pairs ``rows``, whose sources are of one length, as tensors."""
        sources = [[*self.sources[r], EOS] for r in rows]
        same = sources[:1] * (-len(rows) % ROWS)  # their targets are padding alone
        x = torch.tensor([*sources, *same], dtype=torch.int64)
        targets = [self.targets[r] for r in rows]
        y_in, y_out = padded([[BOS, *y] for y in targets]), padded([[*y, EOS] for y in targets])
        return Batch(x, y_in, y_out, rows)

    def __len__(self) -> int:
        return len(self.sources)


@dataclass(frozen=True)
class Batch:
    """x (B, I) sources with ``</s>``; y_in (B, T) = <s> y; y_out (B, T) = y </s>, padded; int64.
    rows: which sentences of the data these are; further rows of B repeat the first source and have
    no target.
    """

    x: Tensor
    y_in: Tensor
    y_out: Tensor
    rows: list[int]

    def share(self, rank: int, world: int) -> Batch:
        """Every ``world``-th sentence, from number ``rank`` on."""
        own = slice(rank, None, world)
        return Batch(self.x[own], self.y_in[own], self.y_out[own], self.rows[own])

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(self.x.to(device), self.y_in.to(device), self.y_out.to(device), self.rows)

    @property
    def real(self) -> Tensor:
        """Where among the B·T places of ``y_out`` is no padding, int64 (N,)."""
        return (self.y_out.flatten() != PAD).nonzero()[:, 0]


def padded(sequences: Sequence[Sequence[int]]) -> Tensor:
    """Sequences as an int64 matrix, with PAD up to multiples of ``ROWS`` and ``ROUND``."""
    longest = max(map(len, sequences))
    width = longest + -longest % ROUND
    rows = [*sequences, *[[]] * (-len(sequences) % ROWS)]
    return torch.tensor([[*s, *[PAD] * (width - len(s))] for s in rows], dtype=torch.int64)


def lengths(sentences: Sequence[Sequence[int]]) -> Int:
    """Subwords of each."""
    if isinstance(sentences, Measured):
        return sentences.lengths
    return np.fromiter(map(len, sentences), np.int64, len(sentences))


def batch_rows(sources: Sequence[Sequence[int]], size: int) -> Iterator[list[int]]:
    """At most ``size`` rows of equal source length at a time, the shortest first."""
    x = lengths(sources)
    order = np.argsort(x, kind="stable")
    begin = _begin(x[order], size)
    return (order[a:b].tolist() for a, b in pairwise(begin))


@dataclass(frozen=True, eq=False)
class Epoch(Sequence[list[int]]):
    """One pass over the data: batch k is the rows ``order[begin[j] : begin[j + 1]]``, j the k-th of
    ``turn``.
    """

    order: NDArray[np.int64]
    begin: NDArray[np.int64]
    turn: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.turn)

    def __getitem__(self, k: Any) -> Any:
        """The rows of batch ``k``."""
        j = self.turn[k]
        return self.order[self.begin[j] : self.begin[j + 1]].tolist()

    def largest_last(self, data: Data) -> Epoch:
        """The batch that holds most subwords, padding included, behind all others."""
        x, y = (side[self.order] for side in data.lengths)
        rows = np.diff(self.begin) * (x[self.begin[:-1]] + np.maximum.reduceat(y, self.begin[:-1]))
        at = int(rows[self.turn].argmax())
        return replace(self, turn=np.append(np.delete(self.turn, at), self.turn[at]))


def epoch(data: Data, size: int, rng: np.random.Generator) -> Epoch:
    """One pass over the data in random order. Within a source length, rows are sorted by a blurred
    target length before they are cut, so that targets need little padding and yet batches differ
    from epoch to epoch.
    """
    x, y = data.lengths
    order = np.argsort(x, kind="stable")
    blurred = y[order] + rng.normal(0, 2, len(order))
    order = order[np.lexsort((blurred, x[order]))]
    begin = _begin(x[order], size)
    return Epoch(order, begin, rng.permutation(len(begin) - 1))


def _begin(x: Int, size: int) -> NDArray[np.int64]:
    """Where batches begin and the last one ends, of rows sorted by their lengths ``x``: each of one
    length, and of ``size`` rows but for the last of that length.
    """
    within = np.arange(len(x)) - np.searchsorted(x, x)
    return np.append(np.flatnonzero(within % size == 0), len(x))


def drop_words(y: Tensor, p: float) -> Tensor:
    """Word dropout: each token becomes ``<unk>`` with probability ``p`` (Sennrich & Zhang 2019)."""
    if p == 0:
        return y
    dropped = torch.rand(y.shape, device=y.device) < p
    return torch.where(dropped & (y > EOS), UNK, y)
