"""Discriminative lexicon: choose the translation of a word by its sentence.

A phrase pair sees only a few source words. Whether "bank" is a Bank or an Ufer may depend on a word
far away. After Berger et al. (1996), García-Varea et al. (2001) and Mauser et al. (2009):

    T(s)       the words that s was most often translated by, at most ``RIVALS``
    F(x, i)    features of x at its word s_i: s_i; each of the three words before and after it, with
               its distance; s_i with its left and with its right neighbour; every word of the
               sentence
    z_t        Σ_{f ∈ F(x, i)} w_{t,f}
    P(t|x, i)  = exp z_t / Σ_{t' ∈ T(s_i)} exp z_t'

The feature of a phrase pair in a sentence is Σ_{t ∈ t̄} ln P(t|x, a_t), with ``MISSING`` for each t
outside T(s). a_t is the first source word linked to t. An unlinked t takes the a of the target word
before it; at the beginning of t̄ it takes that of the next linked word.

Each t has its own weight table. The hash of a feature is its index in that table; features with the
same index share a weight (feature hashing, Weinberger et al. 2009). ``context_train`` estimates the
weights.
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

RIVALS = 40  # largest size of T(s)
MISSING = -1.0  # ln P of a word outside T(s)
UNIT = 16  # weights are stored as int8, in units of 1/UNIT
LOCAL_FEATURES = 9  # number of features in F besides the words of the sentence
UInt32 = NDArray[np.uint32]


class Lexicon(NamedTuple):
    """The candidate translations T(s) and the weights w."""

    row: Int64  # (V_s + 1,) T(s) is word[row[s] : row[s + 1]], most frequent first
    word: Int32
    begin: Int64  # (V_t + 1,) t has weight[begin[t] : begin[t + 1]], 0 or 2^n weights
    weight: Int8  # in units of 1/UNIT

    @classmethod
    def empty(cls, size: int) -> Lexicon:
        """Return an empty lexicon for ``size`` source words; its feature is always 0."""
        empty, zero = np.empty(0, np.int32), np.zeros(1, np.int64)
        return cls(*read_only([np.zeros(size + 1, np.int64), empty, zero, empty.astype(np.int8)]))

    @classmethod
    def load(cls, directory: Path, s_size: int, t_size: int) -> Self:
        """Load the lexicon, memory-mapped, for ``s_size`` source and ``t_size`` target words.

        Raises InputError if the arrays are damaged or do not fit these sizes.
        """
        lexicon = load_arrays(directory, cls)
        row, word, begin, _ = (directory / f"{name}.npy" for name in cls._fields)
        check_offsets(row, lexicon.row, len(lexicon.word), s_size, most=RIVALS)
        check_ids(word, lexicon.word, t_size)
        check_offsets(begin, lexicon.begin, len(lexicon.weight), t_size if len(lexicon.word) else 0)
        widths = np.diff(lexicon.begin)
        if (widths & (widths - 1)).any():  # the last bits of a hash are the index
            raise damaged(begin, "a table size is not a power of 2")
        return lexicon


# --- kernels


@lean
def _hash(kind: int, a: int, b: int) -> np.uint32:
    """Return the hash of a feature of this kind with words a and b, −1 where there is no word."""
    z = np.uint64(kind) << np.uint64(56) ^ np.uint64(a + 1) << np.uint64(28) ^ np.uint64(b + 1)
    return np.uint32(mix(z) >> np.uint64(32))


@lean
def write_local_hashes(words: Int32, first: int, behind: int, i: int, near: UInt32) -> None:
    """Write the features F of word i, without the words of its sentence, to ``near``.

    near: hashes, uint32 (LOCAL_FEATURES,). The sentence is ``words[first : behind]``.
    """
    for d in range(-3, 4):
        inside = first <= i + d < behind
        near[3 + d] = _hash(3 + d, words[i + d] if inside else -1, -1)
    left = words[i - 1] if i > first else -1
    right = words[i + 1] if i + 1 < behind else -1
    near[7], near[8] = _hash(7, left, words[i]), _hash(8, words[i], right)


@lean
def hash_in_sentence(word: int) -> np.uint32:
    """Return the hash of the feature “this word occurs in the sentence”."""
    return _hash(9, word, -1)


@lean
def margin(w: NDArray[Any], near: UInt32, far: UInt32) -> np.float32:
    """Return z_t, in the unit of ``w``.

    near: hashes by ``write_local_hashes``; far: the hash by ``hash_in_sentence`` of each word of
    the sentence.
    """
    z, mask = np.float32(0), len(w) - 1
    for f in near:
        z += w[f & mask]
    for f in far:
        z += w[f & mask]
    return z


@inner
def log_probabilities(sentence: Int32, lexicon: Lexicon) -> tuple[Int64, Float32]:
    """Return (begin, ln P(t|x, i)) for each t ∈ T(s_i) of each word i of a sentence.

    begin: int64 (N + 1,), the values of word i are those from ``begin[i]`` on; ln P: float32.
    """
    N = len(sentence)
    near, far = np.empty(LOCAL_FEATURES, np.uint32), np.empty(N, np.uint32)
    begin = np.zeros(N + 1, np.int64)
    for i in range(N):
        far[i] = hash_in_sentence(sentence[i])
        begin[i + 1] = begin[i] + lexicon.row[sentence[i] + 1] - lexicon.row[sentence[i]]
    log_p = np.empty(begin[-1], np.float32)
    for i in range(N):
        write_local_hashes(sentence, 0, N, i, near)
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
def pair_score(
    table: PhraseTable, lexicon: Lexicon, words: Int32, near: tuple[Int64, Float32], i: int, j: int,
    p: int,
) -> float:  # fmt: skip
    """Return the feature of pair p for words i … j of a sentence: Σ_{t ∈ t̄} ln P(t|x, a_t).

    near: the sentence's ``log_probabilities``. An empty lexicon returns 0.
    """
    if len(lexicon.word) == 0:
        return 0.0
    begin, log_p = near
    total, a = 0.0, -1
    for t_index in range(table.t_begin[p], table.t_begin[p + 1]):
        if a < 0:  # unlinked words at the beginning of t̄
            a = _first_link(table.links[p], t_index - table.t_begin[p], j - i + 1)
    for t_index in range(table.t_begin[p], table.t_begin[p + 1]):
        linked = _first_link(table.links[p], t_index - table.t_begin[p], j - i + 1)
        a = linked if linked >= 0 else a
        first_rival, value = lexicon.row[words[i + a]], MISSING
        for k in range(begin[i + a + 1] - begin[i + a]):
            if lexicon.word[first_rival + k] == table.target[t_index]:
                value = log_p[begin[i + a] + k]
        total += value
    return total


@lean
def _first_link(links: np.uint64, j: int, length: int) -> int:
    """Return the first source word of a pair that is linked to target word j, or −1."""
    for i in range(length):
        if links >> np.uint64(8 * i + j) & np.uint64(1):
            return i
    return -1
