"""Phrase pairs and what they are worth (Koehn, Och & Marcu 2003).

Letters: s̄ a source phrase, t̄ a target phrase, a the links between their words.

A span of the source and a span of the target form a phrase pair if at least one link joins them and
no link leads from inside either to outside the other; unlinked words at the edges of the target
span may belong to it or not. Each occurrence counts once:

    φ(t̄|s̄)   = c(s̄, t̄) / c(s̄)            φ(s̄|t̄) = c(s̄, t̄) / c(t̄)
    w(t|s)    = c(s, t) / c(s)   over the corpus's links; w(t|NULL) over its unlinked words, which
                                 count for NULL alone
    lex(t̄|s̄) = Π_{t ∈ t̄} mean of w(t|s) over the s ∈ s̄ linked to t, or w(t|NULL)

lex is that of the links the pair most often has. All four are kept as natural logarithms.

A source word that is a phrase nowhere, because its links always tangle with its neighbours', could
not be translated outside the phrases it was seen in: each of its links counts as a phrase pair.

Phrases are told apart by 64-bit hashes of their words; among n phrases two share one by chance with
probability n² / 2⁶⁵ (n = 10⁷: 3 in a million). A look-up compares the words themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numba import njit

from mtkit.smt.flat import Flat, Float32, Float64, Int32, Int64, UInt64, lean
from mtkit.smt.symmetrize import Links

MAX_PHRASE = 7  # words; 7 · 8 links and fewer fit into one 64-bit mask, bit 8 i + j
FEATURES = ("direct", "direct-lexical", "channel", "channel-lexical")
ARRAYS = ("source", "s_begin", "target", "t_begin", "key", "row", "features", "reordering", "links")


@dataclass(frozen=True)
class PhraseTable:
    """P phrase pairs of R different source phrases, the pairs of one source best φ(t̄|s̄) first.

    key: uint64 (R,) sorted hashes of the source phrases; row: int64 (R + 1,), the pairs of source
    phrase r are ``row[r] : row[r + 1]``; source: int32, the words of source phrase r at
    ``s_begin[r] : s_begin[r + 1]``; target: int32, those of pair p likewise by ``t_begin``;
    features: float32 (P, 4), ln of φ(t̄|s̄), lex(t̄|s̄), φ(s̄|t̄), lex(s̄|t̄); reordering: float32
    (P, 6), ln P(orientation|s̄, t̄), towards the phrase before m, s, d, then towards the next; links:
    uint64 (P,), bit
    8 i + j says that word i of the source is linked to word j of the target.
    """

    source: Int32
    s_begin: Int64
    target: Int32
    t_begin: Int64
    key: UInt64
    row: Int64
    features: Float32
    reordering: Float32
    links: UInt64

    def __post_init__(self) -> None:
        # Read-only arrays, mapped or not, are one numba type: the kernels compile once.
        for name in ARRAYS:
            getattr(self, name).flags.writeable = False

    def save(self, directory: Path) -> None:
        """Write one ``.npy`` an array into ``directory``, made if need be."""
        directory.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            np.save(directory / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(cls, directory: Path) -> PhraseTable:
        """Read what ``save`` wrote, memory-mapped: no page is read before it is needed."""
        arrays = (np.load(directory / f"{name}.npy", mmap_mode="r") for name in ARRAYS)
        return cls(*map(np.asarray, arrays))


def extract(source: Flat, target: Flat, links: Links, max_length: int = MAX_PHRASE) -> Occurrences:
    """Every occurrence of every phrase pair in the corpus, in order."""
    arguments = (source.words, source.begin, target.words, target.begin)
    count = _extract(*arguments, links.source, links.target, links.begin, max_length, _NOTHING)
    table = np.empty((count, 5), np.int64)
    _extract(*arguments, links.source, links.target, links.begin, max_length, table)
    return Occurrences(table)


@dataclass(frozen=True)
class Occurrences:
    """N occurrences of phrase pairs: int64 (N, 5), columns as named below."""

    table: Int64

    @property
    def source_at(self) -> Int64:
        """Index of the source phrase's first word in the corpus's flat source."""
        return self.table[:, 0]

    @property
    def target_at(self) -> Int64:
        """The same for the target phrase."""
        return self.table[:, 1]

    @property
    def source_length(self) -> Int64:
        """Words."""
        return self.table[:, 2]

    @property
    def target_length(self) -> Int64:
        """Words."""
        return self.table[:, 3]

    @property
    def links(self) -> UInt64:
        """The links inside the pair, as in ``PhraseTable``."""
        return self.table[:, 4].view(np.uint64)


def build_table(source: Flat, target: Flat, links: Links) -> PhraseTable:
    """Extract, count and score all phrase pairs of an aligned corpus."""
    found = extract(source, target, links)
    found = Occurrences(np.concatenate([found.table, _lone_links(found, source, target, links)]))
    s_key = hash_spans(source.words, found.source_at, found.source_length)
    t_key = hash_spans(target.words, found.target_at, found.target_length)
    pick, count = _distinct(s_key, t_key, found.links)
    s_key, t_key = s_key[pick], t_key[pick]
    total_s, total_t = _total(s_key, count), _total(t_key, count)
    forward, backward = word_weights(source, target, links)
    at = found.table[pick]
    features = np.empty((len(pick), 4), np.float32)
    features[:, 0] = np.log(count / total_s)
    features[:, 1] = np.log(_lexical(at, source.words, target.words, *forward))
    features[:, 2] = np.log(count / total_t)
    swapped = np.ascontiguousarray(at[:, [1, 0, 3, 2, 4]])
    swapped[:, 4] = _transpose(at[:, 4].view(np.uint64)).view(np.int64)
    features[:, 3] = np.log(_lexical(swapped, target.words, source.words, *backward))
    order = np.lexsort((t_key, -count, s_key))  # ties by hash: the same in every run
    return _pack(at[order], s_key[order], features[order], source.words, target.words)


def _lone_links(found: Occurrences, source: Flat, target: Flat, links: Links) -> Int64:
    """The links of source words that are no phrase by themselves, as rows of ``Occurrences``."""
    covered = np.zeros(int(source.words.max()) + 1, np.bool_)
    covered[source.words[found.source_at[found.source_length == 1]]] = True
    i, j = _link_positions(source, target, links)
    lone = ~covered[source.words[i]]
    ones = np.ones(int(lone.sum()), np.int64)
    return np.column_stack([i[lone], j[lone], ones, ones, ones])


def _link_positions(source: Flat, target: Flat, links: Links) -> tuple[Int64, Int64]:
    """Of each link the indices of its two words in the flat corpus."""
    sentence = np.repeat(np.arange(len(source)), np.diff(links.begin))
    return source.begin[sentence] + links.source, target.begin[sentence] + links.target


def _distinct(s_key: UInt64, t_key: UInt64, links: UInt64) -> tuple[Int64, Int64]:
    """For each different pair one occurrence, with the links it most often has, and its count."""
    order = np.lexsort((links, t_key, s_key))
    s, t, a = s_key[order], t_key[order], links[order]
    new_pair = np.concatenate([[True], (s[1:] != s[:-1]) | (t[1:] != t[:-1])])
    new_links = new_pair | np.concatenate([[True], a[1:] != a[:-1]])
    at = np.flatnonzero(new_links)
    count = np.diff(np.append(at, len(order)))
    pair = np.cumsum(new_pair)[at] - 1
    first = np.flatnonzero(np.concatenate([[True], pair[1:] != pair[:-1]]))
    best = np.lexsort((-count, pair))[first]  # of each pair, its most frequent links
    return order[at[best]], np.add.reduceat(count, first)


def _total(key: UInt64, count: Int64) -> Float64:
    """For each row the counts of all rows with the same key."""
    _, which = np.unique(key, return_inverse=True)
    return np.bincount(which, weights=count)[which].astype(np.float64)


def word_weights(
    source: Flat, target: Flat, links: Links
) -> tuple[tuple[Int64, Float64, Float64], tuple[Int64, Float64, Float64]]:
    """w(t|s) and w(s|t), each as (sorted keys s · 2³² + t, w of each key, w(·|NULL) by word id)."""
    i, j = _link_positions(source, target, links)
    s, t = source.words[i].astype(np.int64), target.words[j].astype(np.int64)
    s_free, t_free = np.delete(source.words, i), np.delete(target.words, j)
    return _weights(s, t, t_free, target.words), _weights(t, s, s_free, source.words)


def _weights(
    given: Int64, made: Int64, unlinked: Int32, words: Int32
) -> tuple[Int64, Float64, Float64]:
    key, count = np.unique(given << 32 | made, return_counts=True)
    total = np.bincount(given, minlength=1)
    null = np.bincount(unlinked, minlength=int(words.max()) + 1) / max(1, len(unlinked))
    return key, count / total[key >> 32], null


def _pack(at: Int64, s_key: UInt64, features: Float32, source: Int32, target: Int32) -> PhraseTable:
    """Rows sorted by source key as the arrays of a table."""
    key, first = np.unique(s_key, return_index=True)
    s_words, s_begin = _gather(source, at[first, 0], at[first, 2])
    t_words, t_begin = _gather(target, at[:, 1], at[:, 3])
    row = np.append(first, len(at)).astype(np.int64)
    links = np.ascontiguousarray(at[:, 4]).view(np.uint64)
    reordering = np.full((len(at), 6), np.log(1 / 3), np.float32)
    return PhraseTable(s_words, s_begin, t_words, t_begin, key, row, features, reordering, links)


def _gather(words: Int32, at: Int64, length: Int64) -> tuple[Int32, Int64]:
    """The spans ``words[at : at + length]`` one behind the other, and where each begins."""
    begin = np.concatenate([np.zeros(1, np.int64), np.cumsum(length)])
    shift = np.repeat(at - begin[:-1], length)
    return words[np.arange(begin[-1]) + shift], begin


# --- kernels

_NOTHING = np.empty((0, 5), np.int64)


@lean
def hash_word(key: np.uint64, word: int) -> np.uint64:
    """The hash of a phrase that is longer by ``word``: SplitMix64's finaliser (Steele 2014)."""
    z = key ^ np.uint64(word + 1)
    z = (z + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(32))


