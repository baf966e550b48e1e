"""Phrase-based beam search with cube pruning (Koehn et al. 2003; Huang & Chiang 2007).

Stack n holds the hypotheses that cover n words; the ``stack`` best by score + future cost live on.
To fill it, *edges* join a group of hypotheses (same coverage, start and end) with the options of
one span; both sides are sorted, so the corner of that grid is its most promising cell. A queue over
all edges hands out the best cell, which opens its neighbours, ``pops`` times. Cells wait with a
guess, the language model seeing the option by itself, and are scored when they are handed out. With
unlimited pops and stack the search is exhaustive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Float64, Int32, Int64
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.smt.phrases.extract import MAX_PHRASE
from mtkit.smt.search import hypothesis
from mtkit.smt.search.heap import pop, push
from mtkit.smt.search.hypothesis import EDGE, HYPOTHESIS, Records, Row, Task
from mtkit.smt.search.options import Model, Options

GROUP = np.dtype([("first", np.int32), ("size", np.int32), ("head", np.int32)])
# row: rank in the group; column: rank among the options.
CELL = np.dtype([("edge", np.int32), ("row", np.int32), ("column", np.int32)])


class Limits(NamedTuple):
    """How much is searched."""

    stack: int = 100
    pops: int = 200
    distortion: int = 6  # words a span may be away from the last one's end
    table: int = 20  # translations of one source phrase


def search(N: int, options: Options, model: Model, λ: Float64, limits: Limits) -> Records:
    """The hypothesis graph of a sentence of N > 0 words, HYPOTHESIS (n,).

    Row 0 is the start, row 1 the goal, of which all complete hypotheses are arcs.
    """
    task = hypothesis.task_of(N, options, model.lm, model.begin, λ, limits.distortion)
    slots = np.empty(1 << (2 * limits.pops - 1).bit_length(), np.int32)
    return _search(task, limits.stack, limits.pops, slots)


# --- kernels


@kernel
def _search(task: Task, stack: int, pops: int, slots: Int32) -> Records:
    """slots: room for a hash table of twice as many hypotheses as are popped, a power of two."""
    N = task.N
    graph = np.empty(N * pops + 2, HYPOTHESIS)
    hypothesis.make_root(graph[0], task.begin)
    size = 2  # row 1 is kept for the goal
    kept = np.zeros(N * stack + 1, np.int32)  # living hypotheses, by stack and group
    groups = np.empty(N * stack + 1, GROUP)
    groups[0].first, groups[0].size, groups[0].head = 0, 1, 0
    group_begin = np.zeros(N + 2, np.int64)  # groups of stack n: group_begin[n : n + 2]
    group_begin[1] = n_kept = 1
    heads = np.empty(pops, np.int32)
    for n in range(1, N + 1):
        edges = _edges(task, n, graph, groups, group_begin)
        slots[:] = -1
        size, n_heads = _fill(task, edges, pops, graph, size, kept, heads, slots)
        group_begin[n + 1], n_kept = _keep(
            graph, heads[:n_heads], stack, kept, n_kept, groups, group_begin[n], slots
        )
    graph[1] = graph[heads[0]]
    graph[heads[0]].next = -1  # now the goal's
    return graph[:size].copy()  # without the room for more


@inner
def _fill(
    task: Task, edges: Records, pops: int, graph: Records, size: int, kept: Int32, heads: Int32,
    slots: Int32,
) -> tuple[int, int]:  # fmt: skip
    """Hand out the ``pops`` best cells of all edges as hypotheses; the graph's size, new heads."""
    cells = np.empty(len(edges) + 2 * pops, CELL)
    guess, queue = np.empty(len(cells)), np.empty(len(cells), np.int32)
    waiting, n_cells, n_heads = 0, len(edges), 0
    for e in range(len(edges)):
        guess[e] = _guess(task, cells[e], edges, e, 0, 0, graph, kept)
        waiting = push(queue, waiting, guess, e)
    for _ in range(pops):
        if waiting == 0:
            break
        cell = cells[queue[0]]
        waiting = pop(queue, waiting, guess)
        e, row, column = cell.edge, cell.row, cell.column
        edge = edges[e]
        hypothesis.extend(task, edge, kept[edge.first + row], edge.option + column, graph, size)
        if hypothesis.recombine(graph, size, slots):
            heads[n_heads] = size
            n_heads += 1
        size += 1
        # Each cell of the grid is opened once: from its left, or in column 0 from above.
        if column + 1 < edge.options:
            guess[n_cells] = _guess(task, cells[n_cells], edges, e, row, column + 1, graph, kept)
            waiting = push(queue, waiting, guess, n_cells)
            n_cells += 1
        if column == 0 and row + 1 < edge.size:
            guess[n_cells] = _guess(task, cells[n_cells], edges, e, row + 1, 0, graph, kept)
            waiting = push(queue, waiting, guess, n_cells)
            n_cells += 1
    return size, n_heads


