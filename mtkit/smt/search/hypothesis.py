"""Hypotheses of the search: their score, their extension by a phrase, and recombination.

A hypothesis translates some of the source words. Each step appends the translation of one more
span. Its score is that of the derivation so far,

    Σ_phrases Σ_k λ_k f_k(s̄, t̄)  +  λ_lm ln P_lm(y)  −  λ_d Σ |start of a span − end of the last|
    + Σ_phrases λ_previous,o ln P(o | s̄, t̄)  +  Σ_phrases but the last λ_next,o′ ln P(o′ | s̄, t̄)

o is the phrase's orientation towards the phrase before it: monotone if its span begins where the
last one ends, swap if it ends where the last one begins, else discontinuous. The first phrase is
compared with an empty span before the sentence. o′ is the orientation of the phrase after it
(Koehn et al. 2005, "Edinburgh System Description"; Moses's msd-bidirectional-fe).

*Recombination* merges hypotheses whose future scores are the same: same words covered, same end of
the last span, same start of it if a swap with it is still possible, same λ_next ln P, same language
model state. The worse ones stay as arcs, so that the hypothesis graph contains every derivation
that was generated, for the n-best list.

The estimate of a hypothesis adds the future cost: for each gap the best estimate of its options
(``future_costs``), and the jumps of filling the gaps from left to right (Moore & Quirk 2007,
"Faster Beam-Search Decoding for Phrasal SMT"). Without the jumps, a hypothesis that leaves a gap
behind looks better than one that closes it, until it has to go back.

Coverage is stored as the first gap and a 64-bit mask of the words after it. A span may start at
most ``limit`` words from the end of the last one. It may leave the first gap open only if it ends
within ``limit`` words of that gap, so that the search can always go back: there are no dead ends.
The work grows linearly with the length of the sentence.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Float64, Int32
from mtkit.smt.kernels import lean
from mtkit.smt.language_model.ngrams import LM_EOS, Lm, empty_cache, lm_step_cached
from mtkit.smt.phrases.extract import MAX_PHRASE, hash_word
from mtkit.smt.phrases.reorder import DISCONTINUOUS, MONOTONE, SWAP
from mtkit.smt.search.features import DISTORTION, LM, PHRASES, PREVIOUS
from mtkit.smt.search.options import WINDOW, Options, future_costs

MAX_DISTORTION = WINDOW - MAX_PHRASE - 1

HYPOTHESIS = np.dtype(
    [
        ("score", np.float64),
        ("estimate", np.float64),  # score + future cost
        ("parent", np.int32),
        ("option", np.int32),  # the option appended to the parent
        ("gap", np.int32),  # first source word not covered
        ("start", np.int32),  # of the last span if a swap with it is still possible, else −1
        ("end", np.int32),  # of the last span, exclusive
        ("state", np.int32),  # of the language model
        ("covered", np.uint64),  # bit k: word gap + k is covered
        ("kind", np.uint64),  # of the last option: see Options
        ("next", np.int32),  # another arc into the same hypothesis, −1 = none
    ]
)
EDGE = np.dtype(
    [
        ("first", np.int32),  # the group's hypotheses are ``kept[first : first + size]``
        ("size", np.int32),
        ("option", np.int32),  # the span's options: ``options`` many, from ``option`` on
        ("options", np.int32),
        ("orientation", np.int32),  # of the span towards the last span of the group
        ("gap", np.int32),  # after the span: see HYPOTHESIS
        ("start", np.int32),
        ("end", np.int32),
        ("covered", np.uint64),
        ("jump", np.float64),  # −λ_d times the distance from the group's end
        ("future_cost", np.float64),  # future cost of what is not covered then, jumps included
    ]
)
Records = NDArray[Any]  # structured array of one of these types
Row = Any  # an element of such an array


class Task(NamedTuple):
    """What the kernels of a search share: a sentence of N words and its ``future_costs``."""

    N: int
    options: Options
    lm: Lm
    begin: int
    lm_cache: Records  # cache of the language model: see ``lm_step_cached``
    λ: Float64  # (F,)
    reorders: bool  # whether any orientation has a weight
    limit: int  # distortion limit, words
    future: Float64  # (N + 1, WINDOW + 1)
    future_to_end: Float64  # (N + 1,)


def task_of(N: int, options: Options, lm: Lm, begin: int, λ: Float64, limit: int) -> Task:
    """Return the task of a search with distortion ``limit``, at most MAX_DISTORTION words.

    A negative limit stands for MAX_DISTORTION. begin: the language model's state before the first
    word.
    """
    limit = min(limit, MAX_DISTORTION) if limit >= 0 else MAX_DISTORTION
    costs = future_costs(options.begin, options.estimate, N)
    reorders = bool(λ[PREVIOUS:PHRASES].any())
    return Task(N, options, lm, begin, empty_cache(), λ, reorders, limit, *costs)


# --- kernels


@lean
def orientation(start: int, end: int, last_start: int, last_end: int) -> int:
    """Return the orientation of span start : end after span last_start : last_end."""
    if start == last_end:
        return MONOTONE
    return SWAP if end == last_start else DISCONTINUOUS


@lean
def make_root(start: Row, state: int) -> None:
    """Make ``start`` the hypothesis that covers nothing."""
    start.score, start.estimate, start.parent, start.option, start.next = 0.0, 0.0, -1, -1, -1
    start.gap, start.start, start.end, start.state = 0, -1, 0, state
    start.covered = start.kind = np.uint64(0)


@lean
def fits(task: Task, head: Row, start: int, end: int) -> bool:
    """Return whether a hypothesis may be extended by the source span start : end."""
    if start < head.gap or abs(start - head.end) > task.limit:
        return False
    if start > head.gap and end - head.gap > task.limit:
        return False  # the gap could not be reached again
    return bool(_span_mask(start, end, head.gap) & head.covered == 0)


@lean
def _span_mask(start: int, end: int, gap: int) -> np.uint64:
    """Return the mask of a span, counted from the first gap."""
    ones = (np.uint64(1) << np.uint64(end - start)) - np.uint64(1)
    return ones << np.uint64(start - gap)


@lean
def fill_edge(task: Task, edge: Row, head: Row, start: int, end: int) -> None:
    """Fill in ``edge``: the extension of ``head`` by a span that ``fits``."""
    edge.orientation = orientation(start, end, head.start, head.end)
    edge.jump = -task.λ[DISTORTION] * abs(start - head.end)
    gap, covered = head.gap, head.covered | _span_mask(start, end, head.gap)
    while covered & np.uint64(1):
        covered >>= np.uint64(1)
        gap += 1
    edge.gap, edge.covered = gap, covered
    edge.future_cost = _future_cost(task, gap, end, covered)
    # Keep only as much of the span's start and end as future scores depend on.
    edge.start, edge.end = -1, end
    swap_bit = start - 1 - gap  # bit of the word that a swap would end with
    if gap == task.N:
        edge.end = task.N  # complete: all such hypotheses recombine into the goal
    elif task.reorders and swap_bit >= 0 and not covered >> np.uint64(swap_bit) & np.uint64(1):
        edge.start = start


@lean
def _future_cost(task: Task, gap: int, end: int, covered: np.uint64) -> float:
    """Return the future cost of every gap and of the jumps to fill them from left to right."""
    total, i, jumps = 0.0, gap, abs(end - gap) if gap < task.N else 0
    while covered:
        gap = i
        while not covered & np.uint64(1):
            covered >>= np.uint64(1)
            i += 1
        total += task.future[gap, i - gap]
        block = i
        while covered & np.uint64(1):
            covered >>= np.uint64(1)
            i += 1
        if i < task.N:
            jumps += i - block
    return float(total + task.future_to_end[i] - task.λ[DISTORTION] * jumps)


@lean
def extend(task: Task, edge: Row, parent: int, option: int, graph: Records, at: int) -> None:
    """Make row ``at`` the hypothesis ``parent`` with ``option`` appended."""
    options, before, new, o = task.options, graph[parent], graph[at], edge.orientation
    score = before.score + options.score[option] + edge.jump
    score += options.next[before.option, o] + options.previous[option, o]
    state = before.state
    if task.λ[LM] != 0:
        for w in range(options.w_begin[option], options.w_begin[option + 1]):
            log_p, state = lm_step_cached(task.lm, state, options.words[w], task.lm_cache)
            score += task.λ[LM] * log_p
            if state == options.state[w]:  # the rest scores as in isolation
                score += options.score_after[w]
                state = options.state[options.w_begin[option + 1] - 1]
                break
        if edge.gap == task.N:
            log_p, state = lm_step_cached(task.lm, state, LM_EOS, task.lm_cache)
            score += task.λ[LM] * log_p
    new.score, new.estimate = score, score + edge.future_cost
    new.parent, new.option = parent, option
    new.gap, new.start, new.end, new.covered = edge.gap, edge.start, edge.end, edge.covered
    new.state, new.kind, new.next = state, options.kind[option], -1
    if edge.gap == task.N:
        new.state, new.kind = 0, np.uint64(0)


@lean
def slot_of(graph: Records, at: int, slots: Int32, whole: bool) -> np.uint64:
    """Return the slot of the hash table ``slots`` with a row equal to ``at``, or a free slot.

    whole: equal as hypotheses; otherwise as members of one group.
    """
    new = graph[at]
    key = hash_word(new.covered, (new.gap << 40) ^ (new.start << 20) ^ new.end)
    if whole:
        key = hash_word(key ^ new.kind, new.state)
    mask = np.uint64(len(slots) - 1)
    slot = key & mask
    while slots[slot] >= 0:
        old = graph[slots[slot]]
        if (
            old.covered == new.covered
            and old.gap == new.gap
            and old.start == new.start
            and old.end == new.end
            and (not whole or (old.state == new.state and old.kind == new.kind))
        ):
            break
        slot = (slot + np.uint64(1)) & mask
    return slot


@lean
def recombine(graph: Records, at: int, slots: Int32) -> bool:
    """Make row ``at`` an arc of the equal hypothesis in ``slots``; return True if there is none.

    The head of a list of arcs is always its best hypothesis and keeps its row.
    """
    slot = slot_of(graph, at, slots, True)
    if slots[slot] < 0:
        slots[slot] = at
        return True
    old, new = graph[slots[slot]], graph[at]
    if new.score > old.score:  # exchange the contents: the head stays the best
        old.score, new.score = new.score, old.score
        old.estimate, new.estimate = new.estimate, old.estimate
        old.parent, new.parent = new.parent, old.parent
        old.option, new.option = new.option, old.option
    new.next = old.next
    old.next = at
    return False
