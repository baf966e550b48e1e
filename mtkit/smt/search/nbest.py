"""The k best derivations of a hypothesis graph, with their feature values and words as arrays.

The best derivation of a hypothesis is its chain of parents. Each arc of a hypothesis on that chain
gives another derivation, whose score is lower by the difference between the two hypotheses. A queue
holds complete derivations, each stored as two things: the hypothesis where it branches off from a
better derivation, and the options after it. The arcs of a hypothesis are sorted and enter the queue
one after the other (Huang & Chiang 2005, "Better k-best Parsing").

The features of a derivation are in the order of ``NAMES``; their inner product with the weights is
the score. Tuning reads nothing else.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mtkit.smt.flat import Float64, Int32, Int64, UInt64
from mtkit.smt.kernels import inner, kernel, lean
from mtkit.smt.language_model.ngrams import LM_EOS, lm_step
from mtkit.smt.phrases.extract import MAX_PHRASE, hash_word
from mtkit.smt.search import features as feature
from mtkit.smt.search.heap import pop, push
from mtkit.smt.search.hypothesis import Records, orientation
from mtkit.smt.search.options import COPIED, Model, Options

REPEATS, MIN_TRIES = 20, 5000  # derivations tried for k distinct texts: max(REPEATS · k, MIN_TRIES)
F = len(feature.NAMES)


class NBest(NamedTuple):
    """K derivations, best first."""

    score: Float64  # (K,)
    features: Float64  # (K, F)
    options: Int32  # derivation k has options[o_begin[k] : o_begin[k + 1]], in target order
    o_begin: Int64  # (K + 1,)
    words: Int32  # target ids by ``w_begin`` likewise; −1 − i is a copy of source word i
    w_begin: Int64  # (K + 1,)


def derivations(chosen: Int32, begin: Int64, options: Options, model: Model, λ: Float64) -> NBest:
    """Return the derivations with the options ``chosen[begin[k] : begin[k + 1]]``, in this order.

    chosen: in target order.
    """
    features = np.zeros((len(begin) - 1, F))
    describe(chosen, begin, options, model, features)
    first, lengths = options.w_begin[chosen], np.diff(options.w_begin)[chosen]
    ends = np.cumsum([0, *lengths])
    words = options.target[np.arange(ends[-1]) + np.repeat(first - ends[:-1], lengths)]
    return NBest(features @ λ, features, chosen, begin, words, ends[begin])


def by_phrase(chosen: Int32, options: Options, model: Model, log_p: Float64) -> Float64:
    """Return what each of the options ``chosen`` adds to the features: (len(chosen), F).

    chosen: in target order; log_p: ln P of each target word and of ``</s>``, which is added to the
    last phrase.
    """
    sums = np.zeros((len(chosen) + 1, F))
    for n in range(1, len(sums)):
        describe(chosen, np.array([0, n]), options, model, sums[n : n + 1])
    parts = np.diff(sums, axis=0)
    ends = np.cumsum(options.w_begin[chosen + 1] - options.w_begin[chosen])
    # The differences are wrong for the language model: each prefix was scored with ``</s>``.
    parts[:, feature.LM] = np.add.reduceat(log_p, [0, *ends[:-1]])
    return parts


def n_best(graph: Records, options: Options, model: Model, k: int, distinct: bool) -> NBest:
    """Return the k best derivations, or fewer; if ``distinct``, all with different words."""
    tries = max(k * REPEATS, MIN_TRIES) if distinct and k > 1 else k
    order = np.argsort(graph["score"], kind="stable") if tries > 1 else np.empty(0, np.int64)
    return NBest(*_n_best(graph, order, options, model, k, tries, distinct))


# --- kernels


@kernel
def _n_best(
    graph: Records, order: Int64, options: Options, model: Model, k: int, tries: int, distinct: bool
) -> tuple[Float64, Float64, Int32, Int64, Int32, Int64]:
    N = graph[1].gap
    arcs = _sorted_arcs(graph, order)
    # Path p is a derivation: the parents of hypothesis paths[p, 0], that hypothesis, and then the
    # options of node paths[p, 1]. Node n is the option nodes[n, 0], followed by node nodes[n, 1].
    paths = np.empty((tries * (N + 1) + 1, 2), np.int32)
    nodes = np.empty((tries * N + 1, 2), np.int32)
    total, queue = np.empty(len(paths)), np.empty(len(paths), np.int32)
    score, features, key = np.empty(k), np.zeros((k, F)), np.empty(k, np.uint64)
    chosen, o_begin = np.empty(k * N, np.int32), np.zeros(k + 1, np.int64)
    words, w_begin = np.empty(k * N * MAX_PHRASE, np.int32), np.zeros(k + 1, np.int64)
    paths[0, 0], paths[0, 1], total[0] = 1, 0, graph[1].score
    queue_size, n_paths, n_nodes, n = push(queue, 0, total, 0), 1, 1, 0  # node 0 ends a list
    for _ in range(tries):
        if queue_size == 0 or n == k:
            break
        path = queue[0]
        queue_size = pop(queue, queue_size, total)
        end, n_nodes = _expand(graph, arcs, paths, total, path, n_paths, nodes, n_nodes)
        for new in range(n_paths, end):
            queue_size = push(queue, queue_size, total, new)
        n_paths = end
        o_begin[n + 1], w_begin[n + 1], key[n] = _write_derivation(
            nodes, n_nodes - 1, options, chosen, o_begin[n], words, w_begin[n]
        )
        if not distinct or _is_new(key, n):
            score[n] = total[path]
            _describe(chosen[o_begin[n] : o_begin[n + 1]], options, model, features[n])
            n += 1
    return (
        score[:n], features[:n], chosen[: o_begin[n]], o_begin[: n + 1],
        words[: w_begin[n]], w_begin[: n + 1],
    )  # fmt: skip


@inner
def _sorted_arcs(graph: Records, order: Int64) -> Int32:
    """Return ``next`` of every hypothesis, with the arcs of each sorted from best to worst.

    order: all hypotheses by ascending score; if it is empty, no arc is followed.
    """
    head, arcs = np.empty(len(graph), np.int32), np.empty(len(graph), np.int32)
    for h in range(len(graph)):
        head[h], arcs[h] = h, -1
    for h in range(len(order)):
        if head[h] == h:
            arc = graph[h].next
            while arc >= 0:
                head[arc] = h
                arc = graph[arc].next
    for arc in order:
        if head[arc] != arc:
            arcs[arc] = arcs[head[arc]]
            arcs[head[arc]] = arc
    return arcs


@lean
def _is_new(key: UInt64, n: int) -> bool:
    """Return whether key n differs from all before it."""
    for k in range(n):
        if key[k] == key[n]:
            return False
    return True


@lean
def _expand(
    graph: Records, arcs: Int32, paths: Int32, total: Float64, path: int, n_paths: int,
    nodes: Int32, n_nodes: int,
) -> tuple[int, int]:  # fmt: skip
    """Add the nodes of derivation ``path``, last option first, and the paths that branch off it.

    Return the new numbers of paths and nodes.
    """
    hypothesis, node = paths[path, 0], paths[path, 1]
    arc = arcs[hypothesis]
    while True:
        if arc >= 0:
            paths[n_paths, 0], paths[n_paths, 1] = arc, node
            total[n_paths] = total[path] - graph[hypothesis].score + graph[arc].score
            n_paths += 1
        if hypothesis == 0:
            return n_paths, n_nodes
        nodes[n_nodes, 0], nodes[n_nodes, 1] = graph[hypothesis].option, node
        node = n_nodes
        n_nodes += 1
        hypothesis = graph[hypothesis].parent
        arc = arcs[hypothesis]


@lean
def _write_derivation(
    nodes: Int32, node: int, options: Options, chosen: Int32, o: int, words: Int32, w: int
) -> tuple[int, int, np.uint64]:
    """Write options to ``chosen[o:]`` and their words to ``words[w:]``.

    Return the end of both and the hash of the words.
    """
    key = np.uint64(0)
    while node > 0:
        chosen[o] = nodes[node, 0]
        for i in range(options.w_begin[chosen[o]], options.w_begin[chosen[o] + 1]):
            words[w] = options.target[i]
            key = hash_word(key, words[w])
            w += 1
        node = nodes[node, 1]
        o += 1
    return o, w, key


@kernel
def describe(chosen: Int32, begin: Int64, options: Options, model: Model, out: Float64) -> None:
    """Add the features of derivation k to ``out[k]``, (F,)."""
    for k in range(len(out)):
        _describe(chosen[begin[k] : begin[k + 1]], options, model, out[k])


@lean
def _describe(chosen: Int32, options: Options, model: Model, out: Float64) -> None:
    table, lm, state = model.table, model.lm, model.begin
    last_start, last_end, last_pair = -1, 0, COPIED
    for option in chosen:
        start, end, pair = options.start[option], options.end[option], options.pair[option]
        o = orientation(start, end, last_start, last_end)
        if pair >= 0:
            for f in range(feature.PREVIOUS):
                out[f] += table.features[pair, f]
            out[feature.PREVIOUS + o] += table.reordering[pair, o]
        if last_pair >= 0:
            out[feature.NEXT + o] += table.reordering[last_pair, 3 + o]
        for w in range(options.w_begin[option], options.w_begin[option + 1]):
            log_p, state = lm_step(lm, state, options.words[w])
            out[feature.LM] += log_p
            out[feature.WORDS] += 1
        out[feature.PHRASES] += 1
        out[feature.UNKNOWN] += pair == COPIED
        out[feature.DISTORTION] -= abs(start - last_end)
        out[feature.CONTEXT] += options.context[option]
        last_start, last_end, last_pair = start, end, pair
    out[feature.LM] += lm_step(lm, state, LM_EOS)[0]
