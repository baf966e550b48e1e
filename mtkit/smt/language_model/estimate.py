"""Modified Kneser-Ney smoothing: the p(w|h) and γ(h) of ``ngrams`` from text.

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

Limits: the corpus is read into memory; `lmplz` enters the last n-gram of each order into t_r by
c(g), not a(g), and we do not.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np

from mtkit.smt.flat import Float64, Int32, Int64
from mtkit.smt.kernels import kernel
from mtkit.smt.language_model.ngrams import (
    LM_BOS,
    LM_EOS,
    LM_SPECIALS,
    LM_UNK,
    ROOT,
    SPELLINGS,
    Lm,
    NgramModel,
    child,
)

FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # those of lmplz --discount_fallback


def train(
    sentences: Iterable[Sequence[str]], order: int = 5, prune: Sequence[int] = ()
) -> NgramModel:
    """Estimate a model, as ``lmplz --order N --discount_fallback --prune θ_1 θ_2 …`` does.

    ``prune`` starts with 0 and never falls; its last value stands for all longer n-grams, and
    nothing there prunes nothing. Tokens spelled like a special symbol are left out, as by
    ``lmplz --skip_symbols``. Where no n-gram of ``order`` words exists or stays, the order is that
    of the longest. ``notes`` says so, and where the closed form of the discounts failed. Raises
    ValueError if there is no sentence, or ``order`` (1 to 127) or ``prune`` is out of range.

    >>> model = train([["a", "b"], ["a", "c"]], order=2)
    >>> model.counts
    [6, 5]
    >>> scores = model.score([["a", "d"]])
    >>> scores.order.tolist(), scores.is_oov.tolist()
    ([2, 1, 1], [False, True, False])
    """
    if not 1 <= order <= 127:
        raise ValueError(f"a language model's order is 1 to 127, not {order}")
    thresholds = pruning_thresholds(prune, order)
    text, words, notes = _encode_corpus(sentences)
    word, first_child, starts, c = _count(text, len(words), order)
    suffix = suffix_links(word, first_child)

    a = _adjusted_counts(c, starts, suffix, first_child)
    d, discounts, failures = _discount(a, starts)
    kept = np.ones(len(c), np.bool_)  # the words all stay: <unk> and <s> have c = 0
    for threshold, (lo, hi) in zip(thresholds[1:], itertools.pairwise(starts[1:]), strict=False):
        kept[lo:hi] = c[lo:hi] > threshold
    np.copyto(d, a, where=~kept)  # a pruned n-gram leaves all it has to the shorter history
    p, gamma = _interpolate(a, d, first_child, suffix)
    log_prob, backoff = (np.log(x, out=x).astype(np.float32) for x in (p, gamma))
    place = np.concatenate([[0], np.cumsum(kept)]).astype(np.int32)  # of each node that stays
    first_child = place[first_child[np.append(kept, True)]]
    lm = Lm(word[kept], first_child, place[suffix[kept]], log_prob[kept], backoff[kept])
    longest = sum(bool(kept[lo:hi].any()) for lo, hi in itertools.pairwise(starts))
    if longest < order:
        notes.append(f"no n-gram is longer than {longest} words: order {order} → {longest}")
    return NgramModel(longest, words, lm, discounts[:longest], notes + failures[:longest])


def pruning_thresholds(prune: Sequence[int], order: int) -> list[int]:
    """θ_k of each order; ValueError for what ``train`` refuses."""
    thresholds = [*prune, *([prune[-1] if prune else 0] * (order - len(prune)))]
    if len(prune) > order or thresholds[0] != 0 or thresholds != sorted(thresholds):
        raise ValueError(
            f"one number for each order up to {order}, the first 0 and none below the one before, "
            f"as in 0 0 1; not {' '.join(map(str, prune))}"
        )
    return thresholds


def _encode_corpus(sentences: Iterable[Sequence[str]]) -> tuple[Int32, list[str], list[str]]:
    """``<s> w_1 … w_I </s> <s> …`` as ids (T,), the words in order of appearance, notes."""
    sentences = list(sentences)
    if not sentences:
        raise ValueError("a language model needs at least one sentence to train on")
    ids: defaultdict[str, int] = defaultdict(itertools.count(len(LM_SPECIALS)).__next__)
    ids.update(dict.fromkeys(SPELLINGS, LM_UNK))
    tokens = np.fromiter(map(ids.__getitem__, itertools.chain.from_iterable(sentences)), np.int32)
    ends = np.cumsum([0, *map(len, sentences)]).repeat(2)[1:-1]  # 0 I I I+J I+J …
    text = np.insert(tokens, ends, [LM_BOS, LM_EOS] * len(sentences))
    notes = []
    if left_out := np.count_nonzero(text == LM_UNK):
        text = text[text != LM_UNK]
        notes.append(f"{left_out} tokens spelled like {', '.join(SPELLINGS)} were left out")
    return text, [*LM_SPECIALS, *(word for word, i in ids.items() if i > LM_EOS)], notes


def _count(text: Int32, V: int, order: int) -> tuple[Int32, Int32, Int64, Int32]:
    """The trie of all n-grams up to ``order`` as ``layout`` gives it, and c(g) of its nodes (N,).

    Stops short of ``order`` where no n-gram is that long.
    """
    keys, counts = [np.arange(V)], [np.array([0]), np.bincount(text, minlength=V)]
    counts[1][LM_BOS] = 0  # never predicted
    end, node, n_nodes = np.arange(len(text), dtype=np.int32), 1 + text, 1 + V
    for _ in range(2, order + 1):
        # node[i] is the n-gram that ends at end[i]; it grows by a word unless its sentence is over.
        grows = text[end] != LM_EOS
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


def layout(keys: list[Int64], V: int) -> tuple[Int32, Int32, Int64]:
    """``word``, ``first_child`` and the start of each order, from its sorted keys ``h · V + w``."""
    parent, word = np.divmod(np.concatenate(keys), V)
    n_children = np.bincount(parent, minlength=1 + len(word))
    first_child = np.cumsum(np.append(1, n_children))
    starts = np.cumsum([1, *map(len, keys)])
    return np.append(0, word).astype(np.int32), first_child.astype(np.int32), starts


def _adjusted_counts(c: Int32, starts: Int64, suffix: Int32, first_child: Int32) -> Int64:
    """a(g) of every node, int64 (N,); that of ε is 0."""
    a = np.bincount(suffix, minlength=len(suffix))  # each link comes from another word before g
    a[ROOT] = 0
    a[starts[-2] :] = c[starts[-2] :]
    lo, hi = 1 + LM_BOS, 2 + LM_BOS  # <s>, then all that starts with it, order by order
    for _ in starts[1:]:
        a[lo:hi] = c[lo:hi]
        lo, hi = first_child[lo], first_child[hi]
    return a


def _discount(a: Int64, starts: Int64) -> tuple[Float64, list[list[float]], list[str]]:
    """D(a(g)) of every node, (N,); D(1), D(2), D(3) of every order; which had to be replaced."""
    d, discounts, failures = np.zeros(len(a)), [], []
    for k, (lo, hi) in enumerate(itertools.pairwise(starts), start=1):
        t = np.bincount(np.minimum(a[lo:hi], 5), minlength=5).tolist()
        D = closed_form(t)
        if not D:
            D = list(FALLBACK_DISCOUNTS)
            taken = ", ".join(map(str, D))
            failures.append(f"{k}-grams: too few to estimate discounts; {taken} are taken")
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


# --- kernels


@kernel
def suffix_links(word: Int32, first_child: Int32) -> Int32:
    """The longest proper suffix of each node hw: the first of h′w, h″w, … w that is a node."""
    suffix = np.zeros(len(word), dtype=np.int32)
    for h in range(1, len(word)):
        for node in range(first_child[h], first_child[h + 1]):
            shorter = suffix[h]
            link = child(word, first_child, shorter, word[node])
            while link < 0:
                shorter = suffix[shorter]
                link = child(word, first_child, shorter, word[node])
            suffix[node] = link
    return suffix


@kernel
def _interpolate(
    a: Int64, d: Float64, first_child: Int32, suffix: Int32
) -> tuple[Float64, Float64]:
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
    p[1 + LM_BOS] = 1  # given, never predicted: a product that holds it must not change
    p[ROOT] = gamma[ROOT] = 1  # ε is neither predicted nor backed off from
    return p, gamma
