"""Which phrase translations a sentence can be built from, and what the rest of it will cost.

For every span of the source, the phrase table's best ``limit`` pairs by

    Σ_k λ_k f_k(s̄, t̄)  +  λ_lm ln P_lm(t̄)          the language model seeing the phrase by itself

f_k are those of the phrase table and, of the sentence, ``context``. A word that no phrase covers by
itself is copied. The *future cost* of a span is the best such sum over its segmentations,
reordering left out: an optimistic guess at what is still to come.

Letters: λ float64 (F,), the weights in the order of ``features``.

What a sentence is asked for narrows this (see ``Sentence``): a phrase that loses a number or a URL
is no option; where a glossary says how to translate, it is the only one who does; and where the
translation is given, only its own phrases count.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Bool, Float32, Float64, Int32, Int64, UInt64
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.smt.language_model.ngrams import ROOT, Lm, lm_step
from mtkit.smt.phrases.context import Lexicon, fit, log_probabilities
from mtkit.smt.phrases.extract import MAX_PHRASE, hash_word
from mtkit.smt.phrases.table import PhraseTable
from mtkit.smt.search.features import CONTEXT, LM, NEXT, PHRASES, PREVIOUS, UNKNOWN, WORDS

WINDOW = 64  # positions behind the first gap that a hypothesis may cover; see ``decoder``
CANDIDATES = 3  # times ``limit`` pairs of a source phrase are looked at, best φ(t̄|s̄) first
COPIED = -1  # in place of a phrase pair: the source word itself
FREE, CUT = -1, -2  # of a span: outside all glossary matches, or neither that nor one itself
FIXED = -2  # FIXED − t: translation t of ``Sentence.target``


class Model(NamedTuple):
    """What was estimated, as kernels take it."""

    table: PhraseTable
    lexicon: Lexicon
    lm: Lm
    begin: int  # the language model's state after ``<s>``
    lm_id: Int32  # its id of each target word
    code: Bool  # whether a target word is a tag, a placeholder or an address; (0,): none is


class Sentence(NamedTuple):
    """A sentence of N words, and what is asked of its translation."""

    words: Int32  # (N,) source ids
    copied: Int32  # (N,) the language model's id of each, should it be copied
    verbatim: Int32  # (N,) target id of what must stay as it is (UNK if no pair can), else −1
    match: Int32  # (N,) which glossary match a word belongs to, −1 = none
    row: Int64  # match m has the translations row[m] : row[m + 1]
    target: Int32  # target ids, of translation t target[t_begin[t] : t_begin[t + 1]]
    t_begin: Int64
    given: Int32  # if not empty the translation that is wanted, as target ids


class Options(NamedTuple):
    """M options of a sentence of N words; W target words in all.

    The last row of ``previous`` and ``next`` stands for the sentence's start.
    """

    begin: Int64  # (N · MAX_PHRASE + 1,) of k + 1 words from i: from begin[i · MAX_PHRASE + k] on
    start: Int32  # (M,) of the span; the options of one stand side by side, best first
    end: Int32  # (M,)
    pair: Int32  # (M,) row of the phrase table, COPIED, or FIXED and below
    score: Float64  # (M,) without language model and reordering
    estimate: Float64  # (M,) with the language model
    context: Float64  # (M,) the feature of ``context``, part of the score
    words: Int32  # (W,) the language model's ids, of option o words[w_begin[o] : w_begin[o + 1]]
    target: Int32  # (W,) target ids likewise, −1 − i for source word i, copied
    w_begin: Int64  # (M + 1,)
    previous: Float64  # (M + 1, 3) λ ln P(orientation | pair) to the phrase before, 0 without pair
    next: Float64  # (M + 1, 3) towards the one behind
    kind: UInt64  # (M,) equal where ``next`` is
    state: Int32  # (W,) the language model's after each word, seeing the phrase by itself
    behind: Float64  # (W,) λ_lm ln P of the phrase's words behind it then
    head: Int32  # (M,) the language model's id of the first word
    known: Float64  # (M,) the estimate without that word's λ_lm ln P


class Ranked(NamedTuple):
    """Options while they are collected; see ``Options``."""

    pair: Int32
    score: Float64
    estimate: Float64
    context: Float64


# --- kernels


@kernel
def collect(sentence: Sentence, model: Model, λ: Float64, limit: int) -> Options:
    """The options of a sentence, at most ``limit`` a source phrase."""
    N = len(sentence.words)
    most = N * (MAX_PHRASE * limit + 1) + len(sentence.t_begin)
    ranked = Ranked(np.empty(most, np.int32), np.empty(most), np.empty(most), np.empty(most))
    start, end = np.empty(most, np.int32), np.empty(most, np.int32)
    begin = np.zeros(N * MAX_PHRASE + 1, np.int64)
    heads = _heads(sentence.given, len(model.lm_id))
    near = log_probabilities(sentence.words, model.lexicon)
    n = 0
    for i in range(N):
        key = np.uint64(0)
        for k in range(MAX_PHRASE):
            first = n
            if i + k < N:
                key = hash_word(key, sentence.words[i + k])
                match = _match(sentence.match, i, i + k)
                if match >= 0:
                    n = _fix(sentence, match, model, λ, ranked, n)
                elif match == FREE:
                    row = _find(model.table, key, sentence.words, i, k + 1)
                    is_known, n = _best_pairs(
                        sentence, heads, i, i + k, model, near, λ, row, limit, ranked, n
                    )
                    if k == 0 and not is_known:
                        score = λ[PHRASES] + λ[WORDS] + λ[UNKNOWN]
                        log_p, _ = lm_step(model.lm, ROOT, sentence.copied[i])
                        n = _insert(ranked, n, n, COPIED, score, score + λ[LM] * log_p, 0.0)
            for o in range(first, n):
                start[o], end[o] = i, i + k + 1
            begin[i * MAX_PHRASE + k + 1] = n
    words, target, w_begin = _spell(start[:n], ranked.pair, sentence, model)
    state, behind, head, known = _alone(words, w_begin, ranked.score, model.lm, λ)
    return Options(
        begin, start[:n], end[:n], ranked.pair[:n], ranked.score[:n], ranked.estimate[:n],
        ranked.context[:n], words, target, w_begin, *_reorder(ranked.pair[:n], model.table, λ),
        state, behind, head, known,
    )  # fmt: skip


@inner
def _heads(given: Int32, V: int) -> Bool:
    """Which target ids stand in the translation that is given, (V,); none where any may: (0,)."""
    heads = np.zeros(V if len(given) > 0 else 0, np.bool_)
    for w in given:
        if 0 <= w < V:
            heads[w] = True
    return heads


@lean
def _match(match: Int32, first: int, last: int) -> int:
    """The glossary match that words first … last are, FREE if none of them belongs to one."""
    m = match[first]
    for i in range(first, last + 1):
        if match[i] != m:
            return CUT
    goes_on = (first > 0 and match[first - 1] == m, last + 1 < len(match) and match[last + 1] == m)
    return CUT if m != FREE and (goes_on[0] or goes_on[1]) else m


@lean
def _insert(
    ranked: Ranked, first: int, n: int, pair: int, score: float, estimate: float, context: float
) -> int:
    """Insert an option where it belongs, by estimate, among ``ranked[first:n]``; the new n."""
    at = n
    while at > first and ranked.estimate[at - 1] < estimate:
        ranked.pair[at], ranked.score[at] = ranked.pair[at - 1], ranked.score[at - 1]
        ranked.estimate[at], ranked.context[at] = ranked.estimate[at - 1], ranked.context[at - 1]
        at -= 1
    ranked.pair[at], ranked.score[at] = pair, score
    ranked.estimate[at], ranked.context[at] = estimate, context
    return n + 1


@lean
def _fix(sentence: Sentence, match: int, model: Model, λ: Float64, ranked: Ranked, n: int) -> int:
    """Insert the translations of a glossary match from index ``n`` on; the new ``n``."""
    first = n
    for t in range(sentence.row[match], sentence.row[match + 1]):
        words = sentence.target[sentence.t_begin[t] : sentence.t_begin[t + 1]]
        score = guess = λ[PHRASES] + λ[WORDS] * len(words)
        state = ROOT
        for w in words:
            log_p, state = lm_step(model.lm, state, model.lm_id[w])
            guess += λ[LM] * log_p
        n = _insert(ranked, first, n, FIXED - t, score, guess, 0.0)
    return n


@lean
def _find(table: PhraseTable, key: np.uint64, sentence: Int32, i: int, length: int) -> int:
    """The row of the source phrase ``sentence[i : i + length]``, or −1."""
    row = int(np.searchsorted(table.key, key))
    if row == len(table.key) or table.key[row] != key:
        return -1
    at = table.s_begin[row]
    if table.s_begin[row + 1] - at != length:
        return -1
    for k in range(length):
        if table.source[at + k] != sentence[i + k]:
            return -1
    return row


@lean
def _best_pairs(
    sentence: Sentence, heads: Bool, i: int, j: int, model: Model, near: tuple[Int64, Float32],
    λ: Float64, row: int, limit: int, ranked: Ranked, n: int,
) -> tuple[bool, int]:  # fmt: skip
    """Insert the row's best pairs for words i … j from index ``n`` on.

    Whether there is any pair, wanted or not, and the new ``n``; row −1 has none.
    """
    table, first, is_known = model.table, n, False
    if row < 0:
        return is_known, n
    last = min(table.row[row + 1], table.row[row] + CANDIDATES * limit)
    for p in range(table.row[row], last):
        target = table.target[table.t_begin[p] : table.t_begin[p + 1]]
        if not _keeps(sentence, i, j, target, model.code):
            continue
        is_known = True
        if len(heads) > 0 and not (heads[target[0]] and _occurs(target, sentence.given)):
            continue
        score = λ[PHRASES] + λ[WORDS] * len(target)
        for f in range(PREVIOUS):
            score += λ[f] * table.features[p, f]
        context = fit(table, model.lexicon, sentence.words, near, i, j, p)
        score += λ[CONTEXT] * context
        full = n - first == limit
        guess, state = score, ROOT
        for w in target:
            if full and guess <= ranked.estimate[n - 1] and λ[LM] >= 0:
                break  # the language model only takes away
            log_p, state = lm_step(model.lm, state, model.lm_id[w])
            guess += λ[LM] * log_p
        if full:
            if guess <= ranked.estimate[n - 1]:
                continue
            n -= 1
        n = _insert(ranked, first, n, p, score, guess, context)
    return is_known, n


@lean
def _keeps(sentence: Sentence, i: int, j: int, target: Int32, code: Bool) -> bool:
    """Whether a translation of words i … j has all of them that are verbatim, and no code more."""
    verbatim = sentence.verbatim[i : j + 1]
    for w in verbatim:
        if w >= 0 and _count(w, target) < _count(w, verbatim):
            return False
    if len(code) > 0:
        for w in target:
            if code[w] and _count(w, target) > _count(w, verbatim):
                return False
    return True


@lean
def _count(word: int, words: Int32) -> int:
    n = 0
    for w in words:
        n += w == word
    return n


@lean
def _occurs(part: Int32, whole: Int32) -> bool:
    """Whether the words ``part`` stand side by side in ``whole``."""
    for at in range(len(whole)):
        if stands(part, whole, at):
            return True
    return False


@lean
def stands(part: Int32, whole: Int32, at: int) -> bool:
    """Whether the words of ``whole`` from ``at`` on begin with ``part``."""
    if at + len(part) > len(whole):
        return False
    for k in range(len(part)):
        if whole[at + k] != part[k]:
            return False
    return True


@inner
def _spell(
    start: Int32, pair: Int32, sentence: Sentence, model: Model
) -> tuple[Int32, Int32, Int64]:
    """The target words of each option, as the language model's ids and as target ids."""
    w_begin = np.zeros(len(start) + 1, np.int64)
    for o in range(len(start)):
        first, last = _extent(pair[o], sentence, model.table)
        w_begin[o + 1] = w_begin[o] + last - first
    words, target = np.empty(w_begin[-1], np.int32), np.empty(w_begin[-1], np.int32)
    for o in range(len(start)):
        first, _ = _extent(pair[o], sentence, model.table)
        for w in range(w_begin[o], w_begin[o + 1]):
            if pair[o] == COPIED:
                words[w], target[w] = sentence.copied[start[o]], -1 - start[o]
            else:
                text = model.table.target if pair[o] >= 0 else sentence.target
                target[w] = text[first + w - w_begin[o]]
                words[w] = model.lm_id[target[w]]
    return words, target, w_begin


