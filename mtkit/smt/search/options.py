"""Translation options: the phrases that a sentence can be built from, and their future costs.

The options of a source span are the phrase table's best ``limit`` pairs by

    Σ_k λ_k f_k(s̄, t̄)  +  λ_lm ln P_lm(t̄)        the language model sees the phrase in isolation

f_k are the features of the phrase table and, for the sentence, ``context``. A word that no phrase
covers by itself is copied. The *future cost* of a span is the best such sum over its segmentations,
without reordering: an optimistic estimate of what is still to come.

Letters: λ float64 (F,), the weights in the order of ``features``.

A ``Sentence`` can restrict its options. A phrase pair that loses a number or a URL is not an
option; a glossary match has only its glossary translations; and if translations are given, only
phrases that occur in them are options.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Bool, Float32, Float64, Int32, Int64, UInt64
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.smt.language_model.ngrams import ROOT, Lm, lm_step
from mtkit.smt.phrases.context import Lexicon, log_probabilities, pair_score
from mtkit.smt.phrases.extract import MAX_PHRASE, hash_word
from mtkit.smt.phrases.table import PhraseTable
from mtkit.smt.search.features import CONTEXT, LM, NEXT, PHRASES, PREVIOUS, UNKNOWN, WORDS
from mtkit.text.vocabulary import FIRST_WORD

WINDOW = 64  # positions after the first gap that a hypothesis may cover; see ``hypothesis``
CANDIDATES = 3  # the first CANDIDATES · limit pairs of a source phrase are compared
COPIED = -1  # instead of a phrase pair: the source word is copied
FREE, CUT = -1, -2  # a span outside all glossary matches; one with matched words that is no match
FIXED = -2  # and below; FIXED − t: translation t of ``Sentence.target``


class Model(NamedTuple):
    """The models of a system, as kernels take them."""

    table: PhraseTable
    lexicon: Lexicon
    lm: Lm
    begin: int  # the language model's state after ``<s>``
    lm_id: Int32  # (V,) the language model's id of each target word
    code: Bool  # (V,) whether a target word is a tag, a placeholder or an address; (0,): none is


class Sentence(NamedTuple):
    """A sentence of N words, and the restrictions on its translation."""

    words: Int32  # (N,) source ids
    copied: Int32  # (N,) the language model's id of each, if it is copied
    verbatim: Int32  # (N,) target id of a word that must survive (UNK if unknown), else −1
    match: Int32  # (N,) the glossary match that a word belongs to, −1 = none
    row: Int64  # match m has the translations row[m] : row[m + 1]
    target: Int32  # target ids; translation t is target[t_begin[t] : t_begin[t + 1]]
    t_begin: Int64
    forced_targets: Int32  # ids of the given translations, −1 after each; empty if none are given


class Options(NamedTuple):
    """M options of a sentence of N words; W target words in all.

    The last row of ``previous`` and ``next`` stands for the start of the sentence.
    """

    begin: Int64  # (N · MAX_PHRASE + 1,) k + 1 words from i: from begin[i · MAX_PHRASE + k] on
    start: Int32  # (M,) of the span; the options of a span are adjacent, best first
    end: Int32  # (M,)
    pair: Int32  # (M,) row of the phrase table, COPIED, or FIXED and below
    score: Float64  # (M,) without language model and reordering
    estimate: Float64  # (M,) with the language model
    context: Float64  # (M,) the feature ``context``, which is part of the score
    words: Int32  # (W,) language model ids; option o has words[w_begin[o] : w_begin[o + 1]]
    target: Int32  # (W,) target ids likewise; −1 − i is a copy of source word i
    w_begin: Int64  # (M + 1,)
    previous: Float64  # (M + 1, 3) λ ln P(orientation | pair) to the phrase before, 0 without pair
    next: Float64  # (M + 1, 3) towards the phrase after it
    kind: UInt64  # (M,) hash of the option's row of ``next``
    state: Int32  # (W,) language model state after each word, the phrase in isolation
    score_after: Float64  # (W,) λ_lm ln P of the words after it in the phrase, in isolation
    head: Int32  # (M,) the language model's id of the first word
    estimate_without_head: Float64  # (M,) the estimate without λ_lm ln P of that word


class Ranked(NamedTuple):
    """Options while they are collected; see ``Options``."""

    pair: Int32
    score: Float64
    estimate: Float64
    context: Float64


# --- kernels


@kernel
def collect(sentence: Sentence, model: Model, λ: Float64, limit: int) -> Options:
    """Return the options of a sentence, at most ``limit`` for each source phrase."""
    N = len(sentence.words)
    size = N * (MAX_PHRASE * limit + 1) + len(sentence.t_begin)
    ranked = Ranked(np.empty(size, np.int32), np.empty(size), np.empty(size), np.empty(size))
    start, end = np.empty(size, np.int32), np.empty(size, np.int32)
    begin = np.zeros(N * MAX_PHRASE + 1, np.int64)
    in_forced = _forced_words(sentence.forced_targets, len(model.lm_id))
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
                    n = _add_fixed(sentence, match, model, λ, ranked, n)
                elif match == FREE:
                    row = _find_row(model.table, key, sentence.words, i, k + 1)
                    is_known, n = _best_pairs(
                        sentence, in_forced, i, i + k, model, near, λ, row, limit, ranked, n
                    )
                    if k == 0 and not is_known:
                        score = λ[PHRASES] + λ[WORDS] + λ[UNKNOWN]
                        log_p, _ = lm_step(model.lm, ROOT, sentence.copied[i])
                        n = _insert(ranked, n, n, COPIED, score, score + λ[LM] * log_p, 0.0)
            for o in range(first, n):
                start[o], end[o] = i, i + k + 1
            begin[i * MAX_PHRASE + k + 1] = n
    words, target, w_begin = _spell(start[:n], ranked.pair, sentence, model)
    state, score_after, head, estimate_without_head = _in_isolation(
        words, w_begin, ranked.score, model.lm, λ
    )
    return Options(
        begin, start[:n], end[:n], ranked.pair[:n], ranked.score[:n], ranked.estimate[:n],
        ranked.context[:n], words, target, w_begin, *_reordering(ranked.pair[:n], model.table, λ),
        state, score_after, head, estimate_without_head,
    )  # fmt: skip


@inner
def _forced_words(targets: Int32, V: int) -> Bool:
    """Return which target ids occur in the given translations, (V,); (0,) if none are given."""
    in_forced = np.zeros(V if len(targets) > 0 else 0, np.bool_)
    for w in targets:
        if 0 <= w < V:
            in_forced[w] = True
    return in_forced


@lean
def _match(match: Int32, first: int, last: int) -> int:
    """Return the glossary match that is words first … last, else FREE or CUT."""
    m = match[first]
    for i in range(first, last + 1):
        if match[i] != m:
            return CUT
    extends = (first > 0 and match[first - 1] == m, last + 1 < len(match) and match[last + 1] == m)
    return CUT if m != FREE and (extends[0] or extends[1]) else m


@lean
def _insert(
    ranked: Ranked, first: int, n: int, pair: int, score: float, estimate: float, context: float
) -> int:
    """Insert an option into ``ranked[first:n]``, sorted by estimate; return the new n."""
    k = n
    while k > first and ranked.estimate[k - 1] < estimate:
        ranked.pair[k], ranked.score[k] = ranked.pair[k - 1], ranked.score[k - 1]
        ranked.estimate[k], ranked.context[k] = ranked.estimate[k - 1], ranked.context[k - 1]
        k -= 1
    ranked.pair[k], ranked.score[k] = pair, score
    ranked.estimate[k], ranked.context[k] = estimate, context
    return n + 1


@lean
def _add_fixed(sentence: Sentence, m: int, model: Model, λ: Float64, ranked: Ranked, n: int) -> int:
    """Insert the translations of a glossary match from index ``n`` on; return the new ``n``."""
    first = n
    for t in range(sentence.row[m], sentence.row[m + 1]):
        words = sentence.target[sentence.t_begin[t] : sentence.t_begin[t + 1]]
        score = guess = λ[PHRASES] + λ[WORDS] * len(words)
        state = ROOT
        for w in words:
            log_p, state = lm_step(model.lm, state, model.lm_id[w])
            guess += λ[LM] * log_p
        n = _insert(ranked, first, n, FIXED - t, score, guess, 0.0)
    return n


@lean
def _find_row(table: PhraseTable, key: np.uint64, sentence: Int32, i: int, length: int) -> int:
    """Return the row of the source phrase ``sentence[i : i + length]``, or −1.

    −1 also if it has an id of a special: in the table that is a word of the training text that is
    spelled like a special, here any unknown word.
    """
    row = int(np.searchsorted(table.key, key))
    if row == len(table.key) or table.key[row] != key:
        return -1
    begin = table.s_begin[row]
    if table.s_begin[row + 1] - begin != length:
        return -1
    for k in range(length):
        word = sentence[i + k]
        if word < FIRST_WORD or table.source[begin + k] != word:
            return -1
    return row


@lean
def _best_pairs(
    sentence: Sentence, in_forced: Bool, i: int, j: int, model: Model, near: tuple[Int64, Float32],
    λ: Float64, row: int, limit: int, ranked: Ranked, n: int,
) -> tuple[bool, int]:  # fmt: skip
    """Insert the best pairs of table row ``row`` for words i … j from index ``n`` on.

    Return (whether the row has a pair that keeps the verbatim words, the new ``n``). row: −1 = no
    such phrase; in_forced: see ``_forced_words``; near: see ``pair_score``.
    """
    table, first, is_known = model.table, n, False
    if row < 0:
        return is_known, n
    last = min(table.row[row + 1], table.row[row] + CANDIDATES * limit)
    for p in range(table.row[row], last):
        target = table.target[table.t_begin[p] : table.t_begin[p + 1]]
        if not _keeps_verbatim(sentence, i, j, target, model.code):
            continue
        is_known = True
        if len(in_forced) > 0 and not (
            in_forced[target[0]] and _occurs(target, sentence.forced_targets)
        ):
            continue
        score = λ[PHRASES] + λ[WORDS] * len(target)
        for f in range(PREVIOUS):
            score += λ[f] * table.features[p, f]
        context = pair_score(table, model.lexicon, sentence.words, near, i, j, p)
        score += λ[CONTEXT] * context
        full = n - first == limit
        guess, state = score, ROOT
        for w in target:
            if full and guess <= ranked.estimate[n - 1] and λ[LM] >= 0:
                break  # ln P ≤ 0: the estimate can only fall
            log_p, state = lm_step(model.lm, state, model.lm_id[w])
            guess += λ[LM] * log_p
        if full:
            if guess <= ranked.estimate[n - 1]:
                continue
            n -= 1
        n = _insert(ranked, first, n, p, score, guess, context)
    return is_known, n


@lean
def _keeps_verbatim(sentence: Sentence, i: int, j: int, target: Int32, code: Bool) -> bool:
    """Return whether ``target`` has all verbatim words of i … j and no additional code."""
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
    """Return whether the words ``part`` occur contiguously in ``whole``."""
    for i in range(len(whole)):
        if occurs_at(part, whole, i):
            return True
    return False


@lean
def occurs_at(part: Int32, whole: Int32, at: int) -> bool:
    """Return whether the words of ``whole`` from ``at`` on begin with ``part``."""
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
    """Return the words of each option as language model ids, as target ids, and ``w_begin``."""
    w_begin = np.zeros(len(start) + 1, np.int64)
    for o in range(len(start)):
        first, last = _word_range(pair[o], sentence, model.table)
        w_begin[o + 1] = w_begin[o] + last - first
    words, target = np.empty(w_begin[-1], np.int32), np.empty(w_begin[-1], np.int32)
    for o in range(len(start)):
        first, _ = _word_range(pair[o], sentence, model.table)
        for w in range(w_begin[o], w_begin[o + 1]):
            if pair[o] == COPIED:
                words[w], target[w] = sentence.copied[start[o]], -1 - start[o]
            else:
                text = model.table.target if pair[o] >= 0 else sentence.target
                target[w] = text[first + w - w_begin[o]]
                words[w] = model.lm_id[target[w]]
    return words, target, w_begin


@lean
def _word_range(pair: int, sentence: Sentence, table: PhraseTable) -> tuple[int, int]:
    """Return begin and end of an option's words in the table's or the sentence's ``target``."""
    if pair == COPIED:
        return 0, 1
    if pair <= FIXED:
        return sentence.t_begin[FIXED - pair], sentence.t_begin[FIXED - pair + 1]
    return table.t_begin[pair], table.t_begin[pair + 1]


