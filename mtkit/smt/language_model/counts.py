"""Count the n-grams of a text: the trie of those whose first word is in a range of word ids.

    text     <s> w_1 … w_I </s> <s> …  as ids
    start    a position of the text whose word is in the range; sorted by the n-grams there
    before   the word before the start, -1 if the start is <s>
    length   words of the n-gram at the start: n, or fewer where the sentence ends
    shared   number of first words in common with the n-gram before it in sorted order

Starts are sorted by least-significant-digit radix sort, from the last of the n words to the first,
each time by counting (Knuth 1973, 5.2.5). Then a new n-gram of k words begins wherever ``shared`` <
k ≤ ``length``, and one pass finds all n-grams of an order. In each order of a trie, the n-grams of
a range are contiguous. So the tries of all ranges, joined order by order, are the whole trie.

    c(g)     number of starts of g
    a(g)     number of different words before these; c(g) if |g| = n or g begins with <s>
    link     g of each n-gram vg, where v is a word; sorted by v, then by g

The n-grams vg of the next order are also sorted by v, then by g. So the links of one order are the
suffixes of the next, in the same order, and no n-gram needs a look-up.

Limits: all n-grams with the same first word are in one part, however frequent the word is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Bool, Int8, Int32, Int64
from mtkit.smt.kernels import kernel
from mtkit.smt.language_model.ngrams import LM_BOS, LM_EOS, LM_UNK


class Starts(NamedTuple):
    """The m sorted starts of a text; see the head of the module."""

    text: Int32  # (T,)
    start: Int32  # (m,)
    before: Int32  # (m,)
    shared: Int8  # (m,)
    length: Int8  # (m,)


class Level(NamedTuple):
    """The N n-grams of one order in one of P parts, which has M n-grams of the order below."""

    word: Int32  # (N,) the last word of each
    begin: Int32  # (M + 1,) those that begin with the history h are begin[h] : begin[h + 1]
    a: Int32  # (N,)
    kept: Bool  # (N,) False if pruned
    link: Int32  # (L,) see the head of the module; empty for the highest order
    cuts: Int64  # (P + 1,) link[cuts[q] : cuts[q + 1]] are for the longer n-grams of part q
    runs: Int64  # (R, 2) rows q, m: the suffixes of the next m of the N n-grams are in part q


def longest(text: Int32) -> int:
    """Return the number of words of the longest sentence, ``<s>`` and ``</s>`` included."""
    return int(np.diff(np.flatnonzero(text == LM_EOS), prepend=-1).max(initial=0))


def arrange(texts: Iterable[Int32], first: int, last: int, n: int) -> Starts:
    """Return the starts whose word w has first ≤ w < last, for n-grams of at most ``n`` words."""
    text = np.concatenate([*texts, np.full(n, LM_EOS, np.int32)])  # n words follow each position
    start = _sorted(text, first, last, n)
    return Starts(text, start, *_compare(text, start, n))


def unigrams(starts: Starts, V: int, n: int) -> Int32:
    """Return a(w), int32 (V,); 0 for words without a start and for ``<s>``, never predicted."""
    w = starts.text[starts.start]
    c = np.bincount(w, minlength=V).astype(np.int32)
    if n > 1:
        c[c > 0], _ = _adjusted(1, starts, int(np.count_nonzero(c)), V)
    c[LM_BOS] = 0
    return c


def levels(
    starts: Starts, bounds: Int64, part: int, n: int, thresholds: Sequence[int]
) -> Iterator[Level]:
    """Yield the n-grams of 2, 3, … n words whose first word is of ``part``.

    bounds: (P + 1,), part p has the words bounds[p] ≤ w < bounds[p + 1]; thresholds: θ_1, θ_2, …
    (see ``estimate``).
    """
    first, V = int(bounds[part]), int(bounds[-1])
    part_of = np.arange(len(bounds) - 1).repeat(np.diff(bounds))
    M = int(bounds[part + 1]) - first
    for k in range(2, n + 1):
        N = int(np.count_nonzero((starts.shared < k) & (starts.length >= k)))
        word, second, c, begin = _nodes(k, first, starts, N, M)
        if k < n:
            a, ends = _adjusted(k, starts, N, V)
            link, cuts = _links(k, starts, ends), ends[bounds]
        else:
            a, link, cuts = c, np.empty(0, np.int32), np.zeros_like(bounds)
        runs = _runs(part_of[second])
        yield Level(word, begin, a, c > thresholds[k - 1], link, cuts, runs)
        M = N


def _runs(values: Int64) -> Int64:
    """Return the run-length encoding of ``values``: rows (value, length of the run)."""
    first = np.flatnonzero(np.diff(values, prepend=-1))
    return np.stack([values[first], np.diff(first, append=len(values))], axis=1)


# --- kernels


@kernel
def sentences(words: Int32, begin: Int64) -> Int32:
    """Return ``<s> w_1 … w_I </s> <s> …`` as ids of the model; ``LM_UNK`` is left out."""
    text, size = np.empty(len(words) + 2 * (len(begin) - 1), np.int32), 0
    for s in range(len(begin) - 1):
        text[size] = LM_BOS
        size += 1
        for w in words[begin[s] : begin[s + 1]]:
            text[size] = w
            size += w != LM_UNK
        text[size] = LM_EOS
        size += 1
    return text[:size]


@kernel
def around(text: Int32, first: int, last: int, n: int) -> Int32:
    """Return the spans of a text that ``arrange`` needs: n-grams of the range and words before."""
    out, size, end = np.empty(len(text), np.int32), 0, 0
    for i in range(len(text)):
        if first <= text[i] < last:
            end = max(end, i - 1)
            while end < min(i + n, len(text)) and not (end > i and text[end - 1] == LM_EOS):
                out[size] = text[end]
                size, end = size + 1, end + 1
    return out[:size].copy()


@kernel
def _sorted(text: Int32, first: int, last: int, n: int) -> Int32:
    """Return the sorted starts, int32 (m,)."""
    start = np.empty(len(text) - n, np.int32)
    m, V = 0, 0
    for i in range(len(start)):
        start[m] = i
        m += first <= text[i] < last
        V = max(V, text[i] + 1)
    start, buffer = start[:m].copy(), np.empty(m, np.int32)
    for k in range(n - 1, -1, -1):
        ends = np.zeros(V + 1, np.int32)
        for s in start:
            ends[text[s + k] + 1] += 1
        slot = np.cumsum(ends)
        for s in start:
            w = text[s + k]
            buffer[slot[w]] = s
            slot[w] += 1
        start, buffer = buffer, start
    return start


@kernel
def _compare(text: Int32, start: Int32, n: int) -> tuple[Int32, Int8, Int8]:
    """Return ``before``, ``shared`` and ``length`` of the starts, (m,) each."""
    m = len(start)
    before, shared, length = np.empty(m, np.int32), np.zeros(m, np.int8), np.zeros(m, np.int8)
    for j in range(m):
        s, r = start[j], start[j - 1]
        before[j] = -1 if text[s] == LM_BOS else text[s - 1]
        size, equal, is_equal = 0, 0, j > 0
        while size < n and not (size > 0 and text[s + size - 1] == LM_EOS):
            is_equal = is_equal and text[s + size] == text[r + size]
            size, equal = size + 1, equal + is_equal
        shared[j], length[j] = equal, size
    return before, shared, length


@kernel
def _nodes(k: int, first: int, starts: Starts, N: int, M: int) -> tuple[Int32, Int32, Int32, Int32]:
    """Return last word, second word, c of n-grams of k words, (N,); ``Level.begin``, (M + 1,)."""
    word, second, c = np.empty(N, np.int32), np.empty(N, np.int32), np.zeros(N, np.int32)
    begin = np.zeros(M + 1, np.int32)
    node, h = -1, -1  # the n-grams of k and of k - 1 words at a start
    for j in range(len(starts.start)):
        h += starts.shared[j] < k - 1 <= starts.length[j]
        if k <= starts.length[j]:
            s = starts.start[j]
            if starts.shared[j] < k:
                node += 1
                word[node], second[node] = starts.text[s + k - 1], starts.text[s + 1]
                begin[1 + (h if k > 2 else starts.text[s] - first)] += 1
            c[node] += 1
    for h in range(M):
        begin[h + 1] += begin[h]
    return word, second, c, begin


@kernel
def _adjusted(k: int, starts: Starts, N: int, V: int) -> tuple[Int32, Int64]:
    """Return a(g) of the n-grams g of k < n words, (N,), and the ends of the links of each word v.

    The ends are int64 (V + 1,), with 0 first.
    """
    a, ends, seen = np.zeros(N, np.int32), np.zeros(V + 1, np.int64), np.full(V, -1, np.int32)
    node = -1
    for j in range(len(starts.start)):
        if k <= starts.length[j]:
            node += starts.shared[j] < k
            v = starts.before[j]
            if v < 0:
                a[node] += 1
            elif seen[v] != node:
                seen[v] = node
                a[node] += 1
                ends[v + 1] += 1
    return a, np.cumsum(ends)


@kernel
def _links(k: int, starts: Starts, ends: Int64) -> Int32:
    """Return ``Level.link`` of the n-grams of k words."""
    link, slot, seen = np.empty(ends[-1], np.int32), ends[:-1].copy(), np.full(len(ends), -1)
    node = -1
    for j in range(len(starts.start)):
        if k <= starts.length[j]:
            node += starts.shared[j] < k
            v = starts.before[j]
            if v >= 0 and seen[v] != node:
                seen[v] = node
                link[slot[v]] = node
                slot[v] += 1
    return link