@njit(cache=True, nogil=True)
def hash_spans(words: Int32, at: Int64, length: Int64) -> UInt64:
    """The hash of each span ``words[at : at + length]``."""
    out = np.empty(len(at), np.uint64)
    for k in range(len(at)):
        key = np.uint64(0)
        for i in range(at[k], at[k] + length[k]):
            key = hash_word(key, words[i])
        out[k] = key
    return out


@njit(cache=True, nogil=True)
def _extract(
    source: Int32,
    s_begin: Int64,
    target: Int32,
    t_begin: Int64,
    link_s: Int32,
    link_t: Int32,
    link_begin: Int64,
    limit: int,
    table: Int64,
) -> int:
    """Count the occurrences and, where ``table`` has room, write them; see ``Occurrences``."""
    n = 0
    for k in range(len(s_begin) - 1):
        I, J = s_begin[k + 1] - s_begin[k], t_begin[k + 1] - t_begin[k]
        a = np.zeros((I, J), np.bool_)
        low, high = np.full(J, I), np.full(J, -1)  # the source span that each target word links to
        for at in range(link_begin[k], link_begin[k + 1]):
            i, j = link_s[at], link_t[at]
            a[i, j] = True
            low[j], high[j] = min(low[j], i), max(high[j], i)
        for i0 in range(I):
            j0, j1 = J, -1  # the target span that i0 … i1 link to
            for i1 in range(i0, min(I, i0 + limit)):
                for j in range(J):
                    if a[i1, j]:
                        j0, j1 = min(j0, j), max(j1, j)
                if j1 >= 0 and j1 - j0 < limit and _inside(low, high, i0, i1, j0, j1):
                    n = _write(a, high, i0, i1, j0, j1, s_begin[k], t_begin[k], limit, table, n)
    return n


