"""A hypothesis of the search: what it has earned, how it grows by a phrase, and which are one.

A hypothesis translates some of the source words; each step appends the translation of one more
span. Its score is what the derivation has earned so far,

    Σ_phrases Σ_k λ_k f_k(s̄, t̄)  +  λ_lm ln P_lm(y)  −  λ_d Σ |start of a span − end of the last|
    + Σ_phrases λ_previous,o ln P(o | s̄, t̄)  +  Σ_phrases but the last λ_next,o′ ln P(o′ | s̄, t̄)

o is the phrase's orientation towards the phrase before it: monotone if its span begins where the
last one ends, swap if it ends where the last one begins, else discontinuous; the first phrase's is
that towards an empty span in front of the sentence. o′ is the orientation of the phrase behind it
(Koehn et al. 2005, "Edinburgh System Description"; Moses's msd-bidirectional-fe).

Hypotheses that no future can tell apart are one (*recombination*): same words covered, same end of
the last span, same start if the word before it can still become a swap, same λ_next ln P, same
state of the language model. The worse ones stay as arcs, so that the hypothesis graph holds every
derivation that was looked at, for the n-best list.

The estimate of a hypothesis adds what the rest will cost: of each gap the best that its options are
worth (``future_costs``), and the jumps of going through the gaps from left to right (Moore & Quirk
2007, "Faster Beam-Search Decoding for Phrasal SMT"). Without the latter a hypothesis that has left
a gap behind looks better than one that has closed it, until it has to go back.

Coverage is the first gap and a 64-bit mask of what is covered behind it. A span may start at most
``limit`` words from the end of the last one, and may leave the first gap open only if it ends
within ``limit`` words of it, so that the way back is always open: no hypothesis is a dead end. Work
grows linearly with the length of the sentence.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.flat import Float64, Int32
from mtkit.smt.kernels import lean
from mtkit.smt.language_model.ngrams import LM_EOS, Lm, lm_ask, no_answers
from mtkit.smt.phrases.extract import MAX_PHRASE, hash_word
from mtkit.smt.phrases.reorder import DISCONTINUOUS, MONOTONE, SWAP
from mtkit.smt.search.features import DISTORTION, LM, PHRASES, PREVIOUS
from mtkit.smt.search.options import WINDOW, Options, future_costs

MAX_LIMIT = WINDOW - MAX_PHRASE - 1

HYPOTHESIS = np.dtype(
    [
        ("score", np.float64),
        ("estimate", np.float64),  # score + future cost
        ("parent", np.int32),
        ("option", np.int32),  # the option appended to the parent
        ("gap", np.int32),  # first source word not covered
        ("start", np.int32),  # of the last span if a swap with it is still possible, else −1
        ("end", np.int32),  # behind the last span
        ("state", np.int32),  # of the language model
        ("covered", np.uint64),  # bit k: word gap + k is covered
        ("kind", np.uint64),  # of the option: see Options
        ("next", np.int32),  # another arc into the same hypothesis, −1 = none
    ]
)
EDGE = np.dtype(
    [
        ("first", np.int32),  # the group: ``kept[first : first + size]``
        ("size", np.int32),
        ("option", np.int32),  # the span's options: ``option`` and the ``options − 1`` behind it
        ("options", np.int32),
        ("orientation", np.int32),  # of the span towards the group's last one
        ("gap", np.int32),  # after the span: see HYPOTHESIS
        ("start", np.int32),
        ("end", np.int32),
        ("covered", np.uint64),
        ("jump", np.float64),  # −λ_d times the distance from the group's end
        ("rest", np.float64),  # future cost of what is not covered then, and of the way there
    ]
)
Records = NDArray[Any]  # of one of these types
Row = Any  # one of them


class Task(NamedTuple):
    """What all kernels of one search share: a sentence of N words and its ``future_costs``."""

    N: int
    options: Options
    lm: Lm
    begin: int
    answers: Records  # of the language model: see ``lm_ask``
    λ: Float64  # (F,)
    reorders: bool  # whether any orientation has a weight
    limit: int  # words
    future: Float64  # (N + 1, WINDOW + 1)
    rest: Float64  # (N + 1,)


def task_of(N: int, options: Options, lm: Lm, begin: int, λ: Float64, limit: int) -> Task:
    """The task of a search that may jump ``limit`` words, any number if that is negative."""
    limit = min(limit, MAX_LIMIT) if limit >= 0 else MAX_LIMIT
    costs = future_costs(options.begin, options.estimate, N)
    reorders = bool(λ[PREVIOUS:PHRASES].any())
    return Task(N, options, lm, begin, no_answers(), λ, reorders, limit, *costs)


# --- kernels


@lean
def orientation(start: int, end: int, last_start: int, last_end: int) -> int:
    """That of a phrase whose span is start : end after one of last_start : last_end."""
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
    """Whether a hypothesis may go on with a span of the source."""
    if start < head.gap or abs(start - head.end) > task.limit:
        return False
    if start > head.gap and end - head.gap > task.limit:
        return False  # no way back to the gap
    return bool(_bits(start, end, head.gap) & head.covered == 0)


@lean
def _bits(start: int, end: int, gap: int) -> np.uint64:
    """The mask of a span, counted from the first gap."""
    ones = (np.uint64(1) << np.uint64(end - start)) - np.uint64(1)
    return ones << np.uint64(start - gap)


@lean
def lead(task: Task, edge: Row, head: Row, start: int, end: int) -> None:
    """Make ``edge`` lead from a hypothesis that the span fits to what it covers then."""
    edge.orientation = orientation(start, end, head.start, head.end)
    edge.jump = -task.λ[DISTORTION] * abs(start - head.end)
    gap, covered = head.gap, head.covered | _bits(start, end, head.gap)
    while covered & np.uint64(1):
        covered >>= np.uint64(1)
        gap += 1
    edge.gap, edge.covered = gap, covered
    edge.rest = _rest(task, gap, end, covered)
    # Of the span's start and end only what the future can feel.
    edge.start, edge.end = -1, end
    before = start - 1 - gap  # of the word that a swap would end with
    if gap == task.N:
        edge.end = task.N  # nothing comes after: all complete hypotheses are the goal
    elif task.reorders and before >= 0 and not covered >> np.uint64(before) & np.uint64(1):
        edge.start = start


@lean
def _rest(task: Task, gap: int, end: int, covered: np.uint64) -> float:
    """The future cost of every gap, and of the jumps if they are filled from left to right."""
    total, at, jumps = 0.0, gap, abs(end - gap) if gap < task.N else 0
    while covered:
        gap = at
        while not covered & np.uint64(1):
            covered >>= np.uint64(1)
            at += 1
        total += task.future[gap, at - gap]
        block = at
        while covered & np.uint64(1):
            covered >>= np.uint64(1)
            at += 1
        if at < task.N:
            jumps += at - block
    return float(total + task.rest[at] - task.λ[DISTORTION] * jumps)


@lean
def extend(task: Task, edge: Row, parent: int, option: int, graph: Records, at: int) -> None:
    """Make row ``at`` the hypothesis ``parent`` with ``option`` appended."""
    options, before, new, o = task.options, graph[parent], graph[at], edge.orientation
    score = before.score + options.score[option] + edge.jump
    score += options.next[before.option, o] + options.previous[option, o]
    state = before.state
    if task.λ[LM] != 0:
        for w in range(options.w_begin[option], options.w_begin[option + 1]):
            log_p, state = lm_ask(task.lm, state, options.words[w], task.answers)
            score += task.λ[LM] * log_p
            if state == options.state[w]:  # from here on the words before make no difference
                score += options.behind[w]
                state = options.state[options.w_begin[option + 1] - 1]
                break
        if edge.gap == task.N:
            log_p, state = lm_ask(task.lm, state, LM_EOS, task.answers)
            score += task.λ[LM] * log_p
    new.score, new.estimate, new.parent, new.option = score, score + edge.rest, parent, option
    new.gap, new.start, new.end, new.covered = edge.gap, edge.start, edge.end, edge.covered
    new.state, new.kind, new.next = state, options.kind[option], -1
    if edge.gap == task.N:
        new.state, new.kind = 0, np.uint64(0)


@lean
def slot_of(graph: Records, at: int, slots: Int32, whole: bool) -> np.uint64:
    """Where in the hash table ``slots`` a row equal to ``at`` stands, or a free place for it.

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
    """Make row ``at`` an arc of the equal hypothesis in ``slots``; True if it is the first such.

    The head of the arcs is always the best of them and keeps its row.
    """
    slot = slot_of(graph, at, slots, True)
    if slots[slot] < 0:
        slots[slot] = at
        return True
    old, new = graph[slots[slot]], graph[at]
    if new.score > old.score:  # exchange where they came from
        old.score, new.score = new.score, old.score
        old.estimate, new.estimate = new.estimate, old.estimate
        old.parent, new.parent = new.parent, old.parent
        old.option, new.option = new.option, old.option
    new.next = old.next
    old.next = at
    return False
