"""The n-gram language model P(y) = Π_i p(w_i | w_{i-n+1} … w_{i-1}): modified Kneser-Ney.

    c(g)    how often the n-gram g occurs, a sentence being <s> w_1 … w_I </s>
    a(g)    its adjusted count: c(g) if |g| = n or g starts with <s>, else the number of
            different words seen before it, |{v : c(vg) > 0}|
    t_r     how many n-grams of one order have a(g) = r
    D(r)    the discount of a count, one triple an order; D(0) = 0 and D(r) = D(3) for r > 3
    θ_k     what is pruned: n-grams of order k ≥ 2 with c(g) ≤ θ_k; θ_1 ≤ θ_2 ≤ …
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

Pruning, as ``lmplz --prune`` does it, goes by c(g), and only after all a(g), t_r and D(r) are
known. The discount of a pruned n-gram is then all that it has, D(a(g)) := a(g): γ(h) takes its
mass, the last two equations say p(w|h) = γ(h) p(w|h′), which is what backing off gives, and the
model still sums to one. A part of an n-gram is no rarer than the whole and its threshold no
higher, so that the parent and the suffix of a node that stays do stay.

The model is a trie read forwards. Node 0 is ε, node 1 + w the word w, then all bigrams, all
trigrams …, in the order of (parent, word), so that the children of a node are neighbours and
sorted. Each node also links to its suffix h′, as in the automaton of Aho & Corasick 1975, so
that the whole state of a query is one node: the longest history that can still matter. Equal
states have equal futures, which is what a decoder recombines on. Logarithms are natural;
log10 lives in the ARPA reader and writer alone (``arpa``).

Limits: the corpus and an ARPA file are read into memory; fewer than 2³¹ n-grams;
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

from mtkit.smt.flat import Bool, lean

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

    def encode(self, tokens: Iterable[str]) -> I32:
        """Word ids, int32 (len(tokens),); ``UNK`` where the model has no such word."""
        return np.fromiter(map(self.ids.get, tokens, itertools.repeat(UNK)), dtype=np.int32)

    def score(self, sentences: Sequence[Sequence[str]]) -> SentenceScores:
        """ln p of every word and of every sentence's ``</s>``, in one kernel call."""
        text = self.encode(itertools.chain.from_iterable(sentences))
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


def train(
    sentences: Iterable[Sequence[str]], order: int = 5, prune: Sequence[int] = ()
) -> NgramModel:
    """Estimate a model, as ``lmplz --order N --discount_fallback --prune θ_1 θ_2 …`` does.

    ``prune`` starts with 0 and never falls; its last value stands for all longer n-grams, and
    nothing there prunes nothing. Tokens spelled like a special symbol are left out, as by
    ``lmplz --skip_symbols``. Where no n-gram of ``order`` words exists or stays, the order is that
    of the longest. ``notes`` says so, and where the closed form of the discounts failed. Raises
    ValueError if there is no sentence, or ``order`` (1 to 127) or ``prune`` is out of range.
    """
    if not 1 <= order <= 127:
        raise ValueError(f"a language model's order is 1 to 127, not {order}")
    thresholds = pruning_thresholds(prune, order)
    text, words, notes = _encode_corpus(sentences)
    word, first_child, starts, c = _count(text, len(words), order)
    suffix = suffix_links(word, first_child)

    a = _adjusted_counts(c, starts, suffix, first_child)
    d, discounts, failures = _discount(a, starts)
    kept = _is_kept(c, starts, thresholds)
    np.copyto(d, a, where=~kept)  # a pruned n-gram leaves all it has to the shorter history
    p, gamma = _interpolate(a, d, first_child, suffix)
    log_prob, backoff = (np.log(x, out=x).astype(np.float32) for x in (p, gamma))
    lm = Lm(word, first_child, suffix, log_prob, backoff)
    if any(thresholds):
        lm = _without_pruned(lm, kept)
    longest = sum(bool(kept[lo:hi].any()) for lo, hi in itertools.pairwise(starts))
    if longest < order:
        notes.append(f"no n-gram is longer than {longest} words: order {order} → {longest}")
    return NgramModel(longest, words, *lm, discounts[:longest], notes + failures[:longest])


def pruning_thresholds(prune: Sequence[int], order: int) -> list[int]:
    """θ_k of each order; ValueError for what ``train`` refuses."""
    thresholds = [*prune, *([prune[-1] if prune else 0] * (order - len(prune)))]
    if len(prune) > order or thresholds[0] != 0 or thresholds != sorted(thresholds):
        raise ValueError(
            f"one number for each order up to {order}, the first 0 and none below the one before, "
            f"as in 0 0 1; not {' '.join(map(str, prune))}"
        )
    return thresholds


