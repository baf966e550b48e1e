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

The weights of each t are learnt by themselves, to tell the places where t was chosen from those
where another of T(s) was: by logistic regression,

    ln σ(z_t) where t was chosen, ln (1 − σ(z_t)) where it was not,

with AdaGrad's steps (Duchi et al. 2011). So each t has its own small problem, whatever the number
of threads. Each t also has a table of its own for its weights, in which a feature's place is its
hash: features that fall together share a weight (Weinberger et al. 2009).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.flat import Flat, Float32, Int8, Int32, Int64, load_arrays, mix, read_only
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.smt.phrases.extract import Aligned
from mtkit.smt.phrases.table import PhraseTable
from mtkit.storage.reading import damaged
from mtkit.storage.structure import check_ids, check_offsets

RIVALS = 40  # the most words of T(s)
MISSING = -1.0  # ln P of a word that is none of them
EPOCHS = 4
STEP = 0.1  # AdaGrad's
DECAY = 1e-2  # of weights, in every step
SURE = 0.01  # an error of σ(z) below this teaches nothing
SPREAD, LARGEST = 4, 1 << 16  # places of a table for each place in the text; the most it has
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
            raise damaged(begin, "tables whose sizes are no powers of 2")
        return lexicon


def train(
    source: Flat, target: Flat, links: Links, sizes: tuple[int, int], threads: int = 1
) -> Lexicon:
    """Learn from an aligned corpus; ``sizes`` = ids of the source, of the target."""
    corpus = Aligned.of(source, target, links)
    a = _affiliations(corpus)
    row, word = _rivals(source.words[a], target.words, sizes[0])
    first, examples = _examples(source.words[a], target.words, row, word, sizes[1])
    sentence = np.repeat(np.arange(len(source), dtype=np.int32), np.diff(target.begin))
    local, bag = features(source.words, source.begin)
    places = np.minimum(np.diff(first) * SPREAD, LARGEST)
    width = np.where(places > 0, 2 ** np.ceil(np.log2(np.maximum(places, 1))).astype(np.int64), 0)
    begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(width)])
    weight = np.zeros(begin[-1], np.int8)

    learn = partial(_learn, corpus, first, examples, a, sentence, local, bag, begin, weight)
    inner_ends = np.searchsorted(first, np.linspace(0, first[-1], 8 * threads + 1)[1:-1])
    ends = [0, *inner_ends.tolist(), sizes[1]]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(learn, ends[:-1], ends[1:]))
    return Lexicon(*read_only([row, word, begin, weight]))


def _rivals(s: Int32, t: Int32, s_size: int) -> tuple[Int64, Int32]:
    """``row`` and ``word`` of T from the translations (s, t) of a corpus, best first."""
    key, count = np.unique(s.astype(np.int64) << 32 | t, return_counts=True)
    key = key[np.lexsort((key, -count, key >> 32))]
    start = np.searchsorted(key >> 32, np.arange(s_size + 1))
    rank = np.arange(len(key)) - start[key >> 32]
    key = key[rank < RIVALS]
    row = np.searchsorted(key >> 32, np.arange(s_size + 1))
    return row, (key & 0xFFFFFFFF).astype(np.int32)


# --- kernels


@kernel
def _affiliations(corpus: Aligned) -> Int64:
    """a_t of every target word of the corpus, an index of the flat source."""
    s_begin, t_begin, link_begin = corpus.s_begin, corpus.t_begin, corpus.begin
    a = np.full(t_begin[-1], -1, np.int64)
    for k in range(len(s_begin) - 1):
        for link in range(link_begin[k], link_begin[k + 1]):
            j, i = t_begin[k] + corpus.t[link], s_begin[k] + corpus.s[link]
            if a[j] < 0 or i < a[j]:
                a[j] = i
        last = s_begin[k]
        for j in range(t_begin[k + 1] - 1, t_begin[k] - 1, -1):
            last = a[j] if a[j] >= 0 else last  # ends as the first word that has one
        for j in range(t_begin[k], t_begin[k + 1]):
            last = a[j] if a[j] >= 0 else last
            a[j] = last
    return a


@kernel
def _examples(s: Int32, t: Int32, row: Int64, word: Int32, t_size: int) -> tuple[Int64, Int32]:
    """The places j of the target where each t is a rival: ``examples[first[t] : first[t + 1]]``.

    Left out are places without a choice, or where none of T(s) was chosen.
    """
    useful = np.zeros(len(t), np.bool_)
    first = np.zeros(t_size + 1, np.int64)
    for j in range(len(t)):
        rivals = word[row[s[j]] : row[s[j] + 1]]
        for rival in rivals:
            useful[j] |= len(rivals) > 1 and rival == t[j]
        if useful[j]:
            for rival in rivals:
                first[rival + 1] += 1
    for t_after in range(1, t_size + 1):
        first[t_after] += first[t_after - 1]
    at, examples = first.copy(), np.empty(first[-1], np.int32)
    for j in range(len(t)):
        if useful[j]:
            for rival in word[row[s[j]] : row[s[j] + 1]]:
                examples[at[rival]] = j
                at[rival] += 1
    return first, examples


