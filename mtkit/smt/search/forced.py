"""Forced decoding: the best derivation of a given translation.

Letters: x is the source, of N words; y is one of K targets, of J words; all targets together have W
words; j is the number of words of y that are generated.

Since y is given, so is its language model score. The search finds the phrases and their order in x:
it maximises the score of ``decoder`` without the language model over the derivations that spell y.
Stack j holds the hypotheses that have generated y_1 … y_j. Each phrase that spells the next k words
leads from stack j to stack j + k, if its source span fits there. Hypotheses are recombined as in
``decoder``, but the worse one is dropped, not kept as an arc. Stacks are not pruned, and
``MAX_OPTIONS`` replaces the table limit: the result is the best score of y under the model,
whatever beam search would find. The distortion limit applies.

Limits: a stack takes ``MAX_STACK`` hypotheses, which only very repetitive texts can exceed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Bool, Flat, Float64, Int32, Int64
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.smt.language_model.ngrams import Lm
from mtkit.smt.phrases.extract import MAX_PHRASE
from mtkit.smt.search import hypothesis
from mtkit.smt.search.decoder import Limits
from mtkit.smt.search.features import LM
from mtkit.smt.search.hypothesis import EDGE, HYPOTHESIS, Records, Task
from mtkit.smt.search.options import Options, occurs_at

MAX_OPTIONS = 1000  # options of a source phrase at most, among its pairs that occur in y
MAX_STACK = 1 << 16  # hypotheses in a stack


class Forced(NamedTuple):
    """The best derivations of K targets, and the words covered by phrases that match x and y."""

    options: Int32  # target k has options[begin[k] : begin[k + 1]]; none if it is unreachable
    begin: Int64  # (K + 1,)
    source: Bool  # (K, N) whether a source word is covered
    target: Bool  # (W,) whether a target word is, in the order of the targets


def force(
    N: int, options: Options, copied: Int32, targets: Flat, lm: Lm, λ: Float64, limits: Limits
) -> Forced:
    """Return the best derivation of each of ``targets`` from a sentence of N > 0 words.

    options: collected with the targets given; copied: target id of each source word, if it is
    copied. Words outside the vocabulary need ids here, too.
    """
    without_lm = λ.copy()
    without_lm[LM] = 0.0
    target = options.target
    ids = np.where(target < 0, copied[-1 - np.minimum(target, -1)], target)  # copies, too
    spelled = options._replace(target=ids)
    task = hypothesis.task_of(N, spelled, lm, 0, without_lm, limits.distortion)
    return Forced(*_force(task, targets.words, targets.begin))


# --- kernels


@kernel
def _force(task: Task, words: Int32, begin: Int64) -> tuple[Int32, Int64, Bool, Bool]:
    K = len(begin) - 1
    chosen, c_begin = np.empty(len(words), np.int32), np.zeros(K + 1, np.int64)
    source, target = np.zeros((K, task.N), np.bool_), np.zeros(len(words), np.bool_)
    graph, slots = np.empty(1024, HYPOTHESIS), np.full(1024, -1, np.int32)
    for k in range(K):
        y, covers = words[begin[k] : begin[k + 1]], target[begin[k] : begin[k + 1]]
        first, usable = _usable(task.options, y, source[k], covers)
        graph, slots, goal = _search(task, y, first, usable, graph, slots)
        c_begin[k + 1] = _trace(graph, goal, chosen, c_begin[k])
    return chosen[: c_begin[K]], c_begin, source, target


@inner
def _search(
    task: Task, y: Int32, first: Int64, usable: Int32, graph: Records, slots: Int32
) -> tuple[Records, Int32, int]:
    """Return the graph, the emptied hash table and the row of the best derivation, or −1.

    Graph and table are enlarged where needed.
    """
    size = 1
    hypothesis.make_root(graph[0], 0)
    stack = np.zeros(len(y) + 2, np.int64)  # stack j is graph[stack[j] : stack[j + 1]]
    stack[1] = 1
    edge = np.empty(1, EDGE)
    for j in range(1, len(y) + 1):
        for start_j in range(max(0, j - MAX_PHRASE), j):
            for o in usable[first[start_j] : first[start_j + 1]]:
                if start_j + task.options.w_begin[o + 1] - task.options.w_begin[o] != j:
                    continue
                begin, end = task.options.start[o], task.options.end[o]
                for h in range(stack[start_j], stack[start_j + 1]):
                    if hypothesis.fits(task, graph[h], begin, end) and size - stack[j] < MAX_STACK:
                        graph = _with_room(graph, size)
                        if 2 * (size - stack[j]) >= len(slots):
                            slots = _enlarged(graph, stack[j], size, slots)
                        hypothesis.fill_edge(task, edge[0], graph[h], begin, end)
                        hypothesis.extend(task, edge[0], h, o, graph, size)
                        size += hypothesis.recombine(graph, size, slots)
        stack[j + 1] = size
        _clear(graph, stack[j], size, slots)
    goal = -1
    for h in range(stack[len(y)], size):
        if graph[h].gap == task.N:
            goal = h
    return graph, slots, goal


@inner
def _with_room(graph: Records, size: int) -> Records:
    """Return the graph, enlarged if it has no room for two more rows."""
    if size + 1 < len(graph):
        return graph
    return np.concatenate((graph, np.empty(len(graph), HYPOTHESIS)))


@inner
def _enlarged(graph: Records, begin: int, end: int, slots: Int32) -> Int32:
    """Return a hash table of twice the size that contains the rows ``begin : end``."""
    enlarged = np.full(2 * len(slots), -1, np.int32)
    for h in range(begin, end):
        enlarged[hypothesis.slot_of(graph, h, enlarged, True)] = h
    return enlarged


@lean
def _clear(graph: Records, begin: int, end: int, slots: Int32) -> None:
    """Remove the rows ``begin : end`` from ``slots``, in reverse order of insertion.

    The probe sequence of a row leads over rows inserted before it, so they are removed after it.
    """
    for h in range(end - 1, begin - 1, -1):
        slots[hypothesis.slot_of(graph, h, slots, True)] = -1


@inner
def _usable(options: Options, y: Int32, source: Bool, target: Bool) -> tuple[Int64, Int32]:
    """Return the options that spell y from word j on, ``usable[first[j] : first[j + 1]]``.

    Mark the words that they cover in ``source`` (N,) and ``target`` (J,).
    """
    first, usable = np.zeros(len(y) + 1, np.int64), np.empty(64, np.int32)
    n = 0
    for j in range(len(y)):
        for o in range(len(options.pair)):
            words = options.target[options.w_begin[o] : options.w_begin[o + 1]]
            if occurs_at(words, y, j):
                if n == len(usable):
                    usable = np.concatenate((usable, np.empty(n, np.int32)))
                usable[n] = o
                n += 1
                for i in range(options.start[o], options.end[o]):
                    source[i] = True
                for k in range(j, j + len(words)):
                    target[k] = True
        first[j + 1] = n
    return first, usable[:n]


@lean
def _trace(graph: Records, goal: int, chosen: Int32, begin: int) -> int:
    """Write the options of the derivation that ends in row ``goal`` to ``chosen[begin:]``.

    They are in target order, none for goal −1. Return their end.
    """
    end, h = begin, goal
    while h > 0:
        end, h = end + 1, graph[h].parent
    n, h = end, goal
    while h > 0:
        n -= 1
        chosen[n] = graph[h].option
        h = graph[h].parent
    return end
