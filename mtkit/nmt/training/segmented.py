"""Text segmented into subwords on demand, with BPE-dropout (Provilkov et al. 2020).

A word starts as its characters; merges (a, b) → ab are applied, the earliest learnt first, until
none is left. At each step each possible merge is skipped with probability p, so that the network
sees rare words in pieces that it knows from other words. p = 0 is plain BPE.

Only the lengths are kept in memory: the words stay on disk (``text.shards``), and the skipped
merges of a sentence depend only on the seed and the sentence's position in the text.

The library that learns the merges has BPE-dropout too, but its generator takes no seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple, Self

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mtkit.text.subwords import Subwords
from mtkit.text.vocabulary import FIRST_WORD, SPECIALS, UNK

LONGEST = 20_000  # characters; segmenting a word takes time by the square of its length

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt64 = NDArray[np.uint64]


class Spelling(NamedTuple):
    """Words as characters, and the merges; both as piece ids.

    Word w is ``characters[begin[w] : begin[w + 1]]``. Merge k turns the pair ``pairs[k]`` = a·base
    + b into ``pieces[k]`` and was learnt as number ``ranks[k]``; ``pairs`` is sorted.
    """

    characters: Int32
    begin: Int64
    base: int
    pairs: Int64
    ranks: Int64
    pieces: Int32

    @classmethod
    def of(cls, subwords: Subwords, words: Sequence[str]) -> Self:
        """Build the arrays. words: by id, the special symbols first."""
        spelled = [[UNK]] * len(SPECIALS) + [subwords.characters(w) for w in words[len(SPECIALS) :]]
        merges = [(a * len(subwords) + b, piece) for a, b, piece in subwords.merges()]
        table = np.array(merges, np.int64).reshape(-1, 2)
        ranks = np.argsort(table[:, 0])
        pairs, pieces = table[ranks].T.copy()
        return cls(
            np.fromiter(chain.from_iterable(spelled), np.int32),
            np.cumsum([0, *map(len, spelled)]), len(subwords), pairs, ranks,
            pieces.astype(np.int32),
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Segmented(Sequence[list[int]]):
    """Sentences as lists of pieces; sentence s has the word ids ``words[begin[s] : end[s]]``.

    p: probability that a merge is skipped.
    """

    spelling: Spelling
    words: Int32
    begin: Int64
    end: Int64
    p: float = 0.0
    seed: int = 0

    def __len__(self) -> int:
        return len(self.begin)

    def __getitem__(self, s: Any) -> Any:
        """Return the pieces of sentence ``s``."""
        words = self.words[self.begin[s] : self.end[s]]
        return _segment(words, *self.spelling, self.p, _state(self.seed, self.begin[s])).tolist()

    @cached_property
    def lengths(self) -> Int32:
        """Number of pieces of each sentence, int32 (S,).

        That of characters if there are more than ``LONGEST``.
        """
        return _lengths(self.words, self.begin, self.end, *self.spelling, self.p, self.seed)

    def select(self, rows: Int64) -> Segmented:
        """Return the sentences ``rows``."""
        return replace(self, begin=self.begin[rows], end=self.end[rows])

    def sampled(self, p: float, seed: int) -> Segmented:
        """Return the same sentences with another dropout probability and seed."""
        return replace(self, p=p, seed=seed)


@njit(cache=True, nogil=True)
def _lengths(
    words: Int32, begin: Int64, end: Int64,
    characters: Int32, starts: Int64, base: int, pairs: Int64, ranks: Int64, pieces: Int32,
    p: float, seed: int,
) -> Int32:  # fmt: skip
    lengths = np.empty(len(begin), np.int32)
    for s in range(len(begin)):
        ids, state = words[begin[s] : end[s]], _state(seed, begin[s])
        size = 0
        for w in ids:
            size += starts[w + 1] - starts[w]
        if size > LONGEST:
            lengths[s] = size
            continue
        lengths[s] = len(_segment(ids, characters, starts, base, pairs, ranks, pieces, p, state))
    return lengths


@njit(cache=True, nogil=True)
def _segment(
    words: Int32,
    characters: Int32, starts: Int64, base: int, pairs: Int64, ranks: Int64, pieces: Int32,
    p: float, state: UInt64,
) -> Int32:  # fmt: skip
    """Return the pieces of all words, concatenated."""
    size = 0
    for w in words:
        size += starts[w + 1] - starts[w]
    out, n = np.empty(size, np.int32), 0
    for word in words:
        w = characters[starts[word] : starts[word + 1]].copy()
        merge = np.empty(len(w), np.int64)  # index of the merge of (w[j], w[j + 1]), -1 if none
        for j in range(len(w) - 1):
            merge[j] = _find(pairs, w[j] * base + w[j + 1])
        while True:
            j = _earliest(merge[: len(w) - 1], ranks, p, state)
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
        for piece in w:  # merges may spell a special, which the text must not contain
            out[n] = piece if piece >= FIRST_WORD else UNK
            n += 1
    return out[:n]


@njit(cache=True, nogil=True)
def _find(pairs: Int64, pair: int) -> int:
    k = int(np.searchsorted(pairs, pair))
    return k if k < len(pairs) and pairs[k] == pair else -1


@njit(cache=True, nogil=True)
def _earliest(merge: Int64, ranks: Int64, p: float, state: UInt64) -> int:
    """Return the position of the earliest learnt merge that is not dropped; -1 if none."""
    best = -1
    for j in range(len(merge)):
        earlier = merge[j] >= 0 and (best < 0 or ranks[merge[j]] < ranks[merge[best]])
        if earlier and _uniform(state) >= p:
            best = j
    return best


# --- SplitMix64 (Steele, Lea & Flood 2014): its state is one number; each sentence has its own


@njit(cache=True, nogil=True)
def _state(seed: int, position: int) -> UInt64:
    return np.array([_mixed(np.uint64(seed)) ^ _mixed(np.uint64(~position))], np.uint64)


@njit(cache=True, nogil=True)
def _uniform(state: UInt64) -> float:
    """Return a random number in [0, 1)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    return float(_mixed(state[0]) >> np.uint64(11)) * 2.0**-53


@njit(cache=True, nogil=True)
def _mixed(z: np.uint64) -> np.uint64:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