def _is_kept(c: I32, starts: I64, thresholds: list[int]) -> Bool:
    """Which nodes are not pruned, (N,)."""
    kept = np.ones(len(c), dtype=np.bool_)  # the words all stay: <unk> and <s> have c = 0
    longer = itertools.pairwise(starts[1:])
    for threshold, (lo, hi) in zip(thresholds[1:], longer, strict=False):
        kept[lo:hi] = c[lo:hi] > threshold
    return kept


def _without_pruned(lm: Lm, kept: Bool) -> Lm:
    """The nodes that are kept, renumbered."""
    place = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)  # how many stay before it
    first_child = place[lm.first_child[np.append(kept, True)]]
    suffix = place[lm.suffix[kept]]
    return Lm(lm.word[kept], first_child, suffix, lm.log_prob[kept], lm.backoff[kept])


def _encode_corpus(sentences: Iterable[Sequence[str]]) -> tuple[I32, list[str], list[str]]:
    """``<s> w_1 … w_I </s> <s> …`` as ids (T,), the words in order of appearance, notes."""
    sentences = list(sentences)
    if not sentences:
        raise ValueError("a language model needs at least one sentence to train on")
    ids: defaultdict[str, int] = defaultdict(itertools.count(len(SPECIALS)).__next__)
    ids.update(dict.fromkeys(SPELLINGS, UNK))
    found = np.fromiter(map(ids.__getitem__, itertools.chain.from_iterable(sentences)), np.int32)
    ends = np.cumsum([0, *map(len, sentences)]).repeat(2)[1:-1]  # 0 I I I+J I+J …
    text = np.insert(found, ends, [BOS, EOS] * len(sentences))
    notes = []
    if left_out := np.count_nonzero(text == UNK):
        text = text[text != UNK]
        notes.append(f"{left_out} tokens spelled like {', '.join(SPELLINGS)} were left out")
    return text, [*SPECIALS, *(word for word, i in ids.items() if i > EOS)], notes


def _count(text: I32, V: int, order: int) -> tuple[I32, I32, I64, I32]:
    """The trie of all n-grams up to ``order`` as ``layout`` gives it, and c(g) of its nodes (N,).

    Stops short of ``order`` where no n-gram is that long.
    """
    keys, counts = [np.arange(V)], [np.array([0]), np.bincount(text, minlength=V)]
    counts[1][BOS] = 0  # never predicted
    end, node, n_nodes = np.arange(len(text), dtype=np.int32), 1 + text, 1 + V
    for _ in range(2, order + 1):
        # node[i] is the n-gram that ends at end[i]; it grows by a word unless its sentence is over.
        grows = text[end] != EOS
        end, node = 1 + end[grows], node[grows]
        if not end.size:
            break
        grown = np.multiply(node, V, dtype=np.int64) + text[end]
        place = np.argsort(grown)
        end, grown = end[place], grown[place]
        first = np.flatnonzero(np.concatenate([[True], grown[1:] != grown[:-1]]))
        keys.append(grown[first])
        counts.append(np.diff(first, append=len(grown)))
        node = np.arange(n_nodes, n_nodes + len(first), dtype=np.int32).repeat(counts[-1])
        n_nodes += len(first)
    return *layout(keys, V), np.concatenate(counts, dtype=np.int32)


def layout(keys: list[I64], V: int) -> tuple[I32, I32, I64]:
    """``word``, ``first_child`` and the start of each order, from its sorted keys.

    The key of a node hw is ``h · V + w``.
    """
    word, first_child = _unpack(np.concatenate(keys), V)
    return word, first_child, np.cumsum([1, *map(len, keys)])


def _adjusted_counts(c: I32, starts: I64, suffix: I32, first_child: I32) -> I64:
    """a(g) of every node, int64 (N,); that of ε is 0."""
    a = np.bincount(suffix, minlength=len(suffix))  # each link comes from another word before g
    a[ROOT] = 0
    a[starts[-2] :] = c[starts[-2] :]
    lo, hi = 1 + BOS, 2 + BOS  # <s>, then all that starts with it, order by order
    for _ in starts[1:]:
        a[lo:hi] = c[lo:hi]
        lo, hi = first_child[lo], first_child[hi]
    return a


