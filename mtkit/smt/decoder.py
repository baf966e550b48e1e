"""Phrase-based beam search with cube pruning (Koehn et al. 2003; Huang & Chiang 2007).

A hypothesis translates some of the source words; each step appends the translation of one more
span. Its score is what the derivation has earned so far,

    Σ_phrases Σ_k λ_k f_k(s̄, t̄)  +  λ_lm ln P_lm(y)  −  λ_d Σ |start of a span − end of the last|

Hypotheses that no future can tell apart are one (*recombination*): same words covered, same end of
the last span, same state of the language model. The worse ones stay as arcs, so that the hypothesis
graph holds every derivation that was looked at, for the n-best list.

Stack n holds the hypotheses that cover n words; the ``stack`` best by score + future cost live on.
To fill it, *edges* join a group of hypotheses (same coverage, same end) with the options of one
span; both sides are sorted, so the corner of that grid is its most promising cell. A queue over all
edges hands out the best cell, which opens its neighbours, ``pops`` times. With unlimited pops and
stack the search is exhaustive.

Coverage is the first gap and a 64-bit mask of what is covered behind it. A span may start at most
``limit`` words from the end of the last one, and may leave the first gap open only if it ends
within ``limit`` words of it, so that the way back is always open: no hypothesis is a dead end. Work
grows linearly with the length of the sentence.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mtkit.smt.flat import Float64
from mtkit.smt.lm import EOS, Lm, lm_step
from mtkit.smt.options import WINDOW, Options, Weights, future_costs
from mtkit.smt.phrases import MAX_PHRASE

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


class Task(NamedTuple):
    """What all kernels of one search share: a sentence of N words and its ``future_costs``."""

    N: int
    options: Options
    lm: Lm
    begin: int
    lm_weight: float
    distortion_weight: float
    limit: int
    future: Float64
    rest: Float64


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
    costs = future_costs(options.begin, options.estimate, N)
    task = Task(N, options, lm, begin, weights.lm, weights.distortion, limit, *costs)
    graph: Records = _search(task, limits.stack, limits.pops)
    return graph


def derivations(graph: Records) -> Iterator[Derivation]:
    """All derivations of the graph, best first.

    The best way to a hypothesis is its chain of parents. Each hypothesis that was recombined with
    one of that chain begins another derivation: what it scores less, the whole scores less.
    """
    score, parent, option, arc = (
        graph[name].tolist() for name in ("score", "parent", "option", "next")
    )
    queue: list[tuple[float, int, int, tuple[int, ...]]] = []

    def push(hypothesis: int, above: float, tail: tuple[int, ...]) -> None:
        """Queue ``hypothesis`` and its arcs; the options ``tail`` behind them add ``above``."""
        while hypothesis >= 0:
            heapq.heappush(queue, (-score[hypothesis] - above, len(tail), hypothesis, tail))
            hypothesis = arc[hypothesis]

    push(1, 0.0, ())
    while queue:
        negative, _, hypothesis, tail = heapq.heappop(queue)
        while hypothesis > 0:
            tail = (option[hypothesis], *tail)
            hypothesis = parent[hypothesis]
            push(arc[hypothesis], -negative - score[hypothesis], tail)
        yield Derivation(list(tail), -negative)


# --- kernels


@njit(cache=True, nogil=True)
def _search(task, stack, pops):  # type: ignore[no-untyped-def]
    N = task.N
    graph = np.empty(N * pops + 2, HYPOTHESIS)
    _set(graph, 0, 0.0, task.rest[0], -1, -1, 0, 0, np.uint64(0), task.begin)
    size = 2  # row 1 is kept for the goal
    kept = np.zeros(N * stack + 1, np.int32)  # living hypotheses, by stack and group
    groups = np.empty(N * stack + 1, GROUP)
    groups[0].first, groups[0].size, groups[0].head = 0, 1, 0
    group_begin = np.zeros(N + 2, np.int64)  # groups of stack n: group_begin[n : n + 2]
    group_begin[1] = n_kept = 1
    heads = np.empty(pops, np.int32)
    slots = np.empty(_power_of_two(2 * pops), np.int32)
    for n in range(1, N + 1):
        edges = _edges(task, n, graph, groups, group_begin)
        slots[:] = -1
        size, n_heads = _fill(task, edges, pops, graph, size, kept, heads, slots)
        group_begin[n + 1], n_kept = _keep(
            graph, heads[:n_heads], stack, kept, n_kept, groups, group_begin[n]
        )
    goal = graph[heads[0]]
    _set(graph, 1, goal.score, goal.score, goal.parent, goal.option, N, N, np.uint64(0), 0)
    graph[1].next = goal.next
    return graph[:size].copy()


@njit(cache=True, nogil=True)
def _fill(task, edges, pops, graph, size, kept, heads, slots):  # type: ignore[no-untyped-def]
    """Hand out the ``pops`` best cells of all edges as hypotheses; the graph's size, new heads."""
    cells = np.empty(len(edges) + 2 * pops, CELL)
    queue = np.empty(len(cells), np.int32)  # a binary heap of cells, the best in front
    waiting, n_cells, n_heads = 0, len(edges), 0
    for e in range(len(edges)):
        _score(task, cells[e], edges, e, 0, 0, graph, kept)
        waiting = _push(queue, waiting, cells, e)
    for _ in range(pops):
        if waiting == 0:
            break
        cell = cells[queue[0]]
        waiting = _pop(queue, waiting, cells)
        edge, row, column = edges[cell.edge], cell.row, cell.column
        parent, option = kept[edge.first + row], edge.option + column
        end, state = edge.end, cell.state
        if edge.gap == task.N:  # nothing comes after: all complete hypotheses are the goal
            end, state = task.N, 0
        _set(graph, size, cell.score, cell.estimate, parent, option, edge.gap, end,
             edge.covered, state)  # fmt: skip
        if _recombine(graph, size, slots):
            heads[n_heads] = size
            n_heads += 1
        size += 1
        # Each cell of the grid is opened once: from its left, or in column 0 from above.
        if column + 1 < edge.options:
            _score(task, cells[n_cells], edges, cell.edge, row, column + 1, graph, kept)
            waiting = _push(queue, waiting, cells, n_cells)
            n_cells += 1
        if column == 0 and row + 1 < edge.size:
            _score(task, cells[n_cells], edges, cell.edge, row + 1, 0, graph, kept)
            waiting = _push(queue, waiting, cells, n_cells)
            n_cells += 1
    return size, n_heads


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
def _edges(task, n, graph, groups, group_begin):  # type: ignore[no-untyped-def]
    """Every group of an earlier stack with every span that leads from it to stack ``n``."""
    lowest = max(0, n - MAX_PHRASE)
    n_groups = group_begin[n] - group_begin[lowest]
    edges = np.empty(n_groups * (2 * task.limit + 2), EDGE)
    count = 0
    for m in range(lowest, n):
        length = n - m
        ones = (np.uint64(1) << np.uint64(length)) - np.uint64(1)
        for g in range(group_begin[m], group_begin[m + 1]):
            head = graph[groups[g].head]
            last = min(task.N - length, head.end + task.limit)
            for start in range(max(head.gap, head.end - task.limit), last + 1):
                if start > head.gap and start + length - head.gap > task.limit:
                    break
                span = start * MAX_PHRASE + length - 1
                first, behind = task.options.begin[span], task.options.begin[span + 1]
                bits = ones << np.uint64(start - head.gap)
                if first == behind or bits & head.covered:
                    continue
                edge = edges[count]
                edge.first, edge.size = groups[g].first, groups[g].size
                edge.option, edge.options = first, behind - first
                edge.start, edge.end = start, start + length
                _advance(edge, head.gap, head.covered | bits)
                edge.rest = _future(edge.gap, edge.covered, task.future, task.rest)
                count += 1
    return edges[:count]


@njit(cache=True, nogil=True)
def _advance(edge, gap, covered):  # type: ignore[no-untyped-def]
    """Move the first gap behind what is covered without one."""
    while covered & np.uint64(1):
        covered >>= np.uint64(1)
        gap += 1
    edge.gap, edge.covered = gap, covered


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
def _score(task, cell, edges, e, row, column, graph, kept):  # type: ignore[no-untyped-def]
    """Fill ``cell``: hypothesis ``row`` of edge ``e``'s group with the span's option ``column``."""
    edge, options = edges[e], task.options
    before = graph[kept[edge.first + row]]
    option = edge.option + column
    distance = abs(edge.start - before.end)
    score = before.score + options.score[option] - task.distortion_weight * distance
    state = before.state
    for w in range(options.w_begin[option], options.w_begin[option + 1]):
        log_p, state = lm_step(task.lm, state, options.words[w])
        score += task.lm_weight * log_p
    if edge.gap == task.N:
        log_p, state = lm_step(task.lm, state, EOS)
        score += task.lm_weight * log_p
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
