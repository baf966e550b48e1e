"""Train the discriminative lexicon of ``context`` in bounded memory.

Each t has its own logistic regression. It separates the places where t was chosen from those where
another word of T(s) was:

    examples of t    the places, in the order of the text, where T(s) has several words, t among
                     them, and one of T(s) was chosen; if these are more than ``MAX_EXAMPLES``,
                     every n-th of them
    ln σ(z_t)        is maximised where t was chosen,
    ln (1 − σ(z_t))  where another word was

AdaGrad (Duchi et al. 2011) makes ``EPOCHS`` passes over the examples. The problems of different t
are independent, so the weights do not depend on which t share a task:

    counts     of a shard: a_t of every target word; how often each (s, t) occurs
    rivals     T(s)
    choices    of a shard: its places with a choice; the number of examples of each t
    plan       the size of each weight table; every how many-th example is used; which t share a
               task
    weights    of the t of one task: compute the features of all their examples once, keep them in
               memory, and fit t by t

If the examples of a single t do not fit into memory, its task loads the examples of a few shards at
a time, and loads them again in each epoch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtkit.smt.alignment.symmetrize import Links
from mtkit.smt.flat import Bool, Flat, Float32, Int32, Int64
from mtkit.smt.kernels import kernel, lean
from mtkit.smt.phrases.context import (
    LOCAL_FEATURES,
    RIVALS,
    UNIT,
    UInt32,
    hash_in_sentence,
    margin,
    write_local_hashes,
)
from mtkit.smt.phrases.extract import Aligned
from mtkit.storage.arrays import ArrayFile, load, mapped, save, write_array
from mtkit.storage.stages import Outputs, Stages
from mtkit.text.shards import Shards

EPOCHS = 4
STEP = 0.1  # learning rate η of AdaGrad
DECAY = 1e-2  # of L2 regularisation, in every step
CERTAIN = np.float32(np.log(99))  # no update where z_t, or −z_t, is at least this: P ≥ 0.99
MAX_EXAMPLES = 1 << 20  # of one t: 16 for each of its weights at most
WEIGHTS_PER_EXAMPLE, MAX_WEIGHTS = 4, 1 << 16  # weights per example of t; most weights of a t
PARTS, MIN_TASK_BYTES = 16, 1 << 24  # tasks that the t are divided into; least bytes of a task
# Bytes of a counted (s, t), of an example, of a weight with its Σ g², of a source word.
PAIR, EXAMPLE, WEIGHT, WORD = 80, 4 * LOCAL_FEATURES + 5, 8, 8


def build(text: Shards, links: Outputs, stages: Stages, out: Path) -> None:
    """Train on an aligned text and write the arrays of a ``Lexicon`` into ``out``.

    links: the directories of the saved links of each shard. The stages that ``out`` is copied from
    stay, so that it can be written again.
    """
    shards = range(len(text))
    counts = stages.run("context-counts", _count, [(text, k, links[k]) for k in shards])
    [rivals] = stages.run("context-rivals", _rank, [(text, counts, stages.task_memory // PAIR)])
    calls = [(text, k, counts[k], rivals) for k in shards]
    choices = stages.run("context-choices", _choose, calls)
    stages.forget("context-counts")
    word_bytes = WORD * text.tokens[0]
    room = max(stages.task_memory - word_bytes, stages.task_memory // 2)
    [plan] = stages.run("context-plan", _plan, [(text, choices, room)])
    sizes = load(plan / "size.npy")
    tasks = [
        (text, choices, rivals, plan, part, stages.parts(word_bytes + int(size)))
        for part, size in enumerate(sizes)
    ]
    weights = stages.run("context-weights", _learn, tasks)
    stages.forget("context-choices")
    out.mkdir(parents=True, exist_ok=True)
    row, word = load(rivals / "row.npy"), load(rivals / "word.npy")
    save(out, row=row, word=word, begin=load(plan / "begin.npy"))
    write_array(out / "weight.npy", (load(part / "weight.npy") for part in weights), np.int8)


def _offsets(sizes: NDArray[Any]) -> Int64:
    """Return the offsets of consecutive items of these sizes, and the end of the last: (n + 1,)."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes, dtype=np.int64)])


def _ends(sizes: Int64, limit: int) -> list[int]:
    """Return 0 and the ends of ranges of items with a total size of at most ``limit`` each.

    An item larger than ``limit`` is a range by itself.
    """
    begin, ends = _offsets(sizes), [0]
    while ends[-1] < len(sizes):
        end = np.searchsorted(begin, begin[ends[-1]] + limit, "right") - 1
        ends.append(max(int(end), ends[-1] + 1))
    return ends


