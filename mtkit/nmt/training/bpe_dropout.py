"""BPE-dropout (Provilkov et al. 2020): another segmentation of the same words in every epoch.

A word begins as its characters; merges (a, b) → ab are applied, the earliest learnt first, until
none is left. Here each merge that could be applied is passed over with probability p at each step,
so that the network meets rare words in pieces that it has seen elsewhere. p = 0 is plain BPE.

The library that learns the merges drops them as well, but its generator takes no seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mtkit.text.subwords import Subwords

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


class Segmenter:
    """Sentences as characters, and the merges that make pieces of them."""

    def __init__(self, subwords: Subwords, sentences: Sequence[Sequence[str]]) -> None:
        """``sentences`` are word tokens."""
        characters = [subwords.characters(word) for words in sentences for word in words]
        self.words = np.cumsum([0, *map(len, sentences)])  # sentence s has words[s] … words[s + 1]
        self.begins = np.cumsum([0, *map(len, characters)])  # and word k begins[k] … of characters
        self.characters = np.fromiter(chain.from_iterable(characters), np.int32)
        self.base = len(subwords)
        merges = [(a * self.base + b, piece) for a, b, piece in subwords.merges()]
        table = np.array(merges, np.int64).reshape(-1, 2)
        self.ranks = np.argsort(table[:, 0])
        self.pairs, pieces = table[self.ranks].T.copy()
        self.pieces = pieces.astype(np.int32)

    def sample(self, p: float, seed: int) -> list[list[int]]:
        """The pieces of each sentence, merges dropped with probability ``p``; the same by seed."""
        merges = self.base, self.pairs, self.ranks, self.pieces
        rng = np.random.default_rng(seed)
        ids, begins = _segment(self.characters, self.begins, *merges, p, rng)
        flat, at = ids.tolist(), begins[self.words].tolist()
        return [flat[a:b] for a, b in pairwise(at)]


@njit(cache=True)
def _segment(
    characters: Int32, begins: Int64, base: int, pairs: Int64, ranks: Int64, pieces: Int32,
    p: float, rng: np.random.Generator,
) -> tuple[Int32, Int64]:  # fmt: skip
    """The pieces of all words in a row, and where each word begins. Entry k of the sorted ``pairs``
    is a·base + b, makes ``pieces[k]`` and was learnt as number ``ranks[k]``.
    """
    out, at, n = np.empty_like(characters), np.zeros_like(begins), 0
    for i in range(len(begins) - 1):
        w = characters[begins[i] : begins[i + 1]].copy()
        merge = np.empty(len(w), np.int64)  # the entry of (w[j], w[j + 1]), -1 where there is none
        for j in range(len(w) - 1):
            merge[j] = _find(pairs, w[j] * base + w[j + 1])
        while True:
            j = _earliest(merge[: len(w) - 1], ranks, p, rng)
            if j < 0:
                break
            w[j] = pieces[merge[j]]
            w[j + 1 : -1] = w[j + 2 :]
            merge[j + 1 : -1] = merge[j + 2 :]
            w, merge = w[:-1], merge[:-1]
            if j > 0:
                merge[j - 1] = _find(pairs, w[j - 1] * base + w[j])
            if j + 1 < len(w):
                merge[j] = _find(pairs, w[j] * base + w[j + 1])
        out[n : n + len(w)] = w
        n += len(w)
        at[i + 1] = n
    return out[:n], at


@njit(cache=True)
def _find(pairs: Int64, pair: int) -> int:
    k = int(np.searchsorted(pairs, pair))
    return k if k < len(pairs) and pairs[k] == pair else -1


@njit(cache=True)
def _earliest(merge: Int64, ranks: Int64, p: float, rng: np.random.Generator) -> int:
    """Where the merge that was learnt first would go, of those that are not dropped; else -1."""
    best = -1
    for j in range(len(merge)):
        earlier = merge[j] >= 0 and (best < 0 or ranks[merge[j]] < ranks[merge[best]])
        if earlier and rng.random() >= p:
            best = j
    return best
