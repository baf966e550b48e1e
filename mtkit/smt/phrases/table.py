"""Phrase pairs and what they are worth (Koehn, Och & Marcu 2003).

Letters: s̄ a source phrase, t̄ a target phrase; c counts occurrences, see ``extract``.

    φ(t̄|s̄)   = c(s̄, t̄) / c(s̄)            φ(s̄|t̄) = c(s̄, t̄) / c(t̄)
    w(t|s)    = c(s, t) / c(s)   over the corpus's links; w(t|NULL) over its unlinked words, which
                                 count for NULL alone
    lex(t̄|s̄) = Π_{t ∈ t̄} mean of w(t|s) over the s ∈ s̄ linked to t, or w(t|NULL)

lex is that of the links the pair most often has. All four are kept as natural logarithms.

Most pairs are seen once, and φ makes too much of that. Modified Kneser-Ney smoothing discounts them
(Foster, Kuhn & Johnson 2006; D as in ``language_model.estimate``, with t_r the number of pairs seen
r times):

    φ(t̄|s̄)   = (c(s̄, t̄) − D(c(s̄, t̄))) / c(s̄) + p(t̄) Σ_t̄′ D(c(s̄, t̄′)) / c(s̄)
    p(t̄)      = different s̄ paired with t̄ / different pairs

and φ(s̄|t̄) likewise. A look-up compares words, not only their hashes.
"""

from __future__ import annotations

import itertools
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.flat import (
    Flat,
    Float32,
    Float64,
    Int8,
    Int32,
    Int64,
    UInt64,
    load_arrays,
    read_only,
)
from mtkit.smt.kernels import kernel
from mtkit.smt.language_model.estimate import FALLBACK_DISCOUNTS, closed_form
from mtkit.smt.phrases.extract import MAX_PHRASE, Rows, extract, hash_phrase
from mtkit.smt.phrases.reorder import log_probabilities
from mtkit.storage.reading import damaged
from mtkit.storage.structure import (
    FARTHEST,
    check_ids,
    check_length,
    check_offsets,
    check_range,
    check_rising,
)

DISCOUNTS = ("none", "kneser-ney")
CACHED = 1 << 14  # rows that are worked on together
BYTES = np.uint64(0x0101010101010101)
# A link: its target word in the flat corpus, w(t|s), w(s|t).
LINK = np.dtype([("target", np.int64), ("forward", np.float64), ("backward", np.float64)])


class PhraseTable(NamedTuple):
    """P phrase pairs of R different source phrases, the pairs of one source best φ(t̄|s̄) first."""

    source: Int32  # the words of source phrase r at s_begin[r] : s_begin[r + 1]
    s_begin: Int64  # (R + 1,)
    target: Int32  # those of the target phrase of pair p at t_begin[p] : t_begin[p + 1]
    t_begin: Int64  # (P + 1,)
    key: UInt64  # (R,) sorted hashes of the source phrases
    row: Int64  # (R + 1,) the pairs of source phrase r are row[r] : row[r + 1]
    features: Float32  # (P, 4) ln of φ(t̄|s̄), lex(t̄|s̄), φ(s̄|t̄), lex(s̄|t̄)
    reordering: Float32  # (P, 6) ln P(o|s̄, t̄): m, s, d towards the previous word, then the next
    links: UInt64  # (P,) bit 8 i + j: source word i is linked to target word j

    @classmethod
    def load(cls, directory: Path, s_size: int, t_size: int) -> Self:
        """Read it from its arrays. Raises InputError where they are no table of so many words."""
        table = load_arrays(directory, cls, ("features", "reordering"))
        path = {name: directory / f"{name}.npy" for name in cls._fields}
        R, P = len(table.key), len(table.t_begin) - 1
        check_offsets(path["s_begin"], table.s_begin, len(table.source), R, 1, MAX_PHRASE)
        check_offsets(path["t_begin"], table.t_begin, len(table.target), None, 1, MAX_PHRASE)
        check_offsets(path["row"], table.row, P, R, 1)
        check_ids(path["source"], table.source, s_size)
        check_ids(path["target"], table.target, t_size)
        check_rising(path["key"], table.key)
        for name, width in (("features", 4), ("reordering", 6)):
            check_length(path[name], getattr(table, name), P)
            if getattr(table, name).shape[1] != width:
                raise damaged(path[name], f"rows must have {width} numbers")
            check_range(path[name], getattr(table, name), -FARTHEST, FARTHEST)
        check_length(path["links"], table.links, P)
        r, p = flaws(table)
        if r >= 0:
            raise damaged(
                path["key"], f"the key of source phrase {r:,} is not the hash of its words"
            )
        if p >= 0:
            raise damaged(path["links"], f"pair {p:,} has links to words outside it")
        return table