# --- T(s)


def _count(into: Path, text: Shards, k: int, links: Path) -> None:
    """Save ``a``, a_t as an index of the shard's flat source, and the counts of (s, t).

    ``key`` is s · 2³² + t, sorted; ``count`` is how often it occurs.
    """
    x, y = Flat.side(text, "source", k), Flat.side(text, "target", k)
    a = _affiliations(Aligned.of(x, y, Links.load(links)))
    key, count = np.unique(x.words[a].astype(np.int64) << 32 | y.words, return_counts=True)
    save(into, a=a, key=key, count=count.astype(np.int32))


def _rank(into: Path, text: Shards, counts: Outputs, limit: int) -> None:
    """Save ``row`` and ``word`` of T, the most frequent word first.

    limit: entries (s, t), summed over the shards, that are in memory at a time.
    """
    entries = np.zeros(text.sizes[0], np.int64)
    for out in counts:
        entries += np.bincount(load(out / "key.npy") >> 32, minlength=len(entries))
    sizes = np.zeros(len(entries), np.int64)
    with ArrayFile(into / "word.npy", np.int32) as file:
        for first, last in pairwise(_ends(entries, limit)):
            key, count = _total_counts(counts, first << 32, last << 32)
            s = key >> 32
            order = np.lexsort((key, -count, s))
            key, rank = key[order], np.arange(len(key)) - np.searchsorted(s, s)
            key = key[rank < RIVALS]
            sizes[first:last] = np.bincount((key >> 32) - first, minlength=last - first)
            file.append(key & 0xFFFFFFFF)
    save(into, row=_offsets(sizes))


def _total_counts(outputs: Iterable[Path], low: int, high: int) -> tuple[Int64, Int64]:
    """Return the distinct keys low … high − 1 of all shards, sorted, and their total counts."""
    keys, counts = [], []
    for out in outputs:
        a, b = np.searchsorted(mapped(out / "key.npy"), (low, high))
        keys.append(load(out / "key.npy", a, b))
        counts.append(load(out / "count.npy", a, b))
    key, entry = np.unique(np.concatenate(keys), return_inverse=True)
    return key, np.bincount(entry, np.concatenate(counts), len(key)).astype(np.int64)


# --- choices, and the plan of the tasks


def _choose(into: Path, text: Shards, k: int, counts: Path, rivals: Path) -> None:
    """Save the places with a choice and the number of examples of each t in the shard.

    ``choice``: int32 (M, 3), place a_t, word t, sentence; ``examples``: int32 (2, n), t and its
    number of examples.
    """
    x, y = Flat.side(text, "source", k), Flat.side(text, "target", k)
    row, word = load(rivals / "row.npy"), load(rivals / "word.npy")
    examples = np.zeros(text.sizes[1], np.int32)
    choice = _choices(x.words, y.words, y.begin, load(counts / "a.npy"), row, word, examples)
    t = np.flatnonzero(examples)
    save(into, choice=choice, examples=np.stack([t.astype(np.int32), examples[t]]))


