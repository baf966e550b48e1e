"""The n-gram language model P(y) = Π_i p(w_i | w_{i-n+1} … w_{i-1}): its data and its queries.

    h       the history of a word;  h′ the same without its first word;  ε the empty history
    p(w|h)  stored if the model has the n-gram hw, else γ(h) p(w|h′)
    γ(h)    the *backoff* weight of h: 1 if no n-gram begins with h

``estimate`` says how both are estimated. The model is a forward trie. Node 0 is ε, node 1 + w is
the word w, then come all bigrams, all trigrams …, sorted by (parent, word). So the children of a
node are contiguous and sorted. Each node has a link to its longest proper suffix, as in the
automaton of Aho & Corasick 1975. So the state of a query is one node: the longest history that can
still affect a score. Two queries in the same state give the same scores to all following words, so
a decoder recombines hypotheses by state. Logarithms are natural; log10 is used only in ARPA files
(``arpa``).

Word ids are the model's own: LM_UNK is not the vocabulary's UNK.

Limits: fewer than 2³¹ n-grams.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Bool, Float32, Float64, Int8, Int32, Int64, load_arrays, read_only
from mtkit.smt.kernels import kernel, lean
from mtkit.storage.arrays import save
from mtkit.storage.reading import as_fields, damaged, read_json
from mtkit.storage.structure import (
    MAX_VALUE,
    check_ids,
    check_length,
    check_offsets,
    check_range,
    check_rising,
    check_words,
)

LM_UNK, LM_BOS, LM_EOS = 0, 1, 2
LM_SPECIALS = ("<unk>", "<s>", "</s>")
SPELLINGS = {"<unk>": LM_UNK, "<UNK>": LM_UNK, "<s>": LM_BOS, "</s>": LM_EOS}  # some write <UNK>
ROOT = 0
MAX_ORDER = 30  # highest order of a model
GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2⁶⁴ / φ: multiplicative hashing (Knuth 1973, 6.4)
# A cached result of ``lm_step``: the search of one sentence repeats its queries many times.
CACHE_ENTRY = np.dtype([("key", np.uint64), ("log_p", np.float64), ("state", np.int64)])
LOG2_CACHE_SIZE = 13  # 192 KiB, which fits into a core's own cache


class Lm(NamedTuple):
    """The trie of N nodes as kernels take it; see the head of the module."""

    word: Int32  # (N,) the last word of each node
    first_child: Int32  # (N + 1,) the children of h are first_child[h] : first_child[h + 1]
    suffix: Int32  # (N,) the longest node that is a proper suffix of this one
    log_prob: Float32  # (N,) ln p(w | h) of the node hw
    backoff: Float32  # (N,) ln γ(h) of the node h; without children 0, unless an ARPA file has γ


class SentenceScores(NamedTuple):
    """Scores of S sentences, token by token; T tokens in all, each sentence's ``</s>`` included."""

    log_prob: Float64  # (T,) ln p(w | h)
    order: Int8  # (T,) words of the longest matching n-gram, w included
    is_oov: Bool  # (T,) whether w was scored as <unk>
    offsets: Int64  # (S + 1,) sentence s is offsets[s]:offsets[s + 1], its </s> the last