def _discount(a: I64, starts: I64) -> tuple[F64, list[list[float]], list[str]]:
    """D(a(g)) of every node, (N,); D(1), D(2), D(3) of every order; which had to be replaced."""
    d, discounts, failures = np.zeros(len(a)), [], []
    for k, (lo, hi) in enumerate(itertools.pairwise(starts), start=1):
        t = np.bincount(np.minimum(a[lo:hi], 5), minlength=5).tolist()
        D = closed_form(t)
        if not D:
            D = list(FALLBACK_DISCOUNTS)
            failures.append(
                f"{k}-grams: too few to estimate discounts; {D[0]}, {D[1]}, {D[2]} are taken"
            )
        d[lo:hi] = np.array([0, *D])[np.minimum(a[lo:hi], 3)]
        discounts.append(D)
    return d, discounts, failures


def closed_form(t: Sequence[int]) -> list[float]:
    """D(1), D(2), D(3); nothing unless t_1, t_2, t_3 > 0 and 0 < D(r) ≤ r.

    lmplz lets D(r) = 0 pass, which can leave no mass at all to unseen words.
    """
    if 0 in t[1:4]:
        return []
    Y = t[1] / (t[1] + 2 * t[2])
    D = [r - (r + 1) * Y * t[r + 1] / t[r] for r in (1, 2, 3)]
    return D if all(0 < D[r - 1] <= r for r in (1, 2, 3)) else []


def cut_logprobs(model: NgramModel, words: I32, at: I64, k: int) -> F64:
    """ln p of ``words[t]`` given ``words[t − k : t]`` alone, for each t of ``at``; (len(at),).

    words: the model's ids (T,); every t is at least k.
    """
    return _cut(model.arrays, words, at, k)


# --- kernels


@njit(cache=True, inline="always")
def _child(word: I32, first_child: I32, h: int, w: int) -> int:
    """The node hw, or -1. Binary search: the last child of h whose word is at most w."""
    if h == ROOT:
        return 1 + w
    last = first_child[h]
    n = min(first_child[h + 1] - last, w + 1)  # sorted, distinct: at most w + 1 of them are ≤ w
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


@njit(cache=True, nogil=True)
def _cut(lm: Lm, words: I32, at: I64, k: int) -> F64:
    log_p = np.empty(len(at))
    for n, t in enumerate(at):
        state = ROOT
        for j in range(t - k, t):
            _, state = lm_step(lm, state, words[j])
        log_p[n], _ = lm_step(lm, state, words[t])
    return log_p


@njit(cache=True)
def _unpack(key: I64, V: int) -> tuple[I32, I32]:
    """``word`` and ``first_child`` of ε and the nodes that have the sorted keys ``h · V + w``."""
    n = 1 + len(key)
    word, first_child = np.zeros(n, np.int32), np.full(n + 1, n, np.int32)
    begun = 0  # the nodes whose first child is known
    for node in range(1, n):
        parent = key[node - 1] // V
        word[node] = key[node - 1] - parent * V
        while begun <= parent:
            first_child[begun] = node
            begun += 1
    return word, first_child


@njit(cache=True)
def suffix_links(word: I32, first_child: I32) -> I32:
    """The longest proper suffix of each node hw: the first of h′w, h″w, … w that is a node."""
    suffix = np.zeros(len(word), dtype=np.int32)
    for h in range(1, len(word)):
        for node in range(first_child[h], first_child[h + 1]):
            shorter = suffix[h]
            found = _child(word, first_child, shorter, word[node])
            while found < 0:
                shorter = suffix[shorter]
                found = _child(word, first_child, shorter, word[node])
            suffix[node] = found
    return suffix


@njit(cache=True)
def _interpolate(a: I64, d: F64, first_child: I32, suffix: I32) -> tuple[F64, F64]:
    """p(w|h) of every node hw and γ(h) of every node h, (N,) each; 1 where there is neither."""
    p, gamma = np.ones(len(a)), np.ones(len(a))
    p[ROOT] = 1 / (first_child[1] - 2)  # below the words: uniform, without <s>
    for h in range(len(a)):
        children = range(first_child[h], first_child[h + 1])
        A, freed = 0, 0.0
        for hw in children:
            A += a[hw]
            freed += d[hw]
        if A > 0:
            gamma[h] = freed / A
        for hw in children:  # suffixes are shorter, so that theirs is known; sums may round past 1
            p[hw] = min(1, (a[hw] - d[hw]) / A + gamma[h] * p[suffix[hw]])
    p[1 + BOS] = 1  # given, never predicted: a product that holds it must not change
    p[ROOT] = gamma[ROOT] = 1  # ε is neither predicted nor backed off from
    return p, gamma
