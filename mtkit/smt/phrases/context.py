"""Which translation of a word its sentence asks for: a discriminative lexicon.

Phrases see a few words of source; whether "bank" is a Bank or an Ufer may be decided by a word far
from it. After Berger et al. (1996), García-Varea et al. (2001) and Mauser et al. (2009):

    T(s)       the words that s was most often translated by, at most ``RIVALS``
    F(x, i)    what x looks like from its word s_i: s_i; each of the three words before and behind
               it, with its distance; s_i with its left and with its right neighbour; every word of
               the sentence
    z_t        Σ_{f ∈ F(x, i)} w_{t,f}
    P(t|x, i)  = exp z_t / Σ_{t' ∈ T(s_i)} exp z_t'

and the feature of a phrase pair in a sentence is Σ_{t ∈ t̄} ln P(t|x, a_t), or ``MISSING`` for a t
that is no rival. a_t is the first word linked to t; a word without links goes with the one before
it, and at the beginning with the next that has one.

Each t has a table of its own for its weights, in which a feature's place is its hash: features that
fall together share a weight (Weinberger et al. 2009). They are learnt in ``context_train``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Float32, Int8, Int32, Int64, load_arrays, mix, read_only
from mtkit.smt.kernels import inner, lean
from mtkit.smt.phrases.table import PhraseTable
from mtkit.storage.reading import damaged
from mtkit.storage.structure import check_ids, check_offsets

RIVALS = 40  # the most words of T(s)
MISSING = -1.0  # ln P of a word that is none of them
UNIT = 16  # of a weight as it is kept: int8, in sixteenths
LOCAL = 9  # features of F besides the words of the sentence
UInt32 = NDArray[np.uint32]


class Lexicon(NamedTuple):
    """T(s) and w."""

    row: Int64  # (V_s + 1,) T(s) is word[row[s] : row[s + 1]]
    word: Int32
    begin: Int64  # (V_t + 1,) the weights of t are weight[begin[t] : begin[t + 1]], 2^n of them
    weight: Int8  # in units of 1/UNIT

    @classmethod
    def nothing(cls, size: int) -> Lexicon:
        """One that knows nothing of ``size`` source words; its feature is always 0."""
        none, zero = np.empty(0, np.int32), np.zeros(1, np.int64)
        return cls(*read_only([np.zeros(size + 1, np.int64), none, zero, none.astype(np.int8)]))

    @classmethod
    def load(cls, directory: Path, s_size: int, t_size: int) -> Self:
        """Read it from its arrays. Raises InputError where they are none of so many words."""
        lexicon = load_arrays(directory, cls)
        row, word, begin, _ = (directory / f"{name}.npy" for name in cls._fields)
        check_offsets(row, lexicon.row, len(lexicon.word), s_size, most=RIVALS)
        check_ids(word, lexicon.word, t_size)
        check_offsets(begin, lexicon.begin, len(lexicon.weight), t_size if len(lexicon.word) else 0)
        widths = np.diff(lexicon.begin)
        if (widths & (widths - 1)).any():  # a feature's place is the last bits of its hash
            raise damaged(begin, "a table size is not a power of 2")
        return lexicon


# --- kernels


@lean
def _hash(kind: int, a: int, b: int) -> np.uint32:
    """Of a feature: of its kind and its words, −1 where there is none."""
    z = np.uint64(kind) << np.uint64(56) ^ np.uint64(a + 1) << np.uint64(28) ^ np.uint64(b + 1)
    return np.uint32(mix(z) >> np.uint64(32))


@lean
def look_around(words: Int32, first: int, behind: int, i: int, near: UInt32) -> None:
    """F of word i, but for the words of its sentence, as hashes: ``near``, uint32 (LOCAL,).

    The sentence is ``words[first : behind]``.
    """
    for d in range(-3, 4):
        inside = first <= i + d < behind
        near[3 + d] = _hash(3 + d, words[i + d] if inside else -1, -1)
    left = words[i - 1] if i > first else -1
    right = words[i + 1] if i + 1 < behind else -1
    near[7], near[8] = _hash(7, left, words[i]), _hash(8, words[i], right)


@lean
def anywhere(word: int) -> np.uint32:
    """The feature that a word is to all of its sentence."""
    return _hash(9, word, -1)


@lean
def margin(w: NDArray[Any], near: UInt32, far: UInt32) -> np.float32:
    """z_t, in the unit of ``w``; ``far`` is what ``anywhere`` makes of the sentence."""
    z, mask = np.float32(0), len(w) - 1
    for f in near:
        z += w[f & mask]
    for f in far:
        z += w[f & mask]
    return z


@inner
def log_probabilities(sentence: Int32, lexicon: Lexicon) -> tuple[Int64, Float32]:
    """ln P(t|x, i) of T(s_i) for each word of a sentence: position i's from ``begin[i]`` on."""
    N = len(sentence)
    near, far = np.empty(LOCAL, np.uint32), np.empty(N, np.uint32)
    begin = np.zeros(N + 1, np.int64)
    for i in range(N):
        far[i] = anywhere(sentence[i])
        begin[i + 1] = begin[i] + lexicon.row[sentence[i] + 1] - lexicon.row[sentence[i]]
    log_p = np.empty(begin[-1], np.float32)
    for i in range(N):
        look_around(sentence, 0, N, i, near)
        z = log_p[begin[i] : begin[i + 1]]
        total = 0.0
        for k in range(len(z)):
            t = lexicon.word[lexicon.row[sentence[i]] + k]
            w = lexicon.weight[lexicon.begin[t] : lexicon.begin[t + 1]]
            z[k] = margin(w, near, far) / UNIT if len(w) > 0 else 0.0
            total += np.exp(z[k])
        for k in range(len(z)):
            z[k] -= np.log(total)
    return begin, log_p


@lean
def fit(
    table: PhraseTable, lexicon: Lexicon, words: Int32, near: tuple[Int64, Float32], i: int, j: int,
    p: int,
) -> float:  # fmt: skip
    """The feature of pair p for words i … j of a sentence: Σ_{t ∈ t̄} ln P(t|x, a_t).

    near: their ``log_probabilities``.
    """
    if len(lexicon.word) == 0:
        return 0.0
    begin, log_p = near
    total, a = 0.0, -1
    for at in range(table.t_begin[p], table.t_begin[p + 1]):
        if a < 0:  # unlinked words at the beginning go with the next
            a = _first_link(table.links[p], at - table.t_begin[p], j - i + 1)
    for at in range(table.t_begin[p], table.t_begin[p + 1]):
        linked = _first_link(table.links[p], at - table.t_begin[p], j - i + 1)
        a = linked if linked >= 0 else a
        rivals, value = lexicon.row[words[i + a]], MISSING
        for k in range(begin[i + a + 1] - begin[i + a]):
            if lexicon.word[rivals + k] == table.target[at]:
                value = log_p[begin[i + a] + k]
        total += value
    return total


@lean
def _first_link(links: np.uint64, j: int, length: int) -> int:
    """The first source word of a pair that is linked to target word j, or −1."""
    for i in range(length):
        if links >> np.uint64(8 * i + j) & np.uint64(1):
            return i
    return -1