@njit(cache=True, nogil=True)
def _write(a, high, i0, i1, j0, j1, s_begin, t_begin, limit, table, n):  # type: ignore[no-untyped-def]
    """The pair of two spans, and of the target spans that reach over unlinked words beside it."""
    b0 = j0
    while b0 >= 0 and (b0 == j0 or high[b0] < 0):
        b1 = j1
        while b1 < len(high) and b1 - b0 < limit and (b1 == j1 or high[b1] < 0):
            if len(table) > 0:
                table[n, 0], table[n, 1] = s_begin + i0, t_begin + b0
                table[n, 2], table[n, 3] = i1 - i0 + 1, b1 - b0 + 1
                table[n, 4] = _mask(a, i0, i1, b0, b1)
            n += 1
            b1 += 1
        b0 -= 1
    return n


@njit(cache=True, nogil=True)
def _inside(low: Int64, high: Int64, i0: int, i1: int, j0: int, j1: int) -> bool:
    """Whether every link of target words j0 … j1 leads into i0 … i1."""
    for j in range(j0, j1 + 1):
        if high[j] >= 0 and (low[j] < i0 or high[j] > i1):
            return False
    return True


@njit(cache=True, nogil=True)
def _mask(a, i0, i1, j0, j1):  # type: ignore[no-untyped-def]
    mask = np.int64(0)
    for i in range(i0, i1 + 1):
        for j in range(j0, j1 + 1):
            if a[i, j]:
                mask |= np.int64(1) << np.int64(8 * (i - i0) + (j - j0))
    return mask


@njit(cache=True, nogil=True)
def _transpose(links: UInt64) -> UInt64:
    """Bit 8 i + j moved to 8 j + i."""
    out = np.zeros_like(links)
    for k in range(len(links)):
        for i in range(8):
            for j in range(8):
                bit = (links[k] >> np.uint64(8 * i + j)) & np.uint64(1)
                out[k] |= bit << np.uint64(8 * j + i)
    return out


@njit(cache=True, nogil=True)
def _lexical(
    at: Int64, given: Int32, made: Int32, key: Int64, weight: Float64, null: Float64
) -> Float64:
    """lex(made|given) of each row (given_at, made_at, lengths, links); see the module's head."""
    out = np.ones(len(at))
    for k in range(len(at)):
        for j in range(at[k, 3]):
            t = np.int64(made[at[k, 1] + j])
            total, n = 0.0, 0
            for i in range(at[k, 2]):
                if (at[k, 4] >> np.int64(8 * i + j)) & np.int64(1):
                    s = np.int64(given[at[k, 0] + i])
                    total += weight[np.searchsorted(key, s << np.int64(32) | t)]
                    n += 1
            out[k] *= total / n if n > 0 else max(null[t], 1e-7)
    return out