@lean
def _hash(kind: int, a: int, b: int) -> np.uint32:
    """Of a feature: of its kind and its words, −1 where there is none."""
    z = np.uint64(kind) << np.uint64(56) ^ np.uint64(a + 1) << np.uint64(28) ^ np.uint64(b + 1)
    return np.uint32(mix(z) >> np.uint64(32))


@kernel
def features(words: Int32, begin: Int64) -> tuple[UInt32, UInt32]:
    """F as hashes: uint32 (N, LOCAL), what each word sees nearby, and (N,), each word as seen from
    anywhere in its sentence.
    """
    local, bag = np.empty((len(words), LOCAL), np.uint32), np.empty(len(words), np.uint32)
    for k in range(len(begin) - 1):
        _fill(words, begin[k], begin[k + 1], local, bag)
    return local, bag


@lean
def _fill(words: Int32, first: int, behind: int, local: UInt32, bag: UInt32) -> None:
    """The features of one sentence."""
    for i in range(first, behind):
        for d in range(-3, 4):
            inside = first <= i + d < behind
            local[i, 3 + d] = _hash(3 + d, words[i + d] if inside else -1, -1)
        left = words[i - 1] if i > first else -1
        right = words[i + 1] if i + 1 < behind else -1
        local[i, 7], local[i, 8] = _hash(7, left, words[i]), _hash(8, words[i], right)
        bag[i] = _hash(9, words[i], -1)


@kernel
def _learn(
    corpus: Aligned, first: Int64, examples: Int32, a: Int64, sentence: Int32, local: UInt32,
    bag: UInt32, begin: Int64, weight: Int8, t_first: int, t_last: int,
) -> None:  # fmt: skip
    """Fit the weights of the words t_first … t_last − 1, each by itself."""
    for t in range(t_first, t_last):
        w = np.zeros(begin[t + 1] - begin[t], np.float32)
        squares = np.full(len(w), 1e-6, np.float32)
        for _ in range(EPOCHS):
            for j in examples[first[t] : first[t + 1]]:
                near = local[a[j]]
                far = bag[corpus.s_begin[sentence[j]] : corpus.s_begin[sentence[j] + 1]]
                chosen = np.float32(corpus.target[j] == t)
                error = 1 / (1 + np.exp(-_margin(w, near, far))) - chosen
                if abs(error) > SURE:
                    _step(w, squares, near, error)
                    _step(w, squares, far, error)
        for k in range(len(w)):
            weight[begin[t] + k] = round(min(max(w[k] * UNIT, -127), 127))


@lean
def _margin(w: NDArray[Any], near: UInt32, far: UInt32) -> np.float32:
    """z_t, in the unit of ``w``."""
    z, mask = np.float32(0), len(w) - 1
    for f in near:
        z += w[f & mask]
    for f in far:
        z += w[f & mask]
    return z


@lean
def _step(w: Float32, squares: Float32, features: UInt32, error: np.float32) -> None:
    """AdaGrad's step for each feature f: g = error + decay · w_f,  w_f −= η g / √Σ g²."""
    mask = len(w) - 1
    for f in features:
        g = np.float32(error + np.float32(DECAY) * w[f & mask])
        squares[f & mask] += g * g
        w[f & mask] -= np.float32(STEP) * g / np.sqrt(squares[f & mask])


@inner
def log_probabilities(sentence: Int32, lexicon: Lexicon) -> tuple[Int64, Float32]:
    """ln P(t|x, i) of T(s_i) for each word of a sentence: position i's from ``begin[i]`` on."""
    N = len(sentence)
    local, bag = np.empty((N, LOCAL), np.uint32), np.empty(N, np.uint32)
    _fill(sentence, 0, N, local, bag)
    begin = np.zeros(N + 1, np.int64)
    for i in range(N):
        begin[i + 1] = begin[i] + lexicon.row[sentence[i] + 1] - lexicon.row[sentence[i]]
    log_p = np.empty(begin[-1], np.float32)
    for i in range(N):
        z = log_p[begin[i] : begin[i + 1]]
        total = 0.0
        for k in range(len(z)):
            t = lexicon.word[lexicon.row[sentence[i]] + k]
            w = lexicon.weight[lexicon.begin[t] : lexicon.begin[t + 1]]
            z[k] = _margin(w, local[i], bag) / UNIT if len(w) > 0 else 0.0
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