@inner
def _reordering(pair: Int32, table: PhraseTable, λ: Float64) -> tuple[Float64, Float64, UInt64]:
    """Return ``previous``, ``next`` and ``kind`` of the options."""
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
def _in_isolation(
    words: Int32, w_begin: Int64, score: Float64, lm: Lm, λ: Float64
) -> tuple[Int32, Float64, Int32, Float64]:
    """Return ``state``, ``score_after``, ``head`` and ``estimate_without_head`` of the options."""
    state, log_p = np.empty(len(words), np.int32), np.empty(len(words))
    score_after = np.zeros(len(words))
    head, estimate_without_head = np.empty(len(w_begin) - 1, np.int32), np.empty(len(w_begin) - 1)
    for o in range(len(head)):
        lm_state = ROOT
        for w in range(w_begin[o], w_begin[o + 1]):
            log_p[w], lm_state = lm_step(lm, lm_state, words[w])
            state[w] = lm_state
        for w in range(w_begin[o + 1] - 1, w_begin[o], -1):
            score_after[w - 1] = score_after[w] + λ[LM] * log_p[w]
        head[o], estimate_without_head[o] = words[w_begin[o]], score[o] + score_after[w_begin[o]]
    return state, score_after, head, estimate_without_head


@kernel
def future_costs(begin: Int64, estimate: Float64, N: int) -> tuple[Float64, Float64]:
    """Return (future, to_end), the best estimates of covering words; −inf if it is impossible.

    ``future[i, k]``, (N + 1, WINDOW + 1): k words from i, k ≤ WINDOW; ``to_end[i]``, (N + 1,): all
    words from i on.
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
            for n_last in range(1, min(k, MAX_PHRASE) + 1 if i + k <= N else 1):
                value = future[i, k - n_last] + best[i + k - n_last, n_last]
                future[i, k] = max(future[i, k], value)
    to_end = np.zeros(N + 1)
    for i in range(N - 1, -1, -1):
        to_end[i] = -np.inf
        for n_first in range(1, min(N - i, MAX_PHRASE) + 1):
            to_end[i] = max(to_end[i], best[i, n_first] + to_end[i + n_first])
    return future, to_end
