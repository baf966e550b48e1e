"""Which n-grams a text has, and how often: the trie of those that begin with some of its words.

    text     <s> w_1 … w_I </s> <s> …  as ids
    start    each place where a word of the range stands, in the order of the n-grams there
    before   the word before it, -1 before <s>
    length   words of its n-gram: n, or fewer where the sentence ends
    shared   how many of them it shares with the one before it in that order

Places are sorted word by word, from the last of the n to the first, each time by counting (Knuth
1973, 5.2.5: radix sort, least significant digit first). Then an n-gram of k words begins wherever
``shared`` < k ≤ ``length``, and one pass finds all of an order. N-grams that begin with a range of
words stand together in every order of a trie, which is that of all ranges, joined order by order.

    c(g)     how many starts g has
    a(g)     how many different words are before these; c(g) if |g| = n or g begins with <s>
    link     the g of each n-gram vg, v being a word, by v and then by g

Longer n-grams vg, too, are in the order of v, then of g. So the links of one order are the suffixes
of the next, one for one, and no n-gram is ever looked up.

Limits: all n-grams of one word are in one part, however frequent it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Bool, Int8, Int32, Int64
from mtkit.smt.kernels import kernel
from mtkit.smt.language_model.ngrams import LM_BOS, LM_EOS, LM_UNK


class Starts(NamedTuple):
    """The m starts in a text, sorted; see the head of the module."""

    text: Int32  # (T,)
    start: Int32  # (m,)
    before: Int32  # (m,)
    shared: Int8  # (m,)
    length: Int8  # (m,)


class Level(NamedTuple):
    """The N n-grams of one order, in a part that has M of the order below; P parts."""

    word: Int32  # (N,) the last word of each
    begin: Int32  # (M + 1,) those that begin with h are begin[h] : begin[h + 1]
    a: Int32  # (N,)
    kept: Bool  # (N,) whether it is not pruned
    link: Int32  # (L,) see the head of the module; none of the highest order
    cuts: Int64  # (P + 1,) link[cuts[q] : cuts[q + 1]] are for the longer n-grams of part q
    runs: Int64  # (R, 2) rows q, m: the suffixes of the next m of the N are in part q


def longest(text: Int32) -> int:
    """Words of the longest sentence, with ``<s>`` and ``</s>``."""
    return int(np.diff(np.flatnonzero(text == LM_EOS), prepend=-1).max(initial=0))


def arrange(texts: Iterable[Int32], first: int, last: int, n: int) -> Starts:
    """The starts with a word w, first ≤ w < last, of n-grams up to ``n`` words."""
    text = np.concatenate([*texts, np.full(n, LM_EOS, np.int32)])  # n words follow every place
    start = _sorted(text, first, last, n)
    return Starts(text, start, *_compare(text, start, n))


def unigrams(starts: Starts, V: int, n: int) -> Int32:
    """a(w) of each of the V words, (V,); 0 without a start, and of ``<s>``, never predicted."""
    w = starts.text[starts.start]
    c = np.bincount(w, minlength=V).astype(np.int32)
    if n > 1:
        c[c > 0], _ = _adjusted(1, starts, int(np.count_nonzero(c)), V)
    c[LM_BOS] = 0
    return c


def levels(
    starts: Starts, bounds: Int64, part: int, n: int, thresholds: Sequence[int]
) -> Iterator[Level]:
    """The n-grams of 2, 3, … n words that begin with bounds[part] ≤ w < bounds[part + 1].

    bounds: (P + 1,) of all parts; thresholds: θ_1, θ_2, … (see ``estimate``).
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
    """Rows (value, how often it stands there in a row)."""
    first = np.flatnonzero(np.diff(values, prepend=-1))
    return np.stack([values[first], np.diff(first, append=len(values))], axis=1)


# --- kernels


@kernel
def sentences(words: Int32, begin: Int64) -> Int32:
    """``<s> w_1 … w_I </s> <s> …`` of sentences of the model's ids, without ``LM_UNK``."""
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
    """What ``arrange`` needs of a text: n-grams that begin with its words, the word before each."""
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
    """The starts, (m,)."""
    start = np.empty(len(text) - n, np.int32)
    m, V = 0, 0
    for i in range(len(start)):
        start[m] = i
        m += first <= text[i] < last
        V = max(V, text[i] + 1)
    start, other = start[:m].copy(), np.empty(m, np.int32)
    for k in range(n - 1, -1, -1):
        ends = np.zeros(V + 1, np.int32)
        for s in start:
            ends[text[s + k] + 1] += 1
        place = np.cumsum(ends)
        for s in start:
            w = text[s + k]
            other[place[w]] = s
            place[w] += 1
        start, other = other, start
    return start


@kernel
def _compare(text: Int32, start: Int32, n: int) -> tuple[Int32, Int8, Int8]:
    """``before``, ``shared`` and ``length`` of the starts, (m,) each."""
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
    """Of n-grams of k words the last word, the second and c, (N,); ``Level.begin``, (M + 1,)."""
    word, second, c = np.empty(N, np.int32), np.empty(N, np.int32), np.zeros(N, np.int32)
    begin = np.zeros(M + 1, np.int32)
    node, h = -1, -1  # a start's n-grams of k words and of one fewer
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
    """a(g) of the n-grams g of k words, (N,), as if longer ones were counted; where those of each
    v end among the links, (V + 1,), 0 first.
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
    """``Level.link`` of the n-grams of k words."""
    link, place, seen = np.empty(ends[-1], np.int32), ends[:-1].copy(), np.full(len(ends), -1)
    node = -1
    for j in range(len(starts.start)):
        if k <= starts.length[j]:
            node += starts.shared[j] < k
            v = starts.before[j]
            if v >= 0 and seen[v] != node:
                seen[v] = node
                link[place[v]] = node
                place[v] += 1
    return link
