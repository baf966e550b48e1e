"""The n-gram language model P(y) = Π_i p(w_i | w_{i-n+1} … w_{i-1}): modified Kneser-Ney.

    c(g)    how often the n-gram g occurs, a sentence being <s> w_1 … w_I </s>
    a(g)    its adjusted count: c(g) if |g| = n or g starts with <s>, else the number of
            different words seen before it, |{v : c(vg) > 0}|
    t_r     how many n-grams of one order have a(g) = r
    D(r)    the discount of a count, one triple an order; D(0) = 0 and D(r) = D(3) for r > 3
    A(h)    Σ_v a(hv), all that was seen after the history h
    γ(h)    the mass that the discounts free for the shorter history
    h′      h without its first word;  ε the empty history;  V the words, <unk>, <s> and </s>

    Y       = t_1 / (t_1 + 2 t_2)
    D(r)    = r − (r + 1) Y t_{r+1} / t_r                           for r = 1, 2, 3
    γ(h)    = Σ_v D(a(hv)) / A(h)
    p(w|h)  = (a(hw) − D(a(hw))) / A(h) + γ(h) p(w|h′)
    p(w|ε)  = (a(w) − D(a(w))) / A(ε) + γ(ε) / (|V| − 1)            <s> is never predicted

Chen & Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling"
(equation 26 and modified Kneser-Ney); Heafield, Pouzyrevsky, Clark & Koehn 2013, "Scalable
Modified Kneser-Ney Language Model Estimation" (adjusted counts). The figures are those of
KenLM's `lmplz`; γ(h) is what an ARPA file calls the backoff weight of h.

The model is a trie read forwards. Node 0 is ε, node 1 + w the word w, then all bigrams, all
trigrams …, in the order of (parent, word), so that the children of a node are neighbours and
sorted. Each node also links to its suffix h′, as in the automaton of Aho & Corasick 1975, so
that the whole state of a query is one node: the longest history that can still matter. Equal
states have equal futures, which is what a decoder recombines on. Logarithms are natural;
log10 lives in the ARPA reader and writer alone (``arpa``).

Limits: no pruning; the corpus and an ARPA file are read into memory; fewer than 2³¹ n-grams;
`lmplz` enters the last n-gram of each order into t_r by c(g), not a(g), and we do not.
"""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from mtkit.smt.flat import lean

UNK, BOS, EOS = 0, 1, 2
SPECIALS = ("<unk>", "<s>", "</s>")
SPELLINGS = {"<unk>": UNK, "<UNK>": UNK, "<s>": BOS, "</s>": EOS}  # some ARPA files shout
ROOT = 0
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # those of lmplz --discount_fallback

I8 = npt.NDArray[np.int8]
I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]


class Lm(NamedTuple):
    """The arrays of ``NgramModel``, as kernels take them."""

    word: I32
    first_child: I32
    suffix: I32
    log_prob: F32
    backoff: F32


class SentenceScores(NamedTuple):
    """What the model thinks of S sentences, token by token: T words and ``</s>`` in all."""

    log_prob: F64  # (T,) ln p(w | h)
    order: I8  # (T,) words of the longest n-gram found, w included
    is_oov: Bool  # (T,) whether w was scored as <unk>
    offsets: I64  # (S + 1,) sentence s is offsets[s]:offsets[s + 1], its </s> the last


