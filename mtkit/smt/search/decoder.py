"""Phrase-based beam search (Koehn et al. 2003).

Stack n holds the hypotheses that cover n words; the ``stack`` best by score + future cost are kept.
To fill it, *edges* join a group of hypotheses (same coverage, start and end) with the options of
one span. A *cell* is one hypothesis of the group with one of the options. Its guess approximates
the estimate of the resulting hypothesis: the language model scores the option's first word in
context, and the words after it as if the option stood alone. The ``pops`` cells with the best
guesses become hypotheses.

Most cells are never scored. The hypotheses and the options of an edge are each sorted by their own
estimates, and a word is seldom more likely in context than alone by more than ``SLACK``. The cells
of one hypothesis are tried in this order, until a cell could not be among the best even with
``SLACK`` added. With unlimited pops and stack the search is exhaustive.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Float64, Int32, Int64
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.smt.language_model.ngrams import lm_step_cached
from mtkit.smt.phrases.extract import MAX_PHRASE
from mtkit.smt.search import hypothesis
from mtkit.smt.search.features import LM
from mtkit.smt.search.heap import push, replace
from mtkit.smt.search.hypothesis import EDGE, HYPOTHESIS, Records, Row, Task
from mtkit.smt.search.options import Model, Options
from mtkit.storage.reading import damaged

GROUP = np.dtype([("first", np.int32), ("size", np.int32), ("head", np.int32)])
CELL = np.dtype([("edge", np.int32), ("parent", np.int32), ("option", np.int32)])
MAX_LIMIT = 10_000  # largest value of any limit
SLACK = 3.0  # nats of the language model, to be multiplied by λ_lm


class Best(NamedTuple):
    """The best K cells so far."""

    cell: Records  # (K,) CELL
    guess: Float64  # (K,) negated, so that the queue has the worst cell in front
    queue: Int32  # (K,)


class Limits(NamedTuple):
    """The limits of the search."""

    stack: int = 100
    pops: int = 150  # hypotheses generated per stack
    distortion: int = 6  # words between a span's start and the last one's end; < 0: MAX_DISTORTION
    table: int = 20  # translations of one source phrase

    def check(self, path: Path) -> None:
        """Raise InputError, naming ``path``, if a limit is out of range."""
        if min(self.stack, self.pops, self.table) < 1 or max(map(abs, self)) > MAX_LIMIT:
            raise damaged(path, f"search limits out of range: {self}")


def search(N: int, options: Options, model: Model, λ: Float64, limits: Limits) -> Records:
    """Return the hypothesis graph of a sentence of N > 0 words, HYPOTHESIS (n,).

    Row 0 is the start; row 1 is the goal, of which all complete hypotheses are arcs.
    """
    task = hypothesis.task_of(N, options, model.lm, model.begin, λ, limits.distortion)
    slots = np.empty(1 << (2 * limits.pops - 1).bit_length(), np.int32)
    return _search(task, limits.stack, limits.pops, slots)


# --- kernels


@kernel
def _search(task: Task, stack: int, pops: int, slots: Int32) -> Records:
    """Run ``search``; slots: room for a hash table of 2 · pops rows, a power of two."""
    N = task.N
    graph = np.empty(N * pops + 2, HYPOTHESIS)
    hypothesis.make_root(graph[0], task.begin)
    size = 2  # row 1 is reserved for the goal
    kept = np.zeros(N * stack + 1, np.int32)  # the hypotheses kept, by stack and group
    groups = np.empty(N * stack + 1, GROUP)
    groups[0].first, groups[0].size, groups[0].head = 0, 1, 0
    group_begin = np.zeros(N + 2, np.int64)  # of stack n: group_begin[n : n + 2]
    group_begin[1] = n_kept = 1
    heads = np.empty(pops, np.int32)
    for n in range(1, N + 1):
        edges = _edges(task, n, graph, groups, group_begin)
        slots[:] = -1
        size, n_heads = _fill_stack(task, edges, pops, graph, size, kept, heads, slots)
        group_begin[n + 1], n_kept = _keep_best(
            graph, heads[:n_heads], stack, kept, n_kept, groups, group_begin[n], slots
        )
    graph[1] = graph[heads[0]]
    graph[heads[0]].next = -1  # its arcs are now the goal's
    return graph[:size].copy()  # drop the unused rows


@inner
def _fill_stack(
    task: Task, edges: Records, pops: int, graph: Records, size: int, kept: Int32, heads: Int32,
    slots: Int32,
) -> tuple[int, int]:  # fmt: skip
    """Make hypotheses of the ``pops`` best cells of all edges.

    Return the new size of the graph and the number of ``heads``, the distinct hypotheses.
    """
    n_heads = 0
    for cell in _best_cells(task, edges, pops, graph, kept):
        hypothesis.extend(task, edges[cell.edge], cell.parent, cell.option, graph, size)
        if hypothesis.recombine(graph, size, slots):
            heads[n_heads] = size
            n_heads += 1
        size += 1
    return size, n_heads


@inner
def _best_cells(task: Task, edges: Records, pops: int, graph: Records, kept: Int32) -> Records:
    """Return the ``pops`` cells with the best guesses, CELL, in no particular order."""
    best = Best(np.empty(pops, CELL), np.empty(pops), np.empty(pops, np.int32))
    n, slack, promise = 0, SLACK * abs(task.λ[LM]), np.empty(len(edges))
    for e in range(len(edges)):
        promise[e] = _promise(task, edges[e], graph[kept[edges[e].first]])
    open_edges, row = np.argsort(-promise), 0
    while len(open_edges) > 0:  # a row of each in turn, so that good cells come early
        n_open = 0
        for e in open_edges:
            parent = kept[edges[e].first + row]
            if not _is_beaten(best, n, _promise(task, edges[e], graph[parent]) + slack):
                n = _insert_cells(task, edges[e], e, graph, parent, slack, best, n)
                if row + 1 < edges[e].size:
                    open_edges[n_open] = e
                    n_open += 1
        open_edges, row = open_edges[:n_open], row + 1
    return best.cell[:n]


@lean
def _promise(task: Task, edge: Row, before: Row) -> float:
    """Return the estimate of a hypothesis with an edge's best option, the option in isolation."""
    return float(before.score + edge.jump + edge.future_cost + task.options.estimate[edge.option])


