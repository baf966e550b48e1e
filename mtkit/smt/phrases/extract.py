"""Every occurrence of every phrase pair in an aligned corpus (Och & Ney 2004, Koehn et al. 2003).

Letters: words i0 … i1 of the source and j0 … j1 of the target.

A span of the source and a span of the target form a phrase pair if at least one link joins them and
no link leads from inside either to outside the other; unlinked words at the edges of the target
span may belong to it or not.

A source word that is a phrase nowhere, because its links always tangle with its neighbours', could
not be translated outside the phrases it was seen in: each of its links counts as a phrase pair.

Phrases are told apart by 64-bit hashes of their words; among n phrases two share one by chance with
probability n² / 2⁶⁵ (n = 10⁷: 3 in a million).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.flat import Bool, Flat, Int32, Int64, longest
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.smt.phrases.reorder import orientation

MAX_PHRASE = 7  # words; 7 · 8 links and fewer fit into one 64-bit mask, bit 8 i + j
# An occurrence: the hashes of both phrases; its links as in ``PhraseTable``; where its first words
# stand in the flat corpus; its lengths in words; its orientations as in ``reorder``.
OCCURRENCE = np.dtype(
    [(name, np.uint64) for name in ("s_key", "t_key", "links")]
    + [(name, np.int32) for name in ("source", "target")]
    + [(name, np.int8) for name in ("s_length", "t_length", "previous", "next")]
)
Rows = NDArray[Any]  # of OCCURRENCE


class Aligned(NamedTuple):
    """The arrays of a source and a target ``Flat`` and of their ``Links``, for kernels."""

    source: Int32
    s_begin: Int64
    target: Int32
    t_begin: Int64
    s: Int32
    t: Int32
    begin: Int64

    @classmethod
    def of(cls, source: Flat, target: Flat, links: Links) -> Aligned:
        """An aligned corpus."""
        sides = source.words, source.begin, target.words, target.begin
        return cls(*sides, links.source, links.target, links.begin)


def extract(
    source: Flat, target: Flat, links: Links, max_length: int = MAX_PHRASE
) -> tuple[Rows, Int64]:
    """OCCURRENCE (N,), those of one source phrase in one part, and where the parts begin and end.

    Parts go by the first bits of ``s_key`` and are small enough to be sorted within a cache.
    """
    corpus = Aligned.of(source, target, links)
    bits = 1 + (len(source.words) >> 13).bit_length()  # a word begins some four occurrences
    shift = np.uint64(64 - bits)
    covered = np.zeros(int(source.words.max()) + 1, np.bool_)
    size = np.zeros(1 + (1 << bits), np.int64)
    for lone in (False, True):  # without rows, to count
        _extract(corpus, max_length, covered, lone, shift, size[1:], np.empty(0, OCCURRENCE))
    ends = np.cumsum(size)
    rows, at = np.empty(ends[-1], OCCURRENCE), ends[:-1].copy()
    for lone in (False, True):
        _extract(corpus, max_length, covered, lone, shift, at, rows)
    return rows, ends


# --- kernels


@lean
def hash_word(key: np.uint64, word: int) -> np.uint64:
    """The hash of a phrase that is longer by ``word``: SplitMix64's finaliser (Steele 2014)."""
    z = key ^ np.uint64(word + 1)
    z = (z + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(32))


@lean
def hash_phrase(words: Int32, first: int, last: int) -> np.uint64:
    """The hash of ``words[first : last + 1]``."""
    key = np.uint64(0)
    for at in range(first, last + 1):
        key = hash_word(key, words[at])
    return key


