"""Phrase-based beam search with cube pruning (Koehn et al. 2003; Huang & Chiang 2007).

A hypothesis translates some of the source words; each step appends the translation of one more span.
Its score is what the derivation has earned so far,

    Σ over phrases of Σ_k λ_k f_k(s̄, t̄)  +  λ_lm ln P_lm(y)  −  λ_d Σ |start of a span − end of the last|

Hypotheses that no future can tell apart are one (*recombination*): same words covered, same end of
the last span, same state of the language model. The worse ones stay as arcs, so that the hypothesis
graph holds every derivation that was looked at, for the n-best list.

Stack n holds the hypotheses that cover n words; the ``stack`` best by score + future cost live on.
To fill it, *edges* join a group of hypotheses (same coverage, same end) with the options of one
span; both sides are sorted, so the corner of that grid is its most promising cell. A queue over all
edges hands out the best cell, which opens its neighbours, ``pops`` times. With unlimited pops and
stack the search is exhaustive.

Coverage is the first gap and a 64-bit mask of what is covered behind it. A span may start at most
``limit`` words from the end of the last one, and may leave the first gap open only if it ends within
``limit`` words of it, so that the way back is always open: no hypothesis is a dead end. Work grows
linearly with the length of the sentence.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mtkit.smt.flat import Float64, Int32, Int64
from mtkit.smt.lm import EOS
from mtkit.smt.options import MAX_PHRASE, WINDOW, Lm, Options, Weights, future_costs, lm_next

MAX_LIMIT = WINDOW - MAX_PHRASE - 1

HYPOTHESIS = np.dtype(
    [
        ("score", np.float64),
        ("estimate", np.float64),  # score + future cost
        ("parent", np.int32),
        ("option", np.int32),  # the option appended to the parent
        ("gap", np.int32),  # first source word not covered
        ("end", np.int32),  # behind the last span
        ("covered", np.uint64),  # bit k: word gap + k is covered
        ("state", np.int32),  # of the language model
        ("next", np.int32),  # another arc into the same hypothesis, −1 = none
    ]
)
GROUP = np.dtype([("first", np.int32), ("size", np.int32), ("head", np.int32)])
EDGE = np.dtype(
    [
        ("first", np.int32),  # the group: ``kept[first : first + size]``
        ("size", np.int32),
        ("option", np.int32),  # the span's options: ``option`` and the ``options − 1`` behind it
        ("options", np.int32),
        ("start", np.int32),  # of the span
        ("gap", np.int32),  # after the span: see HYPOTHESIS
        ("end", np.int32),
        ("covered", np.uint64),
        ("rest", np.float64),  # future cost of what is not covered then
    ]
)
CELL = np.dtype(
    [
        ("estimate", np.float64),
        ("score", np.float64),
        ("edge", np.int32),
        ("row", np.int32),  # rank in the group
        ("column", np.int32),  # rank among the options
        ("state", np.int32),
    ]
)
Records = NDArray[np.void]


class Limits(NamedTuple):
    """How much is searched. distortion: words a span may be away from the last one's end."""

    stack: int = 100
    pops: int = 200
    distortion: int = 6


class Derivation(NamedTuple):
    """The options of one translation, in target order, and its score."""

    options: list[int]
    score: float


def search(
    N: int, options: Options, lm: Lm, begin: int, weights: Weights, limits: Limits
) -> Records:
    """The hypothesis graph of a sentence of N > 0 words, HYPOTHESIS (n,).

    Row 0 is the start, row 1 the goal, of which all complete hypotheses are arcs. ``begin`` is the
    language model's state after ``<s>``.
    """
    limit = min(limits.distortion, MAX_LIMIT) if limits.distortion >= 0 else MAX_LIMIT
    future, rest = future_costs(options.begin, options.estimate, N)
    bounds = (limits.stack, limits.pops, limit)
    return _search(N, options, lm, begin, weights.lm, weights.distortion, bounds, future, rest)


def derivations(graph: Records) -> Iterator[Derivation]:
    """All derivations of the graph, best first (A* backwards from the goal).

    A partial derivation is the tail behind a hypothesis; the hypothesis's own score is exactly the
    best that can stand before it, so that tails come off the queue in order of their best whole.
    """
    score, parent, option, arc = (
        graph[name].tolist() for name in ("score", "parent", "option", "next")
    )
    queue: list[tuple[float, int, int, tuple[int, ...]]] = []
    pushed = 0

    def push_arcs(hypothesis: int, above: float, tail: tuple[int, ...]) -> None:
        """``above``: what the tail adds to the score of ``hypothesis``."""
        nonlocal pushed
        while hypothesis >= 0:
            total = score[hypothesis] + above
            heapq.heappush(queue, (-total, pushed, hypothesis, tail))
            pushed += 1
            hypothesis = arc[hypothesis]

    push_arcs(1, 0.0, ())
    while queue:
        negative, _, hypothesis, tail = heapq.heappop(queue)
        tail = (option[hypothesis], *tail)
        before = parent[hypothesis]
        if before == 0:
            yield Derivation(list(tail), -negative)
        else:
            push_arcs(before, -negative - score[before], tail)


