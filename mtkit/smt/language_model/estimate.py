"""Modified Kneser-Ney smoothing: estimate p(w|h) and γ(h) of ``ngrams`` from text.

    c(g)    how often the n-gram g occurs, a sentence being <s> w_1 … w_I </s>
    a(g)    its adjusted count: c(g) if |g| = n or g starts with <s>, else the number of
            different words seen before it, |{v : c(vg) > 0}|
    t_r     how many n-grams of one order have a(g) = r
    D(r)    the discount of a count, three per order; D(0) = 0 and D(r) = D(3) for r > 3
    θ_k     pruning threshold: n-grams of order k ≥ 2 with c(g) ≤ θ_k are pruned; θ_1 ≤ θ_2 ≤ …
    A(h)    Σ_v a(hv), the total count after the history h
    γ(h)    the probability mass that discounting frees for the shorter history
    h′      h without its first word;  ε the empty history;  V the words, <unk>, <s> and </s>

    Y       = t_1 / (t_1 + 2 t_2)
    D(r)    = r − (r + 1) Y t_{r+1} / t_r                           for r = 1, 2, 3
    γ(h)    = Σ_v D(a(hv)) / A(h)
    p(w|h)  = (a(hw) − D(a(hw))) / A(h) + γ(h) p(w|h′)
    p(w|ε)  = (a(w) − D(a(w))) / A(ε) + γ(ε) / (|V| − 1)            <s> is never predicted

Chen & Goodman 1998, "An Empirical Study of Smoothing Techniques for Language Modeling"
(equation 26 and modified Kneser-Ney); Heafield, Pouzyrevsky, Clark & Koehn 2013, "Scalable
Modified Kneser-Ney Language Model Estimation" (adjusted counts). The values equal those of KenLM's
`lmplz`, but for the limit below; γ(h) is the backoff weight of h in an ARPA file.

Pruning is by c(g), after all a(g), t_r and D(r) are computed, as in ``lmplz --prune``. The discount
of a pruned n-gram is its whole count, D(a(g)) := a(g). So γ(h) takes its mass, the last two
equations give p(w|h) = γ(h) p(w|h′), which is the back-off value, and the model still sums to one.
The parent and the suffix of an n-gram are at least as frequent, and their threshold is not higher.
Therefore, if an n-gram is kept, its parent and its suffix are kept, too.

``counts`` counts the n-grams. Orders are smoothed from the lowest to the highest: here in memory,
in ``build`` in parts with files. Both give the same bytes.

Limits: for the last n-gram of each order, `lmplz` uses c(g) in t_r, and mtkit a(g).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Bool, Float32, Float64, Int32
from mtkit.smt.kernels import kernel
from mtkit.smt.language_model import counts
from mtkit.smt.language_model.counts import Level
from mtkit.smt.language_model.ngrams import (
    LM_BOS,
    LM_EOS,
    LM_SPECIALS,
    LM_UNK,
    MAX_ORDER,
    SPELLINGS,
    Lm,
    NgramModel,
)

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # those of lmplz --discount_fallback
NO_TEXT = "a language model needs at least one sentence to train on"
TYPES = dict.fromkeys(Lm._fields, np.int32) | {"log_prob": np.float32, "backoff": np.float32}


def train(
    sentences: Iterable[Sequence[str]], order: int = 5, prune: Sequence[int] = ()
) -> NgramModel:
    """Estimate a model, like ``lmplz --order N --discount_fallback --prune θ_1 θ_2 …``.

    ``prune`` starts with 0 and does not decrease; its last value applies to all longer n-grams; an
    empty one means no pruning. Tokens spelled like a special symbol are left out, as with
    ``lmplz --skip_symbols``. If no n-gram of ``order`` words exists or remains, the order is that
    of the longest. ``notes`` mentions both, and orders that use fallback discounts. Raises
    ValueError if there is no sentence, or ``order`` (1 to ``MAX_ORDER``) or ``prune`` is out of
    range.

    >>> model = train([["a", "b"], ["a", "c"]], order=2)
    >>> model.counts
    [6, 5]
    >>> scores = model.score([["a", "d"]])
    >>> scores.order.tolist(), scores.is_oov.tolist()
    ([2, 1, 1], [False, True, False])
    """
    thresholds = pruning_thresholds(prune, order)
    text, words, left_out = _encode(sentences)
    V, n = len(words), min(order, counts.longest(text))
    starts = counts.arrange([text], 0, V, n)
    a = counts.unigrams(starts, V, n)
    t, orders = [histogram(a)], list[Lm]()
    unigrams = p = unigram_probabilities(a, t[0])
    node, history_kept, link = 1 + np.arange(V, dtype=np.int32), np.ones(V, np.bool_), None
    for level in counts.levels(starts, np.array([0, V]), 0, n, thresholds):
        t.append(histogram(level.a))
        suffix = level.word if link is None else link
        start = 1 + V + sum(len(lm.word) for lm in orders)
        p, node, chunks = smooth(level, t[-1], p[suffix], node[suffix], history_kept, start)
        orders.append(chunks)
        history_kept, link = level.kept, level.link
    sizes = [[V], *([len(lm.word)] for lm in orders)]

    def array(name: str) -> NDArray[Any]:
        chunks = pieces(name, unigrams, sizes, lambda k: [getattr(orders[k - 2], name)])
        return np.concatenate(list(chunks))

    arrays = Lm(*map(array, Lm._fields))
    return NgramModel(words=words, arrays=arrays, **model_fields(order, t, sizes, left_out))


def pruning_thresholds(prune: Sequence[int], order: int) -> list[int]:
    """Return θ_k of each order. Raises ValueError if ``order`` or ``prune`` is out of range."""
    if not 1 <= order <= MAX_ORDER:
        raise ValueError(f"expected an order from 1 to {MAX_ORDER}, found {order}")
    thresholds = [*prune, *([prune[-1] if prune else 0] * (order - len(prune)))]
    if len(prune) > order or thresholds[0] != 0 or thresholds != sorted(thresholds):
        raise ValueError(
            f"expected at most {order} numbers, the first 0, none smaller than the one before, "
            f"as in 0 0 1; found {' '.join(map(str, prune))}"
        )
    return thresholds


def _encode(sentences: Iterable[Sequence[str]]) -> tuple[Int32, list[str], int]:
    """Return ``<s> w_1 … w_I </s> <s> …`` as ids (T,), the words, and how many tokens are left out.

    The words are in the order of their first occurrence. Raises ValueError if there is no sentence.
    """
    sentences = list(sentences)
    if not sentences:
        raise ValueError(NO_TEXT)
    ids: defaultdict[str, int] = defaultdict(count(len(LM_SPECIALS)).__next__)
    ids.update(dict.fromkeys(SPELLINGS, LM_UNK))
    tokens = np.fromiter(map(ids.__getitem__, chain.from_iterable(sentences)), np.int32)
    begin = np.cumsum([0, *map(len, sentences)])
    words = [*LM_SPECIALS, *(word for word, i in ids.items() if i > LM_EOS)]
    return counts.sentences(tokens, begin), words, int(np.count_nonzero(tokens == LM_UNK))


def model_fields(
    order: int, t: Sequence[Sequence[int]], sizes: Sequence[Sequence[int]], left_out: int
) -> dict[str, Any]:
    """Return order, discounts and notes of the model.

    order: the requested one; t, sizes: for each order of the text, its ``histogram`` and the number
    of n-grams kept in each part; left_out: number of tokens left out.
    """
    longest = sum(sum(size) > 0 for size in sizes)
    notes, failures = [], []
    if left_out:
        notes.append(f"{left_out} tokens spelled like {', '.join(SPELLINGS)} were left out")
    if longest < order:
        notes.append(f"order {longest} instead of {order}, as no n-gram is longer")
    for k, t_k in enumerate(t, start=1):
        if not closed_form(t_k):
            defaults = ", ".join(map(str, FALLBACK_DISCOUNTS))
            failures.append(f"too few {k}-grams to estimate discounts; using {defaults}")
    D = [closed_form(t_k) or list(FALLBACK_DISCOUNTS) for t_k in t]
    return {"order": longest, "discounts": D[:longest], "notes": notes + failures[:longest]}


# --- one order


def histogram(a: Int32) -> list[int]:
    """Return how many n-grams have a(g) = 0, 1, … 4, so that item r > 0 is t_r."""
    return [int(np.count_nonzero(a == r)) for r in range(5)]


def unigram_probabilities(a: Int32, t: Sequence[int]) -> Float64:
    """Return p(w|ε) of the V words, float64 (V,)."""
    V = len(a)
    begin, all_stay, uniform = (
        np.array([0, V], np.int32),
        np.ones(V, np.bool_),
        np.full(V, 1 / (V - 1)),
    )
    p, _ = _interpolate(begin, a, all_stay, _discounts(t), uniform)
    p[LM_BOS] = 1  # <s> is given, not predicted: it must not change a product
    return p


def smooth(
    level: Level, t: Sequence[int], lower: Float64, suffix: Int32, history_kept: Bool, start: int
) -> tuple[Float64, Int32, Lm]:
    """Return p(w|h) of the N n-grams hw of an order, their nodes, and their piece of the model.

    p and nodes are (N,); a node is valid only if its n-gram is kept. In the piece, backoff and
    first_child are those of the M histories h. t: of the order; lower, suffix: p(w|h′) and the node
    of h′w, (N,); history_kept: (M,); start: the node of the first kept n-gram.
    """
    p, gamma = _interpolate(level.begin, level.a, level.kept, _discounts(t), lower)
    node = np.cumsum(np.append(start, level.kept), dtype=np.int32)
    kept, first = level.kept, node[level.begin[:-1][history_kept]]
    piece = Lm(
        level.word[kept], first, suffix[kept], logarithm(p[kept]), logarithm(gamma[history_kept])
    )
    return p, node[:-1], piece


def pieces(
    name: str,
    p: Float64,
    sizes: Sequence[Sequence[int]],
    pieces_of: Callable[[int], Iterable[NDArray[Any]]],
) -> Iterator[NDArray[Any]]:
    """Yield an array of the model, piece by piece.

    p: of the words; sizes: see ``model_fields``; pieces_of(k): the pieces that ``smooth`` returned
    for n-grams of k words, part by part.
    """
    V, leaves, N = len(p), sizes[-1], 1 + sum(map(sum, sizes))
    words = {
        "word": np.append(0, np.arange(V)),
        "first_child": np.ones(1),
        "suffix": np.zeros(1 + V),
        "log_prob": np.append(0, logarithm(p)),
        "backoff": np.zeros(1),
    }
    yield words[name].astype(TYPES[name])
    for k in range(2, len(sizes) + 1):
        yield from pieces_of(k)
    if name == "first_child":
        yield from (np.full(size, N, np.int32) for size in [*leaves, 1])
    if name == "backoff":
        yield from (np.zeros(size, np.float32) for size in leaves)


def logarithm(x: Float64) -> Float32:
    """Return ln x as float32."""
    return np.log(x).astype(np.float32)


def _discounts(t: Sequence[int]) -> Float64:
    """Return D(0), D(1), D(2), D(3), float64 (4,)."""
    return np.array([0, *(closed_form(t) or FALLBACK_DISCOUNTS)], np.float64)


def closed_form(t: Sequence[int]) -> list[float]:
    """Return D(1), D(2), D(3); an empty list unless t_1, t_2, t_3 > 0 and 0 < D(r) ≤ r.

    lmplz accepts D(r) = 0, which can leave no probability mass to unseen words.
    """
    if 0 in t[1:4]:
        return []
    Y = t[1] / (t[1] + 2 * t[2])
    D = [r - (r + 1) * Y * t[r + 1] / t[r] for r in (1, 2, 3)]
    return D if all(0 < D[r - 1] <= r for r in (1, 2, 3)) else []


@kernel
def _interpolate(
    begin: Int32, a: Int32, kept: Bool, D: Float64, lower: Float64
) -> tuple[Float64, Float64]:
    """Return p(w|h) of the N n-grams hw, and γ(h) of the M histories h, 1 if h has no n-gram."""
    p, gamma = np.empty(len(a)), np.ones(len(begin) - 1)
    for h in range(len(gamma)):
        children = range(begin[h], begin[h + 1])
        A, freed = 0, 0.0
        for hw in children:
            A += a[hw]
            freed += D[min(a[hw], 3)] if kept[hw] else a[hw]
        if A > 0:
            gamma[h] = freed / A
        for hw in children:  # rounding may bring a sum above 1
            d = D[min(a[hw], 3)] if kept[hw] else a[hw]
            p[hw] = min(1, (a[hw] - d) / A + gamma[h] * lower[hw])
    return p, gamma