@kernel
def _extract(
    corpus: Aligned, limit: int, covered: Bool, lone: bool, shift: np.uint64, at: Int64, rows: Rows
) -> None:
    """Write each occurrence where its part has come to or, without room for any, count it.

    covered: whether a source word is a phrase by itself, found by the first call; lone: write the
    links of those that are not, instead of the consistent spans.
    """
    source, s_begin, target, t_begin, s, t, begin = corpus
    spans = np.empty((max(limit**3 * longest(s_begin), longest(begin)), 4), np.int32)
    for k in range(len(s_begin) - 1):
        s0, t0 = s_begin[k], t_begin[k]
        words = source[s0 : s_begin[k + 1]]
        links = s[begin[k] : begin[k + 1]], t[begin[k] : begin[k + 1]]
        a = _linked(len(words), t_begin[k + 1] - t0, *links)
        n = _lone(words, covered, *links, spans) if lone else _spans(a, limit, spans)
        for span in range(n):
            i0, i1, j0, j1 = spans[span, 0], spans[span, 1], spans[span, 2], spans[span, 3]
            if i0 == i1 and not lone:
                covered[words[i0]] = True
            s_key = hash_phrase(source, s0 + i0, s0 + i1)
            part = np.int64(s_key >> shift)
            if len(rows) > 0:
                row = rows[at[part]]
                row.s_key, row.t_key = s_key, hash_phrase(target, t0 + j0, t0 + j1)
                row.links = _mask(a, i0, i1, j0, j1)
                row.source, row.target = s0 + i0, t0 + j0
                row.s_length, row.t_length = i1 - i0 + 1, j1 - j0 + 1
                row.previous = orientation(a[i0, j0], a[i1 + 2, j0])
                row.next = orientation(a[i1 + 2, j1 + 2], a[i0, j1 + 2])
            at[part] += 1


@inner
def _linked(I: int, J: int, s: Int32, t: Int32) -> Bool:
    """Whether i and j are linked, at [i + 1, j + 1]; the beginnings, [0, 0], and the ends are."""
    a = np.zeros((I + 2, J + 2), np.bool_)
    a[0, 0] = a[I + 1, J + 1] = True
    for link in range(len(s)):
        a[s[link] + 1, t[link] + 1] = True
    return a


@lean
def _lone(words: Int32, covered: Bool, s: Int32, t: Int32, spans: Int32) -> int:
    """Fill ``spans`` with the links of words that are not ``covered``; how many they are."""
    n = 0
    for link in range(len(s)):
        if not covered[words[s[link]]]:
            spans[n, 0] = spans[n, 1] = s[link]
            spans[n, 2] = spans[n, 3] = t[link]
            n += 1
    return n


@inner
def _spans(a: Bool, limit: int, spans: Int32) -> int:
    """Fill ``spans`` with i0, i1, j0, j1 of all consistent spans; how many they are."""
    I, J = a.shape[0] - 2, a.shape[1] - 2
    low, high = np.empty(J, np.int64), np.empty(J, np.int64)  # the source span that j links to
    for j in range(J):
        low[j], high[j] = I, -1
    for i in range(I):
        for j in range(J):
            if a[i + 1, j + 1]:
                low[j], high[j] = min(low[j], i), i
    n = 0
    for i0 in range(I):
        j0, j1 = J, -1  # the target span that i0 … i1 link to
        for i1 in range(i0, min(I, i0 + limit)):
            for j in range(J):
                if a[i1 + 1, j + 1]:
                    j0, j1 = min(j0, j), max(j1, j)
            if j1 >= 0 and j1 - j0 < limit and _inside(low, high, i0, i1, j0, j1):
                n = _widen(high, i0, i1, j0, j1, limit, spans, n)
    return n


@lean
def _widen(
    high: Int64, i0: int, i1: int, j0: int, j1: int, limit: int, spans: Int32, n: int
) -> int:
    """Add a pair of spans, and the target spans that reach over unlinked words beside j0 … j1."""
    b0 = j0
    while b0 >= 0 and (b0 == j0 or high[b0] < 0):
        b1 = j1
        while b1 < len(high) and b1 - b0 < limit and (b1 == j1 or high[b1] < 0):
            spans[n, 0], spans[n, 1], spans[n, 2], spans[n, 3] = i0, i1, b0, b1
            n += 1
            b1 += 1
        b0 -= 1
    return n


@lean
def _inside(low: Int64, high: Int64, i0: int, i1: int, j0: int, j1: int) -> bool:
    """Whether every link of target words j0 … j1 leads into i0 … i1."""
    for j in range(j0, j1 + 1):
        if high[j] >= 0 and (low[j] < i0 or high[j] > i1):
            return False
    return True


@lean
def _mask(a: Bool, i0: int, i1: int, j0: int, j1: int) -> np.uint64:
    """The links of the span, bit 8 i + j."""
    mask = np.uint64(0)
    for i in range(i0, i1 + 1):
        for j in range(j0, j1 + 1):
            if a[i + 1, j + 1]:
                mask |= np.uint64(1) << np.uint64(8 * (i - i0) + j - j0)
    return mask