# --- kernels


@njit(cache=True, nogil=True)
def _search(N, options, lm, begin, w_lm, w_distortion, bounds, future, rest):  # type: ignore[no-untyped-def]
    stack, pops, limit = bounds
    graph = np.empty(N * pops + 2, HYPOTHESIS)
    _set(graph, 0, 0.0, rest[0], -1, -1, 0, 0, np.uint64(0), begin)
    n_graph = 2  # row 1 is kept for the goal
    kept = np.zeros(N * stack + 1, np.int32)  # living hypotheses, by stack and group
    groups = np.empty(N * stack + 1, GROUP)
    groups[0].first, groups[0].size, groups[0].head = 0, 1, 0
    group_begin = np.zeros(N + 2, np.int64)  # groups of stack n: group_begin[n : n + 2]
    group_begin[1] = 1
    n_kept = 1
    heads = np.empty(pops + 1, np.int32)
    slots = np.empty(_power_of_two(2 * pops + 2), np.int32)
    for n in range(1, N + 1):
        edges = _edges(n, N, graph, groups, group_begin, options, limit, future, rest)
        cells = np.empty(len(edges) + 2 * pops, CELL)
        queue = np.empty(len(cells), np.int32)  # a binary heap of cells, the best in front
        size, n_cells = 0, len(edges)
        for e in range(len(edges)):
            _score(cells, e, edges, e, 0, 0, graph, kept, options, lm, w_lm, w_distortion, N)
            size = _push(queue, size, cells, e)
        slots[:] = -1
        n_heads = 0
        for _ in range(pops):
            if size == 0:
                break
            cell = cells[queue[0]]
            size = _pop(queue, size, cells)
            e, row, column = cell.edge, cell.row, cell.column
            edge, at = edges[e], n_graph
            _set(graph, at, cell.score, cell.estimate, kept[edge.first + row],
                 edge.option + column, edge.gap, edge.end, edge.covered, cell.state)  # fmt: skip
            n_graph += 1
            if n == N:  # nothing comes after: all complete hypotheses are the goal
                graph[at].state, graph[at].end = 0, N
            if _recombine(graph, at, slots):
                heads[n_heads] = at
                n_heads += 1
            for right in range(2):  # each cell is opened once: from its left, or from above
                if right and column + 1 < edge.options:
                    r, c = row, column + 1
                elif not right and column == 0 and row + 1 < edge.size:
                    r, c = row + 1, 0
                else:
                    continue
                _score(cells, n_cells, edges, e, r, c, graph, kept, options, lm, w_lm,
                       w_distortion, N)  # fmt: skip
                size = _push(queue, size, cells, n_cells)
                n_cells += 1
        if n < N:
            first = group_begin[n]
            last, n_kept = _keep(graph, heads[:n_heads], stack, kept, n_kept, groups, first)
            group_begin[n + 1] = last
        else:
            graph[1] = graph[heads[0]]
    return graph[:n_graph].copy()


@njit(cache=True, nogil=True)
def _set(graph, at, score, estimate, parent, option, gap, end, covered, state):  # type: ignore[no-untyped-def]
    h = graph[at]
    h.score, h.estimate, h.parent, h.option = score, estimate, parent, option
    h.gap, h.end, h.covered, h.state, h.next = gap, end, covered, state, -1


@njit(cache=True, nogil=True)
def _power_of_two(n: int) -> int:
    power = 1
    while power < n:
        power *= 2
    return power


@njit(cache=True, nogil=True)
def _edges(n, N, graph, groups, group_begin, options, limit, future, rest):  # type: ignore[no-untyped-def]
    """Every group of an earlier stack with every span that leads from it to stack ``n``."""
    lowest = max(0, n - MAX_PHRASE)
    n_groups = group_begin[n] - group_begin[lowest]
    edges = np.empty(n_groups * (2 * limit + 2), EDGE)
    count = 0
    for m in range(lowest, n):
        length = n - m
        for g in range(group_begin[m], group_begin[m + 1]):
            head = graph[groups[g].head]
            first = max(head.gap, head.end - limit)
            for start in range(first, min(N - length, head.end + limit) + 1):
                span = start * MAX_PHRASE + length - 1
                n_options = options.begin[span + 1] - options.begin[span]
                if n_options == 0:
                    continue
                if start > head.gap and start + length - head.gap > limit:
                    continue
                bits = ((np.uint64(1) << np.uint64(length)) - np.uint64(1)) << np.uint64(
                    start - head.gap
                )
                if bits & head.covered:
                    continue
                edge = edges[count]
                edge.first, edge.size = groups[g].first, groups[g].size
                edge.option, edge.options = options.begin[span], n_options
                edge.start, edge.end = start, start + length
                covered, gap = head.covered | bits, head.gap
                while covered & np.uint64(1):
                    covered >>= np.uint64(1)
                    gap += 1
                edge.gap, edge.covered = gap, covered
                edge.rest = _future(gap, covered, future, rest)
                count += 1
    return edges[:count]


