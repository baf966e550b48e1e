"""Find all occurrences of phrase pairs in an aligned corpus (Och & Ney 2004, Koehn et al. 2003).

Letters: words i0 … i1 of the source and j0 … j1 of the target.

A source span and a target span form a phrase pair (they are *consistent*) if at least one link
joins them and no link leads from inside one to outside the other. Unlinked words at the edges of
the target span may be included or not.

Some source words are never a phrase by themselves, for example because their target words are
always linked to other source words, too. Such a word could not be translated outside the phrases it
was seen in, so each of its links is also extracted as a phrase pair (a *lone* link).

A phrase is identified by a 64-bit hash of its words. The probability that any two of n phrases
collide is n² / 2⁶⁵ (n = 10⁷: 3 in a million). The first bits of a hash select the *part* that the
phrase belongs to; the occurrences of one part are few enough to be sorted within a CPU cache.

Tasks for a corpus on disk, after ``count`` for each piece: ``join_words`` once, then
``find_occurrences`` for each piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.flat import Bool, Flat, Int32, Int64, longest
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.smt.phrases.reorder import orientation
from mtkit.storage.arrays import load, save
from mtkit.text.shards import SIDES, Shards

MAX_PHRASE = 7  # words; the links of a pair then fit into one 64-bit mask, bit 8 i + j
# 2^LOG2_PART_WORDS source words get 2 to 4 parts; about four occurrences begin at a word.
LOG2_PART_WORDS = 13
# An occurrence: hashes of both phrases; links as in ``PhraseTable``; positions of the first words
# in the whole text; lengths in words; orientations as in ``reorder``.
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
        """Return the aligned corpus of ``source``, ``target`` and ``links``."""
        sides = source.words, source.begin, target.words, target.begin
        return cls(*sides, links.source, links.target, links.begin)


class Piece(NamedTuple):
    """A shard of a text and its alignments."""

    text: Shards
    shard: int
    links: tuple[Path, ...]  # directory of the saved ``Links`` of each alignment

    def read(self) -> tuple[list[Aligned], tuple[int, int]]:
        """Return the sentences with each alignment, and each side's offset in the whole text."""
        x, y = (self.text.side(name, self.shard) for name in SIDES)
        sides = Flat(x.words, x.begin), Flat(y.words, y.begin)
        return [Aligned.of(*sides, Links.load(path)) for path in self.links], (x.offset, y.offset)


def part_bits(words: int) -> int:
    """Return the number of bits of a part's number, for a text of ``words`` source words."""
    return 1 + (words >> LOG2_PART_WORDS).bit_length()


def count(corpora: Sequence[Aligned], covered: Bool, bits: int, limit: int = MAX_PHRASE) -> Int64:
    """Return the number of consistent spans per part, int64 (2^bits,), and mark ``covered`` words.

    covered: (V_s,), set to True for each source word that is a phrase by itself.
    """
    size, no_rows = np.zeros(1 << bits, np.int64), np.empty(0, OCCURRENCE)
    for corpus in corpora:
        _extract(corpus, (0, 0), limit, covered, False, np.uint64(64 - bits), size, no_rows)
    return size


def extract(
    corpora: Sequence[Aligned], offset: tuple[int, int], covered: Bool, size: Int64,
    limit: int = MAX_PHRASE,
) -> tuple[Rows, Int64]:  # fmt: skip
    """Return the occurrences, OCCURRENCE (N,), sorted by part, and the ends of the parts.

    covered: (V_s,), whether a source word is a phrase by itself anywhere in the text; size: as
    ``count`` returns it. The ends have a leading 0: (2^bits + 1,).
    """
    shift, size = np.uint64(65 - len(size).bit_length()), size.copy()
    for corpus in corpora:  # ``count`` did not count the lone links
        _extract(corpus, offset, limit, covered, True, shift, size, np.empty(0, OCCURRENCE))
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(size)])
    rows, next_row = np.empty(ends[-1], OCCURRENCE), ends[:-1].copy()
    for corpus in corpora:
        for lone in (False, True):
            _extract(corpus, offset, limit, covered, lone, shift, next_row, rows)
    return rows, ends


# --- tasks


def join_words(into: Path, words: Sequence[Path], size: int) -> None:
    """Save ``covered``: which of ``size`` words are phrases by themselves in any piece."""
    covered = np.zeros(size, np.bool_)
    for directory in words:
        covered[load(directory / "covered.npy")] = True
    save(into, covered=covered)


def find_occurrences(into: Path, piece: Piece, words: Path, joined: Path) -> None:
    """Save the occurrences of ``piece``, ``rows`` and ``ends``; see ``extract``."""
    covered, size = load(joined / "covered.npy"), load(words / "size.npy")
    corpora, offset = piece.read()
    rows, ends = extract(corpora, offset, covered, size)
    save(into, rows=rows, ends=ends)


# --- kernels


@lean
def hash_word(key: np.uint64, word: int) -> np.uint64:
    """Extend the hash of a phrase by ``word``, by multiplications as in ``mix``."""
    z = key ^ np.uint64(word + 1)
    z = (z + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(29))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(32))