@lean
def _extent(pair: int, sentence: Sentence, table: PhraseTable) -> tuple[int, int]:
    """Where the words of an option stand, in the table's or in the sentence's ``target``."""
    if pair == COPIED:
        return 0, 1
    if pair <= FIXED:
        return sentence.t_begin[FIXED - pair], sentence.t_begin[FIXED - pair + 1]
    return table.t_begin[pair], table.t_begin[pair + 1]


@inner
def _reorder(pair: Int32, table: PhraseTable, λ: Float64) -> tuple[Float64, Float64, UInt64]:
    """``previous``, ``next`` and ``kind`` of the options."""
    previous, following = np.zeros((len(pair) + 1, 3)), np.zeros((len(pair) + 1, 3))
    kind, bits = np.zeros(len(pair), np.uint64), following.view(np.int64)
    for o in range(len(pair)):
        for k in range(3):
            if pair[o] >= 0:
                previous[o, k] += λ[PREVIOUS + k] * table.reordering[pair[o], k]
                following[o, k] += λ[NEXT + k] * table.reordering[pair[o], 3 + k]
            kind[o] = hash_word(kind[o], bits[o, k])
    return previous, following, kind


@inner
def _alone(
    words: Int32, w_begin: Int64, score: Float64, lm: Lm, λ: Float64
) -> tuple[Int32, Float64, Int32, Float64]:
    """``state``, ``behind``, ``head`` and ``known`` of the options."""
    state, log_p = np.empty(len(words), np.int32), np.empty(len(words))
    behind = np.zeros(len(words))
    head, known = np.empty(len(w_begin) - 1, np.int32), np.empty(len(w_begin) - 1)
    for o in range(len(head)):
        now = ROOT
        for w in range(w_begin[o], w_begin[o + 1]):
            log_p[w], now = lm_step(lm, now, words[w])
            state[w] = now
        for w in range(w_begin[o + 1] - 1, w_begin[o], -1):
            behind[w - 1] = behind[w] + λ[LM] * log_p[w]
        head[o], known[o] = words[w_begin[o]], score[o] + behind[w_begin[o]]
    return state, behind, head, known


@kernel
def future_costs(begin: Int64, estimate: Float64, N: int) -> tuple[Float64, Float64]:
    """(future, rest): the best estimate of covering k words from i, ``future[i, k]``, k ≤ WINDOW,
    and of covering everything from i on, ``rest[i]``.
    """
    best = np.empty((N, MAX_PHRASE + 1))
    for i in range(N):
        for k in range(MAX_PHRASE):
            span = i * MAX_PHRASE + k
            is_covered = begin[span + 1] > begin[span]
            best[i, k + 1] = estimate[begin[span]] if is_covered else -np.inf
    future = np.empty((N + 1, WINDOW + 1))
    for i in range(N + 1):
        future[i, 0] = 0.0
        for k in range(1, WINDOW + 1):
            future[i, k] = -np.inf
            for last in range(1, min(k, MAX_PHRASE) + 1 if i + k <= N else 1):
                value = future[i, k - last] + best[i + k - last, last]
                future[i, k] = max(future[i, k], value)
    rest = np.zeros(N + 1)
    for i in range(N - 1, -1, -1):
        rest[i] = -np.inf
        for first in range(1, min(N - i, MAX_PHRASE) + 1):
            rest[i] = max(rest[i], best[i, first] + rest[i + first])
    return future, rest