@dataclass(frozen=True, eq=False)
class NgramModel:
    """A backoff language model as a trie of N nodes; see the head of the module.

    >>> model = train([["a", "b"], ["a", "c"]], order=2)
    >>> model.counts
    [6, 5]
    >>> scores = model.score([["a", "d"]])
    >>> scores.order.tolist(), scores.is_oov.tolist()
    ([2, 1, 1], [False, True, False])
    """

    order: int
    words: list[str]  # of each word id
    word: I32  # (N,) the last word of each node
    first_child: I32  # (N + 1,) the children of h are first_child[h] : first_child[h + 1]
    suffix: I32  # (N,) the longest node that is a proper suffix of this one
    log_prob: F32  # (N,) ln p(w | h) of the node hw
    backoff: F32  # (N,) ln γ(h) of the node h; 0 without children
    discounts: list[list[float]] = field(default_factory=list)  # D(1..3) by order, if known
    notes: list[str] = field(default_factory=list)  # what the user should hear about

    def __post_init__(self) -> None:
        # Read-only arrays, mapped or not, are one numba type: the kernels compile once.
        for array in self.arrays:
            array.flags.writeable = False

    @property
    def arrays(self) -> Lm:
        """What the kernels read."""
        return Lm(self.word, self.first_child, self.suffix, self.log_prob, self.backoff)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Word → id, without the specials: text spelled like ``<s>`` is an unknown word."""
        return {word: i for i, word in enumerate(self.words) if i > EOS}

    @cached_property
    def begin(self) -> int:
        """The state after ``<s>``."""
        return int(_shorten(self.first_child, self.suffix, self.backoff, 1 + BOS))

    @cached_property
    def level_starts(self) -> I64:
        """(order + 1,): the nodes of k words are ``level_starts[k - 1] : level_starts[k]``."""
        starts = [1, 1 + len(self.words)]
        for _ in range(1, self.order):
            starts.append(int(self.first_child[starts[-1]]))
        return np.array(starts, dtype=np.int64)

    @property
    def counts(self) -> list[int]:
        """The n-grams of each order; the unigrams include ``<unk>``, ``<s>`` and ``</s>``."""
        return [int(n) for n in np.diff(self.level_starts)]

    def encode(self, tokens: Sequence[str]) -> I32:
        """Word ids, int32 (len(tokens),); ``UNK`` where the model has no such word."""
        found = map(self.ids.get, tokens, itertools.repeat(UNK))
        return np.fromiter(found, dtype=np.int32, count=len(tokens))

    def score(self, sentences: Sequence[Sequence[str]]) -> SentenceScores:
        """ln p of every word and of every sentence's ``</s>``, in one kernel call."""
        text = self.encode(list(itertools.chain.from_iterable(sentences)))
        lengths = np.fromiter(map(len, sentences), dtype=np.int64, count=len(sentences))
        offsets = np.concatenate([[0], np.cumsum(lengths + 1)])
        scores = _score(self.arrays, self.begin, self.level_starts, text, offsets)
        return SentenceScores(*scores, offsets)

    def save(self, directory: Path) -> None:
        """Write ``lm.json`` and one ``.npy`` an array into ``directory``, made if need be."""
        directory.mkdir(parents=True, exist_ok=True)
        for name, array in zip(Lm._fields, self.arrays, strict=True):
            np.save(directory / f"{name}.npy", array)
        names = ("order", "words", "discounts", "notes")
        text = json.dumps({name: getattr(self, name) for name in names}, ensure_ascii=False)
        (directory / "lm.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, mmap: bool = True) -> NgramModel:
        """Read what ``save`` wrote; with ``mmap`` the arrays stay on disk until touched.

        Raises ValueError when the arrays do not fit together.
        """
        arrays = {
            name: np.load(directory / f"{name}.npy", mmap_mode="r" if mmap else None)
            for name in Lm._fields
        }
        n = len(arrays["word"])
        if any(len(array) != n + (name == "first_child") for name, array in arrays.items()):
            raise ValueError(f"{directory}: the language model's arrays differ in length")
        fields: dict[str, Any] = json.loads((directory / "lm.json").read_text(encoding="utf-8"))
        # asarray drops np.memmap, which numba would take for another type; nothing is copied.
        fields |= {name: np.asarray(array) for name, array in arrays.items()}
        return cls(**fields)


# --- training


def train(sentences: Iterable[Sequence[str]], order: int = 5) -> NgramModel:
    """Estimate an unpruned model, as ``lmplz --order N --discount_fallback`` does.

    Tokens spelled like a special symbol are left out, as by ``lmplz --skip_symbols``; where no
    sentence with its ``<s>`` and ``</s>`` is ``order`` words long, the order is that of the
    longest. ``notes`` says so, and where the closed form of the discounts failed. Raises
    ValueError if there is no sentence or ``order`` is not 1 to 127.
    """
    if not 1 <= order <= 127:
        raise ValueError(f"a language model's order is 1 to 127, not {order}")
    text, words, notes = _encode_corpus(sentences)
    keys, counts = _count(text, len(words), order)
    if len(keys) < order:
        notes.append(f"no n-gram is longer than {len(keys)} words: order {order} → {len(keys)}")
    word, parent, first_child, starts = layout(keys, len(words))
    suffix = suffix_links(word, parent, first_child)

    a = _adjusted_counts(counts, starts, suffix, first_child)
    d, discounts, failures = _discount(a, starts)
    p, gamma = _interpolate(a, d, parent, suffix, starts)
    log_prob, backoff = np.log(p).astype(np.float32), np.log(gamma).astype(np.float32)
    log_prob[ROOT] = backoff[ROOT] = 0  # ε is neither predicted nor backed off from
    notes += failures
    return NgramModel(
        len(keys), words, word, first_child, suffix, log_prob, backoff, discounts, notes
    )


def _encode_corpus(sentences: Iterable[Sequence[str]]) -> tuple[I64, list[str], list[str]]:
    """``<s> w_1 … w_I </s> <s> …`` as ids (T,), the words in order of appearance, notes."""
    # The boundaries go in as integers, which no token of the text can equal.
    marked = (itertools.chain[str | int]([BOS], sentence, [EOS]) for sentence in sentences)
    ids: defaultdict[str | int, int] = defaultdict(itertools.count(len(SPECIALS)).__next__)
    ids.update({BOS: BOS, EOS: EOS} | dict.fromkeys(SPELLINGS, UNK))
    tokens = itertools.chain.from_iterable(marked)
    text = np.fromiter(map(ids.__getitem__, tokens), dtype=np.int64)
    if not text.size:
        raise ValueError("a language model needs at least one sentence to train on")
    kept = text[text != UNK]
    notes = []
    if left_out := len(text) - len(kept):
        notes.append(f"{left_out} tokens spelled like {', '.join(SPELLINGS)} were left out")
    return kept, [*SPECIALS, *(str(word) for word, i in ids.items() if i > EOS)], notes


def _count(text: I64, V: int, order: int) -> tuple[list[I64], list[I64]]:
    """The n-grams of each order as sorted keys ``parent node · V + word``, and their c(g).

    Stops short of ``order`` where no n-gram is that long.
    """
    keys, counts = [np.arange(V)], [np.bincount(text, minlength=V)]
    counts[0][BOS] = 0
    start, node, n_nodes = np.arange(len(text)), 1 + text, 1 + V
    for k in range(2, order + 1):
        # node[i] is the (k-1)-gram at start[i]; it grows by a word unless its sentence is over.
        grows = text[start + k - 2] != EOS
        start, node = start[grows], node[grows]
        if not start.size:
            break
        grown = node * V + text[start + k - 1]
        key, rank, count = np.unique(grown, return_inverse=True, return_counts=True)
        keys.append(key)
        counts.append(count)
        node = n_nodes + rank
        n_nodes += len(key)
    return keys, counts


def layout(keys: list[I64], V: int) -> tuple[I32, I32, I32, I64]:
    """``word``, ``parent``, ``first_child`` and the start of each order, from its sorted keys."""
    key = np.concatenate([[ROOT], *keys])
    parent, word = np.divmod(key, V)
    n_children = np.bincount(parent[1:], minlength=len(key))
    first_child = np.concatenate([[1], 1 + np.cumsum(n_children)])
    starts = np.cumsum([1, *map(len, keys)])
    return word.astype(np.int32), parent.astype(np.int32), first_child.astype(np.int32), starts


def _adjusted_counts(counts: list[I64], starts: I64, suffix: I32, first_child: I32) -> I64:
    """a(g) of every node, int64 (N,); that of ε is 0."""
    c = np.concatenate([[0], *counts])
    a = np.bincount(suffix, minlength=len(suffix))  # each link comes from another word before g
    a[ROOT] = 0
    a[starts[-2] :] = c[starts[-2] :]
    lo, hi = 1 + BOS, 2 + BOS  # <s>, then all that starts with it, order by order
    for _ in counts:
        a[lo:hi] = c[lo:hi]
        lo, hi = first_child[lo], first_child[hi]
    return a


def _discount(a: I64, starts: I64) -> tuple[F64, list[list[float]], list[str]]:
    """D(a(g)) of every node, (N,); D(1), D(2), D(3) of every order; which had to be replaced."""
    d, discounts, failures = np.zeros(len(a)), [], []
    for k, (lo, hi) in enumerate(itertools.pairwise(starts), start=1):
        t = np.bincount(np.minimum(a[lo:hi], 5), minlength=5).tolist()
        D = _closed_form(t)
        if not D:
            D = list(FALLBACK_DISCOUNTS)
            failures.append(f"{k}-grams: too few to estimate discounts from, so {D} are taken")
        d[lo:hi] = np.array([0, *D])[np.minimum(a[lo:hi], 3)]
        discounts.append(D)
    return d, discounts, failures


def _closed_form(t: Sequence[int]) -> list[float]:
    """D(1), D(2), D(3); nothing unless t_1, t_2, t_3 > 0 and 0 < D(r) ≤ r.

    lmplz lets D(r) = 0 pass, which can leave no mass at all to unseen words.
    """
    if 0 in t[1:4]:
        return []
    Y = t[1] / (t[1] + 2 * t[2])
    D = [r - (r + 1) * Y * t[r + 1] / t[r] for r in (1, 2, 3)]
    return D if all(0 < D[r - 1] <= r for r in (1, 2, 3)) else []


def _interpolate(a: I64, d: F64, parent: I32, suffix: I32, starts: I64) -> tuple[F64, F64]:
    """p(w|h) of every node hw and γ(h) of every node h, (N,) each; γ = 1 without children."""
    A = np.bincount(parent, weights=a, minlength=len(a))
    freed = np.bincount(parent, weights=d, minlength=len(a))
    gamma = np.divide(freed, A, out=np.ones(len(a)), where=A > 0)
    p = np.empty(len(a))
    p[ROOT] = 1 / (starts[1] - starts[0] - 1)  # below the unigrams: uniform, without <s>
    for lo, hi in itertools.pairwise(starts):
        h = parent[lo:hi]
        p[lo:hi] = (a[lo:hi] - d[lo:hi]) / A[h] + gamma[h] * p[suffix[lo:hi]]
    p[1 + BOS] = 1  # given, never predicted: a product that holds it must not change
    return np.minimum(p, 1), gamma  # a sum may round to more than 1


# --- kernels


@njit(cache=True, inline="always")
def _child(word: I32, first_child: I32, h: int, w: int) -> int:
    """The node hw, or -1. Binary search: the last child of h whose word is at most w."""
    if h == ROOT:
        return 1 + w
    last, n = first_child[h], first_child[h + 1] - first_child[h]
    while n > 1:  # one conditional move a turn: a branch here would be mispredicted every other
        half = n >> 1
        last = last + half if word[last + half] <= w else last
        n -= half
    return last if n == 1 and word[last] == w else -1


@njit(cache=True, inline="always")
def _find(lm: Lm, state: int, w: int) -> tuple[float, int]:
    """ln p(w | state) and the node of the longest n-gram that ends in w."""
    h, total = state, 0.0
    node = _child(lm.word, lm.first_child, h, w)
    while node < 0:
        total += lm.backoff[h]
        h = lm.suffix[h]
        node = _child(lm.word, lm.first_child, h, w)
    return total + lm.log_prob[node], node


@njit(cache=True, inline="always")
def _shorten(first_child: I32, suffix: I32, backoff: F32, node: int) -> int:
    """The longest suffix of a node that a later word can feel: it has children or a backoff."""
    while node != ROOT and first_child[node] == first_child[node + 1] and backoff[node] == 0:
        node = suffix[node]
    return node


@lean
def lm_step(lm: Lm, state: int, w: int) -> tuple[float, int]:
    """ln p(w | state) and the state after w; start from ``NgramModel.begin``, end with ``EOS``."""
    log_p, node = _find(lm, state, w)
    return log_p, _shorten(lm.first_child, lm.suffix, lm.backoff, node)


@njit(cache=True, nogil=True)
def _score(lm: Lm, begin: int, level_starts: I64, text: I32, offsets: I64) -> tuple[F64, I8, Bool]:
    """The first fields of ``SentenceScores``; ``text`` holds the words without ``</s>``."""
    T = offsets[-1]
    log_p, order, is_oov = np.empty(T), np.empty(T, np.int8), np.empty(T, np.bool_)
    for s in range(len(offsets) - 1):
        state = begin
        for t in range(offsets[s], offsets[s + 1]):
            # Each sentence before this one has a token, its </s>, that text has not.
            w = text[t - s] if t + 1 < offsets[s + 1] else EOS
            log_p[t], node = _find(lm, state, w)
            state = _shorten(lm.first_child, lm.suffix, lm.backoff, node)
            k = 1
            while node >= level_starts[k]:
                k += 1
            order[t], is_oov[t] = k, w == UNK
    return log_p, order, is_oov


@njit(cache=True)
def suffix_links(word: I32, parent: I32, first_child: I32) -> I32:
    """The longest proper suffix of each node hw: the first of h′w, h″w, … w that is a node."""
    suffix = np.zeros(len(word), dtype=np.int32)
    for node in range(first_child[1], len(word)):
        h = suffix[parent[node]]
        found = _child(word, first_child, h, word[node])
        while found < 0:
            h = suffix[h]
            found = _child(word, first_child, h, word[node])
        suffix[node] = found
    return suffix