@lean
def hash_phrase(words: Int32, first: int, last: int) -> np.uint64:
    """Return the hash of ``words[first : last + 1]``."""
    key = np.uint64(0)
    for i in range(first, last + 1):
        key = hash_word(key, words[i])
    return key


@kernel
def _extract(
    corpus: Aligned, offset: tuple[int, int], limit: int, covered: Bool, lone: bool,
    shift: np.uint64, next_row: Int64, rows: Rows,
) -> None:  # fmt: skip
    """Write each occurrence to its part's next row, or only count it if ``rows`` is empty.

    covered: whether a source word is a phrase by itself; set here from consistent spans. lone: take
    the links of the words that are not, instead of the consistent spans. next_row: (2^bits,) next
    row, or count, of each part.
    """
    source, s_begin, target, t_begin, s, t, begin = corpus
    spans = np.empty((max(limit**3 * longest(s_begin), longest(begin)), 4), np.int32)
    for k in range(len(s_begin) - 1):
        s0, t0 = s_begin[k], t_begin[k]
        words = source[s0 : s_begin[k + 1]]
        links = s[begin[k] : begin[k + 1]], t[begin[k] : begin[k + 1]]
        n = _find_lone_links(words, covered, *links, spans) if lone else 0
        if lone and n == 0:
            continue
        a = _link_matrix(len(words), t_begin[k + 1] - t0, *links)
        if not lone:
            n = _find_spans(a, limit, spans)
        for span in range(n):
            i0, i1, j0, j1 = spans[span, 0], spans[span, 1], spans[span, 2], spans[span, 3]
            if i0 == i1 and not lone:
                covered[words[i0]] = True
            s_key = hash_phrase(source, s0 + i0, s0 + i1)
            part = np.int64(s_key >> shift)
            if len(rows) > 0:
                row = rows[next_row[part]]
                row.s_key, row.t_key = s_key, hash_phrase(target, t0 + j0, t0 + j1)
                row.links = _link_mask(a, i0, i1, j0, j1)
                row.source, row.target = offset[0] + s0 + i0, offset[1] + t0 + j0
                row.s_length, row.t_length = i1 - i0 + 1, j1 - j0 + 1
                row.previous = orientation(a[i0, j0], a[i1 + 2, j0])
                row.next = orientation(a[i1 + 2, j1 + 2], a[i0, j1 + 2])
            next_row[part] += 1


@inner
def _link_matrix(I: int, J: int, s: Int32, t: Int32) -> Bool:
    """Return a matrix, (I + 2, J + 2), that is True at [i + 1, j + 1] if i and j are linked.

    The sentence starts, [0, 0], and the sentence ends count as linked.
    """
    a = np.zeros((I + 2, J + 2), np.bool_)
    a[0, 0] = a[I + 1, J + 1] = True
    for link in range(len(s)):
        a[s[link] + 1, t[link] + 1] = True
    return a


@lean
def _find_lone_links(words: Int32, covered: Bool, s: Int32, t: Int32, spans: Int32) -> int:
    """Write the links of words that are not ``covered`` to ``spans``; return their number."""
    n = 0
    for link in range(len(s)):
        if not covered[words[s[link]]]:
            spans[n, 0] = spans[n, 1] = s[link]
            spans[n, 2] = spans[n, 3] = t[link]
            n += 1
    return n


@inner
def _find_spans(a: Bool, limit: int, spans: Int32) -> int:
    """Write i0, i1, j0, j1 of all consistent spans to ``spans``; return their number."""
    I, J = a.shape[0] - 2, a.shape[1] - 2
    first, last = np.full(I, J), np.full(I, -1)  # first and last target word linked to i
    low, high = np.full(J, I), np.full(J, -1)  # first and last source word linked to j
    for i in range(I):
        for j in range(J):
            if a[i + 1, j + 1]:
                first[i], last[i] = min(first[i], j), j
                low[j], high[j] = min(low[j], i), i
    n = 0
    for i0 in range(I):
        j0, j1 = J, -1  # first and last target word linked to i0 … i1
        for i1 in range(i0, min(I, i0 + limit)):
            j0, j1 = min(j0, first[i1]), max(j1, last[i1])
            if j1 >= 0 and j1 - j0 < limit and _inside(low, high, i0, i1, j0, j1):
                n = _widen(high, i0, i1, j0, j1, limit, spans, n)
    return n


@lean
def _widen(
    high: Int64, i0: int, i1: int, j0: int, j1: int, limit: int, spans: Int32, n: int
) -> int:
    """Add the span pair, and its variants with unlinked target words beside j0 … j1.

    Return the new number of ``spans``.
    """
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
    """Return whether every link of target words j0 … j1 leads into i0 … i1."""
    for j in range(j0, j1 + 1):
        if high[j] >= 0 and (low[j] < i0 or high[j] > i1):
            return False
    return True


@lean
def _link_mask(a: Bool, i0: int, i1: int, j0: int, j1: int) -> np.uint64:
    """Return the links inside the span pair as a mask, bit 8 i + j."""
    mask = np.uint64(0)
    for i in range(i0, i1 + 1):
        for j in range(j0, j1 + 1):
            if a[i + 1, j + 1]:
                mask |= np.uint64(1) << np.uint64(8 * (i - i0) + j - j0)
    return mask