@lean
def _is_beaten(best: Best, n: int, guess: float) -> bool:
    """Return whether there already are K cells with at least this guess."""
    return bool(n == len(best.queue) and guess <= -best.guess[best.queue[0]])


@lean
def _insert_cells(
    task: Task, edge: Row, e: int, graph: Records, parent: int, slack: float, best: Best, n: int
) -> int:
    """Insert the cells of edge ``e`` and one hypothesis into the ``n`` best; return the new n."""
    before, options, o, weight = graph[parent], task.options, edge.orientation, task.λ[LM]
    state = before.state
    so_far = before.score + edge.jump + edge.future_cost + options.next[before.option, o]
    for option in range(edge.option, edge.option + edge.options):
        if _is_beaten(best, n, so_far + options.estimate[option] + slack):
            break
        log_p, _ = lm_step_cached(task.lm, state, options.head[option], task.lm_cache)
        guess = so_far + options.estimate_without_head[option]
        guess = guess + options.previous[option, o] + weight * log_p
        if not _is_beaten(best, n, guess):
            k = n if n < len(best.queue) else best.queue[0]
            best.guess[k] = -guess
            best.cell[k].edge, best.cell[k].parent, best.cell[k].option = e, parent, option
            if n < len(best.queue):
                n = push(best.queue, n, best.guess, k)
            else:
                replace(best.queue, n, best.guess, k)
    return n


@inner
def _edges(task: Task, n: int, graph: Records, groups: Records, group_begin: Int64) -> Records:
    """Return all edges, EDGE, that lead from a group of an earlier stack to stack ``n``."""
    lowest = max(0, n - MAX_PHRASE)
    n_groups = group_begin[n] - group_begin[lowest]
    edges = np.empty(n_groups * (2 * task.limit + 1), EDGE)
    n_edges = 0
    for m in range(lowest, n):
        length = n - m
        for g in range(group_begin[m], group_begin[m + 1]):
            head = graph[groups[g].head]
            last = min(task.N - length, head.end + task.limit)
            for start in range(max(head.gap, head.end - task.limit), last + 1):
                span = start * MAX_PHRASE + length - 1
                first, end = task.options.begin[span], task.options.begin[span + 1]
                if first < end and hypothesis.fits(task, head, start, start + length):
                    edge = edges[n_edges]
                    edge.first, edge.size = groups[g].first, groups[g].size
                    edge.option, edge.options = first, end - first
                    hypothesis.fill_edge(task, edge, head, start, start + length)
                    n_edges += 1
    return edges[:n_edges]


@inner
def _keep_best(
    graph: Records, heads: Int32, stack: int, kept: Int32, n_kept: int, groups: Records,
    n_groups: int, slots: Int32,
) -> tuple[int, int]:  # fmt: skip
    """Keep the ``stack`` best heads, grouped by coverage, start and end; return the new counts."""
    best_heads = _best_heads(graph, heads, stack)
    group_of = np.empty(len(best_heads), np.int64)
    first_group = n_groups
    slots[:] = -1
    group_in_slot = np.empty(len(slots), np.int32)  # the group whose head is in the slot
    for k in range(len(best_heads)):
        slot = hypothesis.slot_of(graph, best_heads[k], slots, False)
        if slots[slot] < 0:
            slots[slot], group_in_slot[slot] = best_heads[k], n_groups
            groups[n_groups].head, groups[n_groups].size = best_heads[k], 0
            n_groups += 1
        group_of[k] = group_in_slot[slot]
        groups[group_of[k]].size += 1
    for g in range(first_group, n_groups):
        groups[g].first = n_kept
        n_kept += groups[g].size
        groups[g].size = 0
    for k in range(len(best_heads)):
        group = groups[group_of[k]]
        kept[group.first + group.size] = best_heads[k]
        group.size += 1
    return n_groups, n_kept


@inner
def _best_heads(graph: Records, heads: Int32, stack: int) -> Int32:
    """Return at most ``stack`` heads by descending estimate; ties keep their order."""
    costs = np.empty(len(heads))
    for k in range(len(heads)):
        costs[k] = -graph[heads[k]].estimate
    return heads[np.argsort(costs, kind="mergesort")[:stack]]