@njit(cache=True, nogil=True)
def _future(gap, covered, future, rest):  # type: ignore[no-untyped-def]
    """The future cost of all gaps: each run of uncovered words, then the open end."""
    total, at = 0.0, gap
    while covered:
        run = 0
        while not covered & np.uint64(1):
            covered >>= np.uint64(1)
            run += 1
        total += future[at, run]
        at += run
        while covered & np.uint64(1):
            covered >>= np.uint64(1)
            at += 1
    return total + rest[at]


@njit(cache=True, nogil=True)
def _score(cells, at, edges, e, row, column, graph, kept, options, lm, w_lm, w_distortion, N):  # type: ignore[no-untyped-def]
    """Fill cell ``at``: row ``row`` of the edge's group with its option ``column``."""
    edge = edges[e]
    before = graph[kept[edge.first + row]]
    option = edge.option + column
    score = before.score + options.score[option] - w_distortion * abs(edge.start - before.end)
    state = before.state
    for w in range(options.w_begin[option], options.w_begin[option + 1]):
        log_p, state = lm_next(lm, state, options.words[w])
        score += w_lm * log_p
    if edge.gap == N:
        log_p, state = lm_next(lm, state, EOS)
        score += w_lm * log_p
    cell = cells[at]
    cell.score, cell.estimate, cell.state = score, score + edge.rest, state
    cell.edge, cell.row, cell.column = e, row, column


@njit(cache=True, nogil=True)
def _push(queue, size, cells, new):  # type: ignore[no-untyped-def]
    """Put cell ``new`` into the heap; its new size."""
    at = size
    while at > 0:
        above = (at - 1) // 2
        if cells[queue[above]].estimate >= cells[new].estimate:
            break
        queue[at] = queue[above]
        at = above
    queue[at] = new
    return size + 1


@njit(cache=True, nogil=True)
def _pop(queue, size, cells):  # type: ignore[no-untyped-def]
    """Remove the best cell, ``queue[0]``; the new size."""
    size -= 1
    last, at = queue[size], 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and cells[queue[child + 1]].estimate > cells[queue[child]].estimate:
            child += 1
        if cells[last].estimate >= cells[queue[child]].estimate:
            break
        queue[at] = queue[child]
        at = child
    queue[at] = last
    return size


@njit(cache=True, nogil=True)
def _recombine(graph, at, slots):  # type: ignore[no-untyped-def]
    """Make row ``at`` an arc of the equal hypothesis in ``slots``; True if it is the first such.

    The head of the arcs is always the best of them and keeps its row.
    """
    new = graph[at]
    key = new.covered * np.uint64(0x9E3779B97F4A7C15)
    key ^= np.uint64(new.gap) * np.uint64(0xBF58476D1CE4E5B9)
    key ^= np.uint64(new.end) * np.uint64(0x94D049BB133111EB)
    key ^= np.uint64(new.state) * np.uint64(0xD6E8FEB86659FD93)
    mask = np.uint64(len(slots) - 1)
    slot = (key ^ (key >> np.uint64(32))) & mask
    while slots[slot] >= 0:
        old = graph[slots[slot]]
        if (
            old.covered == new.covered
            and old.gap == new.gap
            and old.end == new.end
            and old.state == new.state
        ):
            if new.score > old.score:
                _swap(graph, slots[slot], at)
            new.next = old.next
            old.next = at
            return False
        slot = (slot + np.uint64(1)) & mask
    slots[slot] = at
    return True


@njit(cache=True, nogil=True)
def _swap(graph, a, b):  # type: ignore[no-untyped-def]
    """Exchange where two equal hypotheses came from."""
    x, y = graph[a], graph[b]
    x.score, y.score = y.score, x.score
    x.estimate, y.estimate = y.estimate, x.estimate
    x.parent, y.parent = y.parent, x.parent
    x.option, y.option = y.option, x.option


@njit(cache=True, nogil=True)
def _keep(graph, heads, stack, kept, n_kept, groups, n_groups):  # type: ignore[no-untyped-def]
    """Keep the ``stack`` best heads, in groups of equal coverage and end; the new counts."""
    estimates = np.empty(len(heads))
    for k in range(len(heads)):
        estimates[k] = -graph[heads[k]].estimate
    order = np.argsort(estimates, kind="mergesort")[:stack]
    group_of = np.empty(len(order), np.int64)
    first = n_groups
    for k in range(len(order)):
        new = graph[heads[order[k]]]
        g = first
        while g < n_groups:
            old = graph[groups[g].head]
            if old.covered == new.covered and old.gap == new.gap and old.end == new.end:
                break
            g += 1
        if g == n_groups:
            groups[g].head, groups[g].size = heads[order[k]], 0
            n_groups += 1
        groups[g].size += 1
        group_of[k] = g
    for g in range(first, n_groups):
        groups[g].first = n_kept
        n_kept += groups[g].size
    filled = np.zeros(n_groups - first, np.int32)
    for k in range(len(order)):
        g = group_of[k]
        kept[groups[g].first + filled[g - first]] = heads[order[k]]
        filled[g - first] += 1
    return n_groups, n_kept