@lru_cache(1 << 16)
def links_of(mask: int) -> tuple[tuple[int, int], ...]:
    """The links (i, j) of a phrase pair from their bits, 8 i + j."""
    return tuple(divmod(b, 8) for b in range(64) if mask >> b & 1)


WordWeights = tuple[Int64, NDArray[Any], Float64, Float64]  # see ``word_weights``


class Pairs(NamedTuple):
    """The P different pairs of a corpus, sorted by the hashes of s̄, then of t̄."""

    rows: Rows  # OCCURRENCE (P,), one of each with the links that it most often has
    seen: Int32  # (P,) c(s̄, t̄)
    reordering: Float32  # as in ``PhraseTable``


def build_table(source: Flat, target: Flat, links: Links, discount: str = "none") -> PhraseTable:
    """Extract, count and score all phrase pairs of aligned text; discount: one of ``DISCOUNTS``."""
    rows, count, reordering = _count(source, target, links)
    s_key, t_key = rows["s_key"].copy(), rows["t_key"].copy()
    new_phrase = _changes(s_key)
    direct, channel = _phi(s_key, t_key, count, discount), _phi(t_key, s_key, count, discount)
    order = np.lexsort((-direct, np.cumsum(new_phrase)))  # ties by hash: the same in every run
    weights, features = word_weights(source, target, links), np.empty((len(rows), 4), np.float32)
    for begin in range(0, len(rows), CACHED):
        at = order[begin : begin + CACHED]
        lexical = _lexical(rows.take(at), *weights)
        value = direct[at], lexical[:, 0], channel[at], lexical[:, 1]
        features[begin : begin + CACHED] = np.log(np.column_stack(value))
    row = np.append(np.flatnonzero(new_phrase), len(rows))
    first = rows.take(row[:-1])
    sources = gather(source.words, first["source"].copy(), first["s_length"].copy())
    targets = gather(target.words, rows["target"][order], rows["t_length"][order])
    ordered = features, reordering[order], rows["links"][order]
    return PhraseTable(*read_only([*sources, *targets, first["s_key"].copy(), row, *ordered]))


def _count(source: Flat, target: Flat, links: Links) -> Pairs:
    """Extract all pairs and count them part by part, each small enough for a cache."""
    rows, ends = extract(source, target, links)
    count = np.empty(len(rows), np.int32)  # no page of it is touched before it is needed
    reordering = np.empty((len(rows), 6), np.float32)
    n = 0
    for begin, end in itertools.pairwise(ends):
        if begin < end:
            part = _distinct(rows[begin:end])
            m = n + len(part.rows)
            rows[n:m], count[n:m], reordering[n:m] = part
            n = m
    return Pairs(rows[:n].copy(), count[:n], reordering[:n])


def _distinct(rows: Rows) -> Pairs:
    """Occurrences to different pairs; of links that are equally frequent the lowest mask."""
    rows = rows.take(np.lexsort((rows["links"], rows["t_key"], rows["s_key"])))
    new_pair = _changes(rows["s_key"]) | _changes(rows["t_key"])
    at = np.flatnonzero(new_pair | _changes(rows["links"]))
    pair = np.cumsum(new_pair) - 1
    count = np.diff(np.append(at, len(rows)))
    first = np.flatnonzero(new_pair[at])
    most = at[count == np.maximum.reduceat(count, first)[pair[at]]]
    pick = most[_changes(pair[most])]
    reordering = log_probabilities(rows["previous"], rows["next"], pair)
    return Pairs(rows.take(pick), np.add.reduceat(count, first), reordering)