def empty_cache() -> NDArray[Any]:
    """Return an empty cache, CACHE_ENTRY (2 ** LOG2_CACHE_SIZE,)."""
    cache = np.empty(1 << LOG2_CACHE_SIZE, CACHE_ENTRY)
    cache["key"] = np.iinfo(np.uint64).max
    return cache


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A backoff language model."""

    order: int
    words: list[str]  # of each word id
    arrays: Lm
    discounts: list[list[float]] = field(default_factory=list)  # D(1..3) by order, if known
    notes: list[str] = field(default_factory=list)  # messages for the user

    def __post_init__(self) -> None:
        read_only(self.arrays)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Word → id, without the specials: a token ``<s>`` in a text is an unknown word."""
        return {word: i for i, word in enumerate(self.words) if i > LM_EOS}

    @cached_property
    def begin(self) -> int:
        """The state after ``<s>``."""
        trie, node = self.arrays, 1 + LM_BOS
        matters = trie.first_child[node] < trie.first_child[node + 1] or trie.backoff[node] != 0
        return node if matters else ROOT

    @cached_property
    def level_starts(self) -> Int64:
        """Offsets, (order + 1,): nodes of k words are ``level_starts[k - 1] : level_starts[k]``."""
        starts = [1, 1 + len(self.words)]
        for _ in range(1, self.order):
            starts.append(int(self.arrays.first_child[starts[-1]]))
        return np.array(starts, dtype=np.int64)

    @property
    def counts(self) -> list[int]:
        """Number of n-grams by order; the unigrams include ``<unk>``, ``<s>`` and ``</s>``."""
        return [int(n) for n in np.diff(self.level_starts)]

    def encode(self, tokens: Iterable[str]) -> Int32:
        """Return word ids, int32 (len(tokens),); ``LM_UNK`` for words that the model lacks."""
        return np.fromiter(map(self.ids.get, tokens, itertools.repeat(LM_UNK)), dtype=np.int32)

    def score(self, sentences: Sequence[Sequence[str]]) -> SentenceScores:
        """Return ln p of every word and of every sentence's ``</s>``, by one kernel call."""
        text = self.encode(itertools.chain.from_iterable(sentences))
        offsets = np.cumsum([0, *(len(sentence) + 1 for sentence in sentences)])
        scores = _score(self.arrays, self.begin, self.level_starts, text, offsets)
        return SentenceScores(*scores, offsets)

    def save(self, directory: Path) -> None:
        """Write ``lm.json`` and one ``.npy`` for each array; create ``directory`` if needed."""
        save(directory, **self.arrays._asdict())
        self.describe(directory)

    def describe(self, directory: Path) -> None:
        """Write ``lm.json``: everything except the arrays."""
        names = ("order", "words", "discounts", "notes")
        text = json.dumps({name: getattr(self, name) for name in names}, ensure_ascii=False)
        (directory / "lm.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what ``save`` wrote; the arrays are memory-mapped.

        Raises InputError if a file is missing or damaged.
        """
        lm = cls.trusted(directory)
        lm._check(directory)
        return lm

    @classmethod
    def trusted(cls, directory: Path) -> Self:
        """Read what this program has just written, without the checks of ``load`` on all values."""
        arrays, file = load_arrays(directory, Lm), directory / "lm.json"
        return as_fields(cls, read_json(file, dict) | {"arrays": arrays}, file)

    def _check(self, directory: Path) -> None:
        """Raise InputError unless the arrays are a trie whose suffix links lead to its root."""
        lm, V, n = self.arrays, len(self.words), len(self.arrays.word)
        paths = {name: directory / f"{name}.npy" for name in Lm._fields}
        check_words(directory / "lm.json", self.words)
        has_specials = tuple(self.words[: len(LM_SPECIALS)]) == LM_SPECIALS
        if not has_specials or not 0 < self.order <= MAX_ORDER:
            raise damaged(directory / "lm.json", "words or order are not those of an n-gram model")
        for name, array in lm._asdict().items():
            check_length(paths[name], array, n + (name == "first_child"))
        check_ids(paths["word"], lm.word, V)
        check_offsets(paths["first_child"], np.append(0, lm.first_child), n, n + 1)
        if n <= V or lm.first_child[0] != 1 or lm.first_child[1] != 1 + V:
            raise damaged(paths["first_child"], f"the root must have {V:,} children")
        if self.level_starts[-1] != n:
            raise damaged(paths["first_child"], f"n-grams of more than {self.order} words")
        if not np.array_equal(lm.word[1 : V + 1], np.arange(V)):
            raise damaged(paths["word"], "unigrams are not in the order of the words")
        check_rising(paths["word"], lm.word[1:], lm.first_child - 1)
        suffix = lm.suffix[V + 1 :]
        if lm.suffix[: V + 1].any() or not (suffix < np.arange(V + 1, n)).all():
            raise damaged(paths["suffix"], "a suffix is not a shorter n-gram")
        check_range(paths["suffix"], suffix, 1, n)
        if not np.array_equal(lm.word[suffix], lm.word[V + 1 :]):
            raise damaged(paths["suffix"], "a suffix ends in another word")
        check_range(paths["log_prob"], lm.log_prob, -MAX_VALUE, 0)
        check_range(paths["backoff"], lm.backoff, -MAX_VALUE, MAX_VALUE)


# --- kernels


@lean
def child(word: Int32, first_child: Int32, h: int, w: int) -> int:
    """Return the node hw, or -1, by a binary search for the last child whose word is at most w."""
    if h == ROOT:
        return 1 + w
    last = first_child[h]
    n = min(first_child[h + 1] - last, w + 1)  # sorted, distinct words: at most w + 1 are ≤ w
    while n > 1:  # by a conditional move: every second branch would be mispredicted
        half = n >> 1
        last = last + half if word[last + half] <= w else last
        n -= half
    return last if n == 1 and word[last] == w else -1


@lean
def _find(lm: Lm, state: int, w: int) -> tuple[float, int]:
    """Return ln p(w | state) and the node of the longest n-gram that ends in w."""
    h, total = state, 0.0
    node = child(lm.word, lm.first_child, h, w)
    while node < 0:
        total += lm.backoff[h]
        h = lm.suffix[h]
        node = child(lm.word, lm.first_child, h, w)
    return total + lm.log_prob[node], node


@lean
def _shorten(lm: Lm, node: int) -> int:
    """Return the longest suffix of a node that can affect a later word: with children or γ ≠ 1."""
    begin = lm.first_child
    while node != ROOT and begin[node] == begin[node + 1] and lm.backoff[node] == 0:
        node = lm.suffix[node]
    return node


@lean
def lm_step(lm: Lm, state: int, w: int) -> tuple[float, int]:
    """Return ln p(w | state) and the state after w.

    A sentence starts in the state ``NgramModel.begin`` and ends with ``LM_EOS``.
    """
    log_p, node = _find(lm, state, w)
    return log_p, _shorten(lm, node)


@lean
def lm_step_cached(lm: Lm, state: int, w: int, cache: NDArray[Any]) -> tuple[float, int]:
    """Do ``lm_step`` with a cache: a new entry replaces the old one in its slot."""
    key = np.uint64(state) << np.uint64(32) | np.uint64(w)
    entry = cache[(key * GOLDEN) >> np.uint64(64 - LOG2_CACHE_SIZE)]
    if entry.key != key:
        entry.log_p, entry.state = lm_step(lm, state, w)
        entry.key = key
    return entry.log_p, entry.state


@kernel
def _score(
    lm: Lm, begin: int, level_starts: Int64, text: Int32, offsets: Int64
) -> tuple[Float64, Int8, Bool]:
    """Return the first fields of ``SentenceScores``; text: all words, without ``</s>``."""
    T = offsets[-1]
    log_p, order, is_oov = np.empty(T), np.empty(T, np.int8), np.empty(T, np.bool_)
    for s in range(len(offsets) - 1):
        state = begin
        for t in range(offsets[s], offsets[s + 1]):
            # ``offsets`` count a </s> for each earlier sentence; ``text`` has none.
            w = text[t - s] if t + 1 < offsets[s + 1] else LM_EOS
            log_p[t], node = _find(lm, state, w)
            state = _shorten(lm, node)
            k = 1
            while node >= level_starts[k]:
                k += 1
            order[t], is_oov[t] = k, w == LM_UNK
    return log_p, order, is_oov


@kernel
def cut_logprobs(lm: Lm, words: Int32, at: Int64, k: int) -> Float64:
    """Return ln p of ``words[t]`` given only the k words before, for each t of ``at``; (len(at),).

    words: the model's ids (T,); every t is at least k.
    """
    log_p = np.empty(len(at))
    for n, t in enumerate(at):
        state = ROOT
        for j in range(t - k, t):
            _, state = lm_step(lm, state, words[j])
        log_p[n], _ = lm_step(lm, state, words[t])
    return log_p
