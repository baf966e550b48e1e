"""Batches of equal source length: nothing to pad, pack or mask on the source side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from mtkit.text.subwords import Subwords
from mtkit.text.vocabulary import BOS, EOS, PAD, UNK

# The library compiles and keeps kernels for each shape it meets; so there are fewer.
ROWS, ROUND = 16, 4  # sentences of a batch and widths of targets: multiples of these


@dataclass(frozen=True)
class Data:
    """Subword ids of sources and targets, without specials, and the targets' word counts."""

    sources: list[list[int]]
    targets: list[list[int]]
    target_words: list[int]

    @classmethod
    def of(cls, sides: Sequence[Sequence[Sequence[str]]], subwords: Subwords) -> Data:
        """The word tokens of all sources and of all targets as subword ids."""
        sources, targets = ([e.ids for e in subwords.encode(side)] for side in sides)
        return cls(sources, targets, [len(words) for words in sides[1]])

    def size(self, rows: list[int]) -> int:
        """Subwords that a batch of these rows holds, padding included."""
        return len(rows) * (len(self.sources[rows[0]]) + max(len(self.targets[r]) for r in rows))

    def batch(self, rows: list[int]) -> Batch:
        """The pairs ``rows``, whose sources are of one length, as tensors."""
        same = rows[:1] * (-len(rows) % ROWS)  # their targets are padding alone
        x = torch.tensor([[*self.sources[r], EOS] for r in [*rows, *same]], dtype=torch.int64)
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


def by_length(sources: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """The rows of each source length, shortest first."""
    lengths = list(map(len, sources))
    order = sorted(range(len(sources)), key=lengths.__getitem__)
    return (list(rows) for _, rows in groupby(order, lengths.__getitem__))


def batch_rows(sources: Sequence[Sequence[int]], size: int) -> Iterator[list[int]]:
    """At most ``size`` rows of equal source length at a time, in a fixed order."""
    for rows in by_length(sources):
        for start in range(0, len(rows), size):
            yield rows[start : start + size]


def epoch(data: Data, size: int, rng: np.random.Generator) -> list[list[int]]:
    """One pass over the data in random order, as rows of batches. Within a source length, rows are
    sorted by a blurred target length before they are cut, so that targets need little padding and
    yet batches differ from epoch to epoch.
    """
    batches = []
    for rows in by_length(data.sources):
        blurred = np.array([len(data.targets[r]) for r in rows]) + rng.normal(0, 2, len(rows))
        order = [rows[i] for i in np.argsort(blurred, kind="stable")]
        batches += [order[start : start + size] for start in range(0, len(order), size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def drop_words(y: Tensor, p: float) -> Tensor:
    """Word dropout: each token becomes ``<unk>`` with probability ``p`` (Sennrich & Zhang 2019)."""
    if p == 0:
        return y
    dropped = torch.rand(y.shape, device=y.device) < p
    return torch.where(dropped & (y > EOS), UNK, y)