def _changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a value differs from the one before it; the first does."""
    return np.concatenate([[True], values[1:] != values[:-1]])


def _total(key: UInt64, value: NDArray[Any]) -> Float64:
    """For each row the sum of the values of all rows with the same key."""
    _, which = np.unique(key, return_inverse=True)
    return np.bincount(which, weights=value)[which].astype(np.float64, copy=False)


def _phi(condition: UInt64, outcome: UInt64, count: Int32, discount: str) -> Float64:
    """φ(outcome|condition) of each pair; see the module's head."""
    mass = count.astype(np.float64)
    if discount == "kneser-ney":
        t = np.bincount(np.minimum(count, 5), minlength=5).tolist()
        d = np.array([0, *(closed_form(t) or FALLBACK_DISCOUNTS)])[np.minimum(count, 3)]
        p = _total(outcome, np.ones(len(count))) / len(count)
        mass += p * _total(condition, d) - d
    return mass / _total(condition, count)


def word_weights(source: Flat, target: Flat, links: Links) -> WordWeights:
    """w, as ``_lexical`` takes it.

    The links of flat source word i are ``first[i] : first[i + 1]``; then LINK, one a link; then
    w(·|NULL) of each flat target and of each flat source word.
    """
    sentence = np.repeat(np.arange(len(source)), np.diff(links.begin))
    i, j = source.begin[sentence] + links.source, target.begin[sentence] + links.target
    s, t = source.words[i], target.words[j]
    both = s.astype(np.uint64) << np.uint64(32) | t.astype(np.uint64)
    count = _total(both, np.ones(len(i)))
    linked = np.empty(len(i), LINK)
    linked["target"] = j
    linked["forward"], linked["backward"] = count / np.bincount(s)[s], count / np.bincount(t)[t]
    first = np.searchsorted(i, np.arange(len(source.words) + 1))
    return first, linked, _null(target.words, j), _null(source.words, i)


def _null(words: Int32, linked: Int64) -> Float64:
    """w(·|NULL) of each word of a side of the corpus."""
    unlinked = np.delete(words, linked)
    share = np.bincount(unlinked, minlength=int(words.max()) + 1) / max(1, len(unlinked))
    return np.maximum(share, 1e-7)[words]


# --- kernels


@kernel
def flaws(table: PhraseTable) -> tuple[int, int]:
    """The first source phrase whose key is not its hash, and the first pair with links to words
    that it has not; −1 for none.
    """
    for r in range(len(table.key)):
        s_first, s_last = table.s_begin[r], table.s_begin[r + 1] - 1
        if hash_phrase(table.source, s_first, s_last) != table.key[r]:
            return r, -1
        s_words = np.uint64(s_last + 1 - s_first)
        for p in range(table.row[r], table.row[r + 1]):
            t_words = np.uint64(table.t_begin[p + 1] - table.t_begin[p])
            of_word = (np.uint64(1) << t_words) - np.uint64(1)  # bits 0 … t_words − 1 of each byte
            most = (of_word * BYTES) & (~np.uint64(0) >> (np.uint64(64) - np.uint64(8) * s_words))
            if table.links[p] & ~most:
                return -1, p
    return -1, -1


@kernel
def _lexical(
    rows: Rows, first: Int64, links: NDArray[Any], t_null: Float64, s_null: Float64
) -> Float64:
    """lex(t̄|s̄) and lex(s̄|t̄) of each row, (P, 2); see the module's head and ``word_weights``."""
    out = np.empty((len(rows), 2))
    total, n = np.zeros(MAX_PHRASE), np.zeros(MAX_PHRASE, np.int64)
    for k in range(len(rows)):
        row = rows[k]
        forward = backward = 1.0
        for i in range(row.source, row.source + row.s_length):
            back, m = 0.0, 0
            for at in range(first[i], first[i + 1]):
                j = links[at].target - row.target
                if 0 <= j < row.t_length:
                    total[j] += links[at].forward
                    n[j] += 1
                    back += links[at].backward
                    m += 1
            backward *= back / m if m > 0 else s_null[i]
        for j in range(row.t_length):
            forward *= total[j] / n[j] if n[j] > 0 else t_null[row.target + j]
            total[j], n[j] = 0.0, 0
        out[k, 0], out[k, 1] = forward, backward
    return out


@kernel
def gather(words: Int32, at: Int32 | Int64, length: Int8) -> tuple[Int32, Int64]:
    """The spans ``words[at : at + length]`` one behind the other, and where each begins."""
    begin = np.zeros(len(at) + 1, np.int64)
    for k in range(len(at)):
        begin[k + 1] = begin[k] + length[k]
    out = np.empty(begin[-1], np.int32)
    for k in range(len(at)):
        for i in range(length[k]):
            out[begin[k] + i] = words[at[k] + i]
    return out, begin