@inner
def _edges(task: Task, n: int, graph: Records, groups: Records, group_begin: Int64) -> Records:
    """Every group of an earlier stack with every span that leads from it to stack ``n``."""
    lowest = max(0, n - MAX_PHRASE)
    n_groups = group_begin[n] - group_begin[lowest]
    edges = np.empty(n_groups * (2 * task.limit + 2), EDGE)
    count = 0
    for m in range(lowest, n):
        length = n - m
        for g in range(group_begin[m], group_begin[m + 1]):
            head = graph[groups[g].head]
            last = min(task.N - length, head.end + task.limit)
            for start in range(max(head.gap, head.end - task.limit), last + 1):
                span = start * MAX_PHRASE + length - 1
                first, behind = task.options.begin[span], task.options.begin[span + 1]
                if first < behind and hypothesis.fits(task, head, start, start + length):
                    edge = edges[count]
                    edge.first, edge.size = groups[g].first, groups[g].size
                    edge.option, edge.options = first, behind - first
                    hypothesis.lead(task, edge, head, start, start + length)
                    count += 1
    return edges[:count]


@lean
def _guess(
    task: Task, cell: Row, edges: Records, e: int, row: int, column: int, graph: Records,
    kept: Int32,
) -> float:  # fmt: skip
    """Fill ``cell``: hypothesis ``row`` of edge ``e``'s group with the span's option ``column``.

    Its estimate, as far as it is known without asking the language model.
    """
    edge, options = edges[e], task.options
    before, option, o = graph[kept[edge.first + row]], edge.option + column, edge.orientation
    cell.edge, cell.row, cell.column = e, row, column
    score = before.score + options.estimate[option] + edge.jump + edge.rest
    return float(score + options.next[before.option, o] + options.previous[option, o])


@inner
def _keep(
    graph: Records, heads: Int32, stack: int, kept: Int32, n_kept: int, groups: Records,
    n_groups: int, slots: Int32,
) -> tuple[int, int]:  # fmt: skip
    """Keep the ``stack`` best heads, in groups of equal coverage, start and end; the new counts."""
    best = _best(graph, heads, stack)
    group_of = np.empty(len(best), np.int64)
    first = n_groups
    slots[:] = -1
    number = np.empty(len(slots), np.int32)  # of the group whose head is in the slot
    for k in range(len(best)):
        slot = hypothesis.slot_of(graph, best[k], slots, False)
        if slots[slot] < 0:
            slots[slot], number[slot] = best[k], n_groups
            groups[n_groups].head, groups[n_groups].size = best[k], 0
            n_groups += 1
        group_of[k] = number[slot]
        groups[group_of[k]].size += 1
    for g in range(first, n_groups):
        groups[g].first = n_kept
        n_kept += groups[g].size
        groups[g].size = 0
    for k in range(len(best)):
        group = groups[group_of[k]]
        kept[group.first + group.size] = best[k]
        group.size += 1
    return n_groups, n_kept


@inner
def _best(graph: Records, heads: Int32, stack: int) -> Int32:
    """At most ``stack`` heads by falling estimate, equal ones in their order."""
    best = np.empty(min(stack, len(heads)), np.int32)
    n = 0
    for head in heads:  # they come nearly sorted
        estimate = graph[head].estimate
        if n == len(best):
            if estimate <= graph[best[n - 1]].estimate:
                continue
            n -= 1
        at = n
        while at > 0 and graph[best[at - 1]].estimate < estimate:
            best[at] = best[at - 1]
            at -= 1
        best[at] = head
        n += 1
    return best