def _plan(into: Path, text: Shards, choices: Outputs, room: int) -> None:
    """Save ``begin`` of the weights, ``step``, and ``end`` and ``size`` of each task's range of t.

    step: every how many-th example of each t is used. size: bytes that the task keeps in memory, at
    most ``room`` unless it has only one t.
    """
    examples = np.zeros(text.sizes[1], np.int64)
    for out in choices:
        t, n_examples = load(out / "examples.npy")
        examples[t] += n_examples
    wanted = np.minimum(examples * WEIGHTS_PER_EXAMPLE, MAX_WEIGHTS)
    width = np.where(wanted > 0, 2 ** np.ceil(np.log2(np.maximum(wanted, 1))).astype(np.int64), 0)
    step = np.maximum(-(-examples // MAX_EXAMPLES), 1)
    size = EXAMPLE * -(-examples // step) + WEIGHT * width
    end = np.array(_ends(size, min(room, max(int(size.sum()) // PARTS, MIN_TASK_BYTES))))
    save(into, begin=_offsets(width), step=step, end=end, size=np.diff(_offsets(size)[end]))


# --- examples and weights of a range of t


class Examples(NamedTuple):
    """E examples of T words, from shards with N source words in S sentences."""

    first: Int64  # (T + 1,) word n has examples first[n] … first[n + 1] − 1
    near: UInt32  # (E, LOCAL_FEATURES) hashes of F(x, a_t), see ``write_local_hashes``
    sentence: Int32  # (E,)
    chosen: Bool  # (E,) whether t was chosen, not another word of T(s)
    begin: Int64  # (S + 1,) the words of a sentence are far[begin[s] : begin[s + 1]]
    far: UInt32  # (N,) hash of each source word, see ``hash_in_sentence``


def _learn(
    into: Path, text: Shards, choices: Outputs, rivals: Path, plan: Path, part: int, batches: int
) -> None:
    """Fit and save ``weight``, int8, of one task's range of t.

    batches: groups of shards; the examples of one group are in memory at a time.
    """
    t, t_end = load(plan / "end.npy", part, part + 2).tolist()
    begin = load(plan / "begin.npy", t, t_end + 1)
    begin -= begin[0]
    w, squares = np.zeros(begin[-1], np.float32), np.full(begin[-1], 1e-6, np.float32)
    row, word = _rivals_within(rivals, t, t_end)
    step = load(plan / "step.npy", t, t_end)
    groups = np.array_split(np.arange(len(text)), min(batches, len(text)))
    epochs = EPOCHS if len(groups) == 1 else 1
    for _ in range(EPOCHS // epochs):
        for shards in groups:
            examples = _examples(text, choices, shards.tolist(), row, word, t, step)
            _descend(examples, begin, w, squares, epochs)
            del examples  # free the memory before the next group is loaded
    del squares
    w *= UNIT
    save(into, weight=np.rint(np.clip(w, -127, 127, out=w), out=w).astype(np.int8))


def _rivals_within(rivals: Path, t: int, t_end: int) -> tuple[Int64, Int32]:
    """Return ``row`` and ``word`` of T restricted to t … t_end − 1, numbered from 0."""
    word = load(rivals / "word.npy")
    inside = (word >= t) & (word < t_end)
    return _offsets(inside)[load(rivals / "row.npy")], word[inside] - np.int32(t)


def _examples(
    text: Shards, choices: Outputs, shards: Sequence[int], row: Int64, word: Int32, t: int,
    step: Int64,
) -> Examples:  # fmt: skip
    """Return the examples of words t, t + 1 … in consecutive shards, of each every ``step``-th.

    row, word: the T of these words, as ``_rivals_within`` returns it; step: (T,), see ``_plan``.
    """
    before, inside = ([choices[k] for k in part] for part in (range(shards[0]), shards))
    seen = _numbers_of_examples(before, t, len(step))
    end = seen + _numbers_of_examples(inside, t, len(step))
    first = _offsets(-(-end // step) - -(-seen // step))
    s, s_end = text.begin[shards[0]], text.begin[shards[-1] + 1]
    begin = load(text.directory / "source" / "begin.npy", s, s_end + 1)
    words = load(text.directory / "source" / "words.npy", int(begin[0]), int(begin[-1]))
    begin -= begin[0]
    near = np.empty((first[-1], LOCAL_FEATURES), np.uint32)
    sentence, chosen = np.empty(first[-1], np.int32), np.empty(first[-1], np.bool_)
    examples = Examples(first, near, sentence, chosen, begin, np.empty(len(words), np.uint32))
    next_row = first[:-1].copy()
    for k in shards:
        choice = load(choices[k] / "choice.npy")
        choice[:, 1] -= t
        sentences = text.begin[k] - s, text.begin[k + 1] - s
        _gather(words, choice, *sentences, row, word, step, seen, next_row, examples)
    return examples


def _numbers_of_examples(choices: Iterable[Path], t: int, T: int) -> Int64:
    """Return how many examples the shards have of each of the words t … t + T − 1, (T,)."""
    total = np.zeros(T, np.int64)
    for out in choices:
        t_seen, counts = load(out / "examples.npy")
        a, b = np.searchsorted(t_seen, (t, t + T))
        total[t_seen[a:b] - t] += counts[a:b]
    return total


# --- kernels


@kernel
def _affiliations(corpus: Aligned) -> Int32:
    """Return a_t of every target word of the corpus, an index of the flat source."""
    s_begin, t_begin, link_begin = corpus.s_begin, corpus.t_begin, corpus.begin
    a = np.full(t_begin[-1], -1, np.int32)
    for k in range(len(s_begin) - 1):
        for link in range(link_begin[k], link_begin[k + 1]):
            j, i = t_begin[k] + corpus.t[link], s_begin[k] + corpus.s[link]
            if a[j] < 0 or i < a[j]:
                a[j] = i
        carried = s_begin[k]
        for j in range(t_begin[k + 1] - 1, t_begin[k] - 1, -1):
            carried = a[j] if a[j] >= 0 else carried  # after the loop: a of the first linked word
        for j in range(t_begin[k], t_begin[k + 1]):
            carried = a[j] if a[j] >= 0 else carried
            a[j] = carried
    return a


@kernel
def _choices(
    source: Int32, target: Int32, t_begin: Int64, a: Int32, row: Int64, word: Int32,
    examples: Int32,
) -> Int32:  # fmt: skip
    """Return ``choice`` of ``_choose``, and add to ``examples``, (V_t,).

    Places are left out where T(s) has only one word, or where the chosen word is not in T(s).
    """
    choice = np.empty((len(target), 3), np.int32)
    M = 0
    for k in range(len(t_begin) - 1):
        for j in range(t_begin[k], t_begin[k + 1]):
            rivals = word[row[source[a[j]]] : row[source[a[j]] + 1]]
            is_choice = False
            for rival in rivals:
                is_choice |= len(rivals) > 1 and rival == target[j]
            if is_choice:
                choice[M, 0], choice[M, 1], choice[M, 2] = a[j], target[j], k
                M += 1
                for rival in rivals:
                    examples[rival] += 1
    return choice[:M].copy()


@kernel
def _gather(
    words: Int32, choice: Int32, s_first: int, s_end: int, row: Int64, word: Int32, step: Int64,
    seen: Int64, next_row: Int64, examples: Examples,
) -> None:  # fmt: skip
    """Write the examples of a shard; those of word n from ``next_row[n]`` on, which is advanced.

    s_first … s_end − 1: the shard's sentences, as numbered in ``examples``. seen: the number of
    examples of each word before this shard, increased; every ``step``-th is written.
    """
    for i in range(examples.begin[s_first], examples.begin[s_end]):
        examples.far[i] = hash_in_sentence(words[i])
    hashes = np.empty(LOCAL_FEATURES, np.uint32)
    _write(words, choice, s_first, row, word, step, seen, next_row, hashes, examples)


@lean
def _write(
    words: Int32, choice: Int32, s_first: int, row: Int64, word: Int32, step: Int64, seen: Int64,
    next_row: Int64, hashes: UInt32, examples: Examples,
) -> None:  # fmt: skip
    """Write the examples; see ``_gather``. hashes: (LOCAL_FEATURES,), overwritten."""
    _, near, sentence, chosen, begin, _ = examples
    for n in range(len(choice)):
        i, s, hashed = begin[s_first] + choice[n, 0], s_first + choice[n, 2], False
        for rival in word[row[words[i]] : row[words[i] + 1]]:
            if seen[rival] % step[rival] == 0:
                if not hashed:
                    write_local_hashes(words, begin[s], begin[s + 1], i, hashes)
                    hashed = True
                e = next_row[rival]
                next_row[rival] += 1
                for f in range(LOCAL_FEATURES):
                    near[e, f] = hashes[f]
                sentence[e], chosen[e] = s, rival == choice[n, 1]
            seen[rival] += 1


@kernel
def _descend(
    examples: Examples, begin: Int64, w: Float32, squares: Float32, epochs: int
) -> None:  # fmt: skip
    """Fit the weights of each word n, ``w[begin[n] : begin[n + 1]]``, by AdaGrad, in place.

    squares: Σ g² of each weight.
    """
    for n in range(len(examples.first) - 1):
        for _ in range(epochs):
            _pass(n, examples, w[begin[n] : begin[n + 1]], squares[begin[n] : begin[n + 1]])


@lean
def _pass(n: int, examples: Examples, w: Float32, squares: Float32) -> None:
    """Make a step for each example of word n.

    ``lean``, since reference counts of the slices took a quarter of the time.
    """
    first, near, sentence, chosen, begin, far = examples
    for e in range(first[n], first[n + 1]):
        far_hashes = far[begin[sentence[e]] : begin[sentence[e] + 1]]
        z = margin(w, near[e], far_hashes)
        if (z if chosen[e] else -z) < CERTAIN:
            error = 1 / (1 + np.exp(-z)) - np.float32(chosen[e])
            _step(w, squares, near[e], error)
            _step(w, squares, far_hashes, error)


@lean
def _step(w: Float32, squares: Float32, features: UInt32, error: np.float32) -> None:
    """Make an AdaGrad step for each feature f: g = error + decay · w_f,  w_f −= η g / √Σ g²."""
    mask = len(w) - 1
    for f in features:
        g = np.float32(error + np.float32(DECAY) * w[f & mask])
        squares[f & mask] += g * g
        w[f & mask] -= np.float32(STEP) * g / np.sqrt(squares[f & mask])
